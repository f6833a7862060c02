"""A subscription in the hands of a driver that performs whatever step stands, as the workflow does.

Notifications, cancellations, the buyer and Amazon itself interfere before, between and during the driver's calls.
Everything that may vary is drawn; what must hold is said where the machine is used.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from billing.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer, PermissionState
from billing.calendar import Interval, Unit
from billing.changes import (
    AddItem,
    Change,
    ChangeBillingDay,
    ChangePlan,
    PauseSubscription,
    PlanCancellation,
    ResumeSubscription,
    SkipPeriod,
    UndoCancellation,
    UndoChanges,
    When,
)
from billing.collection import MISSED_PERIODS, Action, Step, waits_for_merchant
from billing.declines import CHARGE_REASONS, Meaning, meaning_of_charge
from billing.forward import BY_THEMSELVES
from billing.identity import MOST_CAPTURES
from billing.ledger import PeriodOutcome
from billing.money import Money
from billing.plan import Capture, Plan
from billing.policy import CatchUp, CollectionPolicy, FinalAction, NextDue
from billing.schedule import BillingDay, FirstPeriod
from billing.subscription import Subscription
from billing.terms import Terms
from tests.billing.amazon_in_memory import AmazonInMemory
from tests.billing.support import FREE, PRICE, chargeable, declined, refused, terms, unreadable

CAPTURED, PENDING, AUTHORIZED = ChargeOutcome.CAPTURED, ChargeOutcome.PENDING, ChargeOutcome.AUTHORIZED

intervals = st.sampled_from(
    [Interval(unit=Unit.DAY), Interval(unit=Unit.WEEK), Interval(unit=Unit.MONTH), Interval(unit=Unit.MONTH, count=3)]
)
policies = st.builds(
    CollectionPolicy,
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
)
agreements = st.builds(
    lambda **agreed: terms("2026-01-31 09:00", **agreed),
    amount=st.sampled_from([PRICE, PRICE, PRICE, FREE]),
    interval=intervals,
    periods=st.sampled_from([None, 1, 2, 5]),
    policy=policies,
    zone=st.sampled_from(["UTC", "America/Los_Angeles", "Pacific/Auckland"]),
    capture=st.sampled_from(Capture),
)
NOTHING_TO_CHARGE: Final = frozenset({PeriodOutcome.FREE, PeriodOutcome.SKIPPED})
captures = st.just(ChargeAnswer(outcome=CAPTURED))
declines = st.sampled_from([*CHARGE_REASONS, "ACodeThatNobodyKnows", None]).map(declined)
refusals = st.sampled_from(["InvalidRequest", "UnauthorizedAccess", "PeriodicAmountExceeded", None]).map(refused)
decisions = st.one_of(captures, st.just(ChargeAnswer(outcome=PENDING)), declines, refusals)
takings = st.one_of(captures, st.just(ChargeAnswer(outcome=PENDING)), st.just(declined("ProcessingFailure")), refusals)
"""How captures are answered."""
events = st.sampled_from([
    "signal", "signal", "numbered_signal", "charge_notification", "charge_notification", "cancel",
    "break", "busy", "mend", "mend", "close", "decide", "decide", "wait", "capture", "retry", "change", "change",
])  # fmt: skip
whens, later = st.sampled_from(When), st.sampled_from([timedelta(hours=1), timedelta(days=10), timedelta(days=70)])
waits = st.sampled_from([timedelta(minutes=1), timedelta(hours=5), timedelta(days=3), timedelta(days=100)])
seldom = st.integers(0, 4).map(lambda number: number == 0)


class Driven(RuleBasedStateMachine):
    """One subscription, its driver, its buyer and Amazon."""

    @initialize(agreed=agreements, keeps_refusals=st.booleans())
    def begin(self, agreed: Terms, *, keeps_refusals: bool) -> None:
        self.subscription = Subscription.begin(agreed)
        self.now = agreed.anchor
        self.amazon = AmazonInMemory(keeps_refusals, chargeable())
        self.limited: Counter[int] = Counter()

    # What the driver does, in the order of the workflow

    @precondition(lambda self: not self.subscription.has_ended)
    @rule(data=st.data())
    def the_driver_takes_its_next_step(self, data: st.DataObject) -> None:
        subscription, step = self.subscription, self.subscription.next_to_do
        if step is not None and not (subscription.cancellation_is_due or subscription.look_requested):
            self.now = max(self.now, step.at)
        if subscription.cancellation_is_due:
            subscription.begin_cancellation(self.now)
        elif step is not None and step.at <= self.now:
            self.perform(step, data)
        elif subscription.look_requested:
            self.read_permission(data)
        restored = Subscription.model_validate_json(subscription.model_dump_json())
        assert restored == subscription
        self.subscription = restored

    def perform(self, step: Step, data: st.DataObject) -> None:
        if step.action in BY_THEMSELVES:
            BY_THEMSELVES[step.action](self.subscription, self.now)
        elif step.action is Action.CANCEL:
            self.subscription.end_as_planned()
        elif step.action is Action.CAPTURE_AUTHORIZED:
            self.capture_authorized(step, data)
        elif step.action is Action.READ_AUTHORIZED:
            self.read_authorized(step, data)
        else:
            self._CALLS[step.action](self, data)

    def charge(self, data: st.DataObject) -> None:
        collection = self.subscription.collection
        period = collection.period if collection else self.subscription.next_period
        assert collection is None or not collection.attempt_is_open, "a new key while another's outcome is open"
        assert self.amazon.charges_of(period, CAPTURED, PENDING, AUTHORIZED) == 0, (
            "a new key beside a charge that may succeed"
        )
        attempt = self.subscription.begin_attempt(self.now)
        if attempt is None:
            held, settled = self.subscription.collection, self.subscription.ledger[-1:]
            assert (held and held.held_for == MISSED_PERIODS) or settled[0].outcome in NOTHING_TO_CHARGE
            return
        assert attempt.idempotency_key not in self.amazon.requests, "a new attempt under an old key"
        assert attempt.number == self.amazon.keys_of(attempt.period) + 1
        self.send(data)

    def send(self, data: st.DataObject) -> None:
        """Sends the attempt, once more for an answer that was lost; the last answer is the one that counts."""
        attempt = self.subscription.open_attempt()
        if data.draw(seldom):
            self.amazon.create_charge(attempt, data.draw(decisions), self.now)
        answer = self.amazon.create_charge(attempt, data.draw(decisions), self.now)
        self.meanwhile(data)
        assert self.subscription.open_attempt() == attempt
        self.take(answer)

    def read_charge(self, data: st.DataObject) -> None:
        charge_id = self.subscription.pending_charge_id
        answer = data.draw(refusals) if data.draw(seldom) else self.amazon.read_charge(charge_id)
        self.meanwhile(data)
        self.take(answer)

    def capture(self, data: st.DataObject) -> None:
        """Of a charge that may be pending, and was authorized."""
        attempt, charge_id = self.subscription.open_attempt(), self.subscription.pending_charge_id
        key = self.subscription.pending_capture_key
        answer = self.amazon.capture(charge_id, key, attempt.amount, data.draw(takings))
        self.meanwhile(data)
        self.subscription.capture_answered(answer, self.now)

    def capture_authorized(self, step: Step, data: st.DataObject) -> None:
        authorization = self.subscription.authorization(step.charge_id)
        assert authorization.capture is not None
        key = authorization.capture_key
        if data.draw(seldom):
            self.amazon.capture(authorization.charge_id, key, authorization.capture, data.draw(takings))
        answer = self.amazon.capture(authorization.charge_id, key, authorization.capture, data.draw(takings))
        self.meanwhile(data)
        self.subscription.authorization_answered(step, answer, self.now)

    def read_authorized(self, step: Step, data: st.DataObject) -> None:
        authorization = self.subscription.authorization(step.charge_id)
        if self.now >= authorization.expires_at:
            self.amazon.expire(authorization.charge_id)
        read = self.amazon.read_charge(authorization.charge_id)
        answer = data.draw(refusals) if data.draw(seldom) else read
        self.meanwhile(data)
        self.subscription.authorization_answered(step, answer, self.now)

    def take(self, answer: ChargeAnswer) -> None:
        failed = answer.outcome in {ChargeOutcome.DECLINED, ChargeOutcome.REFUSED}
        if failed and meaning_of_charge(answer.reason_code) is Meaning.MONTHLY_LIMIT:
            self.limited[self.subscription.next_period] += 1
        self.subscription.charge_answered(answer, self.now)

    def read_permission(self, data: st.DataObject) -> None:
        answer = self.permission_as_read(data)
        self.meanwhile(data)
        self.subscription.permission_answered(answer, self.now)

    def close_permission(self, data: st.DataObject) -> None:
        assert self.subscription.closure_reason
        if not data.draw(seldom):
            self.amazon.change_permission(PermissionState.CLOSED, ("MerchantClosed",), self.now)
            if self.subscription.cancels_pending_charges:
                self.amazon.cancel_pending()
        answer = self.permission_as_read(data)
        self.meanwhile(data)
        self.subscription.permission_closed(answer, self.now)

    def permission_as_read(self, data: st.DataObject) -> PermissionAnswer:
        """The permission as Amazon shows it: now and then not at all, or as it was before."""
        if not data.draw(seldom):
            return self.amazon.permission
        untrue = [unreadable(), PermissionAnswer(state=PermissionState.UNKNOWN), *self.amazon.earlier_permissions[-1:]]
        return data.draw(st.sampled_from(untrue))

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
        self.subscription.permission_may_have_changed()

    def event_numbered_signal(self, data: st.DataObject) -> None:
        self.subscription.permission_may_have_changed(f"n-{data.draw(st.integers(0, 3))}")

    def event_charge_notification(self, data: st.DataObject) -> None:
        charge_id = data.draw(st.sampled_from(["S01-elsewhere", *self.amazon.charges]))
        self.subscription.charge_may_have_changed(charge_id, self.now)

    def event_cancel(self, data: st.DataObject) -> None:
        if data.draw(seldom):
            self.subscription.cancel_requested("Moved away")

    def event_capture(self, data: st.DataObject) -> None:
        """The merchant captures what waits for it, all or a part."""
        for authorization in self.subscription.authorizations[:1]:
            part = Money(amount=Decimal("5.00"), currency=authorization.record.amount.currency)
            amount = data.draw(st.sampled_from([None, part]))
            try:
                self.subscription.capture_requested(authorization.record.period, amount, self.now)
            except ValueError:
                assert authorization.capture is not None or authorization.captures >= MOST_CAPTURES

    def event_retry(self, data: st.DataObject) -> None:
        """The merchant asks to try again now; where that makes no sense, it is refused and changes nothing."""
        before, held = self.subscription.model_dump_json(), self.subscription.collection
        if held is not None and waits_for_merchant(held):
            self.limited[held.period] += self.subscription.terms.plan.collection.max_attempts  # it begins anew
        try:
            self.subscription.retry_requested(self.now)
        except ValueError:
            assert self.subscription.model_dump_json() == before

    def event_change(self, data: st.DataObject) -> None:
        """The merchant changes something; where that cannot be, it is refused and changes nothing."""
        change, before = self._any_change(data), self.subscription.model_dump_json()
        try:
            change.apply(self.subscription.model_copy(deep=True), self.now)
        except ValueError:
            assert self.subscription.model_dump_json() == before
        else:
            assert self.subscription.model_dump_json() == before, "a copy was changed, and not the subscription"
            change.apply(self.subscription, self.now)

    def _any_change(self, data: st.DataObject) -> Change:
        agreed, at = self.subscription.terms.plan, self.now + data.draw(later)
        price = Money(amount=Decimal(data.draw(st.sampled_from(["0", "4.00", "20.00"]))), currency=agreed.currency)
        other = Plan.of("other", price, data.draw(intervals), capture=agreed.capture, collection=agreed.collection)
        days = st.builds(BillingDay, day=st.integers(1, 31), first_period=st.sampled_from(FirstPeriod))
        drawn: Change = data.draw(
            st.one_of(
                st.builds(ChangePlan, plan=st.sampled_from([None, other]), quantity=st.integers(1, 3), when=whens),
                st.builds(ChangeBillingDay, billing_day=days),
                st.just(UndoChanges()),
                st.builds(PauseSubscription, when=whens, until=st.sampled_from([None, at]), keeps_anchor=st.booleans()),
                st.builds(ResumeSubscription, keeps_anchor=st.sampled_from([None, True, False])),
                st.builds(SkipPeriod, undo=st.booleans()),
                st.builds(PlanCancellation, at=st.sampled_from([None, at])),
                st.just(UndoCancellation()),
                st.builds(AddItem, amount=st.just(price), what=st.just("x"), credit=st.booleans(), when=whens),
            )
        )
        return drawn

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
            self.amazon.decide(self.amazon.pending[0], data.draw(st.one_of(captures, declines)))

    def event_wait(self, data: st.DataObject) -> None:
        self.now += data.draw(waits)

    _CALLS: Final[dict[Action, Callable[["Driven", st.DataObject], None]]] = {
        Action.CHARGE: charge,
        Action.REPEAT_CHARGE: send,
        Action.CAPTURE: capture,
        Action.READ_CHARGE: read_charge,
        Action.READ_PERMISSION: read_permission,
        Action.CLOSE_PERMISSION: close_permission,
    }
