"""Whether what a process needs answers it now."""

from datetime import timedelta
from typing import Final

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

ANSWERS_WITHIN: Final = timedelta(seconds=2)
"""Whoever asks is to be answered while it still waits."""


class Reaching:
    """Of a process that only talks to the Temporal server, from its first moment to its last."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._is_stopping = False

    def serves(self, client: Client) -> None:
        """It is connected, and takes requests from now on."""
        self._client = client

    def stops(self) -> None:
        """It takes no more."""
        self._is_stopping = True

    async def why_not(self) -> str | None:
        """What it lacks, in a line; None where it is ready."""
        if self._is_stopping:
            return "it is stopping, and finishes what is under way"
        if self._client is None:
            return "it is not connected yet: it waits for the Temporal server, see its log"
        request = DescribeNamespaceRequest(namespace=self._client.namespace)
        try:
            await self._client.workflow_service.describe_namespace(request, timeout=ANSWERS_WITHIN)
        except RPCError as error:
            return f"the Temporal server does not answer ({error.status.name})"
        return None
