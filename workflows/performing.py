"""How a command is performed: which activity, on which queue, with which request. One row a kind of command."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from perennial_billing.activities import signatures
    from perennial_billing.activities.signatures import AmazonPayActivities, AmountActivities, Standing
    from perennial_billing.billing.protocol import commands
    from perennial_billing.billing.protocol.commands import Command, Elapse, Precedence
    from perennial_billing.billing.protocol.events import Answered, Elapsed, Event, LedgerIsAhead, Unanswered
    from perennial_billing.billing.protocol.foreign import as_prose
    from perennial_billing.workflows import counting
    from perennial_billing.workflows.names import Call, amounts_queue, call_queue, in_summary

_UNTIL_KNOWN: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=10),
    maximum_attempts=0,
)
_ATTEMPT_TIMEOUT: Final = timedelta(seconds=60)
"""Above the client's own limit of 40 s, so that a slow answer is read rather than abandoned."""

_HEARTBEAT_TIMEOUT: Final = timedelta(seconds=12)
"""A worker that died is noticed after this; a living one sends a heartbeat every 4 s."""

SEEN_AFTER: Final = timedelta(hours=1)
"""How long an answer of Amazon's is awaited before it is seen that there is none. A limit of the call, and no timer
beside it, costs no event where Amazon answers, and holds where no worker is there."""

SAID_AGAIN_AFTER: Final = timedelta(days=1)
"""How long a call that was made in vain before is awaited until it is said again, as what stands in its way may have
changed: Amazon was not there, and now it answers what nobody understands."""

_TELLING_TIMEOUT: Final = timedelta(seconds=60)
"""What the buyer reads at Amazon must not hold up a charge or a cancellation."""

_AMOUNT_TIMEOUT: Final = timedelta(seconds=20)
_AMOUNT_IN_ALL: Final = timedelta(minutes=5)
_AMOUNT_RETRY: Final = RetryPolicy(initial_interval=timedelta(seconds=2), maximum_attempts=5)
"""The merchant's endpoint must not hold up a cancellation, so it is given up soon and asked again by the hour."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long something may take, and how often it is tried.

    Attributes:
        attempt: one try.
        heartbeat: how soon a worker that died is noticed; None where the end of the try is soon enough.
        retry: how it is tried again.
        in_all: all tries together, before it is said that there is no answer.
    """

    attempt: timedelta
    heartbeat: timedelta | None
    retry: RetryPolicy
    in_all: timedelta


_OF_AMAZON: Final = Limits(_ATTEMPT_TIMEOUT, _HEARTBEAT_TIMEOUT, _UNTIL_KNOWN, SEEN_AFTER)
_OF_THE_MERCHANT: Final = Limits(_AMOUNT_TIMEOUT, None, _AMOUNT_RETRY, _AMOUNT_IN_ALL)


@dataclass(frozen=True, slots=True)
class Performance:
    """How one kind of command is performed.

    Attributes:
        activity: what does it.
        request: the activity's input, made of the command alone.
        call: the operation of Amazon's that it counts for, which has a queue of its own; None where the merchant is
            asked.
        summary: what the Web UI shows of it.
        limits: of time and tries.
    """

    activity: Callable[..., Any]  # Any: activities of different kinds
    request: Callable[[Any], Any]  # Any: a command of the row's kind, and what its activity takes
    call: Call | None
    summary: Callable[[Any], str]  # Any: as above
    limits: Limits = _OF_AMAZON


def _charge(command: commands.CreateCharge) -> signatures.CreateCharge:
    attempt = command.attempt
    return signatures.CreateCharge(
        charge_permission_id=command.charge_permission_id,
        amount=attempt.amount,
        idempotency_key=attempt.idempotency_key,
        merchant_reference=command.merchant_reference,
        capture_now=attempt.capture_now,
        can_handle_pending_authorization=attempt.handles_pending,
        texts=command.texts,
    )


def _capture(command: commands.CaptureCharge | commands.CaptureAuthorized) -> signatures.CaptureCharge:
    return signatures.CaptureCharge(
        charge_id=command.charge_id,
        amount=command.amount,
        idempotency_key=command.idempotency_key,
        soft_descriptor=command.soft_descriptor,
    )


def _amount(command: commands.AskAmount) -> signatures.AmountQuestion:
    return signatures.AmountQuestion(
        charge_permission_id=command.charge_permission_id,
        merchant_reference=command.merchant_reference,
        plan_id=command.plan_id,
        quantity=command.quantity,
        period=command.period,
        due=command.due,
        until=command.until,
        at_most=command.at_most,
    )


def _attempt_in_words(command: commands.CreateCharge) -> str:
    attempt = command.attempt
    return f"Period {attempt.period}, attempt {attempt.number}: {attempt.amount}"


PERFORMANCES: Final[Mapping[type[Command], Performance]] = MappingProxyType(
    {
        commands.CreateCharge: Performance(
            AmazonPayActivities.create_charge, _charge, Call.CREATE_CHARGE, _attempt_in_words
        ),
        commands.ReadCharge: Performance(
            AmazonPayActivities.read_charge,
            lambda command: signatures.ReadCharge(charge_id=command.charge_id),
            Call.GET_CHARGE,
            lambda command: f"Has Amazon decided on {command.charge_id}?",
        ),
        commands.CaptureCharge: Performance(
            AmazonPayActivities.capture_charge,
            _capture,
            Call.CAPTURE_CHARGE,
            lambda command: f"Capture period {command.period}: {command.amount}",
        ),
        commands.CaptureAuthorized: Performance(
            AmazonPayActivities.capture_charge,
            _capture,
            Call.CAPTURE_CHARGE,
            lambda command: f"Capture {command.amount} of period {command.period}",
        ),
        commands.ReadAuthorized: Performance(
            AmazonPayActivities.read_charge,
            lambda command: signatures.ReadCharge(charge_id=command.charge_id),
            Call.GET_CHARGE,
            lambda command: f"How does the charge of period {command.period} stand?",
        ),
        commands.CreateRefund: Performance(
            AmazonPayActivities.create_refund,
            lambda command: signatures.CreateRefund(
                charge_id=command.charge_id,
                amount=command.amount,
                idempotency_key=command.idempotency_key,
                soft_descriptor=command.soft_descriptor,
            ),
            Call.CREATE_REFUND,
            lambda command: f"Refund {command.number}: {command.amount} of period {command.period}",
        ),
        commands.ReadRefund: Performance(
            AmazonPayActivities.read_refund,
            lambda command: signatures.ReadRefund(refund_id=command.refund_id),
            Call.GET_REFUND,
            lambda command: f"Has Amazon decided on refund {command.about}?",
        ),
        commands.ReadDispute: Performance(
            AmazonPayActivities.read_dispute,
            lambda command: signatures.ReadDispute(dispute_id=command.dispute_id),
            Call.GET_DISPUTE,
            lambda command: f"How does dispute {command.dispute_id} stand?",
        ),
        commands.ReadPermission: Performance(
            AmazonPayActivities.read_permission,
            lambda command: signatures.ReadPermission(charge_permission_id=command.charge_permission_id),
            Call.GET_CHARGE_PERMISSION,
            lambda command: command.why,
        ),
        commands.ReadSuccessor: Performance(
            AmazonPayActivities.read_permission,
            lambda command: signatures.ReadPermission(charge_permission_id=command.charge_permission_id),
            Call.GET_CHARGE_PERMISSION,
            lambda command: f"Can it go on under {command.charge_permission_id}?",
        ),
        commands.UpdatePermission: Performance(
            AmazonPayActivities.update_permission,
            lambda command: signatures.UpdatePermission(
                charge_permission_id=command.charge_permission_id, recurrence=command.recurrence
            ),
            Call.UPDATE_CHARGE_PERMISSION,
            lambda command: f"Tell Amazon of the plan: {command.recurrence}",
            limits=replace(_OF_AMAZON, in_all=_TELLING_TIMEOUT),
        ),
        commands.ClosePermission: Performance(
            AmazonPayActivities.close_permission,
            lambda command: signatures.ClosePermission(
                charge_permission_id=command.charge_permission_id,
                reason=command.reason,
                cancel_pending_charges=command.cancel_pending_charges,
            ),
            Call.CLOSE_CHARGE_PERMISSION,
            lambda _: "Close the charge permission",
        ),
        commands.AskAmount: Performance(
            AmountActivities.decide_amount,
            _amount,
            None,
            lambda command: f"What does period {command.period} cost?",
            limits=_OF_THE_MERCHANT,
        ),
    }
)
"""Every command but the wait for an instant, and the start of a successor, which the workflow does itself."""


async def perform(
    command: Command, account: str, *, standing: Standing | None = None, within: timedelta | None = None
) -> Event:
    """Performs a command, and says what came of it.

    Args:
        command: what is to be done.
        account: the merchant account that it is done for: each has its fair share of a queue.
        standing: how far the subscription knows of itself; where the ledger knows more, nothing is changed at Amazon's.
        within: how long it may take in all, where somebody waits who cannot wait as long as the command can.
    """
    if isinstance(command, Elapse):
        return Elapsed(command.timer)
    how, queue = PERFORMANCES[type(command)], workflow.info().task_queue
    request = how.request(command)
    if standing is not None and isinstance(request, signatures.Acting):
        known = {"charge_permission_id": standing.charge_permission_id, "told": standing.told}
        request = request.model_copy(update=known)
    in_all = within or (SAID_AGAIN_AFTER if command.until_answered else how.limits.in_all)
    try:
        answer = await workflow.execute_activity_method(
            how.activity,
            request,
            task_queue=call_queue(queue, how.call) if how.call else amounts_queue(queue),
            priority=_priority(command.precedence, account),
            schedule_to_close_timeout=in_all,
            start_to_close_timeout=how.limits.attempt,
            heartbeat_timeout=how.limits.heartbeat,
            retry_policy=how.limits.retry,
            summary=in_summary(how.summary(command)),
        )
    except ActivityError as error:
        ahead = ledger_ahead_of(error)
        if ahead is not None:
            return LedgerIsAhead(ahead)
        why = _why_of(error)
        workflow.logger.warning("no answer in good time", extra={"command": command.action.value, "why": why})
        counting.unanswered(command, account)
        return Unanswered(command, why)
    return Answered(command, answer)


def _priority(precedence: Precedence, account: str) -> Priority:
    """As Temporal has it, for which the regular one goes without saying: it would be bytes of every history."""
    return Priority(priority_key=None if precedence is Precedence.REGULAR else precedence.value, fairness_key=account)


def ledger_ahead_of(error: BaseException) -> int | None:
    """The number of the last notice that the ledger knows, where an activity failed as it knows more."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ApplicationError) and cause.type == signatures.LEDGER_AHEAD:
            return next((each for each in cause.details if isinstance(each, int)), 0)
        cause = cause.__cause__
    return None


def _why_of(error: ActivityError) -> str | None:
    """What the activity said when it failed last; None where it never did, as no worker was there."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ApplicationError):
            return as_prose(cause.message)
        cause = cause.__cause__
    return None
