"""The connection to Temporal: address and credentials as for every Temporal tool, payloads as pydantic models."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.enums.v1 import WorkflowExecutionStatus as ServersStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    DescribeWorkflowExecutionRequest,
)
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from perennial_billing.runtime.payloads import converter_of
from perennial_billing.runtime.service import connect_service, namespace_is_missing
from perennial_billing.runtime.settings import Settings, load_settings
from perennial_billing.runtime.tracing import interceptors

__all__ = [
    "MOST_SKIPS",
    "client_over",
    "connect",
    "has_standalone_activities",
    "has_workers",
    "is_busy",
    "is_unknown",
    "namespace_is_missing",
    "result_of",
    "time_of",
]

MOST_SKIPS: Final = 10_000
"""Of time, per fast-forward; the server's default of 200 would silently stop a long one."""

Result = TypeVar("Result")

_PAUSED: Final = int(ServersStatus.WORKFLOW_EXECUTION_STATUS_PAUSED)


def _of_paused(status: object) -> WorkflowExecutionStatus | None:
    """That of a paused workflow, which the SDK (1.35.0) does not know: it raises for whoever describes or lists one.

    It runs: it is open, and who asks why it makes no progress looks at the server's own words (`starter.hindered`).
    """
    return WorkflowExecutionStatus.RUNNING if status == _PAUSED else None


setattr(WorkflowExecutionStatus, "_missing_", staticmethod(_of_paused))  # noqa: B010 - as enum's own hook is set


async def connect(settings: Settings | None = None, *, patient: bool = False, runtime: Runtime | None = None) -> Client:
    """Connects as `TEMPORAL_ADDRESS` and its siblings say; what is written is encrypted as the settings say.

    Args:
        settings: of the process; read from the environment when not given.
        patient: keep trying, as a process does that is started together with its server.
        runtime: of the process, which counts what the client does; Temporal's default when not given.

    Raises:
        StartupError: the configuration cannot be read, no key is set in live, or (unless patient) no server answers or
            it does not have the namespace.
    """
    converter = converter_of(settings or load_settings())
    connection = await connect_service(patient=patient, runtime=runtime)
    return Client(
        connection.service,
        namespace=connection.namespace,
        data_converter=converter,
        interceptors=list(interceptors()),
    )


def client_over(other: Client, settings: Settings) -> Client:
    """A client that speaks as subscriptions do, over the connection of one that speaks otherwise, and has its plugins
    and interceptors for itself.

    Args:
        other: the connection's.
        settings: of the process; they say whether what is written is encrypted.

    Raises:
        StartupError: no key is set, in live.
    """
    return Client(other.service_client, namespace=other.namespace, data_converter=converter_of(settings))


async def has_standalone_activities(client: Client) -> bool:
    """Whether activities can be run outside of workflows in the client's namespace."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    described = await client.workflow_service.describe_namespace(request, retry=True)
    return described.namespace_info.capabilities.standalone_activities


async def has_workers(client: Client, task_queue: str, *, for_workflows: bool = False) -> bool:
    """Whether a worker has asked a queue for activities, or for tasks of workflows, within the last minutes."""
    kind = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW if for_workflows else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=kind,
    )
    return bool((await client.workflow_service.describe_task_queue(request, retry=True)).pollers)


async def is_busy(client: Client, workflow_id: str) -> bool:
    """Whether an activity or a task of a workflow is under way."""
    described = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        ),
        retry=True,
    )
    return bool(described.pending_activities) or described.HasField("pending_workflow_task")


async def time_of(handle: WorkflowHandle[Any, Any]) -> datetime:  # Any: a workflow's type
    """A workflow's time (UTC): everybody's, unless a server that can skip time has moved it.

    Raises:
        RPCError: there is no such workflow, or Temporal does not answer.
    """
    known = (await handle.describe()).raw_description.workflow_extended_info
    if not known.HasField("time_skipping_info"):
        return datetime.now(UTC)
    return known.time_skipping_info.current_time.ToDatetime(UTC)


async def result_of(handle: WorkflowHandle[Any, Result], within: timedelta) -> Result | None:  # Any: a workflow's type
    """How a workflow ended; None where none is known, or it did not end by itself.

    Raises:
        RPCError: Temporal did not answer.
    """
    try:
        described = await handle.describe(rpc_timeout=within)
        ended = described.status is WorkflowExecutionStatus.COMPLETED
        return await handle.result(rpc_timeout=within) if ended else None
    except RPCError as error:
        if not is_unknown(error):
            raise
        return None


def is_unknown(error: RPCError) -> bool:
    """Whether it is a workflow that was not found, rather than the namespace."""
    return error.status is RPCStatusCode.NOT_FOUND and not namespace_is_missing(error)
