"""What a merchant changes about a running subscription: what it costs and when, in figures a person can check."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from perennial_billing.billing.agenda import main_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    Change,
    ChangeBillingDay,
    ChangePlan,
    PauseSubscription,
    ResumeSubscription,
    SkipPeriod,
    UndoCancellation,
    UndoChanges,
    When,
)
from perennial_billing.billing.contract.agreement import BillingDay, FirstPeriod
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.forecast.preview import upcoming
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Amounts, Phase, Plan
from perennial_billing.billing.protocol.commands import Action, Timer
from perennial_billing.billing.protocol.events import Unanswered
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.status import Status
from tests.billing.support import CAPTURED, PENDING, PERMISSION_ID, SOFT, Life, at, chargeable, closed

MONTH, YEAR, WEEK = (Interval(unit=unit) for unit in (Unit.MONTH, Unit.YEAR, Unit.WEEK))
TEN, TWENTY = Money.parse("10.00 EUR"), Money.parse("20.00 EUR")
CHARGE, CLOSE, CANCEL, PAUSE, RESUME = (
    Action.CHARGE, Action.CLOSE_PERMISSION, Action.CANCEL, Action.PAUSE, Action.RESUME,
)  # fmt: skip


def plan(amount: Money = TEN, interval: Interval = MONTH, periods: int | None = None, *after: Phase) -> Plan:
    return Plan.of("p", amount, interval, periods, after=after)


def begun(agreed: Plan | None = None, begins: str = "2026-04-30 09:00", *, paid: bool = True) -> Life:
    """A subscription whose first period is paid."""
    life = Life(Terms(charge_permission_id=PERMISSION_ID, plan=agreed or plan(), anchor=at(begins)))
    if paid:
        life.step(CHARGE, begins, CAPTURED)
    return life


def refused(life: Life, when: str, what: Change, why: str, kind: Kind) -> None:
    """What is asked for is refused for this reason, and has changed nothing."""
    before = life.subscription
    with pytest.raises(Refused, match=why) as refusal:
        life.ask(when, what)
    assert refusal.value.kind is kind
    assert life.subscription == before


def shown(life: Life, count: int) -> list[tuple[str, str]]:
    """Day and amount of the charges to come."""
    return [(f"{each.at:%m-%d}", str(each.amount.amount)) for each in upcoming(life.subscription, count, life.now)]


class TestPlan:
    def test_another_plan_holds_from_the_next_period_on_and_keeps_the_billing_day(self) -> None:
        life = begun(begins="2026-01-31 09:00")

        effective = life.ask("2026-02-10 12:00", ChangePlan(plan=plan(TWENTY)))

        assert effective == at("2026-02-28 09:00")
        assert shown(life, 3) == [("02-28", "20.00"), ("03-31", "20.00"), ("04-30", "20.00")]

    def test_a_period_that_is_being_collected_keeps_its_price(self) -> None:
        life = begun(paid=False)
        life.step(CHARGE, "2026-04-30 09:00", SOFT)
        life.step(Action.READ_PERMISSION, "2026-04-30 09:00", chargeable())
        life.ask("2026-04-30 10:00", ChangePlan(plan=plan(TWENTY)))
        life.step(CHARGE, "2026-04-30 21:00", CAPTURED)

        assert life.subscription.ledger.records[0].amount == TEN
        assert shown(life, 1) == [("05-30", "20.00")]

    def test_now_the_unused_days_are_credited_and_the_rest_is_charged_at_the_new_price(self) -> None:
        """Half of a period of 30 days: 5.00 of the old price back, 10.00 of the new one for the rest."""
        life = begun()

        life.ask("2026-05-15 12:00", ChangePlan(plan=plan(TWENTY), when=When.NOW))

        assert life.next == (CHARGE, at("2026-05-15 12:00"))
        assert shown(life, 3) == [("05-15", "5.00"), ("05-30", "20.00"), ("06-30", "20.00")]
        life.step(CHARGE, "2026-05-15 12:00", CAPTURED)
        record = life.subscription.ledger.records[-1]
        assert (str(record.amount), str(record.credit), life.subscription.balance.credit) == (
            "5.00 EUR",
            "5.00 EUR",
            None,
        )

    def test_now_a_cheaper_plan_costs_nothing_until_the_credit_is_used_up(self) -> None:
        life = begun(plan(TWENTY))

        life.ask("2026-05-15 12:00", ChangePlan(plan=plan(Money.parse("4.00 EUR")), when=When.NOW))

        # 10.00 are credited; 2.00 for the rest of the period, 4.00 for each one after.
        assert shown(life, 5) == [
            ("05-15", "0.00"), ("05-30", "0.00"), ("06-30", "0.00"), ("07-30", "4.00"), ("08-30", "4.00"),
        ]  # fmt: skip

    def test_now_another_interval_begins_anew(self) -> None:
        life = begun()

        life.ask("2026-05-15 12:00", ChangePlan(plan=plan(Money.parse("100.00 EUR"), YEAR), when=When.NOW))

        assert shown(life, 2) == [("05-15", "95.00"), ("05-15", "100.00")]
        assert life.subscription.schedule.due(2) == at("2027-05-15 12:00")

    def test_now_on_a_weekly_plan_the_weekday_stays(self) -> None:
        life = begun(plan(Money.parse("7.00 EUR"), WEEK))

        life.ask("2026-05-03 12:00", ChangePlan(plan=plan(Money.parse("14.00 EUR"), WEEK), when=When.NOW))

        assert shown(life, 3) == [("05-03", "4.00"), ("05-07", "14.00"), ("05-14", "14.00")]

    def test_another_quantity_now_is_prorated_and_later_is_not(self) -> None:
        life = begun()
        life.ask("2026-05-15 12:00", ChangePlan(quantity=3, when=When.NOW))
        assert shown(life, 2) == [("05-15", "10.00"), ("05-30", "30.00")]

        later = begun()
        later.ask("2026-05-15 12:00", ChangePlan(quantity=3))
        assert shown(later, 2) == [("05-30", "30.00"), ("06-30", "30.00")]

    def test_changes_of_plan_and_quantity_add_up_and_are_undone_together(self) -> None:
        life = begun()
        life.ask("2026-05-01 12:00", ChangePlan(plan=plan(TWENTY)))
        life.ask("2026-05-02 12:00", ChangePlan(quantity=2))
        assert shown(life, 1) == [("05-30", "40.00")]

        life.ask("2026-05-03 12:00", UndoChanges())
        assert shown(life, 1) == [("05-30", "10.00")]

    def test_a_trial_is_not_given_again_and_the_rest_of_ones_own_goes_on(self) -> None:
        trial = Phase(amount=Money.parse("0 EUR"), interval=Interval(unit=Unit.DAY, count=14), periods=2)
        life = begun()
        life.ask("2026-05-01 12:00", ChangePlan(plan=plan(TWENTY, MONTH, None, trial)))
        assert shown(life, 1) == [("05-30", "20.00")]

        own = begun(plan(TEN, MONTH, None, trial), paid=False)
        own.step(CHARGE, "2026-04-30 09:00")
        own.ask("2026-05-01 12:00", ChangePlan(quantity=2))
        assert shown(own, 3) == [("05-14", "0.00"), ("05-28", "20.00"), ("06-28", "20.00")]

    def test_instalments_that_were_paid_count_on_and_a_longer_plan_goes_on_after_the_end(self) -> None:
        life = begun(plan(TEN, MONTH, 2))
        life.step(CHARGE, "2026-05-30 09:00", CAPTURED)
        assert life.next == (CLOSE, at("2026-06-30 09:00"))

        life.ask("2026-06-01 12:00", ChangePlan(plan=plan(TWENTY)))

        assert life.next == (CHARGE, at("2026-06-30 09:00"))
        assert life.subscription.status is Status.ACTIVE
        life.step(CHARGE, "2026-06-30 09:00", CAPTURED)
        life.ask("2026-07-01 12:00", ChangePlan(quantity=2))
        assert shown(life, 1) == [("07-30", "40.00")], "the end that was not to be is forgotten"

    def test_the_new_plans_policy_and_name_are_what_counts(self) -> None:
        life = begun()
        named = Plan.of("gold", TWENTY, MONTH)
        life.ask("2026-05-01 12:00", ChangePlan(plan=named))

        assert life.subscription.plan == named

    @pytest.mark.parametrize(
        ("what", "interval", "why", "kind"),
        [
            (ChangePlan(), MONTH, "plan: a plan or a quantity must be given", Kind.INVALID),
            (
                ChangePlan(plan=plan(Money.parse("1 USD"))),
                MONTH,
                "plan: USD is not accepted; the charge permission is in EUR",
                Kind.INVALID,
            ),
            (UndoChanges(), MONTH, "there is no change that has not taken effect", Kind.NOT_NOW),
            (
                ChangeBillingDay(billing_day=BillingDay(day=1)),
                WEEK,
                "billing_day: 1 is not accepted; a plan counted in days or weeks has no day of the month",
                Kind.INVALID,
            ),
        ],
    )
    def test_what_cannot_be_changed_is_said(self, what: Change, interval: Interval, why: str, kind: Kind) -> None:
        refused(begun(plan(TEN, interval)), "2026-05-02 09:00", what, why, kind)

    def test_now_is_not_possible_while_a_period_is_owed(self) -> None:
        life = begun(paid=False)
        life.step(CHARGE, "2026-04-30 09:00", SOFT)

        now = ChangePlan(plan=plan(TWENTY), when=When.NOW)
        refused(life, "2026-05-02 09:00", now, "when: now is not .* a period is owed or has not begun", Kind.NOT_NOW)

    def test_nothing_is_changed_any_more_when_it_ends(self) -> None:
        life = begun()
        life.cancel("2026-05-02 09:00")

        for what in (ChangePlan(quantity=2), PauseSubscription(), SkipPeriod(), Cancel()):
            why = "subscription: ending is not possible now; canceled: nothing can be changed any more"
            refused(life, "2026-05-02 10:00", what, why, Kind.NOT_NOW)

    def test_a_plan_whose_last_period_is_over_is_not_changed_while_its_permission_is_being_closed(self) -> None:
        """Found by the machine that drives any subscription: the end was forgotten, and then not there."""
        life = begun(plan(TEN, MONTH, 1))

        why = r"the periods of the plan are over \(1\): nothing can be changed any more"
        refused(life, "2026-05-30 09:00", ChangePlan(plan=plan(TWENTY)), why, Kind.NOT_NOW)

        life.elapses(Timer.TERM)
        why = "completed: nothing can be changed any more"
        refused(life, "2026-05-30 09:00", ChangePlan(plan=plan(TWENTY)), why, Kind.NOT_NOW)

    def test_a_cancellation_that_waits_for_amazon_is_not_undone_by_a_change(self) -> None:
        life = begun()
        life.step(CHARGE, "2026-05-30 09:00", PENDING)
        life.cancel("2026-05-30 09:30")

        why = "a cancellation was asked for: nothing can be changed any more"
        refused(life, "2026-05-30 09:30", ChangePlan(quantity=2), why, Kind.NOT_NOW)


class TestBillingDay:
    def test_a_billing_day_changed_within_the_trial_makes_the_first_period_short(self) -> None:
        """After Kill Bill's: 249.95 from day 1 to day 15, while in trial."""
        trial = Phase(amount=Money.parse("0 USD"), interval=Interval(unit=Unit.DAY, count=30), periods=1)
        life = begun(Plan.of("gold", Money.parse("249.95 USD"), MONTH, after=[trial]), "2016-04-01 09:00", paid=False)
        life.step(CHARGE, "2016-04-01 09:00")

        life.ask("2016-04-10 12:00", ChangeBillingDay(billing_day=BillingDay(day=15)))

        assert shown(life, 3) == [("05-01", "116.64"), ("05-15", "249.95"), ("06-15", "249.95")]

    @pytest.mark.parametrize(
        ("kind", "first"), [(FirstPeriod.SHORT, "5.00"), (FirstPeriod.WHOLE, "10.00"), (FirstPeriod.FREE, "0.00")]
    )
    def test_what_is_paid_stays_paid_and_the_next_period_bridges(self, kind: FirstPeriod, first: str) -> None:
        life = begun(begins="2026-03-31 09:00")

        day = BillingDay(day=15, first_period=kind)
        effective = life.ask("2026-04-10 12:00", ChangeBillingDay(billing_day=day))

        assert effective == at("2026-04-30 09:00")
        assert shown(life, 3) == [("04-30", first), ("05-15", "10.00"), ("06-15", "10.00")]

    def test_a_later_change_of_plan_keeps_the_new_day(self) -> None:
        life = begun()
        life.ask("2026-05-01 12:00", ChangeBillingDay(billing_day=BillingDay(day=31)))
        life.ask("2026-05-02 12:00", ChangePlan(plan=plan(TWENTY)))

        assert shown(life, 3) == [("05-30", "0.65"), ("05-31", "20.00"), ("06-30", "20.00")]


class TestPause:
    def test_what_falls_due_within_a_pause_is_not_owed_and_the_day_stays(self) -> None:
        life = begun()
        life.ask("2026-05-10 12:00", PauseSubscription())
        assert (life.subscription.status, life.next) == (Status.PAUSED, None)
        assert not life.subscription.needs_attention, "the merchant asked for it"

        life.ask("2026-07-15 12:00", ResumeSubscription())

        life.step(CHARGE, "2026-05-30 09:00")
        life.step(CHARGE, "2026-06-30 09:00")
        assert life.book[1:] == [(1, "skipped", 0), (2, "skipped", 0)]
        assert shown(life, 2) == [("07-30", "10.00"), ("08-30", "10.00")]

    def test_a_pause_from_the_very_due_date_on_asks_for_no_amount_again(self) -> None:
        """It comes while the merchant's endpoint is being asked."""
        life = begun(plan().but(amounts=Amounts.ASKED), paid=False)
        life.elapses(Timer.PERIOD)
        assert life.next == (Action.ASK_AMOUNT, at("2026-04-30 09:00"))
        asked = main_command(life.subscription)
        assert asked is not None

        life.ask("2026-04-30 09:00", PauseSubscription())
        life.happens(Unanswered(asked))

        assert life.first is None
        assert life.subscription.renewal.undecided_since is None

    def test_a_pause_from_the_end_of_the_period_begins_and_ends_by_itself(self) -> None:
        life = begun()
        until = at("2026-07-10 00:00")
        since = life.ask("2026-05-10 12:00", PauseSubscription(when=When.RENEWAL, until=until))
        assert (since, life.subscription.status) == (at("2026-05-30 09:00"), Status.ACTIVE)

        life.beside(PAUSE, "2026-05-30 09:00")
        assert life.subscription.status is Status.PAUSED
        life.beside(RESUME, "2026-07-10 00:00")

        life.step(CHARGE, "2026-05-30 09:00")
        life.step(CHARGE, "2026-06-30 09:00")
        assert life.next == (CHARGE, at("2026-07-30 09:00"))
        assert life.told[-4:] == [
            "subscription.paused", "subscription.resumed", "period.skipped", "period.skipped",
        ]  # fmt: skip

    def test_a_pause_may_move_the_due_dates_by_as_long_as_it_lasts(self) -> None:
        """66 days: of those that are paid, none is lost."""
        life = begun()
        life.ask("2026-05-10 12:00", PauseSubscription(keeps_anchor=False))
        life.ask("2026-07-15 12:00", ResumeSubscription())

        assert shown(life, 2) == [("08-04", "10.00"), ("09-04", "10.00")]
        assert life.subscription.next_period == 1, "no number is passed over"

    def test_a_period_that_is_owed_goes_on_being_collected(self) -> None:
        life = begun(paid=False)
        life.step(CHARGE, "2026-04-30 09:00", SOFT)
        life.step(Action.READ_PERMISSION, "2026-04-30 09:00", chargeable())
        life.ask("2026-04-30 10:00", PauseSubscription())
        assert life.subscription.collection is not None
        life.step(CHARGE, "2026-04-30 21:00", CAPTURED)

        assert (life.book, life.next) == ([(0, "paid", 2)], None)
        assert life.subscription.status is Status.PAUSED

    def test_a_pause_that_has_not_begun_is_taken_back(self) -> None:
        life = begun()
        life.ask("2026-05-10 12:00", PauseSubscription(when=When.RENEWAL))
        life.ask("2026-05-11 12:00", ResumeSubscription())

        assert life.subscription.lifecycle.pause is None
        assert shown(life, 1) == [("05-30", "10.00")]

    def test_a_paused_subscription_may_be_canceled(self) -> None:
        life = begun()
        life.ask("2026-05-10 12:00", PauseSubscription())
        life.cancel("2026-06-15 09:00")
        life.step(CLOSE, "2026-06-15 09:00", closed("MerchantClosed"))

        assert life.subscription.status is Status.CANCELED
        assert life.book[1:] == [(1, "skipped", 0)], "nothing was owed for what fell due meanwhile"

    @pytest.mark.parametrize(
        ("what", "why", "kind"),
        [
            (
                PauseSubscription(until=at("2026-05-01 00:00")),
                "until: 2026-05-01T00:00:00.* is not accepted; instants after the pause begins",
                Kind.INVALID,
            ),
            (
                PauseSubscription(until=at("2036-05-10 12:01")),
                "until: 2036-05-10T12:01:00.* is not accepted; instants up to 2036-05-10, ten years on, are",
                Kind.INVALID,
            ),
            (
                PauseSubscription(when=at("2026-05-10 11:59")),
                "when: 2026-05-10T11:59:00.* is not accepted; instants from now on are; it is 2026-05-10T12:00:00Z",
                Kind.INVALID,
            ),
            (ResumeSubscription(), "the subscription is not paused by request", Kind.NOT_NOW),
        ],
    )
    def test_a_pause_that_cannot_be_is_refused(self, what: Change, why: str, kind: Kind) -> None:
        refused(begun(), "2026-05-10 12:00", what, why, kind)

    def test_it_is_paused_once(self) -> None:
        life = begun()
        life.ask("2026-05-10 12:00", PauseSubscription())
        why = "is to be paused from 2026-05-10 12:00 UTC on"
        refused(life, "2026-05-10 12:00", PauseSubscription(), why, Kind.CONFLICT)

    def test_a_pause_may_begin_at_an_instant(self) -> None:
        life = begun()
        assert life.ask("2026-05-10 12:00", PauseSubscription(when=at("2026-06-10 00:00"))) == at("2026-06-10 00:00")

        life.step(CHARGE, "2026-05-30 09:00", CAPTURED)
        life.beside(PAUSE, "2026-06-10 00:00")
        assert (life.subscription.status, life.next) == (Status.PAUSED, None)


class TestSkip:
    def test_the_next_period_is_not_owed_and_the_one_after_is(self) -> None:
        life = begun()
        assert life.ask("2026-05-10 12:00", SkipPeriod()) == at("2026-05-30 09:00")
        life.step(CHARGE, "2026-05-30 09:00")

        assert life.book[1:] == [(1, "skipped", 0)]
        assert shown(life, 1) == [("06-30", "10.00")]
        assert life.subscription.contract.skips == ()

    def test_it_is_owed_after_all(self) -> None:
        life = begun()
        life.ask("2026-05-10 12:00", SkipPeriod())
        life.ask("2026-05-11 12:00", SkipPeriod(undo=True))

        assert shown(life, 1) == [("05-30", "10.00")]

    @pytest.mark.parametrize("undo", [True, False])
    def test_saying_it_twice_is_refused(self, *, undo: bool) -> None:
        life = begun()
        if not undo:
            life.ask("2026-05-10 12:00", SkipPeriod())
        refused(life, "2026-05-10 12:00", SkipPeriod(undo=undo), r"period 1 is .*skipped already", Kind.CONFLICT)


class TestPlannedEnd:
    def test_it_ends_with_the_paid_period_and_nothing_more_is_charged(self) -> None:
        life = begun()
        assert life.ask("2026-05-10 12:00", Cancel(reason="moved away")) == at("2026-05-30 09:00")
        assert shown(life, 3) == []

        life.beside(CANCEL, "2026-05-30 09:00")
        life.begin_cancellation_if_due()
        life.step(CLOSE, "2026-05-30 09:00", closed("MerchantClosed"))

        assert (life.subscription.status, len(life.book)) == (Status.CANCELED, 1)
        assert life.subscription.lifecycle.ending is not None
        assert life.subscription.lifecycle.ending.reason == "moved away"

    def test_its_reason_may_be_as_long_as_amazon_takes(self) -> None:
        life = begun()
        life.ask("2026-05-10 12:00", Cancel(reason="m" * 255))
        assert life.subscription.lifecycle.planned_end is not None
        assert life.subscription.lifecycle.planned_end.reason == "m" * 255

        with pytest.raises(ValidationError, match="reason"):
            Cancel(reason="m" * 256)

    def test_it_ends_on_a_date_and_what_falls_due_before_is_charged(self) -> None:
        life = begun()
        life.ask("2026-05-10 12:00", Cancel(when=at("2026-07-10 00:00")))

        assert shown(life, 9) == [("05-30", "10.00"), ("06-30", "10.00")]

    def test_it_is_taken_back_before_it_takes_effect(self) -> None:
        life = begun()
        life.ask("2026-05-10 12:00", Cancel())
        life.ask("2026-05-20 12:00", UndoCancellation())

        assert life.next == (CHARGE, at("2026-05-30 09:00"))
        refused(life, "2026-05-20 12:00", UndoCancellation(), "no cancellation is planned", Kind.NOT_NOW)

    def test_the_past_is_refused(self) -> None:
        why = r"when: 2026-05-01T00:00:00\+00:00 is not accepted; instants from now on are"
        refused(begun(), "2026-05-10 12:00", Cancel(when=at("2026-05-01 00:00")), why, Kind.INVALID)


class TestItems:
    def test_an_item_is_charged_once_with_the_next_charge(self) -> None:
        life = begun()
        life.ask("2026-05-10 12:00", AddItem(amount=Money.parse("2.50 EUR"), what="gift wrapping"))

        assert shown(life, 2) == [("05-30", "12.50"), ("06-30", "10.00")]
        life.step(CHARGE, "2026-05-30 09:00", CAPTURED)
        assert str(life.subscription.ledger.records[-1].items) == "2.50 EUR"

    def test_a_credit_is_taken_off_until_it_is_used_up(self) -> None:
        life = begun()
        life.ask("2026-05-10 12:00", AddItem(amount=Money.parse("12.00 EUR"), what="late parcel", credit=True))

        assert shown(life, 3) == [("05-30", "0.00"), ("06-30", "8.00"), ("07-30", "10.00")]
        life.step(CHARGE, "2026-05-30 09:00")
        assert life.subscription.ledger.records[-1].outcome is PeriodOutcome.FREE

    def test_a_credit_is_not_lost_with_a_period_that_is_written_off(self) -> None:
        life = begun()
        life.ask("2026-05-10 12:00", AddItem(amount=Money.parse("4.00 EUR"), what="late parcel", credit=True))
        life.step(CHARGE, "2026-05-30 09:00", SOFT)
        life.now += timedelta(days=1)
        life.elapses(Timer.NEXT_DUE)

        assert life.subscription.balance.credit == Money.parse("4.00 EUR")

    def test_an_item_may_be_charged_now_and_the_due_dates_stay(self) -> None:
        life = begun()
        wrapping = AddItem(amount=Money.parse("2.50 EUR"), what="gift wrapping", when=When.NOW)

        assert life.ask("2026-05-10 12:00", wrapping) == at("2026-05-10 12:00")

        assert shown(life, 3) == [("05-10", "2.50"), ("05-30", "10.00"), ("06-30", "10.00")]
        life.step(CHARGE, "2026-05-10 12:00", CAPTURED)
        assert life.book == [(0, "paid", 1), (1, "paid", 1)]
        assert life.next == (CHARGE, at("2026-05-30 09:00"))

    def test_an_item_charged_now_shifts_what_is_planned_and_counts_as_no_instalment(self) -> None:
        life = begun(plan(TEN, MONTH, 3))
        life.ask("2026-05-01 12:00", SkipPeriod())
        life.ask("2026-05-02 12:00", AddItem(amount=Money.parse("2.50 EUR"), what="x", when=When.NOW))
        life.step(CHARGE, "2026-05-02 12:00", CAPTURED)
        assert life.subscription.contract.skips == (2,)
        life.step(CHARGE, "2026-05-30 09:00")
        life.step(CHARGE, "2026-06-30 09:00", CAPTURED)

        assert [outcome for _, outcome, _ in life.book] == ["paid", "paid", "skipped", "paid"]
        assert life.next == (CLOSE, at("2026-07-30 09:00"))

    def test_after_an_item_a_change_now_has_to_wait_and_a_later_one_holds(self) -> None:
        life = begun()
        life.ask("2026-05-10 12:00", AddItem(amount=Money.parse("2.50 EUR"), what="x", when=When.NOW))
        life.step(CHARGE, "2026-05-10 12:00", CAPTURED)

        now = ChangePlan(quantity=2, when=When.NOW)
        refused(life, "2026-05-11 12:00", now, "an item was charged within the period", Kind.NOT_NOW)
        life.ask("2026-05-11 12:00", ChangePlan(quantity=2))
        assert shown(life, 2) == [("05-30", "20.00"), ("06-30", "20.00")]

    def test_what_is_undone_after_an_item_is_the_change_and_not_what_goes_on(self) -> None:
        life = begun()
        for day in ("2026-05-10 12:00", "2026-05-11 12:00"):
            life.ask(day, AddItem(amount=Money.parse("2.50 EUR"), what="x", when=When.NOW))
            life.step(CHARGE, day, CAPTURED)
        why = "there is no change that has not taken effect"
        refused(life, "2026-05-11 13:00", UndoChanges(), why, Kind.NOT_NOW)
        life.ask("2026-05-12 12:00", ChangePlan(quantity=2))
        life.ask("2026-05-13 12:00", AddItem(amount=Money.parse("2.50 EUR"), what="x", when=When.NOW))
        life.step(CHARGE, "2026-05-13 12:00", CAPTURED)
        assert shown(life, 1) == [("05-30", "20.00")]

        life.ask("2026-05-14 12:00", UndoChanges())

        assert shown(life, 3) == [("05-30", "10.00"), ("06-30", "10.00"), ("07-30", "10.00")]

    def test_an_item_in_the_last_period_does_not_move_the_end(self) -> None:
        life = begun(plan(TEN, MONTH, 1))
        assert life.next == (CLOSE, at("2026-05-30 09:00"))
        life.ask("2026-05-10 12:00", AddItem(amount=Money.parse("2.50 EUR"), what="x", when=When.NOW))
        life.step(CHARGE, "2026-05-10 12:00", CAPTURED)

        assert life.next == (CLOSE, at("2026-05-30 09:00"))

    def test_an_item_is_not_paused_with_the_plan_and_its_words_are_shown(self) -> None:
        life = begun()
        life.ask("2026-05-10 12:00", AddItem(amount=Money.parse("2.50 EUR"), what="gift", when=When.NOW))
        life.ask("2026-05-10 12:00", PauseSubscription(keeps_anchor=False))
        assert [each.why for each in upcoming(life.subscription, 1, life.now)] == ["gift"]
        life.step(CHARGE, "2026-05-10 12:00", CAPTURED)
        now = AddItem(amount=Money.parse("1 EUR"), what="x", when=When.NOW)
        why = "when: now is not possible now; the subscription is paused"
        refused(life, "2026-05-10 12:00", now, why, Kind.NOT_NOW)
        life.ask("2026-07-04 12:00", ResumeSubscription())

        assert shown(life, 2) == [("07-24", "10.00"), ("08-24", "10.00")]

    def test_an_item_that_is_paused_and_resumed_at_its_instant_loses_neither_itself_nor_the_plan(self) -> None:
        """All in one task of the workflow, before it can charge."""
        for keeps_anchor in (True, False):
            life = begun()
            life.ask("2026-05-10 12:00", AddItem(amount=Money.parse("2.50 EUR"), what="x", when=When.NOW))
            life.ask("2026-05-10 12:00", PauseSubscription(keeps_anchor=keeps_anchor))
            life.ask("2026-05-10 12:00", ResumeSubscription())
            life.step(CHARGE, "2026-05-10 12:00", CAPTURED)

            assert shown(life, 1) == [("05-30", "10.00")]
            assert shown(life, 3)[2][1] == "10.00"

    @pytest.mark.parametrize("when", list(When))
    def test_an_item_is_taken_once_for_one_reference(self, when: When) -> None:
        life = begun()
        item = AddItem(amount=Money.parse("2.50 EUR"), what="gift", when=when, reference="order-7")
        effective_at = life.ask("2026-05-10 12:00", item)
        before = life.subscription

        assert life.ask("2026-05-10 12:05", item) == effective_at
        assert life.subscription.but(references=before.references) == before
        for other in (item.but(what="cup"), item.but(amount=TEN), item.but(credit=True)):
            why = "reference: 'order-7' is in conflict with what stands; it is that of another item"
            refused(life, "2026-05-10 12:05", other, why, Kind.CONFLICT)
        life.ask("2026-05-10 12:05", item.but(reference="order-8", when=When.RENEWAL))
        taken = [life.subscription.references.find(name) for name in ("order-7", "order-8")]
        assert [entry.result for entry in taken if entry] == [effective_at, at("2026-05-30 09:00")]

    def test_nothing_is_charged_now_while_a_period_is_owed_and_no_credit_is(self) -> None:
        life = begun(paid=False)
        life.step(CHARGE, "2026-04-30 09:00", SOFT)
        now = AddItem(amount=Money.parse("2.50 EUR"), what="x", when=When.NOW)

        why = "when: now is not possible now; a period is owed"
        refused(life, "2026-04-30 09:00", now, why, Kind.NOT_NOW)
        why = "when: now is not accepted; a credit is taken off the next charges"
        refused(begun(), "2026-05-10 12:00", now.but(credit=True), why, Kind.INVALID)

    @pytest.mark.parametrize("amount", ["0 EUR", "1 USD"])
    def test_what_is_nothing_or_in_another_currency_is_refused(self, amount: str) -> None:
        item, why = AddItem(amount=Money.parse(amount), what="x"), "is not accepted; more than zero, in EUR, is"
        refused(begun(), "2026-05-10 12:00", item, why, Kind.INVALID)
