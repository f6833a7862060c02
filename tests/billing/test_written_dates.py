"""Due dates that were reckoned once stand, whatever a later release of the zones' rules makes of them."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import AddItem, ChangeBillingDay, ChangePlan, UndoChanges, When
from perennial_billing.billing.contract.agreement import BillingDay
from perennial_billing.billing.contract.contract import DATES_AHEAD, Contract
from perennial_billing.billing.contract.planned import PlannedChange
from perennial_billing.billing.contract.schedule import WrittenDates
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.forecast.preview import upcoming
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.zones import RULES
from tests.billing.support import CAPTURED, PERMISSION_ID, SOFT, Life, at, chargeable, pinned_zone

HOUR: Final = timedelta(hours=1)
MONTH: Final = Interval(unit=Unit.MONTH)
SIX, NINE = Money.parse("6.00 EUR"), Money.parse("9.00 EUR")
CHARGE: Final = Action.CHARGE


def agreed(periods: int | None = None, ends_at: str | None = None) -> Terms:
    """On the fifth of each month at noon in Lisbon; the first one on 5 November, in winter."""
    return Terms(
        charge_permission_id=PERMISSION_ID,
        plan=Plan.of("basic", SIX, MONTH, periods),
        anchor=at("2027-11-05 12:00"),
        ends_at=at(ends_at) if ends_at else None,
        zone="Europe/Lisbon",
    )


def moved(contract: Contract, by: timedelta = HOUR) -> Contract:
    """The same contract, written down when the zone's rules gave other instants: so much later than today's."""
    return contract.but(written=contract.written.but(dates=tuple(date + by for date in contract.written.dates)))


def begun(by: timedelta = HOUR, periods: int | None = None) -> Life:
    """A subscription that was begun under the older rules; the first period is paid."""
    life = Life(agreed(periods))
    life.subscription = life.subscription.but(contract=moved(life.subscription.contract, by))
    life.step(CHARGE, f"{life.subscription.schedule.due(0):%Y-%m-%d %H:%M}", CAPTURED)
    return life


def days(subscription: Subscription, count: int) -> list[str]:
    """When the next charges are made."""
    now = subscription.schedule.due(subscription.next_period) - timedelta(days=1)
    return [f"{each.at:%m-%d %H:%M}" for each in upcoming(subscription, count, now)]


class TestWrittenDates:
    WRITTEN: Final = WrittenDates(first=3, dates=(at("2027-02-05 13:00"), at("2027-03-05 13:00")))

    def test_a_period_within_them_falls_due_when_they_say_and_no_other_does(self) -> None:
        assert [self.WRITTEN.due(number) for number in range(2, 6)] == [
            None,
            at("2027-02-05 13:00"),
            at("2027-03-05 13:00"),
            None,
        ]
        assert (self.WRITTEN.end, WrittenDates().end, WrittenDates().due(0)) == (5, 0, None)

    @pytest.mark.parametrize(
        ("now", "reckoned", "fallen_due"),
        [
            ("2027-01-20 00:00", 2, 2),  # before all of them: by the calendar
            ("2027-02-05 12:30", 4, 3),  # by the calendar the first has fallen due, as it is written it has not
            ("2027-02-05 13:00", 3, 4),  # the other way round; the instant itself counts
            ("2027-03-05 12:59", 5, 4),
            ("2027-03-05 13:00", 4, 5),
            ("2027-07-01 00:00", 9, 9),  # after all of them: by the calendar
        ],
    )
    def test_how_many_have_fallen_due_is_what_they_say(self, now: str, reckoned: int, fallen_due: int) -> None:
        assert self.WRITTEN.fallen_due(at(now), lambda _: reckoned) == fallen_due

    def test_where_nothing_is_written_down_the_calendar_counts(self) -> None:
        assert WrittenDates().fallen_due(at("2027-02-05 13:00"), lambda _: 7) == 7


class TestContract:
    def test_a_new_one_has_the_dates_of_a_year_and_more_and_says_by_which_rules(self) -> None:
        written = Subscription.begin(agreed()).contract.written

        assert (written.first, len(written.dates), written.rules) == (0, DATES_AHEAD, RULES)
        assert written.dates[0] == at("2027-11-05 12:00")
        assert written.dates[-1] == at("2029-01-05 12:00")
        assert written.dates[5] == at("2028-04-05 11:00"), "summer time has begun"

    def test_what_is_written_stands_and_what_is_not_is_by_the_calendar(self) -> None:
        schedule = moved(Contract(terms=agreed()).written_down(0)).schedule

        assert [f"{schedule.due(number):%Y-%m-%d %H:%M}" for number in (0, 5, 14, 15)] == [
            "2027-11-05 13:00",
            "2028-04-05 12:00",
            "2029-01-05 13:00",
            "2029-02-05 12:00",
        ]
        assert schedule.period(14).end == at("2029-02-05 12:00")

    @pytest.mark.parametrize("by", [HOUR, -HOUR])
    def test_dates_and_counts_agree_at_every_date(self, by: timedelta) -> None:
        contract = moved(Contract(terms=agreed()).written_down(4), by)
        schedule, second = contract.schedule, timedelta(seconds=1)

        for number in range(4 + DATES_AHEAD + 3):
            due = schedule.due(number)
            assert schedule.periods_due(due) == number + 1
            assert schedule.periods_due(due - second) == number

    @pytest.mark.parametrize("now", ["2028-01-05 12:00", "2028-01-05 13:00", "2028-02-01 00:00", "2031-01-01 00:00"])
    def test_no_period_is_made_up_after_the_last_one(self, now: str) -> None:
        schedule = moved(Contract(terms=agreed(periods=2)).written_down(0)).schedule

        assert [schedule.has_period(number) for number in range(-1, 4)] == [False, True, True, False, False]
        assert schedule.due(2) == at("2028-01-05 13:00"), "when the last one is over"
        assert schedule.periods_due(at(now)) == 2

    def test_an_end_cuts_off_what_is_written_to_fall_due_from_then_on(self) -> None:
        """By the calendar the period would begin at noon, before the end; it was written down for one o'clock."""
        schedule = moved(Contract(terms=agreed(ends_at="2028-01-05 12:30")).written_down(0)).schedule

        assert [schedule.has_period(number) for number in range(4)] == [True, True, False, False]
        assert schedule.due(2) == at("2028-01-05 12:30")
        assert schedule.periods_due(at("2029-01-01 00:00")) == 2

    def test_a_contract_that_was_never_written_down_is_changed_by_the_calendar(self) -> None:
        contract = Contract(terms=agreed())
        changed = contract.planning(PlannedChange(first=2, starts_at=at("2028-01-05 12:00"), quantity=2))

        assert changed.written == WrittenDates()
        assert changed.schedule.due(2) == at("2028-01-05 12:00")


class TestChanges:
    def test_dates_that_a_change_does_not_touch_stand_until_the_next_run(self) -> None:
        life = begun()
        life.step(CHARGE, "2027-12-05 13:00", SOFT)
        life.step(Action.READ_PERMISSION, "2027-12-05 13:00", chargeable())

        assert life.ask("2027-12-05 14:00", ChangePlan(quantity=2)) == at("2028-01-05 13:00")

        schedule = life.subscription.schedule
        assert [f"{schedule.due(number):%m-%d %H:%M}" for number in range(4)] == [
            "11-05 13:00",
            "12-05 13:00",
            "01-05 13:00",
            "02-05 13:00",
        ]
        assert [str(schedule.amount(number)) for number in (1, 2, 3)] == ["6.00 EUR", "12.00 EUR", "12.00 EUR"]
        assert len(life.subscription.contract.written.dates) == DATES_AHEAD

    @pytest.mark.parametrize("by", [HOUR, -HOUR, timedelta(hours=13), -timedelta(hours=13)])
    def test_a_change_makes_no_period_of_the_hour_that_the_rules_moved(self, by: timedelta) -> None:
        life = begun(by)
        life.ask("2027-11-20 09:00", ChangePlan(plan=Plan.of("gold", NINE, MONTH)))

        stand = [f"{at(f'{day} 12:00') + by:%m-%d %H:%M}" for day in ("2027-12-05", "2028-01-05", "2028-02-05")]
        assert days(life.subscription, 3) == stand
        assert days(life.subscription.carried_on(), 3) == ["12-05 12:00", "01-05 12:00", "02-05 12:00"]
        for subscription in (life.subscription, life.subscription.carried_on()):
            assert [str(subscription.schedule.amount(number)) for number in (1, 2, 3)] == ["9.00 EUR"] * 3

    def test_a_change_that_is_taken_back_leaves_the_dates_as_they_were(self) -> None:
        life = begun()
        life.ask("2027-11-20 09:00", ChangePlan(quantity=2))
        life.ask("2027-11-20 10:00", UndoChanges())

        assert life.subscription.contract.agreements == ()
        assert days(life.subscription, 2) == ["12-05 13:00", "01-05 13:00"]

    def test_a_new_billing_day_is_reckoned_anew(self) -> None:
        life = begun()
        life.ask("2027-11-20 09:00", ChangeBillingDay(billing_day=BillingDay(day=20)))

        assert days(life.subscription, 3) == ["12-05 13:00", "12-20 12:00", "01-20 12:00"]
        assert days(life.subscription.carried_on(), 3) == ["12-05 12:00", "12-20 12:00", "01-20 12:00"]

    def test_a_change_now_is_short_until_the_date_that_stands(self) -> None:
        life = begun()
        life.ask("2027-11-20 09:00", ChangePlan(plan=Plan.of("gold", NINE, MONTH), when=When.NOW))

        assert [(f"{each.at:%m-%d %H:%M}", str(each.amount)) for each in upcoming(life.subscription, 2, life.now)] == [
            ("11-20 09:00", "1.50 EUR"),
            ("12-05 13:00", "9.00 EUR"),
        ]

    @pytest.mark.parametrize("by", [HOUR, -HOUR])
    def test_an_item_charged_by_itself_moves_no_number_to_anothers_date(self, by: timedelta) -> None:
        life = begun(by)
        life.ask("2027-11-20 09:00", AddItem(amount=NINE, what="a print", when=When.NOW))
        first = life.subscription.contract.written

        assert first.due(1) == at("2027-11-20 09:00")
        assert first.due(0) == at("2027-11-05 12:00") + by
        life.step(CHARGE, "2027-11-20 09:00", CAPTURED)
        stand = [f"{at(f'{day} 12:00') + by:%m-%d %H:%M}" for day in ("2027-12-05", "2028-01-05", "2028-02-05")]
        assert days(life.subscription, 3) == stand
        assert life.subscription.schedule.periods_due(at("2027-12-05 12:00") + by) == 3

    def test_an_item_does_not_move_the_end(self) -> None:
        life = begun(periods=1)
        life.ask("2027-11-20 09:00", AddItem(amount=NINE, what="a print", when=When.NOW))
        life.step(CHARGE, "2027-11-20 09:00", CAPTURED)

        assert life.next == (Action.CLOSE_PERMISSION, at("2027-12-05 13:00"))


@pytest.fixture
def other_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lisbon's clocks go like Moscow's: three hours before UTC, all the year."""

    def rules(name: str) -> ZoneInfo:
        return pinned_zone("Europe/Moscow" if name == "Europe/Lisbon" else name)

    monkeypatch.setattr("perennial_billing.billing.calendar.rules_of", rules)
    monkeypatch.setattr("perennial_billing.billing.contract.schedule.rules_of", rules)


class TestOtherRules:
    @pytest.fixture
    def life(self) -> Life:
        """One that was begun before they changed."""
        life = Life(agreed())
        life.step(CHARGE, "2027-11-05 12:00", CAPTURED)
        return life

    def test_what_was_begun_under_the_older_rules_is_charged_when_it_was_said(
        self, life: Life, other_rules: None
    ) -> None:
        for when in ("2027-12-05 12:00", "2028-01-05 12:00", "2028-02-05 12:00", "2028-03-05 12:00"):
            life.step(CHARGE, when, CAPTURED)

        assert life.next == (CHARGE, at("2028-04-05 11:00")), "with the summer time that there was to be"
        assert Subscription.begin(agreed()).schedule.due(5) == at("2028-04-05 12:00")

    def test_a_new_run_takes_the_calendar_as_it_is_then(self, life: Life, other_rules: None) -> None:
        carried_on = life.subscription.carried_on()

        assert carried_on.schedule.due(0) == at("2027-11-05 12:00")
        assert (carried_on.contract.written.first, len(carried_on.contract.written.dates)) == (1, DATES_AHEAD)
        assert [carried_on.schedule.due(number) for number in (1, 5)] == [
            at("2027-12-05 12:00"),
            at("2028-04-05 12:00"),
        ]
        assert carried_on.but(contract=life.subscription.contract) == life.subscription, "nothing else has changed"

    def test_a_new_run_changes_no_date_while_a_period_is_owed(self, life: Life, other_rules: None) -> None:
        life.step(CHARGE, "2027-12-05 12:00", SOFT)

        assert life.subscription.carried_on() == life.subscription

    def test_what_is_carried_on_is_the_same_where_the_rules_are(self, life: Life) -> None:
        before = life.subscription
        carried_on = before.carried_on()

        assert [carried_on.schedule.due(number) for number in range(30)] == [
            before.schedule.due(number) for number in range(30)
        ]
        assert carried_on.carried_on() == carried_on


def test_the_dates_go_through_json_with_the_contract() -> None:
    contract = moved(Contract(terms=agreed()).written_down(2))
    restored = Contract.model_validate_json(contract.model_dump_json())

    assert restored == contract
    assert restored.schedule.due(2) == datetime.fromisoformat("2028-01-05T13:00:00+00:00")
