"""What subscriptions need at the Temporal server: namespace, search attributes, limits of queues, and a first release.

A server of one's own makes it all for whoever asks. Temporal Cloud makes the limits and the release for the key of a
namespace, and the rest for an administrator alone: that is told, as lines to type.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from perennial_billing.billing.refusals import Refused
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.service import namespace_is_missing
from perennial_billing.starter.checks.asking import attributes_of, call_queues
from perennial_billing.starter.checks.temporal import PARTITIONS, CallQueue
from perennial_billing.starter.deployments import Deployments
from perennial_billing.starter.setting_up import cloud
from perennial_billing.starter.setting_up.item import Item, State
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES, Call, call_queue

NAMESPACE: Final = "namespace"
ATTRIBUTES: Final = "search attributes"
LIMITS: Final = "limits of calls"
PARTITION: Final = "one partition a call queue"
RELEASE: Final = "first release"

USUAL_RETENTION: Final = timedelta(days=30)

SHOWS_WITHIN: Final = timedelta(seconds=60)
"""What was made shows after a moment: servers read namespaces and search attributes again every ten seconds or so."""

_LOOK_AGAIN: Final = 0.5
_EXACT: Final = 1e-4
"""The server keeps rates with the precision of 32 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be there.

    Attributes:
        task_queue: of the subscriptions.
        retention: how long the namespace keeps what has ended; as it is, or the usual one, where it is None.
        rates: calls a second by operation, for each account that has no quota of its own.
        keep_rates: tells them to the server; False where it keeps none of each account.
        deployment_name: of the workers' releases.
        build_id: of this installation's release; None where workers are no releases.
        is_cloud: whether the server is Temporal Cloud's.
        is_trial: whether nothing is made.
    """

    task_queue: str
    retention: timedelta | None
    rates: Mapping[Call, float]
    keep_rates: Callable[[Client], Awaitable[bool]]
    deployment_name: str
    build_id: str | None
    is_cloud: bool
    is_trial: bool


async def set_up(client: Client, wanted: Wanted) -> AsyncIterator[Item]:
    """Each as soon as it is known. What needs a namespace that is not there is not looked at."""
    namespace = await _answered(NAMESPACE, _namespace, client, wanted)
    yield namespace
    if namespace.state not in {State.THERE, State.MADE} and not await _is_there(client):
        return
    for name, doing in (
        (ATTRIBUTES, _attributes),
        (LIMITS, _limits),
        (PARTITION, _partitions),
        (RELEASE, _release),
    ):
        yield await _answered(name, doing, client, wanted)


async def _answered(name: str, doing: "_Doing", client: Client, wanted: Wanted) -> Item:
    """What comes of one, also of a namespace that was made a moment ago and that not all of the server know yet."""
    deadline = asyncio.get_running_loop().time() + SHOWS_WITHIN.total_seconds()
    while True:
        try:
            return await doing(client, wanted)
        except RPCError as error:
            is_over = asyncio.get_running_loop().time() > deadline
            if is_over or error.status is not RPCStatusCode.NOT_FOUND:
                told = f"Temporal refused ({error.status.name}: {error.message})"
                return Item(name=name, state=State.FAILED, told=told)
        except StartupError as error:
            return Item(name=name, state=State.FAILED, told=str(error))
        await asyncio.sleep(_LOOK_AGAIN)


_Doing = Callable[[Client, Wanted], Awaitable[Item]]


async def _is_there(client: Client) -> bool:
    return await _retention(client) is not None


async def _retention(client: Client) -> timedelta | None:
    """How long the namespace keeps what has ended; None where it is not there.

    Raises:
        RPCError: the server does not tell.
    """
    request = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        described = await client.workflow_service.describe_namespace(request)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND or namespace_is_missing(error):
            return None
        raise
    return described.config.workflow_execution_retention_ttl.ToTimedelta()


async def _namespace(client: Client, wanted: Wanted) -> Item:
    name = client.namespace
    kept = await _retention(client)
    asked = wanted.retention or USUAL_RETENTION
    days = asked // timedelta(days=1)
    if kept is None:
        told = f"{name}, which keeps what has ended for {_in_days(asked)}"
        if wanted.is_cloud:
            lines = cloud.namespace_lines(name, days)
            return Item(
                name=NAMESPACE, state=State.BY_YOU, told=f"{name} is not there, or not for this key", lines=lines
            )
        if wanted.is_trial:
            return Item(name=NAMESPACE, state=State.TO_MAKE, told=told)
        await _register(client, asked)
        await _shows(lambda: _is_there(client))
        return Item(name=NAMESPACE, state=State.MADE, told=told)
    if wanted.retention is None or kept == asked:
        return Item(name=NAMESPACE, state=State.THERE, told=f"{name}, which keeps what has ended for {_in_days(kept)}")
    told = f"{name} keeps what has ended for {_in_days(kept)}, and is to for {_in_days(asked)}"
    if wanted.is_cloud:
        return Item(name=NAMESPACE, state=State.BY_YOU, told=told, lines=cloud.retention_lines(name, days))
    if wanted.is_trial:
        return Item(name=NAMESPACE, state=State.TO_MAKE, told=told)
    config = NamespaceConfig(workflow_execution_retention_ttl=_duration(asked))
    await client.workflow_service.update_namespace(UpdateNamespaceRequest(namespace=name, config=config))
    return Item(name=NAMESPACE, state=State.MADE, told=f"{name} keeps what has ended for {_in_days(asked)} now")


async def _register(client: Client, retention: timedelta) -> None:
    request = RegisterNamespaceRequest(
        namespace=client.namespace, workflow_execution_retention_period=_duration(retention)
    )
    try:
        await client.workflow_service.register_namespace(request)
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:  # somebody else, meanwhile
            raise


async def _attributes(client: Client, wanted: Wanted) -> Item:
    types = {key.name: int(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}
    found = await attributes_of(client)
    others = [f"{name} is {_type(found[name])} and not {_type(kind)}" for name, kind in types.items()
              if name in found and found[name] != kind]  # fmt: skip
    if others:
        told = f"of another type: {', '.join(others)}"
        to_do = "# use another namespace, or remove them there and repeat (docs/operations/temporal.md)"
        return Item(name=ATTRIBUTES, state=State.FAILED, told=told, lines=(to_do,))
    missing = {name: kind for name, kind in types.items() if name not in found}
    names = ", ".join(missing)
    if not missing:
        return Item(name=ATTRIBUTES, state=State.THERE, told=f"all {len(types)}")
    if wanted.is_trial and not wanted.is_cloud:
        return Item(name=ATTRIBUTES, state=State.TO_MAKE, told=names)
    lines = cloud.attribute_lines(client.namespace, {name: _type(kind) for name, kind in missing.items()})
    if wanted.is_cloud:
        return Item(name=ATTRIBUTES, state=State.BY_YOU, told=f"the namespace lacks {names}", lines=lines)
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace=client.namespace,
            search_attributes={name: IndexedValueType.ValueType(kind) for name, kind in missing.items()},
        )
    )

    async def all_show() -> bool:
        return types.items() <= (await attributes_of(client)).items()

    await _shows(all_show)
    return Item(name=ATTRIBUTES, state=State.MADE, told=names)


async def _limits(client: Client, wanted: Wanted) -> Item:
    rates = {call_queue(wanted.task_queue, call): rate for call, rate in wanted.rates.items()}
    queues = await call_queues(client, wanted.task_queue)
    other = [each.queue for each in queues if not _is_kept(each, rates[each.queue])]
    told = f"of {len(queues)} operations, for each merchant account"
    if not other:
        return Item(name=LIMITS, state=State.THERE, told=told)
    if wanted.is_trial:
        return Item(name=LIMITS, state=State.TO_MAKE, told=f"of {', '.join(other)}")
    if not await wanted.keep_rates(client):
        kept = "the server keeps none for each account; workers keep one for all, which is slower and never too fast"
        return Item(name=LIMITS, state=State.BY_YOU, told=kept, lines=("# bring the server to 1.32 or later",))
    return Item(name=LIMITS, state=State.MADE, told=told)


def _is_kept(queue: CallQueue, rate: float) -> bool:
    return queue.per_second is not None and abs(queue.per_second - rate) <= _EXACT * rate


async def _partitions(client: Client, wanted: Wanted) -> Item:
    queues = await call_queues(client, wanted.task_queue)
    more = [each.queue for each in queues if each.partitions is not None and each.partitions > 1]
    if more:
        keys = PARTITIONS.split(" and ")
        lines = tuple(
            line
            for key in keys
            for line in (f"{key}:", *(f"  - {{ value: 1, constraints: {{ taskQueueName: {name} }} }}" for name in more))
        )
        told = (
            "the server's dynamic configuration shares a limit out among partitions: an account gets a part of its own"
        )
        return Item(name=PARTITION, state=State.BY_YOU, told=told, lines=lines)
    if all(each.partitions is None for each in queues):
        told = (
            "the server does not tell; on Temporal Cloud its support sets it, and nothing is charged too fast without"
        )
        return Item(name=PARTITION, state=State.LATER, told=told)
    return Item(name=PARTITION, state=State.THERE, told="so a limit is kept as a whole")


async def _release(client: Client, wanted: Wanted) -> Item:
    if wanted.build_id is None:
        return Item(name=RELEASE, state=State.THERE, told="workers are no releases (PERENNIAL_WORKER_VERSIONING)")
    deployments = Deployments(client, wanted.deployment_name, wanted.task_queue)
    found = await deployments.look()
    if found.current is not None:
        return Item(name=RELEASE, state=State.THERE, told=f"{found.current.build_id} is current")
    own = next((each for each in found.releases if each.build_id == wanted.build_id and each.workers), None)
    if own is None:
        told = f"start the workers of {wanted.build_id}, and repeat, or `perennial deploy promote --first`"
        return Item(name=RELEASE, state=State.LATER, told=told)
    if wanted.is_trial:
        return Item(name=RELEASE, state=State.TO_MAKE, told=f"{wanted.build_id} becomes current")
    try:
        await deployments.promote(wanted.build_id)
    except Refused as error:
        return Item(name=RELEASE, state=State.FAILED, told=str(error))
    return Item(name=RELEASE, state=State.MADE, told=f"{wanted.build_id} is current")


async def _shows(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Waits until the server shows what it made.

    Raises:
        RPCError: it refuses; what it does not know yet is asked for again.
    """
    deadline = asyncio.get_running_loop().time() + SHOWS_WITHIN.total_seconds()
    while True:
        try:
            if await is_so():
                return
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        if asyncio.get_running_loop().time() > deadline:
            return
        await asyncio.sleep(_LOOK_AGAIN)


def _duration(length: timedelta) -> Duration:
    made = Duration()
    made.FromTimedelta(length)
    return made


def _in_days(length: timedelta) -> str:
    return f"{length / timedelta(days=1):g} days"


def _type(number: int) -> str:
    """As the `temporal` program and Temporal Cloud name it."""
    word = IndexedValueType.Name(IndexedValueType.ValueType(number)).removeprefix("INDEXED_VALUE_TYPE_")
    return "".join(part.capitalize() for part in word.split("_"))
