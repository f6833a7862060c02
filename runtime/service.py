"""A bare connection to Temporal's service, for who only asks it: without workflows, and without what these carry.

Importing no more than this takes half as long as importing a client.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import ConnectConfig, RPCError, ServiceClient

from perennial_billing.runtime.errors import StartupError, shown

DEFAULT_ADDRESS: Final = "localhost:7233"
DEFAULT_NAMESPACE: Final = "default"
LONGEST_WAIT_SECONDS: Final = 15.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Connection:
    """A Temporal server that answers, and the namespace in it that is meant."""

    service: ServiceClient
    namespace: str


async def connect_service(
    *, patient: bool = False, runtime: Runtime | None = None, needs_namespace: bool = True
) -> Connection:
    """Connects as `TEMPORAL_ADDRESS` and its siblings say.

    Args:
        patient: keep trying, as a process does that is started together with its server.
        runtime: of the process, which counts what the client does; Temporal's default when not given.
        needs_namespace: False for who makes the namespace.

    Raises:
        StartupError: the configuration cannot be read, or (unless patient) no server answers or it does not have the
            namespace.
    """
    try:
        config = ClientConfig.load_client_connect_config()
    except OSError as error:
        file = f" ({shown(error.filename)})" if error.filename else ""
        why = f"a file that it names{file}: {error.strerror or type(error).__name__}"
        raise StartupError(f"Temporal's client configuration cannot be read: {why}") from None
    except (RuntimeError, ValueError) as error:
        raise StartupError(f"Temporal's client configuration cannot be read: {shown(error)}") from None
    address = config.get("target_host") or DEFAULT_ADDRESS
    where = shown(address)
    namespace = config.get("namespace", DEFAULT_NAMESPACE)
    wanted = ConnectConfig(
        target_host=address,
        api_key=config.get("api_key"),
        tls=config.get("tls"),
        rpc_metadata=dict(config.get("rpc_metadata", {})),
        runtime=runtime,
    )
    wait = 0.5
    while True:
        try:
            service = await ServiceClient.connect(wanted)
            if not needs_namespace or await _has_namespace(service, namespace):
                return Connection(service, namespace)
            trouble = (
                f"TEMPORAL_NAMESPACE: the Temporal server at {where} has no namespace {shown(namespace)}; create it or "
                "set the name"
            )
        except ValueError as error:
            raise StartupError(f"TEMPORAL_ADDRESS: {where} is not the address of a server: {shown(error)}") from None
        except RuntimeError:
            trouble = f"TEMPORAL_ADDRESS: no Temporal server answers at {where}; start one or set the address"
        if not patient:
            raise StartupError(trouble)
        _log.warning("%s (trying again in %.1f s)", trouble, wait)
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)


async def _has_namespace(service: ServiceClient, namespace: str) -> bool:
    """Whether the server knows the namespace; taken to be so where it does not tell."""
    try:
        await service.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    except RPCError as error:
        return not namespace_is_missing(error)
    return True


def namespace_is_missing(error: RPCError) -> bool:
    """Whether it is the namespace that was not found, rather than something in it."""
    details = error.grpc_status.details
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in details)
