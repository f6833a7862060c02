"""A subscription in the hands of a driver that performs whatever command stands, as the workflow does.

Notifications, requests, cancellations, the buyer and Amazon itself interfere before, between and during the driver's
calls. Everything that may vary is drawn; what must hold is said where the machine is used.
"""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from hypothesis import event as note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    Capture,
    Change,
    ChangeBillingDay,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    ReplacePermission,
    ResumeSubscription,
    RetryNow,
    Settle,
    SkipPeriod,
    UndoCancellation,
    UndoChanges,
    When,
)
from perennial_billing.billing.contract.agreement import BillingDay, FirstPeriod
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.couplings.ending import continued
from perennial_billing.billing.dunning.reasons import CHARGE_REASONS, Meaning, meaning_of_charge
from perennial_billing.billing.keys import MOST_CAPTURES
from perennial_billing.billing.machine import apply, ask
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.collection import MISSED_PERIODS
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.parts.stages import CheckingCharge, LeftToMerchant
from perennial_billing.billing.plan import Amounts, Plan, Texts
from perennial_billing.billing.plan import Capture as WhenCaptured
from perennial_billing.billing.plan.lead_times import LeadTimes
from perennial_billing.billing.plan.plan import LastPeriod
from perennial_billing.billing.plan.policy import CatchUp, CollectionPolicy, FinalAction, NextDue, OnDispute
from perennial_billing.billing.protocol.answers import (
    ChargeAnswer,
    ChargeOutcome,
    DisputeAnswer,
    PermissionAnswer,
    PermissionState,
    RefundState,
    SuccessorAnswer,
)
from perennial_billing.billing.protocol.commands import (
    AskAmount,
    Attempt,
    CaptureAuthorized,
    CaptureCharge,
    ClosePermission,
    Command,
    CreateCharge,
    CreateRefund,
    Elapse,
    ReadAuthorized,
    ReadCharge,
    ReadPermission,
    ReadSuccessor,
    StartSuccessor,
    Timer,
)
from perennial_billing.billing.protocol.events import (
    Answer,
    Answered,
    CancelAsked,
    Elapsed,
    Event,
    Refresh,
    Thing,
    Unanswered,
)
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import view_of
from tests.billing.amazon_in_memory import AmazonInMemory, AmazonsAnswer
from tests.billing.support import FREE, PRICE, chargeable, declined, refused, terms, unreadable

CAPTURED, PENDING, AUTHORIZED = ChargeOutcome.CAPTURED, ChargeOutcome.PENDING, ChargeOutcome.AUTHORIZED

intervals = st.sampled_from(
    [Interval(unit=Unit.DAY), Interval(unit=Unit.WEEK), Interval(unit=Unit.MONTH), Interval(unit=Unit.MONTH, count=3)]
)
policies = st.builds(
    CollectionPolicy,
    collection_window=st.sampled_from([timedelta(0), timedelta(hours=12)]),
    processing_failure_delays=st.sampled_from([(), (timedelta(minutes=5), timedelta(hours=2))]),
    soft_decline_delays=st.sampled_from([(), (timedelta(hours=12), timedelta(days=1)), (timedelta(days=7),) * 6]),
    payment_method_deadline=st.sampled_from([timedelta(hours=30), timedelta(days=21)]),
    max_attempts=st.integers(1, 6),
    collect_within=st.sampled_from([timedelta(days=2), timedelta(days=30)]),
    final_action=st.sampled_from(FinalAction),
    grace=st.sampled_from([timedelta(0), timedelta(days=7)]),
    next_due=st.sampled_from(NextDue),
    catch_up=st.sampled_from(CatchUp),
    catch_up_spacing=st.sampled_from([timedelta(0), timedelta(days=1), timedelta(days=3)]),
    cancel_pending_charges=st.booleans(),
    on_dispute=st.sampled_from(OnDispute),
)


TEXTS: Final = Texts(soft_descriptor="BASIC {start}", note_to_buyer="Period {nth}, until {last_day}")


LEADS: Final = LeadTimes(
    charge=(timedelta(days=10), timedelta(hours=6)),
    renewal=(timedelta(days=30),),
    price_change=(timedelta(days=7),),
    question=timedelta(days=2),
)


def agreed_on(
    amounts: Amounts, texts: Texts | None, last: LastPeriod, lead_times: LeadTimes | None, **agreed: Any
) -> Terms:
    """Terms, of a plan whose amounts the merchant says or not, that has something to say to the buyer or not, tells
    ahead or not, and ends with a whole period or a short one."""
    fixed = terms("2026-01-31 09:00", **agreed)
    return fixed.but(plan=fixed.plan.but(amounts=amounts, texts=texts, last_period=last, lead_times=lead_times))


agreements = st.builds(
    agreed_on,
    amounts=st.sampled_from([Amounts.FIXED, Amounts.FIXED, Amounts.FIXED, Amounts.ASKED]),
    texts=st.sampled_from([None, TEXTS]),
    last=st.sampled_from(LastPeriod),
    lead_times=st.sampled_from([None, None, LEADS]),
    amount=st.sampled_from([PRICE, PRICE, PRICE, FREE]),
    interval=intervals,
    periods=st.sampled_from([None, 1, 2, 5]),
    policy=policies,
    zone=st.sampled_from(["UTC", "America/Los_Angeles", "Pacific/Auckland"]),
    capture=st.sampled_from(WhenCaptured),
)
MOST_AT_ONCE: Final = 20
"""More than can follow at once from anything that happens."""

NOTHING_TO_CHARGE: Final = frozenset({PeriodOutcome.FREE, PeriodOutcome.SKIPPED})
captures = st.just(ChargeAnswer(outcome=CAPTURED))
usual = st.sampled_from(["SoftDeclined", "HardDeclined", "ProcessingFailure", "TransactionTimedOut"])
declines = st.one_of(usual, st.sampled_from([*CHARGE_REASONS, "ACodeThatNobodyKnows", None])).map(declined)
refusals = st.sampled_from(["InvalidRequest", "UnauthorizedAccess", "PeriodicAmountExceeded", None]).map(refused)
decisions = st.one_of(captures, st.just(ChargeAnswer(outcome=PENDING)), declines, refusals)
takings = st.one_of(captures, st.just(ChargeAnswer(outcome=PENDING)), st.just(declined("ProcessingFailure")), refusals)
"""How captures are answered."""
refundings = st.sampled_from([RefundState.PENDING, RefundState.REFUNDED, RefundState.FAILED])
events = st.sampled_from([
    "signal", "signal", "numbered_signal", "notification", "notification", "cancel", "replace", "dispute", "refund",
    "break", "busy", "mend", "mend", "close", "decide", "decide", "wait", "capture", "retry", "change", "change",
])  # fmt: skip
changes = st.sampled_from(["plan", "billing day", "undo", "pause", "resume", "skip", "end", "undo end", "item"])
prices = st.sampled_from([Money(amount=Decimal(amount), currency=PRICE.currency) for amount in ("0", "4.00", "20.00")])
whens, later = st.sampled_from(When), st.sampled_from([timedelta(hours=1), timedelta(days=10), timedelta(days=70)])
settles = st.sampled_from([Settle.NOW, Settle.NOW, Settle.RENEWAL])
LATER: Final = timedelta(days=1)
waits = st.sampled_from([timedelta(minutes=1), timedelta(hours=5), timedelta(days=3), timedelta(days=100)])
seldom = st.integers(0, 4).map(lambda number: number == 0)
unheard = st.integers(0, 9).map(lambda number: number == 0)


class Driven(RuleBasedStateMachine):
    """One subscription, its driver, its buyer and Amazon."""

    @initialize(agreed=agreements, keeps_refusals=st.booleans())
    def begin(self, agreed: Terms, *, keeps_refusals: bool) -> None:
        self.subscription = Subscription.begin(agreed)
        self.now = agreed.anchor
        self.amazon = AmazonInMemory(keeps_refusals, chargeable())
        self.limited: Counter[int] = Counter()
        self.replaced = 0

    # What the driver does, as the workflow does it

    @precondition(lambda self: not self.subscription.has_ended)
    @rule(data=st.data())
    def the_driver_performs_what_stands(self, data: st.DataObject) -> None:
        """What waits for its time, and what follows at once, unless something else happens before that."""
        command = next_command(self.subscription)
        if command is not None and not command.at_once:
            self.now = max(self.now, command.at)
        for _ in range(MOST_AT_ONCE):
            if command is None:
                return
            assert command.at <= self.now, "what follows from what happened has the instant of that"
            if self.subscription.unanswered.outcome_is_open:
                assert isinstance(command, CreateCharge | CaptureCharge), "nothing overtakes what may have taken money"
            if isinstance(command, Elapse):
                self.happens(Elapsed(command.timer))
            else:
                self.perform(command, data)
            self.through_json()
            command = next_command(self.subscription)
            if command is None or not command.at_once or data.draw(seldom):
                return
        raise AssertionError("what follows at once comes to no end")

    def perform(self, command: Command, data: st.DataObject) -> None:
        """Asks whoever is to be asked; meanwhile things happen, and the answer is taken."""
        if isinstance(command, StartSuccessor):
            self.start_successor(command, data)
            return
        answer = self.answer(command, data)
        self.meanwhile(data)
        if isinstance(command, CreateCharge):
            assert self.open_attempt == command.attempt, "nothing that happens meanwhile changes an attempt under way"
        self.happens(Unanswered(command) if answer is None else Answered(command, answer))

    def answer(self, command: Command, data: st.DataObject) -> Answer | None:
        """What comes back, if anything does; once more where the first answer was lost."""
        if isinstance(command, AskAmount):
            at_most = command.at_most
            return data.draw(st.sampled_from([None, at_most, Money.zero(at_most.currency)]))
        if data.draw(unheard):
            if data.draw(st.booleans()):
                self.ask_amazon(command, data)  # it was done, and nobody learns of it yet
            return None
        if isinstance(command, ClosePermission) and data.draw(seldom):
            return self.as_shown(command, self.amazon.permission, data)
        if data.draw(seldom):
            self.ask_amazon(command, data)
        return self.as_shown(command, self.ask_amazon(command, data), data)

    def ask_amazon(self, command: Command, data: st.DataObject) -> AmazonsAnswer:
        match command:
            case CreateCharge():
                return self.amazon.perform(command, self.now, charge=data.draw(decisions))
            case CaptureCharge() | CaptureAuthorized():
                return self.amazon.perform(command, self.now, charge=data.draw(takings))
            case CreateRefund():
                return self.amazon.perform(command, self.now, refund=data.draw(refundings))
            case _:
                return self.amazon.perform(command, self.now)

    def as_shown(self, command: Command, answer: AmazonsAnswer, data: st.DataObject) -> AmazonsAnswer:
        """What is read is now and then not shown at all, or as it was before."""
        match command:
            case ReadCharge() | ReadAuthorized() if data.draw(seldom):
                return data.draw(refusals)
            case ReadSuccessor() if data.draw(seldom):
                return data.draw(
                    st.sampled_from([unreadable("ResourceNotFound"), PermissionAnswer(state=PermissionState.CLOSED)])
                )
            case ReadPermission() | ClosePermission() if data.draw(seldom):
                unknown = PermissionAnswer(state=PermissionState.UNKNOWN)
                return data.draw(st.sampled_from([unreadable(), unknown, *self.amazon.earlier_permissions[-1:]]))
            case _:
                return answer

    def start_successor(self, command: StartSuccessor, data: st.DataObject) -> None:
        """The subscription goes on under its new charge permission, and is the one that is driven from now on."""
        if data.draw(seldom):
            self.happens(Answered(command, SuccessorAnswer(started=False)))
            return
        successor = continued(self.subscription)
        self.happens(Answered(command, SuccessorAnswer(started=True)))
        close = next_command(self.subscription)
        if close is not None:
            self.happens(Answered(close, self.amazon.perform(close, self.now)))
        assert self.subscription.status is Status.REPLACED
        assert self.subscription.outbox.told == successor.outbox.told, "the numbers of the notices go on"
        self.amazon.approve_another(successor.next_period, self.now)
        self.limited.clear()
        self.subscription = successor

    def happens(self, event: Event) -> None:
        """Something happened. Where that begins an attempt, no other may succeed beside it."""
        before = self.open_attempt
        owed = self.subscription.collection
        is_checked = owed is not None and isinstance(owed.stage, CheckingCharge)
        note(f"{self.stage}: {_in_a_word(event)}")
        if isinstance(event, Answered) and isinstance(event.answer, ChargeAnswer):
            self._count_limit(event.command, event.answer)
        self.subscription = apply(self.subscription, event, self.now)
        begun, owed = self.open_attempt, self.subscription.collection
        if owed is not None and isinstance(owed.stage, CheckingCharge):
            return
        if begun is not None and begun != before:
            assert before is None or is_checked, "a new key while another's outcome is open"
            self._check_new(begun)
        elif isinstance(event, Elapsed) and event.timer in {Timer.PERIOD, Timer.RETRY}:
            self._check_nothing_to_charge()

    def _check_new(self, attempt: Attempt) -> None:
        assert self.amazon.charges_of(attempt.period, CAPTURED, PENDING, AUTHORIZED) == 0, (
            "a new key beside a charge that may succeed"
        )
        assert attempt.idempotency_key not in self.amazon.requests, "a new attempt under an old key"
        assert attempt.number == self.amazon.keys_of(attempt.period) + 1

    def _check_nothing_to_charge(self) -> None:
        subscription = self.subscription
        asked = subscription.renewal.asking(subscription.next_period) is not None
        held = subscription.collection is not None and subscription.collection.held_for == MISSED_PERIODS
        assert asked or held or subscription.ledger.records[-1].outcome in NOTHING_TO_CHARGE

    def _count_limit(self, command: Command, answer: ChargeAnswer) -> None:
        failed = answer.outcome in {ChargeOutcome.DECLINED, ChargeOutcome.REFUSED}
        limited = failed and meaning_of_charge(answer.reason_code) is Meaning.MONTHLY_LIMIT
        if limited and isinstance(command, CreateCharge | ReadCharge | CaptureCharge):
            self.limited[self.subscription.next_period] += 1

    def asks(self, request: Request) -> bool:
        """The merchant asks for something; where that cannot be, it is refused and changes nothing."""
        before = self.subscription.model_dump_json()
        note(f"{self.stage}: asked to {request.kind}")
        try:
            after = ask(self.subscription, request, self.now)
        except Refused:
            assert self.subscription.model_dump_json() == before
            return False
        assert self.subscription.model_dump_json() == before, "what is asked of it changes no value"
        self.subscription = after
        return True

    def through_json(self) -> None:
        """As when a worker wakes; and it can be shown."""
        restored = Subscription.model_validate_json(self.subscription.model_dump_json())
        assert restored == self.subscription
        self.subscription = restored
        assert view_of(restored).status is restored.status

    @property
    def stage(self) -> str:
        """Where it stands, in a word."""
        collection = self.subscription.collection
        return collection.stage.kind if collection else self.subscription.lifecycle.stage.kind

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt under way."""
        return self.subscription.collection.open_attempt if self.subscription.collection else None

    # What others do, also while a call is under way

    @rule(event=events, data=st.data())
    def something_happens(self, event: str, data: st.DataObject) -> None:
        getattr(self, f"event_{event}")(data)

    def meanwhile(self, data: st.DataObject) -> None:
        """Time passes, and things happen, while an answer is under way."""
        self.now += timedelta(seconds=1)
        for event in data.draw(st.lists(events, max_size=2)):
            self.something_happens(event=event, data=data)

    def event_signal(self, data: st.DataObject) -> None:
        self.happens(Refresh(Thing.PERMISSION))

    def event_numbered_signal(self, data: st.DataObject) -> None:
        self.happens(Refresh(Thing.PERMISSION, notification_id=f"n-{data.draw(st.integers(0, 3))}"))

    def event_notification(self, data: st.DataObject) -> None:
        refund_ids = [str(refund.answer.refund_id) for refund in self.amazon.refunds.values()]
        things = [(Thing.CHARGE, "S01-elsewhere"), *((Thing.CHARGE, charge_id) for charge_id in self.amazon.charges)]
        thing, identifier = data.draw(st.sampled_from([*things, *((Thing.REFUND, each) for each in refund_ids)]))
        self.happens(Refresh(thing, identifier))

    def event_dispute(self, data: st.DataObject) -> None:
        """The buyer's bank takes a charge back, or decides."""
        name, charge_id = f"D-{data.draw(st.integers(0, 1))}", next(iter(self.amazon.charges), "S01-elsewhere")
        shown = [DisputeAnswer(charge_id=charge_id, state=state, amount=PRICE) for state in ("ActionRequired", "Won")]
        self.amazon.disputes[name] = data.draw(st.sampled_from([*shown, DisputeAnswer(refused="ResourceNotFound")]))
        self.happens(Refresh(Thing.DISPUTE, name))

    def event_cancel(self, data: st.DataObject) -> None:
        if data.draw(seldom):
            self.happens(CancelAsked("Moved away"))

    def event_replace(self, data: st.DataObject) -> None:
        """The buyer has approved another charge permission."""
        if data.draw(seldom):
            self.replaced += 1
            self.asks(ReplacePermission(charge_permission_id=f"C01-{self.replaced:07}-0000000"))

    def event_refund(self, data: st.DataObject) -> None:
        """The merchant gives money back; Amazon decides on it."""
        for refund in self.amazon.pending_refunds[:1]:
            self.amazon.decide_refund(refund, data.draw(st.sampled_from([RefundState.REFUNDED, RefundState.FAILED])))
        amount = data.draw(st.sampled_from([None, Money(amount=Decimal("5.00"), currency=PRICE.currency)]))
        self.asks(RefundPeriod(period=max(0, self.subscription.next_period - 1), amount=amount))

    def event_capture(self, data: st.DataObject) -> None:
        """The merchant captures what waits for it, all or a part."""
        for authorization in self.subscription.authorizations[:1]:
            part = Money(amount=Decimal("5.00"), currency=authorization.record.amount.currency)
            amount = data.draw(st.sampled_from([None, part]))
            if not self.asks(Capture(period=authorization.record.period, amount=amount)):
                too_much = amount is not None and amount.amount > authorization.record.amount.amount
                assert authorization.is_capturing or authorization.captures >= MOST_CAPTURES or too_much

    def event_retry(self, data: st.DataObject) -> None:
        """The merchant asks to try again now."""
        held = self.subscription.collection
        if self.asks(RetryNow()) and held is not None and isinstance(held.stage, LeftToMerchant):
            self.limited[held.period] += self.subscription.terms.plan.collection.max_attempts  # it begins anew

    def event_change(self, data: st.DataObject) -> None:
        """The merchant changes something."""
        self.asks(self._any_change(data))

    def _any_change(self, data: st.DataObject) -> Change:
        agreed, at = self.subscription.terms.plan, self.now + data.draw(later)
        match data.draw(changes):
            case "plan":
                other = Plan.of(
                    "other",
                    data.draw(prices),
                    data.draw(intervals),
                    capture=agreed.capture,
                    collection=agreed.collection,
                )
                plan = other if data.draw(st.booleans()) else None
                quantity, when, settle = data.draw(st.integers(1, 3)), data.draw(whens), data.draw(settles)
                return ChangePlan(plan=plan, quantity=quantity, when=when, settle=settle)
            case "billing day":
                day, kind = data.draw(st.integers(1, 31)), data.draw(st.sampled_from(FirstPeriod))
                return ChangeBillingDay(billing_day=BillingDay(day=day, first_period=kind))
            case "undo":
                return UndoChanges()
            case "pause":
                when, until = data.draw(st.sampled_from([*When, None])), data.draw(st.sampled_from([None, at + LATER]))
                return PauseSubscription(when=when or at, until=until, keeps_anchor=data.draw(st.booleans()))
            case "resume":
                return ResumeSubscription(keeps_anchor=data.draw(st.sampled_from([None, True, False])))
            case "skip":
                return SkipPeriod(undo=data.draw(st.booleans()))
            case "end":
                return Cancel(when=at if data.draw(st.booleans()) else When.RENEWAL)
            case "undo end":
                return UndoCancellation()
            case _:
                credit, when = data.draw(st.booleans()), data.draw(whens)
                return AddItem(amount=data.draw(prices), what="something", credit=credit, when=when)

    def event_break(self, data: st.DataObject) -> None:
        self.amazon.change_permission(PermissionState.NON_CHARGEABLE, ("PaymentMethodInvalid",), self.now)

    def event_busy(self, data: st.DataObject) -> None:
        reasons = data.draw(st.sampled_from([("ChargeInProgress",), ("AReasonThatNobodyKnows",), ()]))
        self.amazon.change_permission(PermissionState.NON_CHARGEABLE, reasons, self.now)

    def event_mend(self, data: st.DataObject) -> None:
        self.amazon.change_permission(PermissionState.CHARGEABLE, (), self.now)

    def event_close(self, data: st.DataObject) -> None:
        if data.draw(seldom):
            self.amazon.change_permission(PermissionState.CLOSED, ("BuyerCanceled",), self.now)

    def event_decide(self, data: st.DataObject) -> None:
        if self.amazon.pending:
            self.amazon.decide(self.amazon.pending[0], data.draw(st.one_of(captures, declines)), self.now)

    def event_wait(self, data: st.DataObject) -> None:
        self.now += data.draw(waits)


def _in_a_word(event: Event) -> str:
    match event:
        case Elapsed(timer=timer):
            return timer.value
        case Answered(command=command) | Unanswered(command=command):
            return f"{type(event).__name__} {type(command).__name__}"
        case _:
            return type(event).__name__
