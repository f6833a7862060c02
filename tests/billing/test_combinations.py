"""Two changes together: what was paid is what is served, whatever was planned, paused, skipped or given back before.

Each of these was got wrong by somebody: here, or in another system. The figures are such that a person can check them.
"""

from datetime import timedelta

import pytest

from perennial_billing.billing.agenda import main_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    ChangeBillingDay,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    ResumeSubscription,
    Settle,
    SkipPeriod,
    UndoCancellation,
    UndoChanges,
    When,
    WriteOff,
)
from perennial_billing.billing.contract.agreement import BillingDay, FirstPeriod
from perennial_billing.billing.contract.terms import Terms, check_anchor
from perennial_billing.billing.forecast.preview import upcoming
from perennial_billing.billing.machine import ask
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import LEDGER_LENGTH
from perennial_billing.billing.parts.outbox import Outbox
from perennial_billing.billing.plan import Amounts, Phase, Plan
from perennial_billing.billing.plan.plan import LastPeriod
from perennial_billing.billing.protocol.answers import RefundAnswer, RefundState
from perennial_billing.billing.protocol.commands import AskAmount, CreateRefund, Elapse, Timer
from perennial_billing.billing.protocol.events import Answered
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription
from tests.billing.support import CAPTURED, PERMISSION_ID, SOFT, Life, at, closed

MONTH, YEAR, WEEK, DAY = (Interval(unit=unit) for unit in (Unit.MONTH, Unit.YEAR, Unit.WEEK, Unit.DAY))


def eur(amount: str) -> Money:
    return Money.parse(f"{amount} EUR")


def plan(amount: str, interval: Interval = MONTH, periods: int | None = None, *after: Phase, name: str = "p") -> Plan:
    return Plan.of(name, eur(amount), interval, periods, after=after)


def begun(agreed: Plan, begins: str, *, zone: str = "UTC", ends_at: str | None = None) -> Life:
    """A subscription whose first period is paid."""
    life = Life(
        Terms(
            charge_permission_id=PERMISSION_ID,
            plan=agreed,
            anchor=at(begins),
            zone=zone,
            ends_at=at(ends_at) if ends_at else None,
        )
    )
    life.elapses(Timer.PERIOD)
    if life.subscription.collection is not None:
        life.answered(CAPTURED)
    return life


def charges(life: Life, count: int) -> list[tuple[str, str]]:
    """Day and amount of what the buyer will pay, all going well."""
    return [(f"{each.at:%Y-%m-%d}", str(each.amount.amount)) for each in upcoming(life.subscription, count, life.now)]


def paid(life: Life) -> None:
    """What is due now is charged, and succeeds."""
    while (command := main_command(life.subscription)) is not None and command.at <= life.now:
        if isinstance(command, Elapse):
            life.elapses(command.timer)
        else:
            life.happens(Answered(command, CAPTURED))


def refused(life: Life, when: str, what: Request, why: str, kind: Kind) -> None:
    """What is asked for is refused for this reason, and has changed nothing."""
    before = life.subscription
    with pytest.raises(Refused, match=why) as refusal:
        life.wants(when, what)
    assert refusal.value.kind is kind
    assert life.subscription == before


class TestPaused:
    def test_no_plan_is_changed_now_while_it_is_paused(self) -> None:
        """45.00 a month: gold now within the pause, and resuming after it, gave gold for the days' difference."""
        life = begun(plan("45.00"), "2027-03-01 08:00")
        life.ask("2027-03-02 08:00", PauseSubscription())

        now = ChangePlan(plan=plan("90.00", name="gold"), when=When.NOW)
        why = "when: now is not possible now; the subscription is paused: change it at the renewal"
        refused(life, "2027-03-02 08:05", now, why, Kind.NOT_NOW)
        life.ask("2027-03-02 08:06", ChangePlan(plan=plan("90.00", name="gold")))
        life.ask("2027-03-02 08:10", ResumeSubscription())
        assert charges(life, 1) == [("2027-04-01", "90.00")]

    def test_what_began_within_a_pause_is_not_lost_when_the_pause_moves_the_dates_after_all(self) -> None:
        """Two boxes from 10 May were agreed on; that day came within a pause that was to keep the dates, and another
        change was asked for meanwhile. With the dates moved, the first renewal was charged for one box.
        """
        life = begun(plan("12.50"), "2027-04-05 09:00")
        life.ask("2027-04-06 09:00", ChangePlan(quantity=2, when=at("2027-05-10 00:00")))
        life.ask("2027-04-15 09:00", PauseSubscription(keeps_anchor=True))
        life.ask("2027-06-20 12:00", ChangePlan(quantity=3))
        assert charges(life, 1) == []
        life.ask("2027-06-24 09:00", ResumeSubscription(keeps_anchor=False))

        assert charges(life, 4) == [
            ("2027-07-14", "25.00"),
            ("2027-08-14", "25.00"),
            ("2027-09-14", "37.50"),
            ("2027-10-14", "37.50"),
        ]

    def test_what_began_within_a_pause_that_keeps_the_dates_holds_with_the_first_one_after_it(self) -> None:
        life = begun(plan("12.50"), "2027-04-05 09:00")
        life.ask("2027-04-06 09:00", ChangePlan(quantity=2, when=at("2027-05-10 00:00")))
        life.ask("2027-04-15 09:00", PauseSubscription(keeps_anchor=True))
        life.ask("2027-06-20 12:00", ChangePlan(quantity=3))
        life.ask("2027-06-24 09:00", ResumeSubscription())

        assert charges(life, 2) == [("2027-07-05", "37.50"), ("2027-08-05", "37.50")]

    def test_what_began_within_a_pause_is_not_taken_back_by_undoing_what_has_not(self) -> None:
        life = begun(plan("12.50"), "2027-04-05 09:00")
        life.ask("2027-04-06 09:00", ChangePlan(quantity=2, when=at("2027-05-10 00:00")))
        life.ask("2027-04-15 09:00", PauseSubscription(keeps_anchor=True))
        refused(life, "2027-06-19 12:00", UndoChanges(), "no change that has not taken effect", Kind.NOT_NOW)
        life.ask("2027-06-20 12:00", ChangePlan(quantity=3))
        life.ask("2027-06-21 12:00", UndoChanges())
        life.ask("2027-06-24 09:00", ResumeSubscription(keeps_anchor=False))

        assert charges(life, 2) == [("2027-07-14", "25.00"), ("2027-08-14", "25.00")]

    def test_a_billing_day_that_came_within_a_pause_is_kept_when_the_pause_moves_the_dates_after_all(self) -> None:
        life = begun(plan("31.00"), "2027-04-05 09:00")
        life.ask("2027-04-06 09:00", ChangeBillingDay(billing_day=BillingDay(day=20)))
        life.ask("2027-04-15 09:00", PauseSubscription(keeps_anchor=True))
        life.ask("2027-06-21 12:00", ChangePlan(quantity=2))
        life.ask("2027-06-24 09:00", ResumeSubscription(keeps_anchor=False))

        assert [day[-2:] for day, _ in charges(life, 3)][1:] == ["20", "20"]

    def test_a_plan_that_is_changed_and_paused_at_the_same_instant_is_charged_for_what_was_credited(self) -> None:
        life = begun(plan("30.00"), "2027-04-01 00:00")
        life.wants("2027-04-16 00:00", ChangePlan(plan=plan("60.00", name="gold"), when=When.NOW))
        life.wants("2027-04-16 00:00", PauseSubscription())
        paid(life)

        assert [str(each.paid.amount) for each in life.subscription.ledger.records] == ["30.00", "30.00"]

    def test_a_pause_within_the_paid_period_that_moves_the_dates_loses_no_paid_day(self) -> None:
        """Paid until 20 February 2028; paused for three days in April."""
        life = begun(plan("120.00", YEAR), "2027-02-20 10:00")
        life.ask("2027-04-05 10:00", PauseSubscription(keeps_anchor=False))
        life.ask("2027-04-08 10:00", ResumeSubscription())

        assert charges(life, 2) == [("2028-02-23", "120.00"), ("2029-02-23", "120.00")]

    def test_days_are_bought_at_what_they_were_sold_after_the_end_has_moved(self) -> None:
        """30.00 for 30 days from 1 April, of which a pause moves the last ones to 11 May: 15 are left on the 26th."""
        life = begun(plan("30.00"), "2027-04-01 09:00")
        life.ask("2027-04-05 09:00", PauseSubscription(keeps_anchor=False))
        life.ask("2027-04-15 09:00", ResumeSubscription())
        life.ask("2027-04-26 09:00", ChangePlan(quantity=2, when=When.NOW))

        assert charges(life, 2) == [("2027-04-26", "15.00"), ("2027-05-11", "60.00")]

    def test_the_hour_of_the_day_stays_though_the_clocks_change_meanwhile(self) -> None:
        life = begun(plan("20.00"), "2027-03-10 08:00", zone="Europe/Berlin")  # nine o'clock in Berlin
        life.ask("2027-03-20 08:00", PauseSubscription(keeps_anchor=False))
        life.ask("2027-04-03 07:00", ResumeSubscription())  # a fortnight later, at nine o'clock again

        assert life.subscription.schedule.due(1) == at("2027-04-24 07:00")

    def test_what_was_planned_for_the_renewal_waits_for_the_moved_one(self) -> None:
        life = begun(plan("20.00"), "2027-05-04 09:00")
        life.ask("2027-05-10 09:00", ChangePlan(plan=plan("26.00", name="gold")))
        life.ask("2027-05-14 09:00", PauseSubscription(keeps_anchor=False))
        life.ask("2027-09-21 09:00", ResumeSubscription())

        assert charges(life, 2) == [("2027-10-12", "26.00"), ("2027-11-12", "26.00")]
        life.ask("2027-09-22 09:00", UndoChanges())
        assert charges(life, 2) == [("2027-10-12", "20.00"), ("2027-11-12", "20.00")], "the dates stay moved"

    def test_a_change_that_is_asked_for_within_such_a_pause_holds_from_the_next_charge(self) -> None:
        life = begun(plan("20.00"), "2027-05-04 09:00")
        life.ask("2027-06-03 09:00", PauseSubscription(keeps_anchor=False))
        life.ask("2027-08-20 09:00", ChangePlan(quantity=3))
        life.ask("2027-08-21 09:00", ResumeSubscription())

        assert charges(life, 2) == [("2027-08-22", "60.00"), ("2027-09-22", "60.00")]

    def test_a_skipped_period_is_the_same_one_after_the_dates_have_moved(self) -> None:
        life = begun(plan("20.00"), "2027-05-04 09:00")
        life.ask("2027-05-05 09:00", SkipPeriod())
        life.ask("2027-05-06 09:00", PauseSubscription(keeps_anchor=False))
        life.ask("2027-05-16 09:00", ResumeSubscription())

        assert charges(life, 1) == [("2027-07-14", "20.00")], "14 June is skipped"

    def test_a_change_for_a_later_period_stays_with_it_when_the_dates_move(self) -> None:
        """June is skipped, so gold begins with July, which the pause moves to August."""
        life = begun(plan("20.00"), "2027-05-04 09:00")
        life.ask("2027-05-05 09:00", SkipPeriod())
        life.ask("2027-05-05 09:00", ChangePlan(plan=plan("26.00", name="gold")))
        life.ask("2027-05-06 09:00", PauseSubscription(keeps_anchor=False))
        life.ask("2027-06-16 09:00", ResumeSubscription())
        life.ask("2027-06-17 09:00", SkipPeriod(undo=True))

        assert charges(life, 2) == [("2027-07-15", "20.00"), ("2027-08-15", "26.00")]


class TestSkipped:
    def test_a_skipped_date_stays_free_and_the_bridge_to_it_is_charged(self) -> None:
        """12.00 from 30 June, 30 July is skipped, gold on 15 July: 15 of 30 days are given back and bought anew."""
        life = begun(plan("12.00"), "2027-06-30 09:00")
        life.ask("2027-07-01 09:00", SkipPeriod())
        life.ask("2027-07-15 09:00", ChangePlan(plan=plan("24.00", name="gold"), when=When.NOW))

        assert charges(life, 3) == [("2027-07-15", "6.00"), ("2027-08-30", "24.00"), ("2027-09-30", "24.00")]

    def test_another_interval_now_would_do_away_with_the_skipped_date(self) -> None:
        life = begun(plan("12.00"), "2027-06-30 09:00")
        life.ask("2027-07-01 09:00", SkipPeriod())

        now = ChangePlan(plan=plan("120.00", YEAR), when=When.NOW)
        why = "a skipped period is planned for the dates that it would do away with: take that back first"
        refused(life, "2027-07-15 09:00", now, why, Kind.NOT_NOW)

    def test_a_change_at_the_renewal_leaves_the_skipped_month_a_month(self) -> None:
        """Else a year would be free."""
        life = begun(plan("12.00"), "2027-06-30 09:00")
        life.ask("2027-07-01 09:00", SkipPeriod())

        assert life.ask("2027-07-02 09:00", ChangePlan(plan=plan("120.00", YEAR))) == at("2027-08-30 09:00")
        assert charges(life, 2) == [("2027-08-30", "120.00"), ("2028-08-30", "120.00")]

    def test_another_billing_day_does_not_make_the_skipped_month_short(self) -> None:
        life = begun(plan("31.00"), "2027-07-05 09:00")
        life.ask("2027-07-06 09:00", SkipPeriod())
        life.ask("2027-07-07 09:00", ChangeBillingDay(billing_day=BillingDay(day=20)))

        assert charges(life, 2) == [("2027-09-05", "15.00"), ("2027-09-20", "31.00")], "August is free, all of it"

    def test_an_item_says_the_date_on_which_it_is_charged(self) -> None:
        life = begun(plan("12.00"), "2027-06-30 09:00")
        life.ask("2027-07-01 09:00", SkipPeriod())

        assert life.ask("2027-07-02 09:00", AddItem(amount=eur("3.00"), what="a cup")) == at("2027-08-30 09:00")
        assert charges(life, 1) == [("2027-08-30", "15.00")]


class TestPlannedEnd:
    def test_no_term_is_bought_that_its_end_would_cut_off(self) -> None:
        life = begun(plan("10.00"), "2027-01-10 09:00")
        life.ask("2027-01-12 09:00", Cancel())

        now = ChangePlan(plan=plan("100.00", YEAR), when=When.NOW)
        why = "it would be paid until 2028-01-25, and is to end on 2027-02-10: take the cancellation back first"
        refused(life, "2027-01-25 09:00", now, why, Kind.CONFLICT)

    def test_more_units_until_the_end_are_sold_by_their_days(self) -> None:
        life = begun(plan("31.00"), "2027-01-10 09:00")
        life.ask("2027-01-12 09:00", Cancel())
        life.ask("2027-01-20 09:00", ChangePlan(quantity=2, when=When.NOW))

        assert charges(life, 5) == [("2027-01-20", "21.00")], "21 days of 31, and nothing after the end"

    @pytest.mark.parametrize(
        "what",
        [
            ChangePlan(quantity=2),
            ChangeBillingDay(billing_day=BillingDay(day=3)),
            SkipPeriod(),
            PauseSubscription(when=When.RENEWAL),
        ],
    )
    def test_what_would_begin_with_the_end_is_refused(self, what: Request) -> None:
        life = begun(plan("31.00"), "2027-01-10 09:00")
        life.ask("2027-01-12 09:00", Cancel())

        why = "it is to end on 2027-02-10, and nothing falls due after that: take the cancellation back first"
        refused(life, "2027-01-13 09:00", what, why, Kind.CONFLICT)
        life.ask("2027-01-14 09:00", UndoCancellation())
        life.ask("2027-01-14 09:00", what)

    @pytest.mark.parametrize("credit", [True, False])
    def test_nothing_waits_for_a_charge_that_does_not_follow(self, *, credit: bool) -> None:
        item = AddItem(amount=eur("4.00"), what="a cup", credit=credit)
        canceled = begun(plan("31.00"), "2027-01-10 09:00")
        canceled.ask("2027-01-12 09:00", Cancel())
        why = "when: renewal is not possible now; no charge follows"
        refused(canceled, "2027-01-13 09:00", item, why, Kind.NOT_NOW)

        refused(begun(plan("31.00", MONTH, 1), "2027-01-10 09:00"), "2027-01-13 09:00", item, why, Kind.NOT_NOW)

    def test_what_no_charge_meets_any_more_is_told_with_the_end(self) -> None:
        life = begun(plan("31.00"), "2027-01-10 09:00")
        life.ask("2027-01-11 09:00", AddItem(amount=eur("4.00"), what="a cup"))
        life.ask("2027-01-11 09:00", AddItem(amount=eur("50.00"), what="sorry", credit=True))
        life.cancel("2027-01-12 09:00")
        life.answered(closed("MerchantClosed"))

        notice = life.subscription.outbox.notices[-1]
        assert (notice.type.value, str(notice.credit), str(notice.items)) == (
            "subscription.ended",
            "50.00 EUR",
            "4.00 EUR",
        )

    def test_dates_do_not_move_away_from_a_planned_end(self) -> None:
        life = begun(plan("31.00"), "2027-01-10 09:00")
        life.ask("2027-01-12 09:00", Cancel())
        why = "keeps_anchor: .*it is to end on 2027-02-10: keep the due dates, or take the cancellation back first"
        refused(life, "2027-01-13 09:00", PauseSubscription(keeps_anchor=False), why, Kind.CONFLICT)
        life.ask("2027-01-13 09:00", PauseSubscription())
        refused(life, "2027-01-14 09:00", ResumeSubscription(keeps_anchor=False), why, Kind.CONFLICT)

        other = begun(plan("31.00"), "2027-01-10 09:00")
        other.ask("2027-01-13 09:00", PauseSubscription(keeps_anchor=False))
        why = "a pause moves the due dates, so no end of the paid period is known"
        refused(other, "2027-01-14 09:00", Cancel(), why, Kind.CONFLICT)


class TestAnchor:
    """One mistyped digit of the year would charge a year of months, one after the other."""

    @pytest.mark.parametrize(("now", "fallen_due"), [("2027-05-02 09:00", 2), ("2028-04-02 09:00", 13)])
    def test_more_than_the_running_period_is_refused_with_how_many_would_be_charged(
        self, now: str, fallen_due: int
    ) -> None:
        agreed = Terms(charge_permission_id=PERMISSION_ID, plan=plan("30.00"), anchor=at("2027-04-02 09:00"))

        with pytest.raises(Refused, match=f"anchor: .*; {fallen_due} periods have fallen due since then"):
            check_anchor(agreed, at(now))

    @pytest.mark.parametrize("now", ["2027-01-01 00:00", "2027-04-02 09:00", "2027-05-02 08:59"])
    def test_the_running_period_and_one_to_come_are_accepted(self, now: str) -> None:
        check_anchor(
            Terms(charge_permission_id=PERMISSION_ID, plan=plan("30.00"), anchor=at("2027-04-02 09:00")), at(now)
        )


class TestLastPeriod:
    """An end within a period, planned before that is charged."""

    SHORT = plan("30.00").but(last_period=LastPeriod.SHORT)

    def test_its_days_are_charged_where_the_plan_wants_that_and_else_all_of_it(self) -> None:
        for agreed, last in ((self.SHORT, "11.61"), (plan("30.00"), "30.00")):
            life = begun(agreed, "2027-04-01 09:00")
            life.ask("2027-04-02 09:00", Cancel(when=at("2027-05-13 00:00")))
            assert charges(life, 5) == [("2027-05-01", last)], "12 of 31 days"

    def test_the_same_where_the_end_was_agreed_on_at_the_beginning(self) -> None:
        life = begun(self.SHORT, "2027-04-01 09:00", ends_at="2027-06-16 00:00")

        assert charges(life, 5) == [("2027-05-01", "30.00"), ("2027-06-01", "15.00")]

    def test_an_end_at_a_due_date_or_after_the_charge_changes_nothing(self) -> None:
        life = begun(self.SHORT, "2027-04-01 09:00")
        life.ask("2027-04-02 09:00", Cancel(when=at("2027-05-01 09:00")))
        assert charges(life, 5) == []
        assert str(life.subscription.ledger.records[0].amount) == "30.00 EUR"

    def test_what_is_taken_back_afterwards_costs_the_days_that_were_not_charged(self) -> None:
        life = begun(self.SHORT, "2027-04-01 09:00")
        life.ask("2027-04-02 09:00", Cancel(when=at("2027-05-13 00:00")))
        life.now = at("2027-05-01 09:00")
        paid(life)
        life.ask("2027-05-04 09:00", UndoCancellation())

        # 12 days of May were charged; 19 follow, and then whole months again.
        assert charges(life, 3) == [("2027-05-13", "18.39"), ("2027-06-01", "30.00"), ("2027-07-01", "30.00")]

    def cut(self) -> Life:
        """The 12 days of May until a planned end are paid."""
        life = begun(self.SHORT, "2027-04-01 09:00")
        life.ask("2027-04-02 09:00", Cancel(when=at("2027-05-13 00:00")))
        life.now = at("2027-05-01 09:00")
        paid(life)
        return life

    @pytest.mark.parametrize(
        ("end", "expected"),
        [
            ("2027-05-28 00:00", [("2027-05-13", "14.52")]),  # 15 of 31 days
            ("2027-06-16 00:00", [("2027-05-13", "18.39"), ("2027-06-01", "15.00")]),
            ("2027-05-08 00:00", []),
        ],
    )
    def test_an_end_that_is_moved_further_costs_the_days_until_then(
        self, end: str, expected: list[tuple[str, str]]
    ) -> None:
        """Found by drawn stories: those days were served for nothing."""
        life = self.cut()
        life.ask("2027-05-04 09:00", Cancel(when=at(end)))

        assert charges(life, 3) == expected

    def test_a_change_now_gives_back_the_days_that_were_charged_and_no_others(self) -> None:
        """8 of the 12 days in May that were paid, for two weeks until before the end."""
        life = self.cut()
        life.ask("2027-05-05 09:00", ChangePlan(plan=plan("7.00", WEEK), when=When.NOW))

        assert charges(life, 3) == [("2027-05-05", "0.00"), ("2027-05-12", "6.26")]
        assert str(life.subscription.balance.credit) == "7.74 EUR"
        life.ask("2027-05-05 09:00", Cancel(when=at("2027-05-20 00:00")))
        assert charges(life, 3) == [("2027-05-05", "0.00"), ("2027-05-12", "6.26"), ("2027-05-19", "7.00")]

    def test_what_was_charged_by_itself_meanwhile_hides_no_days(self) -> None:
        life = self.cut()
        life.ask("2027-05-03 09:00", AddItem(amount=eur("1.00"), what="a cup", when=When.NOW))
        paid(life)
        life.ask("2027-05-04 09:00", UndoCancellation())

        assert charges(life, 2) == [("2027-05-13", "18.39"), ("2027-06-01", "30.00")]

    def test_what_is_left_of_the_period_is_no_renewal(self) -> None:
        """The days of May were sold at the old price; a free first period is one of the new billing day's."""
        life = self.cut()
        life.ask("2027-05-04 09:00", UndoCancellation())
        gold = plan("60.00", name="gold")
        with pytest.raises(Refused, match="the days from 2027-05-13 on are charged by themselves"):
            life.ask("2027-05-05 09:00", ChangePlan(plan=gold, when=When.NOW))
        with pytest.raises(Refused, match="as an end then was taken back: add it to the next charge"):
            life.ask("2027-05-05 09:00", AddItem(amount=eur("1.00"), what="a cup", when=When.NOW))
        life.ask("2027-05-05 09:00", ChangePlan(plan=gold))
        free = BillingDay(day=4, first_period=FirstPeriod.FREE)
        life.ask("2027-05-05 09:00", ChangeBillingDay(billing_day=free))

        told = [each for each in charges(life, 4) if each[1] != "0.00"]
        assert told[:2] == [("2027-05-13", "18.39"), ("2027-06-04", "60.00")]

    def test_who_skips_a_period_does_not_skip_what_is_left_of_another(self) -> None:
        """It may be an hour of the same day, which is free anyway; and the next date was charged as ever."""
        life = self.cut()
        life.ask("2027-05-04 09:00", UndoCancellation())

        assert life.ask("2027-05-05 09:00", SkipPeriod()) == at("2027-06-01 09:00")

        assert charges(life, 2) == [("2027-05-13", "18.39"), ("2027-07-01", "30.00")]

    def test_what_is_left_of_the_period_is_not_moved_by_a_pause(self) -> None:
        life = self.cut()
        life.ask("2027-05-04 09:00", UndoCancellation())
        with pytest.raises(Refused, match="the days from 2027-05-13 on are charged by themselves"):
            life.ask("2027-05-05 09:00", PauseSubscription(keeps_anchor=False))
        life.ask("2027-05-05 09:00", PauseSubscription())
        with pytest.raises(Refused, match="the days from 2027-05-13 on are charged by themselves"):
            life.ask("2027-05-06 09:00", ResumeSubscription(keeps_anchor=False))
        life.ask("2027-05-06 09:00", ResumeSubscription())

        assert charges(life, 2) == [("2027-05-13", "18.39"), ("2027-06-01", "30.00")]

    def test_what_is_taken_back_in_time_costs_what_it_did(self) -> None:
        life = begun(self.SHORT, "2027-04-01 09:00")
        life.ask("2027-04-02 09:00", Cancel(when=at("2027-05-13 00:00")))
        life.ask("2027-04-03 09:00", UndoCancellation())

        assert charges(life, 2) == [("2027-05-01", "30.00"), ("2027-06-01", "30.00")]


def test_the_credit_of_a_period_that_is_written_off_is_taken_off_the_next_one() -> None:
    life = begun(plan("30.00"), "2027-04-01 09:00")
    life.ask("2027-04-02 09:00", AddItem(amount=eur("12.00"), what="late parcel", credit=True))
    life.now = at("2027-05-01 09:00")
    life.elapses(Timer.PERIOD)
    life.answered(SOFT)
    life.wants("2027-05-01 10:00", WriteOff(period=1))

    assert charges(life, 2) == [("2027-06-01", "18.00"), ("2027-07-01", "30.00")]


class TestPlannedChanges:
    def test_a_second_seat_now_leaves_the_term_and_what_is_planned_after_it(self) -> None:
        """Half of a year of 365 days is bought for the second seat, and both seats are monthly from then on."""
        life = begun(plan("365.00", YEAR), "2027-01-01 09:00")
        life.ask("2027-03-01 09:00", ChangePlan(plan=plan("40.00", name="monthly")))
        life.ask("2027-07-02 09:00", ChangePlan(quantity=2, when=When.NOW))

        assert charges(life, 3) == [("2027-07-02", "183.00"), ("2028-01-01", "80.00"), ("2028-02-01", "80.00")]

    def test_a_scheduled_billing_day_makes_no_days_free(self) -> None:
        """31 of 31 days for the second seat on 1 March, not 42 for the price of a month."""
        life = begun(plan("31.00"), "2027-03-01 09:00")
        life.ask("2027-03-01 10:00", ChangeBillingDay(billing_day=BillingDay(day=13)))
        life.ask("2027-03-02 09:00", ChangePlan(quantity=2, when=When.NOW))

        # 30 days of March; 12 days of April, of a month from 13 March; then two seats from the 13th on.
        assert charges(life, 3) == [("2027-03-02", "30.00"), ("2027-04-01", "24.00"), ("2027-04-13", "62.00")]

    def test_another_plan_now_is_followed_by_the_one_that_is_planned(self) -> None:
        life = begun(plan("30.00"), "2027-04-01 09:00")
        life.ask("2027-04-02 09:00", ChangePlan(plan=plan("15.00", name="small")))
        life.ask("2027-04-16 09:00", ChangePlan(plan=plan("60.00", name="gold"), when=When.NOW))

        assert charges(life, 2) == [("2027-04-16", "15.00"), ("2027-05-01", "15.00")]
        assert life.subscription.contract.plan(2).plan_id == "small"

    def test_a_dearer_price_from_a_date_on_begins_with_the_first_period_after_it(self) -> None:
        life = begun(plan("30.00"), "2027-04-10 09:00")
        effective_at = life.ask(
            "2027-04-11 09:00", ChangePlan(plan=plan("33.00", name="2028"), when=at("2027-07-01 00:00"))
        )

        assert effective_at == at("2027-07-10 09:00")
        assert [amount for _, amount in charges(life, 4)] == ["30.00", "30.00", "33.00", "33.00"]

    def test_a_price_from_a_date_on_keeps_its_date_whatever_is_changed_before(self) -> None:
        life = begun(plan("30.00"), "2027-04-10 09:00")
        life.ask("2027-04-11 09:00", ChangePlan(plan=plan("33.00", name="2028"), when=at("2027-07-01 00:00")))
        life.ask("2027-04-12 09:00", ChangePlan(quantity=2))
        life.ask("2027-04-25 09:00", ChangeBillingDay(billing_day=BillingDay(day=1)))
        life.ask("2027-04-25 09:00", AddItem(amount=eur("1.00"), what="a cup", when=When.NOW))

        assert charges(life, 4) == [
            ("2027-04-25", "1.00"), ("2027-05-10", "42.58"), ("2027-06-01", "60.00"), ("2027-07-01", "66.00"),
        ]  # fmt: skip
        life.ask("2027-04-25 09:00", UndoChanges())
        assert [amount for _, amount in charges(life, 5)][1:] == ["30.00"] * 4

    def test_a_date_after_the_last_period_is_refused(self) -> None:
        life = begun(plan("30.00", MONTH, 3), "2027-04-10 09:00")
        later = ChangePlan(plan=plan("33.00"), when=at("2027-07-01 00:00"))
        why = "when: 2027-07-01T00:00:00.* is not accepted; the last period falls due on 2027-06-10"
        refused(life, "2027-04-11 09:00", later, why, Kind.INVALID)


class TestBillingDay:
    def test_the_time_of_day_stays_when_something_is_changed_at_a_renewal(self) -> None:
        """Nine in the morning, on the 31st or the last; each change lost twelve hours."""
        life = begun(plan("30.00"), "2027-03-31 09:00")
        life.ask("2027-04-01 09:00", ChangeBillingDay(billing_day=BillingDay(day=31)))
        for due in ("2027-04-30 09:00", "2027-05-31 09:00"):
            life.now = at(due)
            paid(life)
        life.ask("2027-06-02 09:00", ChangePlan(quantity=3))

        assert [life.subscription.schedule.due(number) for number in (3, 4, 5)] == [
            at("2027-06-30 09:00"), at("2027-07-31 09:00"), at("2027-08-31 09:00"),
        ]  # fmt: skip

    def test_after_weeks_the_days_before_it_are_charged_by_days(self) -> None:
        """Whole was agreed for the beginning; 22 of the 31 days before the first of June are left after a week."""
        day = BillingDay(day=1, first_period=FirstPeriod.WHOLE)
        anchor = at("2027-05-03 09:00")
        weekly = Terms(charge_permission_id=PERMISSION_ID, plan=plan("7.00", WEEK), anchor=anchor, billing_day=day)
        life = Life(weekly)
        paid(life)
        life.ask("2027-05-04 09:00", ChangePlan(plan=plan("31.00")))

        assert charges(life, 2) == [("2027-05-10", "22.00"), ("2027-06-01", "31.00")]

    def test_a_change_now_within_a_trial_is_charged_by_days_too(self) -> None:
        """Free was agreed for the days after the trial, not for another plan at once: 27 days of 31."""
        trial = Phase(amount=eur("0"), interval=WEEK, periods=2)
        day = BillingDay(day=1, first_period=FirstPeriod.FREE)
        agreed, anchor = plan("31.00", MONTH, None, trial), at("2027-05-03 09:00")
        life = Life(Terms(charge_permission_id=PERMISSION_ID, plan=agreed, anchor=anchor, billing_day=day))
        paid(life)
        life.ask("2027-05-05 09:00", ChangePlan(plan=plan("62.00", name="gold"), when=When.NOW))

        assert charges(life, 2) == [("2027-05-05", "54.00"), ("2027-06-01", "62.00")]

    @pytest.mark.parametrize("kind", [FirstPeriod.WHOLE, FirstPeriod.FREE])
    def test_a_whole_or_a_free_period_before_it_is_the_first_one_and_no_other(self, kind: FirstPeriod) -> None:
        """A year from 10 June on: 22 of its 365 days until the first of July, and then years."""
        day = BillingDay(day=1, first_period=kind)
        terms = Terms(
            charge_permission_id=PERMISSION_ID, plan=plan("31.00"), anchor=at("2027-05-02 09:00"), billing_day=day
        )
        life = Life(terms)
        for due in ("2027-05-02 09:00", "2027-06-01 09:00"):
            life.now = at(due)
            paid(life)
        life.ask("2027-06-10 09:00", ChangePlan(plan=plan("365.00", YEAR), when=When.NOW))

        # 21 days until the 1st of July at 1.00 a day, less 21 of 30 days of 31.00; then a whole year.
        assert charges(life, 2) == [("2027-06-10", "0.00"), ("2027-07-01", "364.30")]


class TestTrial:
    @pytest.mark.parametrize("day", ["2027-02-03", "2027-02-11"])
    def test_a_change_at_the_renewal_does_not_cut_the_trial_short(self, day: str) -> None:
        """Two weeks free, in two periods."""
        trial = Phase(amount=eur("0"), interval=WEEK, periods=2)
        life = begun(plan("20.00", MONTH, None, trial), "2027-02-01 09:00")
        if day > "2027-02-08":
            life.now = at("2027-02-08 09:00")
            paid(life)
        effective_at = life.ask(f"{day} 09:00", ChangePlan(plan=plan("28.00", name="gold")))

        assert effective_at == at("2027-02-15 09:00")
        assert [each for each in charges(life, 3) if each[1] != "0.00"][:1] == [("2027-02-15", "28.00")]


class TestWhatWasPaid:
    """The credit for unused days is their share of what was paid, not of a price list."""

    def test_a_metered_month_of_nothing_gives_no_credit(self) -> None:
        agreed = plan("60.00").but(amounts=Amounts.ASKED)
        life = Life(Terms(charge_permission_id=PERMISSION_ID, plan=agreed, anchor=at("2027-04-01 09:00")))
        life.elapses(Timer.PERIOD)
        command = main_command(life.subscription)
        assert isinstance(command, AskAmount)
        life.happens(Answered(command, eur("0.00")))
        life.ask("2027-04-16 09:00", ChangePlan(plan=plan("30.00"), when=When.NOW))

        assert life.subscription.balance.credit is None
        assert charges(life, 1) == [("2027-04-16", "15.00")]

    def test_what_a_credit_has_paid_is_paid_and_an_item_is_not_unused(self) -> None:
        life = begun(plan("30.00"), "2027-04-01 09:00")
        life.ask("2027-04-02 09:00", AddItem(amount=eur("36.00"), what="sorry", credit=True))
        life.ask("2027-04-02 09:00", AddItem(amount=eur("10.00"), what="a cup"))
        life.now = at("2027-05-01 09:00")
        paid(life)
        assert str(life.subscription.ledger.records[-1].amount) == "4.00 EUR"

        life.ask("2027-05-16 09:00", ChangePlan(plan=plan("62.00", name="gold"), when=When.NOW))

        # 16 of 31 days of 30.00 are 15.48; of 62.00, 32.00.
        assert charges(life, 1) == [("2027-05-16", "16.52")]

    def test_the_days_of_a_short_month_are_bought_at_what_they_were_sold(self) -> None:
        """From 31 January, 28 days: half of them left on 14 February."""
        life = begun(plan("10.00"), "2027-01-31 09:00")
        life.ask("2027-02-14 09:00", ChangePlan(quantity=2, when=When.NOW))

        assert charges(life, 2) == [("2027-02-14", "5.00"), ("2027-02-28", "20.00")]

    def test_in_the_last_period_of_a_phase_its_own_price_counts(self) -> None:
        """An introductory month at 6.00, then 30.00."""
        intro = Phase(amount=eur("6.00"), interval=MONTH, periods=1)
        life = begun(plan("30.00", MONTH, None, intro), "2027-04-01 09:00")
        life.ask("2027-04-16 09:00", ChangePlan(quantity=2, when=When.NOW))

        assert charges(life, 2) == [("2027-04-16", "3.00"), ("2027-05-01", "60.00")]

    def test_in_the_last_instalment_a_change_does_not_end_it(self) -> None:
        life = begun(plan("30.00", MONTH, 1), "2027-04-01 09:00")
        life.ask("2027-04-16 09:00", ChangePlan(quantity=2, when=When.NOW))

        assert charges(life, 5) == [("2027-04-16", "15.00")]
        assert life.subscription.schedule.due(2) == at("2027-05-01 09:00"), "when it is over"

    def test_many_changes_on_one_day_cost_what_the_last_one_does(self) -> None:
        life = begun(plan("30.00"), "2027-04-01 09:00")
        for hour, quantity in enumerate((2, 1, 5, 2), start=9):
            life.ask(f"2027-04-16 {hour:02}:00", ChangePlan(quantity=quantity, when=When.NOW))
            paid(life)

        cash = sum(record.amount.amount for record in life.subscription.ledger.records)
        credit = life.subscription.balance.credit
        assert cash - (credit.amount if credit else 0) == eur("45.00").amount


class TestSettledLater:
    def test_small_changes_of_a_month_are_one_charge_with_the_next_period(self) -> None:
        """30.00 a seat for 30 days from 1 April: a second one for 20 days, a third one for 10."""
        life = begun(plan("30.00"), "2027-04-01 09:00")
        for day, seats in (("2027-04-11 09:00", 2), ("2027-04-21 09:00", 3)):
            life.ask(day, ChangePlan(quantity=seats, when=When.NOW, settle=Settle.RENEWAL))
            paid(life)
        assert [record.outcome.value for record in life.subscription.ledger.records] == ["paid", "free", "free"]

        assert charges(life, 2) == [("2027-05-01", "120.00"), ("2027-06-01", "90.00")]

    def test_one_that_is_taken_back_costs_nothing(self) -> None:
        life = begun(plan("30.00"), "2027-04-01 09:00")
        for hour, seats in ((9, 5), (10, 1)):
            life.ask(f"2027-04-11 {hour:02}:00", ChangePlan(quantity=seats, when=When.NOW, settle=Settle.RENEWAL))
            paid(life)

        assert charges(life, 1) == [("2027-05-01", "30.00")]

    def test_it_needs_a_charge_that_follows_and_dates_that_stay(self) -> None:
        yearly = ChangePlan(plan=plan("300.00", YEAR), when=When.NOW, settle=Settle.RENEWAL)
        why = "settle: renewal is not accepted; another interval begins with a whole period"
        refused(begun(plan("30.00"), "2027-04-01 09:00"), "2027-04-11 09:00", yearly, why, Kind.INVALID)

        more = ChangePlan(quantity=2, when=When.NOW, settle=Settle.RENEWAL)
        why = "no charge follows that the days could be charged with"
        refused(begun(plan("30.00", MONTH, 1), "2027-04-01 09:00"), "2027-04-11 09:00", more, why, Kind.NOT_NOW)

        later, why = ChangePlan(quantity=2, settle=Settle.RENEWAL), "it is for a change that holds now"
        refused(begun(plan("30.00"), "2027-04-01 09:00"), "2027-04-11 09:00", later, why, Kind.INVALID)


class TestManyChanges:
    def test_a_hundred_changes_in_a_month_leave_a_state_as_small_as_that_of_any_other(self) -> None:
        """What lies behind the account is folded away, and a plan is written down once."""
        life = begun(plan("30.00"), "2027-04-01 09:00")
        sizes = []
        for number in range(100):
            life.now = at("2027-04-01 10:00") + timedelta(hours=6.9 * number)
            paid(life)
            seats = ChangePlan(quantity=1 + number % 3, when=When.NOW)
            life.subscription = ask(life.subscription, seats, life.now)
            paid(life)
            life.subscription = life.subscription.but(outbox=Outbox(told=life.subscription.outbox.told))
            sizes.append(len(life.subscription.model_dump_json()))

        assert life.subscription.next_period > 100
        assert len(life.subscription.contract.agreements) <= LEDGER_LENGTH + 2
        assert max(sizes[50:]) < 1.1 * max(sizes[:50])
        assert charges(life, 2)[1] == ("2027-06-01", "30.00")

    def test_a_change_on_the_very_last_day_is_one_of_its_hours(self) -> None:
        """What begins and ends on one day costs nothing, and is worth nothing."""
        life = begun(plan("30.00"), "2027-04-01 09:00")
        for hour in (2, 3):
            life.ask(f"2027-05-01 0{hour}:00", ChangePlan(quantity=hour, when=When.NOW))
            paid(life)

        assert charges(life, 1) == [("2027-05-01", "90.00")]

    def test_what_is_planned_and_held_comes_back_with_its_plan(self) -> None:
        gold, small = plan("60.00", name="gold"), plan("9.00", name="small")
        life = begun(plan("30.00"), "2027-04-01 09:00")
        life.ask("2027-04-11 09:00", ChangePlan(plan=gold, when=When.NOW))
        life.ask("2027-04-12 09:00", ChangePlan(plan=small, when=at("2027-08-01 00:00")))
        written = life.subscription.model_dump_json()

        assert written.count('"gold"') == 1
        assert Subscription.model_validate_json(written) == life.subscription
        assert [life.subscription.contract.plan(number).plan_id for number in (0, 1, 2, 5)] == [
            "p",
            "gold",
            "gold",
            "small",
        ]


class TestGivenBack:
    def begun_and_refunded(self, amount: str | None, state: RefundState) -> tuple[Life, CreateRefund]:
        life = begun(plan("30.00"), "2027-04-01 09:00")
        life.wants("2027-04-16 08:00", RefundPeriod(period=0, amount=eur(amount) if amount else None))
        command = life.subscription.refunds.latest[0].next_command
        assert isinstance(command, CreateRefund)
        life.happens(Answered(command, RefundAnswer(state=state, refund_id="R-1")))
        return life, command

    @pytest.mark.parametrize("state", [RefundState.PENDING, RefundState.REFUNDED])
    @pytest.mark.parametrize(("amount", "credited"), [("15.00", None), ("9.00", "6.00 EUR"), (None, None)])
    def test_a_refund_is_taken_for_the_unused_days_also_under_way(
        self, state: RefundState, amount: str | None, credited: str | None
    ) -> None:
        life, _ = self.begun_and_refunded(amount, state)
        life.ask("2027-04-16 09:00", ChangePlan(plan=plan("60.00", name="gold"), when=When.NOW))

        record, credit = life.subscription.ledger.records[0], life.subscription.balance.credit
        assert (record.unused, str(credit) if credit else None) == (eur("15.00"), credited)

    def test_a_refund_that_fails_after_all_leaves_the_days_to_be_credited(self) -> None:
        life, command = self.begun_and_refunded("9.00", RefundState.PENDING)
        life.ask("2027-04-16 09:00", ChangePlan(plan=plan("60.00", name="gold"), when=When.NOW))
        assert charges(life, 1) == [("2027-04-16", "24.00")]

        life.happens(Answered(command, RefundAnswer(state=RefundState.FAILED, reason_code="ProcessingFailure")))
        assert life.subscription.balance.credit == eur("15.00")
        assert charges(life, 1) == [("2027-04-16", "15.00")]

    def test_what_was_credited_is_not_refunded_again(self) -> None:
        life = begun(plan("30.00"), "2027-04-01 09:00")
        life.ask("2027-04-16 09:00", ChangePlan(plan=plan("60.00", name="gold"), when=When.NOW))
        paid(life)

        why = "amount: 15.01 EUR is not accepted; more than zero and at most 15.00 EUR is left of what was paid"
        refused(life, "2027-04-17 09:00", RefundPeriod(period=0, amount=eur("15.01")), why, Kind.INVALID)
        life.wants("2027-04-17 09:00", RefundPeriod(period=0))
        assert life.subscription.refunds.latest[0].amount == eur("15.00")

    def test_what_a_credit_paid_is_not_refunded_in_money(self) -> None:
        """The period came to 15.00 beside a credit of 15.00; all 30.00 are credited again as it has just begun."""
        life = begun(plan("30.00"), "2027-04-01 09:00")
        life.ask("2027-04-02 09:00", AddItem(amount=eur("15.00"), what="sorry", credit=True))
        life.now = at("2027-05-01 09:00")
        paid(life)
        life.ask("2027-05-01 09:00", ChangePlan(plan=plan("62.00", name="gold"), when=When.NOW))

        why = "amount: 0.01 EUR is not accepted; more than zero and at most 0.00 EUR is left of what was paid"
        refused(life, "2027-05-01 09:01", RefundPeriod(period=1, amount=eur("0.01")), why, Kind.INVALID)
