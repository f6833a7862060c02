"""What Temporal's errors mean for whoever asked about a subscription."""

from typing import Final

from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from perennial_billing.starter.errors import (
    HinderedError,
    NoWorkerError,
    RequestRefusedError,
    SubscriptionEndedError,
    SubscriptionError,
    SubscriptionNotFoundError,
    TemporalUnavailableError,
)
from perennial_billing.workflows.life import REFUSED
from perennial_billing.workflows.messages import Refusal

LOST: Final = "UnprocessedUpdate"
"""What the server says of a request whose workflow task came to nothing, as where a worker was too slow or died."""

_AWAY: Final = frozenset(
    {RPCStatusCode.UNAVAILABLE, RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.ABORTED, RPCStatusCode.INTERNAL}
)
"""Of a server that is away, has too much to do, or has lost its database: it is no fault of what was asked."""


def explained(
    error: RPCError | WorkflowQueryRejectedError | WorkflowUpdateRPCTimeoutOrCancelledError, charge_permission_id: str
) -> SubscriptionError:
    """Why nothing was answered."""
    subject = f"charge permission {charge_permission_id}"
    if isinstance(error, WorkflowUpdateRPCTimeoutOrCancelledError):
        return NoWorkerError(f"{subject}: no worker answers; start one with `perennial worker`")
    if _is_of_paused(error):
        recovers = f"`perennial recover {charge_permission_id}` lets it go on"
        return HinderedError(f"{subject}: its workflow is paused in Temporal: {recovers}")
    if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
        if "already completed" in error.message:
            return SubscriptionEndedError(f"{subject}: its subscription has ended already")
        return SubscriptionNotFoundError(f"{subject}: there is no subscription; `perennial list` shows those there are")
    if isinstance(error, RPCError) and error.status in {
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.CANCELLED,
    }:
        return NoWorkerError(f"{subject}: no worker answers; start one with `perennial worker`")
    if isinstance(error, RPCError) and error.status in _AWAY:
        why = f"the Temporal server does not answer now ({error.status.name}: {error.message})"
        return TemporalUnavailableError(f"{subject}: {why}; ask again")
    return SubscriptionError(f"{subject}: {error}")


def _is_of_paused(error: RPCError | WorkflowQueryRejectedError) -> bool:
    """Whether it is said because the workflow is paused. Of those that are open, only such a one rejects a query."""
    if isinstance(error, WorkflowQueryRejectedError):
        return error.status is WorkflowExecutionStatus.RUNNING
    return error.status is RPCStatusCode.FAILED_PRECONDITION and "is paused" in error.message


def is_lost(error: WorkflowUpdateFailedError) -> bool:
    """Whether a request went down with the worker's answer that was to take it; it is in no history, and can be asked
    again."""
    return isinstance(error.cause, ApplicationError) and error.cause.type == LOST


def refusal(charge_permission_id: str, error: WorkflowUpdateFailedError) -> SubscriptionError:
    """What a rule said, as it was told by the workflow."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == REFUSED and cause.details:
        return RequestRefusedError(charge_permission_id, Refusal.model_validate(cause.details[0]).refused)
    return SubscriptionError(f"charge permission {charge_permission_id}: {cause}")
