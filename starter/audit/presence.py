"""What Temporal says of a subscription's workflow, without asking the workflow itself."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from perennial_billing.starter.audit.case import Presence
from perennial_billing.workflows.names import workflow_id

_OF_STATUS: Final = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING: Presence.RUNNING,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED: Presence.COMPLETED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED: Presence.FAILED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED: Presence.CANCELED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED: Presence.TERMINATED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: Presence.TIMED_OUT,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW: Presence.RUNNING,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A workflow as Temporal describes it.

    Attributes:
        presence: whether it runs, or how it ended.
        is_busy: an activity or a task of it is under way.
        began_at: when its latest run began (UTC).
    """

    presence: Presence
    is_busy: bool = False
    began_at: datetime | None = None


async def seen(client: Client, charge_permission_id: str) -> Seen:
    """How a subscription's workflow stands.

    Raises:
        RPCError: the server does not answer.
    """
    execution = WorkflowExecution(workflow_id=workflow_id(charge_permission_id))
    request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
    try:
        described = await client.workflow_service.describe_workflow_execution(request, retry=True)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return Seen(Presence.ABSENT)
        raise
    info = described.workflow_execution_info
    return Seen(
        _OF_STATUS.get(info.status, Presence.RUNNING),
        bool(described.pending_activities) or described.HasField("pending_workflow_task"),
        info.start_time.ToDatetime(tzinfo=UTC),
    )
