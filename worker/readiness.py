"""Whether a worker is ready: its workers run, and the server has seen this very process ask for work."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

_ANSWERS_WITHIN: Final = timedelta(seconds=2)
"""Whoever asks is to be answered while it still waits."""


class Readiness:
    """Of one process, from its first moment to its last.

    Args:
        task_queue: of the subscriptions.
    """

    def __init__(self, task_queue: str) -> None:
        self._task_queue = task_queue
        self._client: Client | None = None
        self._workers: Sequence[Worker] = ()
        self._is_stopping = False

    def works(self, client: Client, workers: Sequence[Worker]) -> None:
        """It is connected, and these are its workers."""
        self._client, self._workers = client, workers

    def stops(self) -> None:
        """It takes no more work."""
        self._is_stopping = True

    async def why_not(self) -> str | None:
        """What it lacks, in a line; None where it is ready."""
        if self._is_stopping:
            return "it is stopping, and finishes what is under way"
        if self._client is None:
            return "it is not connected yet: it waits for its ledger or for the Temporal server, see its log"
        if not all(worker.is_running for worker in self._workers):
            return "one of its workers does not run"
        try:
            asks = await _is_seen_asking(self._client, self._task_queue)
        except RPCError as error:
            return f"the Temporal server does not answer ({error.status.name})"
        return (
            None if asks else f"the Temporal server has not seen it ask for work on the task queue {self._task_queue}"
        )


async def _is_seen_asking(client: Client, task_queue: str) -> bool:
    """Whether the server has seen this process ask, within the last minutes; right after its start it has not.

    Raises:
        RPCError: the server does not tell.
    """
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    described = await client.workflow_service.describe_task_queue(request, timeout=_ANSWERS_WITHIN)
    return any(poller.identity == client.identity for poller in described.pollers)
