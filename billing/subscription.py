"""One subscription's life as a value: what was agreed, what happened, what happens next.

The whole state of a subscription is one model. The workflow performs the step that stands and reports what came of
it by one of the methods here; each decides the next step. Nothing here acts, sleeps or reads a clock.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, Field

from billing.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer
from billing.authorizations import Authorization
from billing.collection import (
    LOOK_AGAIN_AFTER,
    MISSED_PERIODS,
    Action,
    Attempt,
    Collection,
    Stage,
    Step,
    after_capture,
    after_charge,
    after_permission,
    begin_attempt,
    grace_step,
    hold_for_merchant,
    pause,
    payment_method_deadline,
    release,
    take_reminder,
    waits_for_merchant,
    why_closed,
)
from billing.declines import Meaning, meaning_of_non_chargeable
from billing.disputes import KEPT as DISPUTES_KEPT
from billing.disputes import Dispute, DisputeAnswer
from billing.identity import capture_key, idempotency_key, spread_of
from billing.ledger import LEDGER_LENGTH, PeriodOutcome, PeriodRecord
from billing.life import Decided, Extra, Pause, PlannedEnd
from billing.money import Money
from billing.notices import Notice, NoticeType, notice_after
from billing.plan import Amounts, Capture, Plan
from billing.policy import CatchUp, CollectionPolicy, FinalAction, NextDue, OnDispute
from billing.refunds import KEPT, Refund, RefundAnswer, RefundState, Wanted, asked_before, check_refund, refunded
from billing.schedule import Agreement, Schedule
from billing.status import NEEDS_ATTENTION, STATUS_OF_STAGE, Ending, Status
from billing.terms import ChargePermissionId, Terms

LONGEST_OUTBOX: Final = 100
"""Notices kept while they cannot be handed on; a subscription that waits so long does nothing else any more."""

REMEMBERED_NOTIFICATIONS: Final = 20
"""Notification ids kept to recognise a repetition; one period causes two or three."""


ASKED_FOR: Final = "asked for"
AMOUNT_UNKNOWN: Final = "AmountUnknown"
"""Our own reason beside Amazon's codes: the merchant's endpoint has not said what a period costs."""

SKIPPED_ON_REQUEST: Final = "paused or skipped on request"

_CHARGED: Final = frozenset({PeriodOutcome.PAID, PeriodOutcome.AUTHORIZED})


class Subscription(BaseModel):
    """The state of a subscription: what continue-as-new carries, the status query answers, the workflow returns.

    Attributes:
        terms: what was agreed.
        next_step: what happens next; None when paused or ended.
        next_period: the first period that has no record yet.
        joined_with: the first period that was charged here; those before were elsewhere.
        collection: the period being collected, if one is open.
        authorizations: charges that wait for the merchant to capture them, oldest first.
        agreements: what was changed since, by the period that each begins with.
        skips: periods to come that are not owed.
        pause: one by request, planned or begun.
        planned_end: a cancellation that takes effect later.
        decided: what the merchant said that the next period costs, where its plan asks.
        undecided_since: when the merchant's endpoint first failed to say so (UTC), while that lasts.
        extras: what is charged once, with the next charge.
        credit: what is taken off the next charges.
        refunds: money that goes back, or went, oldest first.
        refunds_asked: how many refunds were asked for since the beginning.
        disputes: of its charges, the latest ones, oldest first.
        collects_until: periods below this number are charged each, whatever the policy says about missed ones: they
            fell due while an older one was collected, or the merchant wants them.
        ledger: the latest periods' records, oldest first.
        periods_paid: since the beginning.
        permission: the charge permission as it was last read while nothing was owed.
        look_requested: a signal said that the permission may have changed; it was not read since.
        lost_at: when the charge permission was found closed (UTC), while a new one is awaited.
        lost_because: the reasonCode of that.
        successor: the charge permission under which it is to go on, or went on.
        cancellation: why somebody asked to cancel, until the cancellation begins.
        ending: how the subscription ends, once that is decided.
        ended_at: when it had ended, the charge permission being closed (UTC).
        notification_ids: of the latest notifications, to recognise repetitions.
        notices: how many the merchant was meant to be sent, so far.
        outbox: those that were not handed on yet, oldest first.
    """

    terms: Terms
    next_step: Step | None
    next_period: int = 0
    joined_with: int = 0
    collection: Collection | None = None
    authorizations: list[Authorization] = Field(default_factory=list)
    agreements: list[Agreement] = Field(default_factory=list)
    skips: list[int] = Field(default_factory=list)
    pause: Pause | None = None
    planned_end: PlannedEnd | None = None
    decided: Decided | None = None
    undecided_since: AwareDatetime | None = None
    extras: list[Extra] = Field(default_factory=list)
    credit: Money | None = None
    refunds: list[Refund] = Field(default_factory=list)
    refunds_asked: int = 0
    disputes: list[Dispute] = Field(default_factory=list)
    collects_until: int = 0
    ledger: list[PeriodRecord] = Field(default_factory=list)
    periods_paid: int = 0
    permission: PermissionAnswer | None = None
    look_requested: bool = False
    lost_at: AwareDatetime | None = None
    lost_because: str | None = None
    successor: ChargePermissionId | None = None
    cancellation: str | None = None
    ending: Ending | None = None
    ended_at: AwareDatetime | None = None
    notification_ids: list[str] = Field(default_factory=list)
    notices: int = 0
    outbox: list[Notice] = Field(default_factory=list)

    @classmethod
    def begin(cls, terms: Terms) -> "Subscription":
        """A new subscription, waiting for its first due date."""
        subscription = cls(terms=terms, next_step=None)
        subscription._wait_for_next_period()
        return subscription

    @classmethod
    def joining(cls, terms: Terms, *, next_period: int | None, debt: Money | None, now: datetime) -> "Subscription":
        """A subscription that was billed elsewhere until now; it is paused until somebody resumes it.

        Args:
            terms: what was agreed, the anchor being that of the first period ever.
            next_period: the first to be charged here; the next that falls due when not given.
            debt: what is owed from before, to be added to the first charge.
            now: when it joins (UTC).

        Raises:
            ValueError: the period or the debt cannot be meant.
        """
        subscription = cls(terms=terms, next_step=None)
        schedule = subscription.schedule
        first = schedule.periods_due(now) if next_period is None else next_period
        if not schedule.has_period(first):
            raise ValueError(f"next_period: the plan has no period {first} from this anchor on")
        if debt is not None and debt.currency != terms.plan.currency:
            raise ValueError(f"debt: {debt} is in another currency than the plan, {terms.plan.currency}")
        subscription.next_period = subscription.joined_with = first
        subscription.pause = Pause(since=min(now, schedule.due(first)), has_begun=True)
        if debt is not None and not debt.is_zero:
            subscription.extras = [Extra(amount=debt, what="owed from before")]
        return subscription

    def start_telling(self, now: datetime) -> None:
        """The workflow runs: the merchant is told so, once."""
        if self.notices == 0:
            self._tell(NoticeType.SUBSCRIPTION_STARTED, now, amount=self.schedule.amount(self.next_period))

    def were_handed_on(self, notices: Sequence[Notice]) -> None:
        """These notices are on their way; what came meanwhile stays."""
        handed_on = {notice.number for notice in notices}
        self.outbox = [notice for notice in self.outbox if notice.number not in handed_on]

    # What it is

    @property
    def status(self) -> Status:
        """The status, derived from what is open."""
        if self.ending is not None and self.has_ended:
            return self.ending.status
        if self.ending is not None and self.ending.status is not Status.COMPLETED:
            return Status.ENDING
        if self.lost_at is not None:
            return Status.AWAITING_CHECKOUT
        if self.collection is not None:
            return STATUS_OF_STAGE[self.collection.stage]
        return Status.PAUSED if self.is_paused else Status.ACTIVE

    @property
    def is_paused(self) -> bool:
        """Whether it is paused by request."""
        return self.pause is not None and self.pause.has_begun

    @property
    def schedule(self) -> Schedule:
        """The periods, as they are agreed on now."""
        return Schedule([self.terms.agreement, *self.agreements], self.terms.zone, self.terms.ends_at)

    @property
    def has_ended(self) -> bool:
        """Whether the workflow's work is done."""
        return self.ended_at is not None

    @property
    def next_to_do(self) -> Step | None:
        """What happens next of all that stands: the step, an authorized charge's, a refund's, the end of a grace."""
        steps = [authorization.step for authorization in self.authorizations]
        steps += [refund.step for refund in self.refunds if refund.step is not None]
        steps += [dispute.step for dispute in self.disputes if dispute.step is not None]
        if self.next_step is not None:
            steps.insert(0, self.next_step)
        if self.planned_end is not None and self._may_be_canceled and self.cancellation is None:
            why = f"the cancellation was planned: {self.planned_end.reason}"
            steps.insert(0, Step(action=Action.CANCEL, at=self.planned_end.at, why=why))
        if self.pause is not None and self.ending is None and self.lost_at is None:
            steps = [*self._steps_of(self.pause), *steps]
        grace = grace_step(self.collection) if self.collection and self.ending is None else None
        if grace is not None:
            steps.append(grace)
        return min(steps, key=lambda step: step.at, default=None)

    @property
    def last_reason(self) -> str | None:
        """The reasonCode of the trouble that still stands or that ended it; never text that a person wrote."""
        if self.ending is not None:
            return self.ending.reason_code
        if self.lost_at is not None:
            return self.lost_because
        if self.collection is not None:
            return self.collection.held_for or self.collection.last_reason
        if self.undecided_since is not None:
            return AMOUNT_UNKNOWN
        if self.permission is not None and not self.permission.is_chargeable:
            return self.permission.refused or next(iter(self.permission.reason_codes), self.permission.state.value)
        return None

    @property
    def needs_attention(self) -> bool:
        """Whether the merchant has to look: held, paused, or a payment method that only the buyer can mend."""
        broken = self.permission is not None and not self.permission.is_chargeable
        held = self.collection is not None and self.collection.held_for is not None
        in_need = self.status in NEEDS_ATTENTION and not (self.is_paused and self.collection is None)
        return not self.has_ended and (broken or held or in_need or self.undecided_since is not None)

    @property
    def asks_for_amount(self) -> bool:
        """Whether the merchant has to say what the next period costs before it can be charged."""
        number = self.next_period
        decided = self.decided is not None and self.decided.period == number
        return (
            self.plan.amounts is Amounts.ASKED
            and self.collection is None
            and not decided
            and number not in self.skips
            and not self.schedule.amount(number).is_zero
        )

    @property
    def cancellation_is_due(self) -> bool:
        """Whether a requested cancellation can begin: a charge that Amazon is deciding on is awaited first."""
        return (
            self.cancellation is not None
            and self._may_be_canceled
            and (
                self.collection is None
                or self.collection.stage is not Stage.PENDING
                or self._policy.cancel_pending_charges
            )
        )

    @property
    def hand_over_is_due(self) -> bool:
        """Whether the subscription can go on under another charge permission now: no attempt's outcome is awaited."""
        return (
            self.successor is not None
            and self._may_be_canceled
            and self.cancellation is None
            and (self.collection is None or not self.collection.attempt_is_open)
        )

    @property
    def _may_be_canceled(self) -> bool:
        return self.ending is None or (self.ending.status is Status.COMPLETED and not self.has_ended)

    @property
    def cancels_pending_charges(self) -> bool:
        """Whether closing the charge permission is to cancel what is pending or authorized under it."""
        return self.ending is not None and self.ending.status is Status.CANCELED and self._policy.cancel_pending_charges

    @property
    def _policy(self) -> CollectionPolicy:
        """The policy of the period that is owed, as it was when that was first declined; else the plan's."""
        frozen = self.collection.policy if self.collection else None
        return frozen or self.plan.collection

    @property
    def plan(self) -> Plan:
        """What is being charged, or will be next."""
        return self.agreement_at(self.next_period).plan

    @property
    def pending_charge_id(self) -> str:
        """The charge that Amazon has not decided on yet."""
        charge_id = self._open_collection().pending_charge_id
        if charge_id is None:
            raise AssertionError("no charge is pending")
        return charge_id

    @property
    def closure_reason(self) -> str:
        """What Amazon is told when the charge permission is closed."""
        if self.ending is None:
            raise AssertionError("no end was decided")
        return self.ending.reason

    def next_step_is(self, action: Action) -> bool:
        """Whether this action is what stands next."""
        return self.next_step is not None and self.next_step.action is action

    # What it does

    def begin_attempt(self, now: datetime) -> Attempt | None:
        """Opens the next attempt to charge; None when the period is free and therefore settled without a call."""
        if self.collection is None:
            if self.next_period in self.skips:
                self._skip_as_asked(now)
                return None
            missed = self._take_missed_periods(now)
            self.collection = self._new_collection(now)
            if missed is not None:
                self._hold_missed(self.collection, missed, now)
                return None
        if self.collection.amount.is_zero:
            self._settle(PeriodOutcome.FREE, now)
            return None
        begin_attempt(self.collection)
        self.look_requested = False
        return self.open_attempt()

    def _new_collection(self, now: datetime) -> Collection:
        """Begins to collect the next period: its price and what is charged once, less what is credited."""
        number, zero = self.next_period, self._money(Decimal(0))
        price = self.schedule.amount(number)
        if self.decided is not None and self.decided.period == number:
            price = self.decided.amount
        extras = sum((extra.amount.amount for extra in self.extras), Decimal(0))
        credit = min((self.credit or zero).amount, price.amount + extras)
        if self.credit is not None and credit:
            left = self.credit.amount - credit
            self.credit = self._money(left) if left else None
        self.extras = []
        return Collection(
            period=number,
            due=self.schedule.due(number),
            begun_at=now,
            amount=self._money(price.amount + extras - credit),
            credit=self._money(credit) if credit else None,
            extras=self._money(extras) if extras else None,
            zone=self.terms.zone,
            spread=spread_of(self.terms.charge_permission_id),
        )

    def _money(self, amount: Decimal) -> Money:
        return Money(amount=amount, currency=self.terms.plan.currency)

    def amount_decided(self, period: int, amount: Money) -> None:
        """The merchant has said what a period costs; that stands, however often it is tried."""
        self.decided, self.undecided_since = Decided(period=period, amount=amount), None

    def amount_unknown(self, now: datetime) -> None:
        """The merchant's endpoint did not say what the period costs: it is asked again slowly, in plain sight."""
        if not self.next_step_is(Action.CHARGE):
            return  # it was paused meanwhile
        number, again = self.next_period, now + LOOK_AGAIN_AFTER
        why = f"period {number} fell due, and your endpoint has not said what it costs; it is asked again"
        self.next_step = Step(action=Action.CHARGE, at=again, why=why)
        if self.undecided_since is None:
            self.undecided_since = now
            about = {"period": number, "due": self.schedule.due(number)}
            self._tell(NoticeType.SUBSCRIPTION_HELD, now, **about, reason_code=AMOUNT_UNKNOWN, reason=why)

    def open_attempt(self) -> Attempt:
        """The attempt under way, the same each time it is asked for."""
        collection = self._open_collection()
        return Attempt(
            period=collection.period,
            number=collection.attempts,
            amount=collection.amount,
            idempotency_key=idempotency_key(self.terms.charge_permission_id, collection.period, collection.attempts),
            handles_pending=collection.handles_pending,
            capture_now=self.plan.capture is Capture.NOW and not collection.handles_pending,
        )

    def authorization(self, charge_id: str | None) -> Authorization:
        """The authorized charge with that id."""
        for authorization in self.authorizations:
            if authorization.charge_id == charge_id:
                return authorization
        raise AssertionError(f"{charge_id} is not authorized")

    # What came of it

    def charge_answered(self, answer: ChargeAnswer, now: datetime) -> None:
        """Takes the outcome of the attempt under way."""
        collection = self._open_collection()
        if answer.outcome is ChargeOutcome.CAPTURED:
            self.periods_paid += 1
            self._forget_permission()
            self.look_requested = self.look_requested or collection.prompted
            self._settle(PeriodOutcome.PAID, now, charge_id=answer.charge_id)
            return
        if answer.outcome is ChargeOutcome.AUTHORIZED and self.plan.capture is Capture.LATER:
            self._forget_permission()
            self._settle(PeriodOutcome.AUTHORIZED, now, charge_id=answer.charge_id)
            return
        if self.ending is not None and answer.outcome is ChargeOutcome.DECLINED:
            self._settle(PeriodOutcome.GIVEN_UP, now, reason="canceled while owed, not paid")
            return
        before = collection.stage
        self._take(after_charge(collection, answer, self.plan.collection, now), before, now)

    def capture_answered(self, answer: ChargeAnswer, now: datetime) -> None:
        """Takes the outcome of capturing the charge that was pending, and is authorized."""
        collection = self._open_collection()
        if answer.outcome is ChargeOutcome.DECLINED:
            step = after_capture(collection, answer, now)
            self._take(step, collection.stage, now)
        else:
            self.charge_answered(answer, now)

    @property
    def pending_capture_key(self) -> str:
        """The idempotency key under which the charge that was pending is captured."""
        return capture_key(self.open_attempt().idempotency_key, self._open_collection().captures_failed + 1)

    def permission_answered(self, answer: PermissionAnswer, now: datetime) -> None:
        """Takes the charge permission as it was read, as the step that stood or because of a signal."""
        planned = self.next_step_is(Action.READ_PERMISSION) and self._step_is_due(now)
        prompted, self.look_requested = self.look_requested, False
        if self.lost_at is not None or self._only_waits_to_end:
            return  # closed for good, whatever an older reading says
        if self.collection is not None:
            before = self.collection.stage
            step = after_permission(self.collection, answer, planned=planned, prompted=prompted, now=now)
            if step is not None:
                if step.action is Action.END:
                    self.permission = answer
                    self.collection.last_reason = next(iter(answer.reason_codes), self.collection.last_reason)
                self._take(step, before, now)
            elif planned and self.collection.stage is Stage.PAUSED:
                self.next_step = None
            elif planned:
                raise AssertionError(f"no step follows reading the permission in stage {self.collection.stage}")
        elif answer.is_closed and self.ending is not None:
            self.permission_closed(answer, now)
        elif answer.is_closed:
            self.permission = answer
            self._lose_permission(why_closed(answer), next(iter(answer.reason_codes), None), now)
        elif answer.refused is None:
            self._seen_between_dates(answer, now)

    def _forget_permission(self) -> None:
        """It was charged, so what was read of it before is no news any more; but a closed one stays closed."""
        if self.permission is not None and not self.permission.is_closed:
            self.permission = None

    def time_is_up(self, now: datetime) -> None:
        """The policy's time or attempts are used up: its final action follows."""
        collection = self._open_collection()
        reason = collection.last_reason or "not collected"
        match self._policy.final_action:
            case FinalAction.PAUSE:
                pause(collection)
                self.next_step = None
                self._tell(NoticeType.SUBSCRIPTION_PAUSED, now, **_about(collection), reason_code=reason)
            case FinalAction.CANCEL:
                self._settle(PeriodOutcome.GIVEN_UP, now, reason=reason)
                self._end(Status.UNPAID, f"{reason}: not collected in time", now, reason_code=reason)
            case FinalAction.MARK_UNPAID:
                self._settle(PeriodOutcome.GIVEN_UP, now, reason=reason)

    def next_one_is_due(self, now: datetime) -> None:
        """The policy gives up the owed period for the next one, which has fallen due."""
        collection = self._open_collection()
        self._settle(PeriodOutcome.GIVEN_UP, now, reason=collection.last_reason)

    def grace_is_over(self, now: datetime) -> None:
        """The subscriber is not to have what was bought any longer: the merchant is told."""
        collection = self._open_collection()
        collection.grace_is_over = True
        self._tell(NoticeType.GRACE_ENDED, now, **_about(collection), reason_code=collection.last_reason)

    def is_capturing(self, charge_id: str) -> bool:
        """Whether a capture was asked for, and its outcome is not known yet."""
        return any(each.charge_id == charge_id and each.capture is not None for each in self.authorizations)

    def authorization_answered(self, asked: Step, answer: ChargeAnswer, now: datetime) -> PeriodRecord | None:
        """Takes the answer to a step about an authorized charge; gives the record of a period settled by it."""
        authorization = self.authorization(asked.charge_id)
        after = authorization.answered(asked.action, answer, now)
        if isinstance(after, Authorization):
            self.authorizations = [after if each is authorization else each for each in self.authorizations]
            if authorization.capture is not None and after.capture is None:
                about = _about_record(after.record)
                self._tell(
                    NoticeType.CAPTURE_FAILED, now, **about, reason_code=after.failed_for, deadline=after.expires_at
                )
            return None
        self.authorizations = [each for each in self.authorizations if each is not authorization]
        self.ledger = [after if record.period == after.period else record for record in self.ledger]
        if after.outcome is PeriodOutcome.PAID:
            self.periods_paid += 1
            self._tell(NoticeType.PERIOD_PAID, now, **_about_record(after))
        else:
            self._tell(NoticeType.PERIOD_GIVEN_UP, now, **_about_record(after), reason_code=after.reason)
        if self._only_waits_to_end:
            self._conclude(now)
        return after

    def permission_may_have_changed(self, notification_id: str | None = None) -> None:
        """Somebody says so: it is read before acting. A repeated notification is ignored."""
        if notification_id is not None:
            if notification_id in self.notification_ids:
                return
            self.notification_ids = [*self.notification_ids, notification_id][-REMEMBERED_NOTIFICATIONS:]
        self.look_requested = True

    def charge_may_have_changed(self, charge_id: str, now: datetime) -> None:
        """Somebody says so: if it is the pending one it is read now, instead of at the next hourly look."""
        if self.next_step_is(Action.READ_CHARGE) and charge_id == self.pending_charge_id:
            self.next_step = Step(action=Action.READ_CHARGE, at=now, why="a notification about the pending charge")
        self.authorizations = [
            each.looked_at(now, "a notification about the authorized charge") if each.charge_id == charge_id else each
            for each in self.authorizations
        ]

    def refund_may_have_changed(self, refund_id: str, now: datetime) -> None:
        """Somebody says so: it is read now, instead of at the next hourly look."""
        self.refunds = [each.looked_at(now) if each.refund_id == refund_id else each for each in self.refunds]

    def dispute_reported(self, dispute_id: str, now: datetime) -> None:
        """Amazon says that a charge is disputed, or that something about it has changed: it is read."""
        if any(each.dispute_id == dispute_id for each in self.disputes):
            looked = [each.looked_at(now) if each.dispute_id == dispute_id else each for each in self.disputes]
        else:
            looked = [*self.disputes, Dispute.reported(dispute_id, now)]
        self.disputes = looked[-DISPUTES_KEPT:]

    def dispute_answered(self, dispute_id: str | None, answer: DisputeAnswer, now: datetime) -> None:
        """Takes a dispute as it was read; what is news is told."""
        before = next((each for each in self.disputes if each.dispute_id == dispute_id), None)
        if before is None:
            return  # forgotten for newer ones
        charge = [record.period for record in self.ledger if record.charge_id == answer.charge_id is not None]
        after = before.read(answer, next(iter(charge), before.period), now)
        self.disputes = [after if each.dispute_id == dispute_id else each for each in self.disputes]
        if after.seen is None or after.seen == before.seen:
            return
        opened = before.seen is None
        self._tell(
            NoticeType.DISPUTE_OPENED if opened else NoticeType.DISPUTE_CHANGED,
            now,
            period=after.period,
            amount=answer.amount,
            charge_id=answer.charge_id,
            dispute_id=dispute_id,
            reason_code=answer.reason_code,
            status=answer.resolution or answer.state,
            deadline=answer.deadline,
        )
        if opened and self._policy.on_dispute is OnDispute.PAUSE and self.pause is None and self.ending is None:
            self.pause_requested(Pause(since=now), now, why=f"dispute {dispute_id}")

    def check_refund(self, wanted: Wanted) -> None:
        """Whether money may go back so.

        Raises:
            ValueError: the period was not paid, or it is too much, or the reference is another refund's.
        """
        if asked_before(self.refunds, wanted) is None:
            check_refund(self.ledger, self.refunds, wanted)

    def refund_requested(self, wanted: Wanted, now: datetime) -> int:
        """The merchant wants money to go back; answers the refund's number.

        Raises:
            ValueError: as `check_refund`.
        """
        before = asked_before(self.refunds, wanted)
        if before is not None:
            return before.number
        record, amount = check_refund(self.ledger, self.refunds, wanted)
        self.refunds_asked += 1
        permission = self.terms.charge_permission_id
        refund = Refund.of(record, amount, self.refunds_asked, permission, now, wanted.reference)
        under_way = [each for each in self.refunds if each.is_open]
        settled = [each for each in self.refunds if not each.is_open][-KEPT:]
        self.refunds = sorted([*settled, *under_way, refund], key=lambda each: each.number)
        return refund.number

    def refund(self, number: int | None) -> Refund:
        """The refund with that number."""
        for refund in self.refunds:
            if refund.number == number:
                return refund
        raise AssertionError(f"there is no refund {number}")

    def refund_answered(self, number: int | None, answer: RefundAnswer, now: datetime) -> None:
        """Takes what Amazon said of a refund."""
        refund = self.refund(number).answered(answer, now)
        self.refunds = [refund if each.number == number else each for each in self.refunds]
        if refund.is_open:
            return
        about = {"period": refund.period, "amount": refund.amount, "charge_id": refund.charge_id}
        if refund.state is RefundState.REFUNDED:
            self.ledger = [
                refunded(record, refund) if record.period == refund.period else record for record in self.ledger
            ]
            self._tell(NoticeType.REFUND_COMPLETED, now, **about, refund_id=refund.refund_id)
        else:
            self._tell(
                NoticeType.REFUND_FAILED, now, **about, refund_id=refund.refund_id, reason_code=refund.reason_code
            )
        if self._only_waits_to_end:
            self._conclude(now)

    def check_capture(self, period: int, amount: Money | None) -> Authorization:
        """Whether a period's authorized charge may be captured, all of it where no amount is given.

        Raises:
            ValueError: there is none, or it may not.
        """
        for authorization in self.authorizations:
            if authorization.record.period == period:
                authorization.check_capture(amount or authorization.record.amount)
                return authorization
        waiting = ", ".join(str(each.record.period) for each in self.authorizations) or "none"
        raise ValueError(f"period: {period} has no authorized charge; those that wait to be captured: {waiting}")

    def capture_requested(self, period: int, amount: Money | None, now: datetime) -> str:
        """The merchant wants a period's authorized charge captured; answers the charge's id.

        Raises:
            ValueError: as `check_capture`.
        """
        wanted = self.check_capture(period, amount)
        capturing = wanted.capturing(amount or wanted.record.amount, now)
        self.authorizations = [capturing if each is wanted else each for each in self.authorizations]
        return wanted.charge_id

    def check_retry(self) -> None:
        """Whether what is owed can be tried again at once.

        Raises:
            ValueError: nothing is owed, or it is not the merchant's turn.
        """
        if self.ending is not None and self.status is not Status.ACTIVE:
            raise ValueError(f"the subscription is {self.status.value}: nothing is charged any more")
        if self.lost_at is not None:
            raise ValueError("the charge permission is closed: only a new one can be charged")
        if self.collection is None:
            raise ValueError("nothing is owed" + (f"; next: {self.next_step.why}" if self.next_step else ""))
        if self.collection.stage in {Stage.CHARGING, Stage.PENDING}:
            raise ValueError("a charge is under way; its outcome is awaited")

    def retry_requested(self, now: datetime) -> None:
        """The merchant wants what is owed tried again now, instead of when the schedule says.

        Where only the buyer can mend it, the charge permission is read, and charged if it can be.

        Raises:
            ValueError: as `check_retry`.
        """
        self.check_retry()
        collection, why = self._open_collection(), "the merchant asked to try again"
        if waits_for_merchant(collection):
            release(collection)
            self.collects_until = self.schedule.periods_due(now)
            self.next_step = Step(action=Action.CHARGE, at=now, why=why, urgent=True)
        elif collection.needs_buyer:
            self.permission_may_have_changed()
        elif self.next_step is not None:
            self.next_step = self.next_step.model_copy(update={"at": now, "why": why, "urgent": True})

    def check_replacement(self, charge_permission_id: str) -> None:
        """Whether the subscription can go on under another charge permission.

        Raises:
            ValueError: it has ended, is ending, or goes on under another one already.
        """
        if not self._may_be_canceled or self.cancellation is not None:
            raise ValueError(
                f"the subscription is {self.status.value}: it cannot go on under another charge permission"
            )
        if charge_permission_id == self.terms.charge_permission_id:
            raise ValueError(f"{charge_permission_id} is the charge permission that it has already")
        if self.successor not in {None, charge_permission_id}:
            raise ValueError(f"it is to go on under {self.successor} already")

    def replacement_requested(self, charge_permission_id: str) -> None:
        """The buyer approved a new charge permission: the subscription goes on under it as soon as it may.

        Raises:
            ValueError: as `check_replacement`.
        """
        self.check_replacement(charge_permission_id)
        self.successor = charge_permission_id

    def replacement_refused(self) -> None:
        """The new charge permission has a subscription of its own already."""
        self.successor = None

    def continued(self) -> "Subscription":
        """The same subscription under its new charge permission: anchor, period number, account and debt are kept.

        What is owed is owed: the oldest period that was not settled is charged at once.
        """
        if self.successor is None:
            raise AssertionError("no other charge permission was named")
        terms = self.terms.model_copy(update={"charge_permission_id": self.successor})
        successor = Subscription(
            terms=terms,
            next_step=None,
            next_period=self.next_period,
            joined_with=self.joined_with,
            ledger=list(self.ledger),
            periods_paid=self.periods_paid,
            authorizations=list(self.authorizations),
            agreements=list(self.agreements),
            skips=list(self.skips),
            pause=self.pause,
            planned_end=self.planned_end,
            extras=list(self.extras),
            credit=self.credit,
            refunds=list(self.refunds),
            refunds_asked=self.refunds_asked,
            disputes=list(self.disputes),
            collects_until=max(self.collects_until, self.next_period + 1),
            notices=self.notices + 2,  # the predecessor tells of the replacement and of its own end
        )
        successor._wait_for_next_period()
        return successor

    def was_handed_over(self, now: datetime) -> None:
        """The subscription lives on under its new charge permission; here it ends, and the old one is closed."""
        self.collection = None
        self.authorizations = []
        self.refunds = [refund for refund in self.refunds if not refund.is_open]
        self.disputes = []
        self.lost_at = None
        self._tell(NoticeType.CHARGE_PERMISSION_REPLACED, now, successor=self.successor)
        self._end(Status.REPLACED, f"continued under {self.successor}", now)

    def waited_long_enough(self, now: datetime) -> None:
        """Nobody approved a new charge permission in time."""
        reason = self.lost_because
        if self.collection is not None:
            self._settle(PeriodOutcome.GIVEN_UP, now, reason=reason)
        self._end(Status.CLOSED, f"{reason or 'closed'}: no new charge permission in time", now, reason_code=reason)

    def cancel_requested(self, reason: str) -> None:
        """Somebody asked to cancel; the first reason stands, and asking again changes nothing."""
        if self.cancellation is None and self._may_be_canceled:
            self.cancellation = reason

    def begin_cancellation(self, now: datetime) -> None:
        """Stops collecting and goes on to close the charge permission."""
        reason = self.cancellation or "canceled"
        if self.collection is not None and self.collection.stage is not Stage.PENDING:
            known = "outcome unknown" if self.collection.attempt_is_open else "not paid"
            self._settle(PeriodOutcome.GIVEN_UP, now, reason=f"canceled while owed, {known}")
        planned, self.planned_end = self.planned_end, None
        # What falls due at the very instant of a planned end is not owed.
        owed_until = planned.at - datetime.resolution if planned is not None and planned.at <= now else now
        self._end(Status.CANCELED, reason, now, owed_until=owed_until)

    def permission_closed(self, answer: PermissionAnswer, now: datetime) -> None:
        """Takes the answer to closing the charge permission; where Amazon refused, it is tried again slowly."""
        if not answer.is_closed:
            self.next_step = Step(
                action=Action.CLOSE_PERMISSION,
                at=now + LOOK_AGAIN_AFTER,
                why=f"{answer.refused or answer.state.value}: closing the charge permission is tried again slowly",
            )
            self.permission = answer
            return
        self.permission = answer
        if self.cancels_pending_charges:
            why = "it was canceled with the charge permission, unless it had been captured"
            self.authorizations = [each.looked_at(now, why) for each in self.authorizations]
        self._conclude(now)

    # How the parts hang together

    def _take(self, step: Step | None, before: Stage, now: datetime) -> None:
        collection = self._open_collection()
        if step is None:
            self.next_step = None
            self._tell_of_step(collection, before, step, now)
        elif step.action is not Action.END:
            step = self._bounded_by_next_due(collection, step, now)
            self.next_step = step
            self._tell_of_step(collection, before, step, now)
        else:
            self._lose_permission(step.why, collection.last_reason, now)

    def _lose_permission(self, why: str, reason_code: str | None, now: datetime) -> None:
        """Nothing can be charged any more: the merchant is told at once, and a new checkout is awaited."""
        collection = self.collection
        policy = self._policy
        self.lost_at, self.lost_because = now, reason_code
        until = now + policy.new_checkout_deadline
        if until > now:
            waiting = f"{why}: waiting for a new charge permission until {until:%Y-%m-%d}"
            self.next_step = Step(action=Action.STOP_WAITING, at=until, why=waiting)
        about = _about(collection) if collection else {}
        self._tell(NoticeType.CHARGE_PERMISSION_CLOSED, now, **about, reason_code=reason_code, deadline=until)
        if until == now:
            if collection is not None:
                self._settle(PeriodOutcome.GIVEN_UP, now, reason=reason_code)
            self._end(Status.CLOSED, why, now, reason_code=reason_code)

    def _settle(
        self,
        outcome: PeriodOutcome,
        now: datetime,
        *,
        charge_id: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Writes the open period's end into the ledger, waits for the next one, and tells both."""
        collection = self._open_collection()
        record = PeriodRecord(
            period=collection.period,
            due=collection.due,
            amount=collection.amount,
            outcome=outcome,
            attempts=collection.attempts,
            settled_at=now,
            charge_id=charge_id,
            reason=reason,
            credit=collection.credit,
            extras=collection.extras,
        )
        self._record(record)
        if outcome is PeriodOutcome.GIVEN_UP and collection.credit is not None:
            self.add_credit(collection.credit)
        authorization = None
        if outcome is PeriodOutcome.AUTHORIZED and charge_id is not None:
            authorization = Authorization.of(record, charge_id, self.open_attempt().idempotency_key)
            self.authorizations = [*self.authorizations, authorization]
        self.collection = None
        skipped = self._skip_after(collection, outcome, now)
        self.collects_until = self.schedule.periods_due(now)
        if self.ending is not None and self.ending.status is not Status.COMPLETED:
            self.next_step = None
        else:
            self._wait_for_next_period(charged_at=now if outcome in _CHARGED else None)
        about = _about(collection)
        match outcome:
            case PeriodOutcome.PAID:
                self._tell(NoticeType.PERIOD_PAID, now, **about, charge_id=charge_id)
            case PeriodOutcome.AUTHORIZED:
                deadline = authorization.expires_at if authorization else None
                self._tell(NoticeType.PERIOD_AUTHORIZED, now, **about, charge_id=charge_id, deadline=deadline)
            case PeriodOutcome.FREE:
                self._tell(NoticeType.PERIOD_FREE, now, **about)
            case _:
                self._tell(NoticeType.PERIOD_GIVEN_UP, now, **about, reason_code=collection.last_reason)
        self._tell_of_skipped(skipped, now)
        if self._only_waits_to_end:
            self._conclude(now)

    def _skip_after(self, collection: Collection, outcome: PeriodOutcome, now: datetime) -> list[PeriodRecord]:
        """What fell due while a period was owed, where the policy says that it is not owed."""
        if collection.was_paused and outcome in _CHARGED:
            return self._skip_periods(self.schedule.periods_due(now), "paused", now)
        fell_due_meanwhile = self._fell_due(self.next_period) > collection.begun_at
        if collection.policy and collection.policy.next_due is NextDue.SKIP and fell_due_meanwhile:
            return self._skip_periods(self.schedule.periods_due(now), "an older period was owed", now)
        return []

    def _take_missed_periods(self, now: datetime) -> int | None:
        """Goes by the policy where several periods fell due unseen; how many, where the merchant has to decide."""
        number, fallen_due = self.next_period, self.schedule.periods_due(now)
        if number < self.collects_until or fallen_due <= number + 1 or self.schedule.amount(number).is_zero:
            return None
        match self.plan.collection.catch_up:
            case CatchUp.EACH:
                return None
            case CatchUp.LATEST:
                self._tell_of_skipped(self._skip_periods(fallen_due - 1, MISSED_PERIODS, now), now)
                return None
            case CatchUp.HOLD:
                return fallen_due - number

    def _give_up_the_rest(self, ending: Ending, now: datetime) -> None:
        """What had fallen due before the end and waited for its turn; the notice of the end tells enough of it."""
        if ending.status is Status.REPLACED:
            return
        why = ending.reason_code or ending.status.value
        while self.next_period < self.schedule.periods_due(ending.at):
            if self._is_not_owed(self.next_period):
                self._skip_periods(self.next_period + 1, SKIPPED_ON_REQUEST, now)
            else:
                self._pass_over(self.next_period + 1, PeriodOutcome.GIVEN_UP, why, now)

    def _hold_missed(self, collection: Collection, missed: int, now: datetime) -> None:
        """Several periods were missed: nothing is charged until the merchant says so."""
        hold_for_merchant(collection, MISSED_PERIODS)
        self.next_step = None
        why = f"{missed} periods fell due and were not charged in time"
        self._tell(NoticeType.SUBSCRIPTION_HELD, now, **_about(collection), reason_code=MISSED_PERIODS, reason=why)

    def _skip_periods(self, until: int, reason: str, now: datetime) -> list[PeriodRecord]:
        """The periods up to but not including `until` are not owed."""
        return self._pass_over(until, PeriodOutcome.SKIPPED, reason, now)

    def _pass_over(self, until: int, outcome: PeriodOutcome, reason: str, now: datetime) -> list[PeriodRecord]:
        passed_over = [
            PeriodRecord(
                period=period,
                due=self._fell_due(period),
                amount=self.schedule.amount(period),
                outcome=outcome,
                attempts=0,
                settled_at=now,
                reason=reason,
            )
            for period in range(self.next_period, until)
        ]
        for record in passed_over:
            self._record(record)
        return passed_over

    def _tell_of_skipped(self, skipped: Sequence[PeriodRecord], now: datetime) -> None:
        for record in skipped:
            about = {"period": record.period, "due": record.due, "amount": record.amount}
            self._tell(NoticeType.PERIOD_SKIPPED, now, **about, reason=record.reason)

    def _fell_due(self, period: int) -> datetime:
        return self.schedule.due(period)

    def _bounded_by_next_due(self, collection: Collection, step: Step, now: datetime) -> Step:
        """The step, or giving the period up for the next one, where the policy says so and that falls due first."""
        following = collection.period + 1
        if (
            self._policy.next_due is not NextDue.REPLACE
            or collection.policy is None
            or collection.attempt_is_open
            or collection.stage is Stage.PAUSED
            or not self.schedule.has_period(following)
            or step.at < self._fell_due(following)
        ):
            return step
        why = f"period {following} falls due, and period {collection.period} is given up for it"
        return Step(action=Action.GIVE_UP_FOR_NEXT, at=max(now, self._fell_due(following)), why=why)

    def _record(self, record: PeriodRecord) -> None:
        if record.period != self.next_period:
            raise AssertionError(f"period {record.period} was settled although period {self.next_period} is next")
        self.ledger = [*self.ledger, record][-LEDGER_LENGTH:]
        self.next_period += 1

    # What is changed on request (`billing.changes` says when that may be)

    def check_changeable(self, now: datetime) -> None:
        """Whether anything can be changed.

        Raises:
            ValueError: it is ending, has ended, or waits for a new charge permission.
        """
        if self.ending is not None and self.ending.at <= now:
            raise ValueError(f"{self.ending.reason}: nothing can be changed any more")
        if self.cancellation is not None:
            raise ValueError("a cancellation was asked for: nothing can be changed any more")
        if self.lost_at is not None or self.successor is not None:
            raise ValueError("the charge permission is closed or being replaced: change it under the new one")

    def first_not_begun(self, now: datetime) -> int:
        """The first period that has neither fallen due nor been begun."""
        begun = self.next_period + (self.collection is not None)
        return max(begun, self.schedule.periods_due(now))

    def agreement_at(self, period: int) -> Agreement:
        """What holds for a period."""
        return [each for each in (self.terms.agreement, *self.agreements) if each.first <= period][-1]

    def agree(self, agreement: Agreement, now: datetime) -> datetime:
        """Something else holds from a period on; answers when that begins."""
        self.agreements = [*(each for each in self.agreements if each.first < agreement.first), agreement]
        self.reschedule()
        self._tell_of_plan(agreement.first, now)
        return agreement.starts_at

    def disagree(self, first: int, now: datetime) -> None:
        """What was agreed for a period on, or for later ones, does not hold."""
        self.agreements = [each for each in self.agreements if each.first < first]
        self.reschedule()
        self._tell_of_plan(first, now)

    def _tell_of_plan(self, first: int, now: datetime) -> None:
        schedule = self.schedule
        self._tell(
            NoticeType.PLAN_CHANGED,
            now,
            period=first,
            due=schedule.due(first),
            amount=schedule.amount(first),
            reason=str(self.agreement_at(first).plan),
        )

    def add_credit(self, amount: Money) -> None:
        """So much is taken off the next charges."""
        before = self.credit.amount if self.credit else Decimal(0)
        self.credit = self._money(before + amount.amount) if before + amount.amount else None

    def pause_requested(self, pause: Pause, now: datetime, *, why: str = ASKED_FOR) -> None:
        """Nothing that falls due from then on is owed."""
        self.pause = pause
        if pause.since <= now:
            self.pause_begins(now, why=why)

    def pause_begins(self, now: datetime, *, why: str = ASKED_FOR) -> None:
        """What falls due from now on is not owed."""
        if self.pause is None:
            raise AssertionError("no pause was asked for")
        self.pause = self.pause.model_copy(update={"has_begun": True})
        self.reschedule()
        self._tell(NoticeType.SUBSCRIPTION_PAUSED, now, reason=why, deadline=self.pause.until)

    def resume(self, now: datetime, *, keeps_anchor: bool | None = None) -> None:
        """A pause is over, or will not be: what fell due within it is not owed."""
        pause, self.pause = self.pause, None
        if pause is None:
            raise AssertionError("nothing is paused")
        if not pause.has_begun:
            return
        if pause.keeps_anchor if keeps_anchor is None else keeps_anchor:
            fell_due = range(self.next_period, self.schedule.periods_due(now - datetime.resolution))
            within = [number for number in fell_due if self._fell_due(number) >= pause.since]
            self.skips = sorted({*self.skips, *within})
        else:
            self._count_anew(now)
        self.collects_until = self.schedule.periods_due(now)
        self.reschedule()
        self._tell(NoticeType.SUBSCRIPTION_RESUMED, now)

    def _count_anew(self, now: datetime) -> None:
        """The due dates are counted from this moment; none that fell due while it was paused is left."""
        first = self.next_period + (self.collection is not None)
        current = self.agreement_at(first)
        consumed = current.consumed + self.schedule.counted(first, since=current.first)
        starts_at = now.replace(microsecond=0)
        changed = {"first": first, "starts_at": starts_at, "consumed": consumed, "anchor": None, "months": 0}
        later = [each for each in self.agreements if each.first < first]
        self.agreements = [*later, current.model_copy(update=changed | {"billing_day": None})]

    def end_as_planned(self) -> None:
        """The planned cancellation is due; it begins when no charge is under way."""
        if self.planned_end is not None:
            self.cancel_requested(self.planned_end.reason)

    def reschedule(self) -> None:
        """The schedule has changed: what is waited for is reckoned anew, unless a period is being collected."""
        if self.collection is None and self.lost_at is None and self._may_be_canceled:
            if self.ending is not None:
                self.ending = None
            self._wait_for_next_period()

    def _steps_of(self, pause: Pause) -> list[Step]:
        if not pause.has_begun:
            return [Step(action=Action.PAUSE, at=pause.since, why="a pause was asked for")]
        if pause.until is None or self.collection is not None:
            return []
        return [Step(action=Action.RESUME, at=pause.until, why="the pause ends")]

    def _is_paused_over(self, period: int) -> bool:
        return self.pause is not None and self.pause.has_begun and self._fell_due(period) >= self.pause.since

    def _is_not_owed(self, period: int) -> bool:
        return period in self.skips or self._is_paused_over(period)

    def _skip_as_asked(self, now: datetime) -> None:
        number = self.next_period
        skipped = self._skip_periods(number + 1, SKIPPED_ON_REQUEST, now)
        self.skips = [period for period in self.skips if period > number]
        self._wait_for_next_period()
        self._tell_of_skipped(skipped, now)

    def _wait_for_next_period(self, charged_at: datetime | None = None) -> None:
        """Waits for the next due date, or, where that has passed and a charge was just made, for a while."""
        number = self.next_period
        due = self._fell_due(number)
        if self.schedule.has_period(number):
            if self._is_paused_over(number):
                self.next_step = None
                return
            amount = self.schedule.amount(number)
            self.next_step = Step(action=Action.CHARGE, at=due, why=f"period {number} falls due: {amount}")
            if charged_at is not None and due < charged_at:
                spacing = min(self.plan.collection.catch_up_spacing, (self._fell_due(number + 1) - due) / 2)
                at, why = charged_at + spacing, f"period {number} fell due on {due:%Y-%m-%d} and is caught up: {amount}"
                self.next_step = Step(action=Action.CHARGE, at=at, why=why)
        else:
            self.ending = Ending(status=Status.COMPLETED, at=due, reason=f"all {number} periods of the plan are over")
            self.next_step = Step(action=Action.CLOSE_PERMISSION, at=due, why=self.ending.reason)

    def _end(
        self,
        status: Status,
        reason: str,
        now: datetime,
        reason_code: str | None = None,
        owed_until: datetime | None = None,
    ) -> None:
        self.ending = Ending(status=status, at=owed_until or now, reason=reason, reason_code=reason_code)
        self.cancellation = None
        self.lost_at = None
        if self.collection is None:
            self._give_up_the_rest(self.ending, now)
        if self.permission is not None and self.permission.is_closed:
            self._conclude(now)
        else:
            why = "a cancellation was asked for" if status is Status.CANCELED else reason
            self.next_step = Step(action=Action.CLOSE_PERMISSION, at=now, why=why, urgent=True)

    def _conclude(self, now: datetime) -> None:
        if self.ending is None:
            raise AssertionError("the charge permission was closed although no end was decided")
        ending = self.ending
        self.next_step = None
        if self.collection is not None:
            why = "the charge was pending when the subscription was canceled"
            self.next_step = Step(action=Action.READ_CHARGE, at=now, why=why)
            return
        if self.authorizations or any(refund.is_open for refund in self.refunds):
            return  # the merchant may still capture, and Amazon has to decide on what goes back; each ends by itself
        self._give_up_the_rest(ending, now)
        self.ended_at = now
        self.disputes = [each.model_copy(update={"step": None}) for each in self.disputes]
        if ending.status is not Status.REPLACED:
            self.successor = None  # whoever waits for it learns that it ended first
        self._tell(
            NoticeType.SUBSCRIPTION_ENDED,
            now,
            status=ending.status.value,
            reason=ending.reason,
            reason_code=ending.reason_code,
        )

    def _seen_between_dates(self, answer: PermissionAnswer, now: datetime) -> None:
        """A permission that cannot be charged is told at once, days before a charge would fail."""
        was_broken = self.permission is not None and not self.permission.is_chargeable
        self.permission = None if answer.is_chargeable else answer
        if answer.is_chargeable and was_broken:
            self._tell(NoticeType.PAYMENT_METHOD_MENDED, now)
            return
        for_the_buyer = meaning_of_non_chargeable(answer.reason_codes) is Meaning.PAYMENT_METHOD
        if not answer.is_chargeable and not was_broken and for_the_buyer:
            self._tell(NoticeType.PAYMENT_METHOD_NEEDED, now, reason_code=next(iter(answer.reason_codes), None))

    def _tell_of_step(self, collection: Collection, before: Stage, step: Step | None, now: datetime) -> None:
        kind = notice_after(collection, before, step)
        if kind is None and take_reminder(collection, now):
            kind = NoticeType.PAYMENT_METHOD_REMINDER
        if kind is None:
            return
        if kind is not NoticeType.CHARGE_PENDING:
            collection.told_attempt = collection.attempts
        awaits_buyer = collection.stage is Stage.AWAITING_PAYMENT_METHOD
        self._tell(
            kind,
            now,
            **_about(collection),
            charge_id=collection.pending_charge_id,
            reason_code=collection.held_for or collection.last_reason,
            deadline=payment_method_deadline(collection) if awaits_buyer else None,
        )

    def _tell(self, kind: NoticeType, now: datetime, **fields: Any) -> None:  # Any: the fields of a notice
        """Puts a notice into the outbox, with what happens next."""
        self.notices += 1
        next_action_at = self.next_step.at if self.next_step else None
        notice = Notice(number=self.notices, type=kind, at=now, next_action_at=next_action_at, **fields)
        self.outbox = [*self.outbox, notice][-LONGEST_OUTBOX:]

    @property
    def _only_waits_to_end(self) -> bool:
        """Whether the charge permission is closed for good, and charges under it were the last that was waited for."""
        closed = self.permission is not None and self.permission.is_closed
        return self.ending is not None and self.ended_at is None and self.next_step is None and closed

    def _step_is_due(self, now: datetime) -> bool:
        return self.next_step is not None and self.next_step.at <= now

    def _open_collection(self) -> Collection:
        if self.collection is None:
            raise AssertionError(f"no period is being collected; period {self.next_period} is next")
        return self.collection


def _about(collection: Collection) -> dict[str, Any]:  # Any: fields of a notice
    """What a notice about a collection names."""
    return {
        "period": collection.period,
        "due": collection.due,
        "amount": collection.amount,
        "attempt": collection.attempts or None,
    }


def _about_record(record: PeriodRecord) -> dict[str, Any]:  # Any: as above
    """What a notice about a settled period names."""
    return {
        "period": record.period,
        "due": record.due,
        "amount": record.amount,
        "attempt": record.attempts or None,
        "charge_id": record.charge_id,
    }
