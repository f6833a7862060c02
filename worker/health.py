"""Whether this machine's worker works, for a container's health check: `python -m perennial_billing.worker.health`.

A worker listens on no port. That it lives, the server knows: it has seen this machine ask for work on the task queue.
Exit code 0 if so, 1 if not.
"""

import asyncio
import socket
import sys

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.service import connect_service
from perennial_billing.runtime.settings import load_settings


async def works(task_queue: str) -> bool:
    """Whether a process of this machine asks for work on a task queue.

    Raises:
        StartupError: no server answers.
        RPCError: the server does not tell.
    """
    connection = await connect_service()
    described = await connection.service.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=connection.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    # Workers call themselves by the number of their process and the name of their machine.
    return any(poller.identity.endswith(f"@{socket.gethostname()}") for poller in described.pollers)


async def _look(task_queue: str) -> bool:
    try:
        return await works(task_queue)
    finally:
        # The Temporal SDK aborts an interpreter that ends within milliseconds of its last call.
        await asyncio.sleep(0.05)


def main() -> None:
    """Looks once."""
    try:
        task_queue = load_settings().task_queue
        if asyncio.run(_look(task_queue)):
            return
        why = f"no worker of {socket.gethostname()} asks for work on the task queue {task_queue}"
    except StartupError as error:
        why = str(error)
    sys.stderr.write(f"error: {why}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
