"""The state of a subscription: what was agreed, what happened, what is planned; and what can be told from it.

Nothing here changes anything. The layers above it do: the account, settling a period, changes on request, what runs
beside collecting, and the subscription that puts them together.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

from pydantic import AwareDatetime, BaseModel, Field

from billing.answers import PermissionAnswer
from billing.authorizations import Authorization
from billing.collection import (
    Action,
    Attempt,
    Collection,
    Stage,
    Step,
    grace_step,
)
from billing.disputes import Dispute
from billing.identity import capture_key, idempotency_key
from billing.ledger import PeriodRecord
from billing.life import Decided, Extra, Pause, PlannedEnd, Taken
from billing.money import Money
from billing.notices import Notice
from billing.plan import Amounts, Capture, Plan
from billing.policy import CollectionPolicy
from billing.recurrence import Recurrence
from billing.refunds import Refund
from billing.schedule import Agreement, Schedule
from billing.status import NEEDS_ATTENTION, STATUS_OF_STAGE, Ending, Status
from billing.terms import ChargePermissionId, Terms

AMOUNT_UNKNOWN: Final = "AmountUnknown"
"""Our own reason beside Amazon's codes: the merchant's endpoint has not said what a period costs."""


class State(BaseModel):
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
        taken: items that were taken under a reference, the latest ones.
        credit: what is taken off the next charges.
        refunds: money that goes back, or went, oldest first.
        refunds_asked: how many refunds were asked for since the beginning.
        disputes: of its charges, the latest ones, oldest first.
        collects_until: periods below this number are charged each, whatever the policy says about missed ones: they
            fell due while an older one was collected, or the merchant wants them.
        ledger: the latest periods' records, oldest first.
        periods_paid: since the beginning.
        permission: the charge permission as it was last read while nothing was owed.
        recurrence_untold: another plan was agreed on, and Amazon does not know yet how often how much is charged.
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
    taken: list[Taken] = Field(default_factory=list)
    credit: Money | None = None
    refunds: list[Refund] = Field(default_factory=list)
    refunds_asked: int = 0
    disputes: list[Dispute] = Field(default_factory=list)
    collects_until: int = 0
    ledger: list[PeriodRecord] = Field(default_factory=list)
    periods_paid: int = 0
    permission: PermissionAnswer | None = None
    recurrence_untold: bool = False
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

    def is_paused_over(self, period: int) -> bool:
        """Whether a period falls due within the pause; something charged by itself is not paused with the plan."""
        if self.pause is None or not self.pause.has_begun or self.agreement_at(period).once is not None:
            return False
        return self._fell_due(period) >= self.pause.since

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
    def recurrence(self) -> Recurrence:
        """How often how much is charged in the long run, by what was agreed last."""
        last = [self.terms.agreement, *self.agreements][-1]
        return Recurrence.of(last.plan, last.quantity)

    @property
    def tells_recurrence(self) -> bool:
        """Whether Amazon is to be told of another plan now."""
        return self.recurrence_untold and self._may_be_canceled and self.cancellation is None and self.lost_at is None

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

    @property
    def pending_capture_key(self) -> str:
        """The idempotency key under which the charge that was pending is captured."""
        return capture_key(self.open_attempt().idempotency_key, self._open_collection().captures_failed + 1)

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

    def refund(self, number: int | None) -> Refund:
        """The refund with that number."""
        for refund in self.refunds:
            if refund.number == number:
                return refund
        raise AssertionError(f"there is no refund {number}")

    @property
    def most_to_come(self) -> Money:
        """What the dearest charge to come may cost, credits aside; a period that is being collected is none of them."""
        first = self.next_period + (self.collection is not None)
        with_extras = sum((extra.amount.amount for extra in self.extras), Decimal(0))
        if self.schedule.has_period(first):
            with_extras += self.schedule.amount(first).amount
        return self._money(max(self.schedule.most(first), with_extras))

    def agreement_at(self, period: int) -> Agreement:
        """What holds for a period."""
        return [each for each in (self.terms.agreement, *self.agreements) if each.first <= period][-1]

    def going_on(self, first: int) -> Agreement:
        """What holds for a period, as an agreement that begins with it: on the same dates, what is over being over."""
        current, schedule = self.agreement_at(first), self.schedule
        grid = schedule.grid(first)
        return current.model_copy(
            update={
                "first": first,
                "starts_at": schedule.due(first),
                "consumed": current.consumed + schedule.counted(first, since=current.first),
                "anchor": None if current.billing_day else grid.anchor,
                "months": 0 if current.billing_day else grid.months,
            }
        )

    def first_not_begun(self, now: datetime) -> int:
        """The first period that has neither fallen due nor been begun."""
        begun = self.next_period + (self.collection is not None)
        return max(begun, self.schedule.periods_due(now))

    def is_capturing(self, charge_id: str) -> bool:
        """Whether a capture was asked for, and its outcome is not known yet."""
        return any(each.charge_id == charge_id and each.capture is not None for each in self.authorizations)

    def next_step_is(self, action: Action) -> bool:
        """Whether this action is what stands next."""
        return self.next_step is not None and self.next_step.action is action

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

    def _steps_of(self, pause: Pause) -> list[Step]:
        if not pause.has_begun:
            return [Step(action=Action.PAUSE, at=pause.since, why="a pause was asked for")]
        if pause.until is None or self.collection is not None:
            return []
        return [Step(action=Action.RESUME, at=pause.until, why="the pause ends")]

    def _is_not_owed(self, period: int) -> bool:
        return period in self.skips or self.is_paused_over(period)

    def _fell_due(self, period: int) -> datetime:
        return self.schedule.due(period)

    def _money(self, amount: Decimal) -> Money:
        return Money(amount=amount, currency=self.terms.plan.currency)
