"""Asks the Temporal server how a deployment stands. Nothing is decided here, and no worker is needed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from perennial_billing.runtime.settings import Settings
from perennial_billing.starter.checks.temporal import LATE_AFTER, Counted, Polled
from perennial_billing.starter.deployments import ASKED_WITHIN
from perennial_billing.starter.hindered import PAUSED, PROBLEMS, Hindered, Hindrance, every_hindered, hindered
from perennial_billing.starter.stopped import every_stopped
from perennial_billing.workflows.names import (
    NEXT_ACTION_AT,
    SUBSCRIPTION_WORKFLOW,
    Call,
    amounts_queue,
    call_queue,
    notices_queue,
)

_WORKFLOWS: Final = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
_ACTIVITIES: Final = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
_OPEN_SUBSCRIPTIONS: Final = f"WorkflowType = '{SUBSCRIPTION_WORKFLOW}' AND CloseTime IS NULL"


async def attributes_of(client: Client) -> dict[str, int]:
    """The namespace's own search attributes, and the numbers of their types.

    Raises:
        RPCError: the server does not tell.
    """
    request = ListSearchAttributesRequest(namespace=client.namespace)
    listed = await client.operator_service.list_search_attributes(request, retry=True)
    return dict(listed.custom_attributes)


async def polled(client: Client, settings: Settings) -> list[Polled]:
    """Each task queue that subscriptions need, and how many ask it for work.

    Raises:
        RPCError: the server does not tell.
    """
    found = []
    for queue, kind in _needed(settings):
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
        )
        described = await client.workflow_service.describe_task_queue(request, retry=True)
        since = datetime.now(UTC) - ASKED_WITHIN
        asking = {each.identity for each in described.pollers if each.last_access_time.ToDatetime(UTC) > since}
        found.append(Polled(queue, len(asking)))
    return found


def _needed(settings: Settings) -> Iterator[tuple[str, TaskQueueType.ValueType]]:
    yield settings.task_queue, _WORKFLOWS
    for call in Call:
        yield call_queue(settings.task_queue, call), _ACTIVITIES
    yield notices_queue(settings.task_queue), _ACTIVITIES
    if settings.amount_hook_url:
        yield amounts_queue(settings.task_queue), _ACTIVITIES


async def counted(client: Client) -> Counted:
    """How many workflows there are with each thing that may be wrong with them, by Temporal's visibility store.

    Raises:
        RPCError: the server does not tell.
    """
    late = (datetime.now(UTC) - LATE_AFTER).replace(microsecond=0).isoformat()
    failing = await _count(client, f"CloseTime IS NULL AND {PROBLEMS} IS NOT NULL")
    return Counted(
        failing=failing,
        failing_one=await _failing_one(client) if failing else None,
        paused=await _count(client, f"{_OPEN_SUBSCRIPTIONS} AND {PAUSED} IS NOT NULL"),
        stopped=len([each async for each in every_stopped(client.workflow_service, client.namespace)]),
        overdue=await _count(client, f"{_OPEN_SUBSCRIPTIONS} AND {NEXT_ACTION_AT.name} < '{late}'"),
    )


async def _count(client: Client, query: str) -> int:
    return (await client.count_workflows(query)).count


async def _failing_one(client: Client) -> Hindered | None:
    async for name, how in every_hindered(client.workflow_service, client.namespace):
        if how is Hindrance.FAILING:
            codec = client.data_converter.payload_codec
            return await hindered(client.workflow_service, client.namespace, name, codec)
    return None
