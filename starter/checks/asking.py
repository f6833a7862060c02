"""Asks the Temporal server how a deployment stands. Nothing is decided here, and no worker is needed."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    GetClusterInfoRequest,
    ListTaskQueuePartitionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from perennial_billing.runtime.settings import Settings
from perennial_billing.starter.checks.temporal import LATE_AFTER, CallQueue, Counted, Polled, Server
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
_NOT_FOR_THIS_KEY: Final = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED})
_TYPES: Final = {
    "Text": int(IndexedValueType.INDEXED_VALUE_TYPE_TEXT),
    "Keyword": int(IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD),
    "Int": int(IndexedValueType.INDEXED_VALUE_TYPE_INT),
    "Double": int(IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE),
    "Bool": int(IndexedValueType.INDEXED_VALUE_TYPE_BOOL),
    "Datetime": int(IndexedValueType.INDEXED_VALUE_TYPE_DATETIME),
    "KeywordList": int(IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST),
}
"""By how the columns of the visibility store begin."""
_OPEN_SUBSCRIPTIONS: Final = f"WorkflowType = '{SUBSCRIPTION_WORKFLOW}' AND CloseTime IS NULL"


async def server_of(client: Client) -> Server:
    """What it is, and what the namespace is kept by.

    Raises:
        RPCError: the server does not tell of the namespace.
    """
    try:
        version = (await client.workflow_service.get_cluster_info(GetClusterInfoRequest())).server_version
    except RPCError:  # Temporal Cloud tells a namespace's keys nothing of the cluster
        version = ""
    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace), retry=True
    )
    retention = described.config.workflow_execution_retention_ttl
    return Server(
        version=version,
        retention=retention.ToTimedelta() if retention.ByteSize() else timedelta(0),
        delivers_alone=described.namespace_info.capabilities.standalone_activities,
    )


async def call_queues(client: Client, task_queue: str) -> list[CallQueue]:
    """How the queue of each of Amazon's operations stands at the server.

    Raises:
        RPCError: the server does not tell of the queues at all.
    """
    return list(await asyncio.gather(*(_call_queue(client, call_queue(task_queue, call)) for call in Call)))


async def _call_queue(client: Client, queue: str) -> CallQueue:
    described = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=_ACTIVITIES,
            report_config=True,
        ),
        retry=True,
    )
    limit = described.config.fairness_keys_rate_limit_default
    per_second = limit.rate_limit.requests_per_second if limit.HasField("rate_limit") else None
    return CallQueue(queue, await _partitions(client, queue), per_second)


async def _partitions(client: Client, queue: str) -> int | None:
    request = ListTaskQueuePartitionsRequest(namespace=client.namespace, task_queue=TaskQueue(name=queue))
    try:
        listed = await client.workflow_service.list_task_queue_partitions(request)
    except RPCError:  # Temporal Cloud does not tell
        return None
    return len(listed.activity_task_queue_partitions) or None


async def attributes_of(client: Client) -> dict[str, int]:
    """The namespace's own search attributes, and the numbers of their types.

    Raises:
        RPCError: the server does not tell.
    """
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        listed = await client.operator_service.list_search_attributes(request, retry=True)
    except RPCError as error:
        if error.status not in _NOT_FOR_THIS_KEY:
            raise
        return await _attributes_by_columns(client)
    return dict(listed.custom_attributes)


async def _attributes_by_columns(client: Client) -> dict[str, int]:
    """The same for who may not ask the operator's service, as the key of a namespace at Temporal Cloud.

    A namespace tells in which column of the visibility store each is, and a column is called after its type.

    Raises:
        RPCError: the server does not tell.
    """
    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace), retry=True
    )
    columns = described.config.custom_search_attribute_aliases
    return {name: _TYPES.get(column.rstrip("0123456789"), 0) for column, name in columns.items()}


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
        asking = [each for each in described.pollers if each.last_access_time.ToDatetime(UTC) > since]
        builds = frozenset(each.deployment_options.build_id for each in asking if each.deployment_options.build_id)
        found.append(Polled(queue, len({each.identity for each in asking}), builds))
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
