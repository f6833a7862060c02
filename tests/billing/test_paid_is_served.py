"""Whatever is asked for in whatever order, what was paid is what is served, by days.

`tests.billing.served` keeps the second account. Hundreds of sequences are tried here; many more are by
`pytest tests/billing/test_paid_is_served.py --hypothesis-profile soak`.
"""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from perennial_billing.billing.agenda import next_command
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
)
from perennial_billing.billing.contract.agreement import BillingDay, FirstPeriod
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.forecast.drive import success
from perennial_billing.billing.forecast.preview import upcoming
from perennial_billing.billing.machine import apply, tried
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.plan.lead_times import LeadTimes
from perennial_billing.billing.plan.plan import LastPeriod
from perennial_billing.billing.plan.policy import CollectionPolicy, FinalAction
from perennial_billing.billing.protocol.answers import RefundAnswer, RefundState
from perennial_billing.billing.protocol.commands import Command, CreateCharge, CreateRefund, Elapse, ReadRefund
from perennial_billing.billing.protocol.events import Answer, Answered, Elapsed
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription
from tests.billing.served import CENT, CutShort, DayBook, Wish
from tests.billing.support import PERMISSION_ID, SOFT

SOAK: Final = 50_000
EXAMPLES: Final = SOAK if settings.get_current_profile_name() == "soak" else 150
DAY: Final = timedelta(days=1)
MONTH, YEAR, WEEK = (Interval(unit=unit) for unit in (Unit.MONTH, Unit.YEAR, Unit.WEEK))
POLICY: Final = CollectionPolicy(
    soft_decline_delays=(DAY,), max_attempts=2, final_action=FinalAction.MARK_UNPAID, catch_up_spacing=timedelta(0)
)


def plan(name: str, amount: str, interval: Interval) -> Plan:
    return Plan.of(name, Money.parse(f"{amount} EUR"), interval, collection=POLICY)


PLANS: Final = (
    plan("monthly", "30.00", MONTH), plan("gold", "61.50", MONTH), plan("yearly", "365.00", YEAR),
    plan("weekly", "7.70", WEEK), plan("quarterly", "90.00", Interval(unit=Unit.MONTH, count=3)),
)  # fmt: skip

lasts = st.sampled_from(LastPeriod)
leads = st.sampled_from([None, LeadTimes(charge=(10 * DAY, 3 * DAY), renewal=(30 * DAY,), price_change=(7 * DAY,))])
plans = st.builds(
    lambda of, last, told: of.but(last_period=last, lead_times=told), st.sampled_from(PLANS), lasts, leads
)
settles = st.sampled_from([Settle.NOW, Settle.NOW, Settle.RENEWAL])
quantities = st.integers(1, 3)
amounts = st.sampled_from([Money.parse(f"{each} EUR") for each in ("1.00", "12.34", "80.00")])
begins = st.integers(0, 450 * 24).map(lambda hours: datetime(2027, 1, 1, tzinfo=UTC) + timedelta(hours=hours))
zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Tokyo", "America/Los_Angeles"])
whens = st.sampled_from([When.NOW, When.NOW, When.RENEWAL])
ahead = st.integers(1, 80)


class Story:
    """One subscription, driven as the workflow drives it, and its second account."""

    def __init__(self, agreed: Plan, anchor: datetime, zone: str, data: st.DataObject) -> None:
        terms = Terms(charge_permission_id=PERMISSION_ID, plan=agreed, anchor=anchor, zone=zone)
        self.subscription, self.now, self.data = Subscription.begin(terms), terms.anchor, data
        self.book = DayBook(zone, [Wish(terms.anchor, agreed)])
        self.cut_before: dict[int, bool] = {}
        self.cut_short: dict[int, CutShort] = {}
        self.goes_on: set[int] = set()
        self.keeps: bool | None = None

    def pass_until(self, until: datetime) -> None:
        """Does what is to be done until then."""
        while (command := next_command(self.subscription)) is not None and command.at <= until:
            self.now = max(self.now, command.at)
            before = self.subscription
            event = Elapsed(command.timer) if isinstance(command, Elapse) else Answered(command, self.answer(command))
            self.subscription = apply(before, event, self.now)
            self.note_what_is_new(before)
        self.now = max(self.now, until)

    def answer(self, command: Command) -> Answer:
        match command:
            case CreateCharge() if self.data.draw(st.integers(0, 9)) == 0:
                return SOFT
            case CreateRefund():
                state = self.data.draw(st.sampled_from([RefundState.PENDING, RefundState.REFUNDED, RefundState.FAILED]))
                return RefundAnswer(state=state, refund_id=f"R-{command.number}")
            case ReadRefund():
                state = self.data.draw(st.sampled_from(RefundState))
                return RefundAnswer(state=state, refund_id=command.refund_id)
            case _:
                answer = success(command)
                return (
                    answer.but(charge_id=f"C-{command.attempt.period}") if isinstance(command, CreateCharge) else answer
                )

    def note_what_is_new(self, before: Subscription) -> None:
        """The second account learns of what was settled, given back, and moved."""
        after = self.subscription
        if before.lifecycle.is_paused and not after.lifecycle.is_paused:
            self.resumed(before)
        if after.collection is not None and before.collection is None:
            self.begun(after, after.collection.period, after.collection.cut_at)
        for number in range(before.next_period, after.next_period):
            record = after.ledger.record(number)
            assert record is not None
            note(f"{self.now} period {number} of {record.due}: {record.outcome.value} {record.amount}")
            agreement, was_free = after.contract.agreement(number), record.outcome is PeriodOutcome.FREE
            if before.collection is None and record.outcome is not PeriodOutcome.SKIPPED:
                self.begun(after, number, record.cut_at)
            later = after.balance.items_in_all("EUR") if agreement.settles_later and was_free else None
            self.book.settled(
                record,
                after.schedule.due(number + 1),
                agreement.once,
                later=later,
                cut=self.cut_short.get(number),
                goes_on=number in self.goes_on,
            )
        for refund in after.refunds.latest:
            known = before.refunds.numbered(refund.number)
            if refund.state is RefundState.FAILED and known is not None and known.is_open:
                before_cut = self.cut_before[refund.number]
                self.book.not_refunded(refund.period, refund.amount, before_cut=before_cut)

    def begun(self, after: Subscription, number: int, cut_at: datetime | None) -> None:
        """A period is charged: whether a planned end cuts it short is known by now."""
        agreement, ends_at = after.contract.agreement(number), self.book.ends_at
        due, whole_end = after.schedule.due(number), after.contract.whole_end(number)
        is_cut = (
            ends_at is not None
            and agreement.plan.last_period is LastPeriod.SHORT
            and agreement.once is None
            and due < ends_at < whole_end
        )
        assert cut_at == (ends_at if is_cut else None), (
            "a planned end cuts the last period short where the plan says so"
        )
        if cut_at is not None:
            self.cut_short[number] = CutShort(cut_at, whole_end)

    def end_taken_back(self, before: Subscription) -> None:
        """What a planned end had cut off is to be served after all."""
        owed = before.collection
        number = max((each for each in self.cut_short if each < before.first_to_come), default=None)
        if number is None or number in self.goes_on or self.book.is_followed(number):
            return
        self.goes_on.add(number)
        if owed is None or owed.period != number:
            self.book.goes_on(self.cut_short[number])

    def resumed(self, before: Subscription) -> None:
        pause, after = before.lifecycle.pause, self.subscription
        assert pause is not None
        first = before.first_to_come
        while before.contract.agreement(first).once is not None or before.schedule.due(first) < pause.since:
            first += 1
        due_before, due_after = before.schedule.due(first), after.schedule.due(first)
        keeps, self.keeps = pause.keeps_anchor if self.keeps is None else self.keeps, None
        if keeps:
            assert due_before == due_after, "the dates stay"
        else:
            self.book.paused(pause.since, self.now, due_before, due_after)

    def ask(self, request: Request) -> None:
        """The merchant asks for something; what is refused changes nothing."""
        before = self.subscription
        told = f"{self.now} {in_short(request)}"
        try:
            self.subscription, result = tried(before, request, self.now)
        except Refused as refused:
            note(f"{told}: {refused}")
            return
        note(told)
        self.keeps = request.keeps_anchor if isinstance(request, ResumeSubscription) else None
        if isinstance(request, UndoChanges):
            begun = before.first_not_begun(self.now) - 1
            while begun >= 0 and (before.contract.agreement(begun).once is not None or self.book.is_bridge(begun)):
                begun -= 1
            self.book.undone(before.schedule.due(begun) if begun >= 0 else self.now)
        elif isinstance(request, UndoCancellation):
            self.book.ends_at = None
            self.end_taken_back(before)
        elif isinstance(request, RefundPeriod):
            refund = self.subscription.refunds.latest[-1]
            span = next((each for each in self.book.spans if each.number == refund.period), None)
            self.cut_before[refund.number] = span is not None and span.cut is None
            self.book.refunded(refund.period, refund.amount)
        elif isinstance(result, datetime):
            if isinstance(request, Cancel) and self.book.ends_at is not None and result > self.book.ends_at:
                self.end_taken_back(before)
            renewal = before.schedule.due(before.first_to_renew(self.now))
            self.book.accepted(request, self.now, result, renewal)
        self.note_what_is_new(before)

    def any_wish(self) -> Request:
        """Anything; often what was planned, or paused, is not left as it is."""
        draw, at = self.data.draw, self.now + timedelta(days=self.data.draw(ahead))
        if self.book.ends_at is not None and draw(st.booleans()):
            return draw(st.sampled_from([UndoCancellation(), Cancel(when=at)]))
        if self.subscription.lifecycle.pause is not None and draw(st.booleans()):
            return ResumeSubscription(keeps_anchor=draw(st.sampled_from([None, True, False])))
        return self.any_request()

    def any_request(self) -> Request:  # noqa: PLR0911 - a row a kind
        draw, at = self.data.draw, self.now + timedelta(days=self.data.draw(ahead))
        match draw(st.integers(0, 12)):
            case 0 | 1 | 2:
                return ChangePlan(plan=draw(plans), when=draw(whens), settle=draw(settles))
            case 3 | 4:
                when = draw(st.one_of(whens, st.just(at)))
                settle = draw(settles) if when is When.NOW else Settle.NOW
                return ChangePlan(quantity=draw(quantities), when=when, settle=settle)
            case 5:
                kind = draw(st.sampled_from(FirstPeriod))
                return ChangeBillingDay(billing_day=BillingDay(day=draw(st.integers(1, 31)), first_period=kind))
            case 6:
                return UndoChanges()
            case 7:
                until = draw(st.sampled_from([None, at + 5 * DAY]))
                when = draw(st.sampled_from([*When, None]))
                return PauseSubscription(when=when or at, until=until, keeps_anchor=draw(st.booleans()))
            case 8:
                return ResumeSubscription(keeps_anchor=draw(st.sampled_from([None, True, False])))
            case 9:
                return SkipPeriod(undo=draw(st.integers(0, 3)) == 0)
            case 10:
                next_due = self.subscription.schedule.due(self.subscription.first_not_begun(self.now))
                within = next_due + timedelta(days=draw(st.integers(1, 28)))
                return draw(st.sampled_from([Cancel(), Cancel(when=at), Cancel(when=within), UndoCancellation()]))
            case 11:
                credit, when = draw(st.booleans()), draw(whens)
                return AddItem(amount=draw(amounts), what="x", credit=credit, when=when)
            case _:
                amount = draw(st.one_of(st.none(), amounts))
                return RefundPeriod(
                    period=max(0, self.subscription.next_period - draw(st.integers(1, 3))), amount=amount
                )

    def any_time(self) -> datetime:
        """Until when time passes; often until just before a planned end, when the last period has begun."""
        draw, ends_at = self.data.draw, self.book.ends_at
        if ends_at is not None and draw(st.booleans()):
            return max(self.now, ends_at - timedelta(days=draw(st.integers(1, 20))))
        return self.now + timedelta(hours=draw(st.one_of(st.integers(0, 24), st.integers(0, 24 * 45))))

    def check(self) -> None:
        """What was paid is what is served."""
        balance, book = self.subscription.balance, self.book
        owed = self.subscription.collection
        credit = balance.taken_back(owed.bill, "").credit if owed is not None else balance.credit
        paid, served = book.paid(credit), book.served
        assert all(span.kept + span.items >= -CENT for span in book.spans), "nothing goes back twice"
        waiting = balance.items_in_all("EUR")
        open_ = Fraction((waiting.plus(owed.items) if owed is not None and owed.items else waiting).amount)
        assert book.added - book.met == open_, "each item is charged once, given up with its period, or still open"
        assert abs(paid - served) * 100 <= book.roundings, f"paid {float(paid):.2f}, served {float(served):.2f}"


@pytest.mark.timeout(3_600)
@settings(deadline=None, max_examples=EXAMPLES)
@given(plans, begins, zones, st.data())
def test_what_was_paid_is_what_is_served_by_days(
    agreed: Plan, anchor: datetime, zone: str, data: st.DataObject
) -> None:
    lives(Story(agreed, anchor, zone, data))


@pytest.mark.timeout(3_600)
@settings(deadline=None, max_examples=EXAMPLES // 4)
@given(plans, begins, zones, st.integers(1, 27), st.data())
def test_what_was_paid_is_what_is_served_where_an_end_has_cut_a_period_short(
    agreed: Plan, anchor: datetime, zone: str, days: int, data: st.DataObject
) -> None:
    """Of what is drawn above few get as far as this: the end is planned, and its period has begun."""
    story = Story(agreed.but(last_period=LastPeriod.SHORT), anchor, zone, data)
    story.pass_until(anchor + timedelta(hours=1))
    due = story.subscription.schedule.due(1)
    story.ask(Cancel(when=due + timedelta(days=days)))
    story.pass_until(due + data.draw(st.floats(0, 0.9)) * timedelta(days=days))
    lives(story)


def lives(story: Story) -> None:
    """Time passes and things are asked for, one to eight times; and then nothing more."""
    for _ in range(story.data.draw(st.integers(1, 8))):
        story.pass_until(story.any_time())
        story.ask(story.any_wish())
        story.check()
    told = upcoming(story.subscription, 2, story.now)
    story.pass_until(story.now + 70 * DAY)
    story.check()
    assert told is not None


def in_short(request: Request) -> str:
    """What is asked for, in a line."""
    given = request.model_dump(exclude={"kind", "plan"}, exclude_defaults=True)
    plan = request.plan.plan_id if isinstance(request, ChangePlan) and request.plan else ""
    return f"{request.kind} {plan} " + ", ".join(f"{name}={value}" for name, value in given.items())
