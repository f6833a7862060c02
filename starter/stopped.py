"""Subscriptions whose workflow was ended from outside: somebody pressed *Terminate*, it failed, or its time was over.

Temporal has closed the run, and nobody bills the subscriber any more, although the subscription itself has not ended.
A run that went on as a new one is none of these, nor is one that was canceled or came to its end. Of ours this imports
names alone, as `starter.listing` does.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, HistoryEventFilterType, WorkflowExecutionStatus
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.converter import PayloadCodec
from temporalio.service import RPCError, RPCStatusCode, WorkflowService

from perennial_billing.workflows.names import SUBSCRIPTION_WORKFLOW, workflow_id

PAGE_SIZE: Final = 1_000


class How(StrEnum):
    """How a workflow was ended that had not come to its end."""

    TERMINATED = "terminated"
    FAILED = "failed"
    TIMED_OUT = "timed out"


_HOW: Final = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED: How.TERMINATED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED: How.FAILED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: How.TIMED_OUT,
}
WAS_STOPPED: Final = "ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut')"
"""As Temporal's query language has it: of a run, which need not be the newest of its workflow."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A subscription that nobody bills.

    Attributes:
        charge_permission_id: which.
        run_id: Temporal's id of the run that was ended.
        how: in which way.
        at: when (UTC).
        by: who did it, as Temporal knows them; none of a run that failed.
        why: the reason that they gave, or the failure's message.
    """

    charge_permission_id: str
    run_id: str
    how: How
    at: datetime
    by: str | None = None
    why: str | None = None

    @property
    def happened(self) -> str:
        """What happened, in a few words."""
        by = f" by {self.by}" if self.by else ""
        why = f" ({self.why})" if self.why else ""
        return (
            f"its workflow {'was ' if self.how is How.TERMINATED else ''}{self.how.value} "
            f"{self.at:%Y-%m-%d %H:%M} UTC{by}{why}"
        )

    @property
    def advice(self) -> str:
        """What to do."""
        return f"`perennial recover {self.charge_permission_id}` brings it back with all it knew"

    def __str__(self) -> str:
        return f"{self.happened}, and nobody bills it: {self.advice}"


async def stopped(
    service: WorkflowService, namespace: str, charge_permission_id: str, codec: PayloadCodec | None = None
) -> Stopped | None:
    """Whether the newest run of a subscription's workflow was ended from outside, and how; None where it was not.

    Args:
        service: of the Temporal server.
        namespace: where it ran.
        charge_permission_id: which.
        codec: reads why it failed, where that is encrypted.

    Raises:
        RPCError: the server does not answer.
    """
    request = DescribeWorkflowExecutionRequest(
        namespace=namespace, execution=WorkflowExecution(workflow_id=workflow_id(charge_permission_id))
    )
    try:
        described = await service.describe_workflow_execution(request, retry=True)
        return await _stopped(service, namespace, described.workflow_execution_info, codec)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


async def _stopped(
    service: WorkflowService, namespace: str, info: WorkflowExecutionInfo, codec: PayloadCodec | None
) -> Stopped | None:
    how = _HOW.get(info.status)
    if how is None:
        return None
    request = GetWorkflowExecutionHistoryRequest(
        namespace=namespace,
        execution=info.execution,
        history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
    )
    last = (await service.get_workflow_execution_history(request, retry=True)).history.events
    by, why = await _told_of(last[-1], codec) if last else (None, None)
    name = info.execution.workflow_id.removeprefix(workflow_id(""))
    return Stopped(name, info.execution.run_id, how, _instant(info.close_time), by, why)


async def _told_of(event: HistoryEvent, codec: PayloadCodec | None) -> tuple[str | None, str | None]:
    """By whom, and why, as far as the last event of a history tells."""
    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
        terminated = event.workflow_execution_terminated_event_attributes
        return terminated.identity or None, terminated.reason or None
    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
        from perennial_billing.runtime.failures import message_of

        return None, await message_of(event.workflow_execution_failed_event_attributes.failure, codec) or None
    return None, None


async def every_stopped(
    service: WorkflowService, namespace: str, running: Collection[str] = (), codec: PayloadCodec | None = None
) -> AsyncIterator[Stopped]:
    """All of them that Temporal retains, each once.

    Temporal's visibility store lists closed runs; of each it is asked whether it is the newest.

    Args:
        service: of the Temporal server.
        namespace: where they ran.
        running: charge permissions that are known to run, and need not be asked for.
        codec: reads why one failed, where that is encrypted.

    Raises:
        RPCError: the server does not answer.
    """
    known = set(running)
    request = ListWorkflowExecutionsRequest(
        namespace=namespace, query=f"WorkflowType = '{SUBSCRIPTION_WORKFLOW}' AND {WAS_STOPPED}", page_size=PAGE_SIZE
    )
    while True:
        page = await service.list_workflow_executions(request, retry=True)
        for execution in page.executions:
            name = execution.execution.workflow_id.removeprefix(workflow_id(""))
            if name in known:
                continue
            known.add(name)
            found = await stopped(service, namespace, name, codec)
            if found is not None:
                yield found
        if not page.next_page_token:
            return
        request.next_page_token = page.next_page_token


def _instant(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
