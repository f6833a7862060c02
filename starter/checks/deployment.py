"""Everything of a deployment that bills, looked at in order: whether it can, and whether it does."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import Settings
from perennial_billing.starter.checks import asking, temporal
from perennial_billing.starter.checks.check import Check, State, not_tried
from perennial_billing.starter.deployments import Deployments

LEDGER: Final = "ledger"

_COUNTED: Final = (temporal.FAILING, temporal.PAUSED, temporal.STOPPED, temporal.OVERDUE)
_OF_TEMPORAL: Final = (temporal.ATTRIBUTES, temporal.WORKERS, temporal.RELEASES, *_COUNTED)


async def deployment_checks(
    settings: Settings,
    connect: Callable[[], Awaitable[Client]],
    open_ledger: Callable[[], AbstractAsyncContextManager[Ledger]],
) -> AsyncIterator[Check]:
    """Each as soon as it is known. Nothing is changed, and no worker is needed.

    Args:
        settings: of the deployment.
        connect: to its Temporal server; raises `StartupError`.
        open_ledger: opens its ledger; raises `StartupError` where its tables are not this release's.
    """
    yield await _ledger(open_ledger)
    try:
        client = await connect()
    except StartupError as error:
        yield temporal.unreached(str(error))
        for name in _OF_TEMPORAL:
            yield not_tried(name, because_of=temporal.REACHED)
        return
    yield temporal.reached(client.namespace)
    for look in (_attributes, _workers, _releases):
        yield await look(client, settings)
    for check in await _counts(client):
        yield check


async def _attributes(client: Client, _settings: Settings) -> Check:
    try:
        return temporal.search_attributes(await asking.attributes_of(client))
    except RPCError as error:
        return temporal.untold(temporal.ATTRIBUTES, error.status.name)


async def _workers(client: Client, settings: Settings) -> Check:
    try:
        return temporal.workers(await asking.polled(client, settings))
    except RPCError as error:
        return temporal.untold(temporal.WORKERS, error.status.name)


async def _releases(client: Client, settings: Settings) -> Check:
    try:
        return temporal.releases(await Deployments(client, settings.deployment_name, settings.task_queue).look())
    except RPCError as error:
        return temporal.untold(temporal.RELEASES, error.status.name)


async def _counts(client: Client) -> list[Check]:
    """What is wrong with workflows, and with how many."""
    try:
        found = await asking.counted(client)
    except RPCError as error:
        return [temporal.untold(name, error.status.name) for name in _COUNTED]
    return [check(found) for check in (temporal.failing, temporal.paused, temporal.stopped, temporal.overdue)]


async def _ledger(open_ledger: Callable[[], AbstractAsyncContextManager[Ledger]]) -> Check:
    """Whether it can be used, and its tables are of this release."""
    try:
        async with open_ledger() as ledger:
            return Check(name=LEDGER, state=State.DONE, found=f"{ledger.place}: its tables are this release's")
    except StartupError as error:
        return Check(name=LEDGER, state=State.WRONG, found=str(error), to_do="put right what that names, and repeat")
