"""The connection to Temporal: address and credentials as for every Temporal tool, payloads as pydantic models."""

import asyncio
import logging
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from runtime.errors import StartupError

DEFAULT_ADDRESS: Final = "localhost:7233"
DEFAULT_NAMESPACE: Final = "default"
LONGEST_WAIT_SECONDS: Final = 15.0

DATA_CONVERTER: Final = pydantic_data_converter

_log = logging.getLogger(__name__)


async def connect(*, patient: bool = False, runtime: Runtime | None = None) -> Client:
    """Connects as `TEMPORAL_ADDRESS` and its siblings say.

    Args:
        patient: keep trying, as a process does that is started together with its server.
        runtime: of the process, which counts what the client does; Temporal's default when not given.

    Raises:
        StartupError: the configuration cannot be read, or (unless patient) no server answers or it does not have the
            namespace.
    """
    try:
        config = ClientConfig.load_client_connect_config()
    except (RuntimeError, ValueError, OSError) as error:
        raise StartupError(f"Temporal's client configuration cannot be read: {error}") from error
    address = config.get("target_host") or DEFAULT_ADDRESS
    config["target_host"] = address
    namespace = config.setdefault("namespace", DEFAULT_NAMESPACE)
    wait = 0.5
    while True:
        try:
            client = await Client.connect(**config, data_converter=DATA_CONVERTER, runtime=runtime)
            if await _has_namespace(client):
                return client
            trouble = (
                f"TEMPORAL_NAMESPACE: the Temporal server at {address} has no namespace {namespace}; create it or set "
                "the name"
            )
        except ValueError as error:
            raise StartupError(f"TEMPORAL_ADDRESS: {address} is not the address of a server: {error}") from None
        except RuntimeError:
            trouble = f"TEMPORAL_ADDRESS: no Temporal server answers at {address}; start one or set the address"
        if not patient:
            raise StartupError(trouble)
        _log.warning("%s (trying again in %.1f s)", trouble, wait)
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)


async def _has_namespace(client: Client) -> bool:
    """Whether the server knows the client's namespace; taken to be so where it does not tell."""
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        return not namespace_is_missing(error)
    return True


async def has_standalone_activities(client: Client) -> bool:
    """Whether activities can be run outside of workflows in the client's namespace."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    described = await client.workflow_service.describe_namespace(request, retry=True)
    return described.namespace_info.capabilities.standalone_activities


async def is_busy(client: Client, workflow_id: str) -> bool:
    """Whether an activity or a task of a workflow is under way."""
    described = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        ),
        retry=True,
    )
    return bool(described.pending_activities) or described.HasField("pending_workflow_task")


def namespace_is_missing(error: RPCError) -> bool:
    """Whether it is the namespace that was not found, rather than something in it."""
    details = error.grpc_status.details
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in details)
