"""What Temporal says of a subscription's workflow, and what the workflow says of itself."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.converter import PayloadCodec
from temporalio.service import RPCError, RPCStatusCode

from perennial_billing.billing.view import SubscriptionView
from perennial_billing.starter.audit.case import STOPPED, Presence
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.errors import NoWorkerError
from perennial_billing.starter.hindered import Hindered, Hindrance, hindered_by
from perennial_billing.starter.listing import STORE_LAG
from perennial_billing.starter.stopped import Stopped, every_stopped, stopped
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
        stopped: how it was ended from outside, where it was.
        hindered: what keeps it from going on, where anything does.
    """

    presence: Presence
    is_busy: bool = False
    began_at: datetime | None = None
    stopped: Stopped | None = None
    hindered: Hindered | None = None

    @property
    def can_answer(self) -> bool:
        """Whether it can be asked how it stands; one whose tasks are held up, or fail, cannot."""
        is_held_up = self.hindered is not None and self.hindered.how is not Hindrance.ACTIVITY_PAUSED
        return self.presence is Presence.RUNNING and not is_held_up


class Workflows:
    """Those of the subscriptions.

    Args:
        client: of the Temporal server.
        subscriptions: asks them.
        has_workers: whether workers run, by which they can answer.
    """

    def __init__(self, client: Client, subscriptions: Subscriptions, *, has_workers: bool = True) -> None:
        self._client = client
        self._subscriptions = subscriptions
        self._has_workers = has_workers

    async def seen(self, charge_permission_id: str) -> Seen:
        """How a subscription's workflow stands, without asking it.

        Raises:
            RPCError: the server does not answer.
        """
        execution = WorkflowExecution(workflow_id=workflow_id(charge_permission_id))
        request = DescribeWorkflowExecutionRequest(namespace=self._client.namespace, execution=execution)
        try:
            described = await self._client.workflow_service.describe_workflow_execution(request, retry=True)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return Seen(Presence.ABSENT)
            raise
        info = described.workflow_execution_info
        presence = _OF_STATUS.get(info.status, Presence.RUNNING)
        return Seen(
            presence,
            bool(described.pending_activities) or described.HasField("pending_workflow_task"),
            info.start_time.ToDatetime(tzinfo=UTC),
            await self._stopped(charge_permission_id) if presence in STOPPED else None,
            await hindered_by(self._client.workflow_service, self._client.namespace, described, self._codec),
        )

    async def _stopped(self, charge_permission_id: str) -> Stopped | None:
        client = self._client
        return await stopped(client.workflow_service, client.namespace, charge_permission_id, self._codec)

    @property
    def _codec(self) -> PayloadCodec | None:
        return self._client.data_converter.payload_codec

    async def view(self, charge_permission_id: str) -> SubscriptionView:
        """How a subscription shows itself.

        Raises:
            SubscriptionError: it does not answer.
        """
        if not self._has_workers:
            raise NoWorkerError("no worker runs by which the subscription could say how it stands")
        return await self._subscriptions.status(charge_permission_id)

    async def open(self) -> AsyncIterator[str]:
        """The charge permissions of all that run, and of those whose workflow was ended from outside.

        Raises:
            RPCError: the server does not answer.
        """
        async for listed in self._subscriptions.list(lag=STORE_LAG):
            yield listed.charge_permission_id
        async for found in every_stopped(self._client.workflow_service, self._client.namespace):
            yield found.charge_permission_id
