"""Starting deliveries: each is an activity of its own, or a workflow of its own where the server has no such ones.

Either way it runs outside of any subscription, so a dead or slow endpoint delays no billing and adds nothing to a
subscription's history, and its attempts and its failure can be seen.
"""

from typing import Final

from temporalio.client import Client
from temporalio.common import (
    ActivityIDConflictPolicy,
    ActivityIDReusePolicy,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ActivityAlreadyStartedError, WorkflowAlreadyStartedError

from perennial_billing.activities.signatures import (
    ALL_ATTEMPTS,
    ATTEMPT_TIMEOUT,
    DELIVER,
    DELIVERY_WORKFLOW,
    UNSAID,
    WebhookMessage,
)

_FIRST: Final = 1


class Deliveries:
    """Starts them.

    Args:
        client: of the server on which they run.
        task_queue: where they are worked on.
        by_workflow: each is a workflow, as the server has no activities outside of workflows.
    """

    def __init__(self, client: Client, task_queue: str, *, by_workflow: bool) -> None:
        self._client = client
        self._task_queue = task_queue
        self._by_workflow = by_workflow

    async def start(self, message: WebhookMessage, summary: str) -> bool:
        """Starts one, once: False where it was started before.

        What Temporal knows by the delivery's id stands. So where a worker died after it had started one, and the
        notice is made anew a little later, the webhook that was made first is the only one; and whoever sets the
        database back to an older one sets that back, too.

        Raises:
            RPCError: Temporal does not take it.
        """
        try:
            await (self._start_workflow if self._by_workflow else self._start_activity)(message, summary)
        except (ActivityAlreadyStartedError, WorkflowAlreadyStartedError):
            return False
        return True

    async def _start_activity(self, message: WebhookMessage, summary: str) -> None:
        await self._client.start_activity(
            DELIVER,
            message,
            id=sending_id(message),
            task_queue=self._task_queue,
            id_reuse_policy=ActivityIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=ActivityIDConflictPolicy.FAIL,
            start_to_close_timeout=ATTEMPT_TIMEOUT,
            schedule_to_close_timeout=ALL_ATTEMPTS,
            retry_policy=UNSAID,
            summary=summary,
        )

    async def _start_workflow(self, message: WebhookMessage, summary: str) -> None:
        await self._client.start_workflow(
            DELIVERY_WORKFLOW,
            message,
            id=sending_id(message),
            task_queue=self._task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=summary,
        )


def sending_id(message: WebhookMessage) -> str:
    """Of the activity or the workflow: the delivery's own, and another one each time that it is begun again."""
    return message.delivery if message.sending == _FIRST else f"{message.delivery}-sending-{message.sending}"
