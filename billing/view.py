"""What others may read of a subscription: queries, `--json`, the auditor and every screen read this, never the state.

The state's form may change with any release. A view gains fields at most; what it says already keeps its meaning.
"""

from datetime import datetime
from typing import Final

from pydantic import AwareDatetime

from perennial_billing.billing.agenda import main_command, next_command
from perennial_billing.billing.contract.agreement import Agreement
from perennial_billing.billing.contract.contract import DATES_AHEAD
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.authorizations import Authorization
from perennial_billing.billing.parts.balance import Item
from perennial_billing.billing.parts.collection import Collection
from perennial_billing.billing.parts.disputes import Dispute
from perennial_billing.billing.parts.ledger import PeriodRecord
from perennial_billing.billing.parts.lifecycle import Cancellation, Ended, Pause, RefusedSuccessor
from perennial_billing.billing.parts.refunds import Refund
from perennial_billing.billing.parts.stages import Stage
from perennial_billing.billing.parts.unanswered import OUTCOME_UNKNOWN, Call
from perennial_billing.billing.plan.recurrence import Recurrence
from perennial_billing.billing.protocol.answers import PermissionAnswer, RefundState
from perennial_billing.billing.protocol.commands import Action, Elapse, Next, Timer
from perennial_billing.billing.status import Ending, Status
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.values import Value

VIEW_VERSION: Final = 1
"""Raised where a field changes its meaning or goes; a new field raises nothing."""


class Owed(Value):
    """The period that is being collected.

    Attributes:
        period: counted from 0.
        due: when it fell due (UTC).
        amount: what is owed.
        stage: where its collection stands.
        attempts: how many were begun.
        attempts_spent: those that count against the policy's cap, `max_attempts`.
        max_attempts: the policy's cap.
        attempt_is_open: an attempt's outcome is not known for certain.
        pending_charge_id: a charge that Amazon has not decided on.
        charge_in_question: a charge that somebody has to look at.
        not_counted: why the charge that somebody named last has not paid the period.
        reason_code: of the last failure.
        held_for: why it waits for the merchant, or for Amazon to say what became of the attempt.
        held_because: the same in words, where that tells more.
        failing_since: when the first attempt failed (UTC).
        deadline: until when the buyer may mend the payment method (UTC), where that is waited for.
    """

    period: int
    due: AwareDatetime
    amount: Money
    stage: Stage
    attempts: int
    attempts_spent: int
    max_attempts: int
    attempt_is_open: bool
    pending_charge_id: str | None = None
    charge_in_question: str | None = None
    not_counted: str | None = None
    reason_code: str | None = None
    held_for: str | None = None
    held_because: str | None = None
    failing_since: AwareDatetime | None = None
    deadline: AwareDatetime | None = None

    @classmethod
    def of(cls, collection: Collection, subscription: Subscription) -> "Owed":
        """A collection's."""
        dunning = collection.dunning
        return cls(
            period=collection.period,
            due=collection.due,
            amount=collection.amount,
            stage=collection.word,
            attempts=collection.attempts,
            attempts_spent=dunning.attempts_spent if dunning else 0,
            max_attempts=subscription.policy.max_attempts,
            attempt_is_open=collection.open_attempt is not None,
            pending_charge_id=collection.pending_charge_id,
            charge_in_question=collection.stage.charge_in_question,
            not_counted=collection.not_counted,
            reason_code=collection.failure.reason_code if collection.failure else None,
            held_for=OUTCOME_UNKNOWN if subscription.unanswered.outcome_is_open else collection.held_for,
            held_because=collection.held_because,
            failing_since=dunning.first_failed_at if dunning else None,
            deadline=collection.deadline,
        )


class ToBeCaptured(Value):
    """An authorized charge that waits for the merchant.

    Attributes:
        period: whose charge it is.
        amount: what was authorized.
        charge_id: Amazon's.
        expires_at: when it lapses (UTC).
        capturing: how much is being captured now; None where nothing is.
        failed_for: the reasonCode of the last capture that failed.
    """

    period: int
    amount: Money
    charge_id: str
    expires_at: AwareDatetime
    capturing: Money | None = None
    failed_for: str | None = None

    @classmethod
    def of(cls, authorization: Authorization) -> "ToBeCaptured":
        """An authorization's."""
        return cls(
            period=authorization.record.period,
            amount=authorization.record.amount,
            charge_id=authorization.charge_id,
            expires_at=authorization.expires_at,
            capturing=authorization.capture,
            failed_for=authorization.failed_for,
        )


class RefundView(Value):
    """Money that goes back, or went; the fields are those of a refund (`billing.parts.refunds`)."""

    number: int
    period: int
    charge_id: str
    amount: Money
    reference: str | None = None
    state: RefundState
    refund_id: str | None = None
    requested_at: AwareDatetime
    settled_at: AwareDatetime | None = None
    reason_code: str | None = None

    @classmethod
    def of(cls, refund: Refund) -> "RefundView":
        """A refund's."""
        return cls(**{name: getattr(refund, name) for name in cls.model_fields})

    @property
    def is_open(self) -> bool:
        """Whether it may still succeed."""
        return self.state in {RefundState.REQUESTED, RefundState.PENDING}


class DisputeView(Value):
    """A disputed charge.

    Attributes:
        dispute_id: Amazon's.
        reported_at: when it was first heard of (UTC).
        period: whose charge it is about, as far as the account reaches back.
        amount: how much; None before it was read.
        state: how it stands, or in whose favour it ended; an open set.
        reason_code: Amazon's; an open set.
        deadline: until when the merchant may contest it (UTC).
        unreadable: the reasonCode with which Amazon did not show it when it was last read.
        read_again_at: when it is read again (UTC); None where nothing is done before Amazon tells of it.
    """

    dispute_id: str
    reported_at: AwareDatetime
    period: int | None = None
    amount: Money | None = None
    state: str | None = None
    reason_code: str | None = None
    deadline: AwareDatetime | None = None
    unreadable: str | None = None
    read_again_at: AwareDatetime | None = None

    @classmethod
    def of(cls, dispute: Dispute) -> "DisputeView":
        """A dispute's."""
        seen = dispute.seen
        return cls(
            dispute_id=dispute.dispute_id,
            reported_at=dispute.reported_at,
            period=dispute.period,
            amount=seen.amount if seen else None,
            state=(seen.resolution or seen.state) if seen else None,
            reason_code=seen.reason_code if seen else None,
            deadline=seen.deadline if seen else None,
            unreadable=dispute.unreadable,
            read_again_at=dispute.look_at,
        )


class UnansweredView(Value):
    """A call that Amazon has not answered in good time; it goes on being made.

    Attributes:
        action: what kind of thing it does.
        about: which of its kind, where there may be several: a charge's or dispute's id, a refund's number.
        since: since when it is made (UTC).
        why: what came instead of an answer, in words.
    """

    action: Action
    about: str
    since: AwareDatetime
    why: str

    @classmethod
    def of(cls, call: Call) -> "UnansweredView":
        """A call's."""
        return cls(action=call.does, about=call.about, since=call.since, why=call.why)


class DueDate(Value):
    """When a period falls due, or fell (UTC), and whether something is owed for it as it is agreed now."""

    period: int
    due: AwareDatetime
    owed: bool


class SubscriptionView(Value):
    """One subscription, as it stood when it last did something.

    Attributes:
        version: of this form.
        terms: what was agreed when it began, with its identity, account and reference.
        agreed: what is charged now, or next.
        running: what the latest period that has begun was charged by; None before the first one.
        changes: what is agreed for later periods.
        status: in one word.
        past_due: a period is owed that could not be collected at once.
        needs_attention: the merchant has to look.
        last_reason: the reasonCode of the trouble that stands, or that ended it.
        next: what is done next, when and why; None where somebody has to decide, or it has ended.
        next_charge_at: when the next period is begun (UTC); None while one is owed, or it is paused, or ends.
        next_period: the first period that has no record yet.
        joined_with: the first period that was charged here.
        periods_paid: since the beginning.
        owed: the period that is being collected.
        ledger: how the latest periods ended, oldest first.
        to_be_captured: authorized charges that wait for the merchant.
        refunds: oldest first.
        disputes: oldest first.
        dates: when the latest periods fell due, and when the next ones do.
        skips: periods to come that are not owed.
        pause: one by request, planned or begun.
        planned_end: a cancellation that takes effect later.
        canceled_at: when somebody canceled it (UTC), while that waits for what a charge under way comes to.
        items: one-off items of the next charge.
        credit: what is taken off the next charges.
        permission: the charge permission, where it was read and could not be charged.
        permission_expires_at: when the charge permission closes by itself unless it is charged before (UTC), as Amazon
            says or reckoned from the last charge; None before the subscription has begun.
        amazon_untold: what Amazon does not know yet of the plan.
        unanswered: calls whose outcome is not known, as Amazon has not answered in good time.
        awaits_checkout_until: how long a new charge permission is waited for (UTC), where that is so.
        ending: how it ends, or ended; why somebody canceled it is told to Amazon, and not shown.
        ended_at: when it had ended (UTC).
        successor: the charge permission that it goes on under.
        refused_successor: the charge permission that it was last asked to go on under, and why it does not.
        notices_told: how many the merchant was meant to be sent.
        notices_waiting: how many of them are not on their way.
        notices_held_since: since when they could not be handed on (UTC), as the ledger cannot be written to.
        ledger_told: the number of the last notice that the ledger knows, where it knows more of the subscription than
            the workflow; nothing is done then before both agree.
    """

    version: int = VIEW_VERSION
    terms: Terms
    agreed: Agreement
    running: Agreement | None = None
    changes: tuple[Agreement, ...]
    status: Status
    past_due: bool
    needs_attention: bool
    last_reason: str | None = None
    next: Next | None = None
    next_charge_at: AwareDatetime | None = None
    next_period: int
    joined_with: int
    periods_paid: int
    owed: Owed | None = None
    ledger: tuple[PeriodRecord, ...]
    to_be_captured: tuple[ToBeCaptured, ...]
    refunds: tuple[RefundView, ...]
    disputes: tuple[DisputeView, ...]
    dates: tuple[DueDate, ...]
    skips: tuple[int, ...]
    pause: Pause | None = None
    planned_end: Cancellation | None = None
    canceled_at: AwareDatetime | None = None
    items: tuple[Item, ...]
    credit: Money | None = None
    permission: PermissionAnswer | None = None
    permission_expires_at: AwareDatetime | None = None
    amazon_untold: Recurrence | None = None
    unanswered: tuple[UnansweredView, ...] = ()
    awaits_checkout_until: AwareDatetime | None = None
    ending: Ending | None = None
    ended_at: AwareDatetime | None = None
    successor: str | None = None
    refused_successor: RefusedSuccessor | None = None
    notices_told: int
    notices_waiting: int
    notices_held_since: AwareDatetime | None = None
    ledger_told: int | None = None

    @property
    def charge_permission_id(self) -> str:
        """Whose it is."""
        return self.terms.charge_permission_id

    @property
    def has_ended(self) -> bool:
        """Whether nothing will ever be charged again."""
        return self.status.has_ended


def view_of(subscription: Subscription) -> SubscriptionView:
    """What others may read of a subscription."""
    contract, lifecycle, ledger = subscription.contract, subscription.lifecycle, subscription.ledger
    command, stage, number = next_command(subscription), lifecycle.stage, subscription.next_period
    return SubscriptionView(
        terms=subscription.terms,
        agreed=contract.agreement(number),
        running=contract.agreement(subscription.first_to_come - 1) if subscription.first_to_come else None,
        changes=contract.to_come(number),
        status=subscription.status,
        past_due=subscription.is_past_due,
        needs_attention=subscription.needs_attention,
        last_reason=subscription.last_reason,
        next=Next.of(command) if command else None,
        next_charge_at=_next_charge_at(subscription),
        next_period=number,
        joined_with=ledger.joined_with,
        periods_paid=ledger.periods_paid,
        owed=Owed.of(subscription.collection, subscription) if subscription.collection else None,
        ledger=ledger.records,
        to_be_captured=tuple(map(ToBeCaptured.of, subscription.authorizations)),
        refunds=tuple(map(RefundView.of, subscription.refunds.latest)),
        disputes=tuple(map(DisputeView.of, subscription.disputes.latest)),
        dates=_dates(subscription),
        skips=contract.skips,
        pause=lifecycle.pause,
        planned_end=lifecycle.planned_end,
        canceled_at=lifecycle.cancellation.at if lifecycle.cancellation else None,
        items=subscription.balance.items,
        credit=subscription.balance.credit,
        permission=subscription.permission.seen,
        permission_expires_at=subscription.permission.expires_at,
        amazon_untold=contract.recurrence if subscription.permission.telling else None,
        unanswered=tuple(map(UnansweredView.of, subscription.unanswered.seen)),
        awaits_checkout_until=subscription.awaits_checkout_until,
        ending=_shown(lifecycle.ending),
        ended_at=stage.at if isinstance(stage, Ended) else None,
        successor=lifecycle.successor.charge_permission_id if lifecycle.successor else None,
        refused_successor=lifecycle.refused_successor,
        notices_told=subscription.outbox.told,
        notices_waiting=len(subscription.outbox.notices),
        notices_held_since=subscription.outbox.held_since,
        ledger_told=subscription.divergence.told if subscription.divergence else None,
    )


def _shown(ending: Ending | None) -> Ending | None:
    canceled = ending is not None and ending.status is Status.CANCELED
    return ending.but(reason="a cancellation was asked for") if ending and canceled else ending


def _next_charge_at(subscription: Subscription) -> datetime | None:
    command = main_command(subscription) if subscription.divergence is None else None
    waits = isinstance(command, Elapse) and command.timer is Timer.PERIOD
    return command.at if command and waits else None


def _dates(subscription: Subscription) -> tuple[DueDate, ...]:
    schedule, number = subscription.schedule, subscription.next_period
    behind = [DueDate(period=record.period, due=record.due, owed=True) for record in subscription.ledger.records]
    ahead = [
        DueDate(period=period, due=schedule.due(period), owed=not subscription.is_not_owed(period))
        for period in range(number, number + DATES_AHEAD)
        if schedule.has_period(period)
    ]
    return (*behind, *ahead)
