"""The command `perennial setup`: what a deployment needs at its servers is made, or said how it is."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.output import JsonOption, RefusedError, asynchronous, out, say, say_json, working
from perennial_billing.starter.cli.tables import Column, Sheet

if TYPE_CHECKING:
    from temporalio.client import Client

    from perennial_billing.runtime.settings import Settings
    from perennial_billing.starter.setting_up.item import Item
    from perennial_billing.starter.setting_up.temporal import Wanted

_ITEMS = (Column("What"), Column("State"), Column("How it stands", is_prose=True))

LEDGER = "ledger"
TEMPORAL = "Temporal"


class Part(StrEnum):
    """What can be set up by itself."""

    LEDGER = "ledger"
    TEMPORAL = "temporal"


@asynchronous
async def setup(
    only: Annotated[Part | None, typer.Option(help="Set up one of the two alone.")] = None,
    retention_days: Annotated[
        int | None,
        typer.Option(min=1, max=3650, help="How long the namespace keeps what has ended; 30 where it is made."),
    ] = None,
    cloud: Annotated[
        bool | None,
        typer.Option("--cloud/--self-hosted", help="Whose Temporal server it is; told by its address when not given."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look, and make nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make what a deployment needs at its ledger and at Temporal, or say who makes it; what is right stays.

    The ledger's tables, the namespace, its search attributes, the limits of calls, and the first release of the
    workers. What only an administrator can make is told with the lines to type. Exit code 1 where anything is left.
    """
    from perennial_billing.runtime.settings import load_settings

    settings = load_settings()
    items: list[Item] = []
    with working("setting up"):
        if only is not Part.TEMPORAL:
            items.append(await _ledger(settings, is_trial=dry_run))
        if only is not Part.LEDGER:
            retention = timedelta(days=retention_days) if retention_days is not None else None
            items += await _temporal(settings, retention, is_cloud=cloud, is_trial=dry_run)
    _say(items, as_json=as_json)


async def _ledger(settings: "Settings", *, is_trial: bool) -> "Item":
    from perennial_billing.starter.setting_up.item import Item, State
    from perennial_billing.worker.books import set_up_ledger

    try:
        place, changed = await set_up_ledger(settings, is_trial=is_trial)
    except StartupError as error:
        return Item(name=LEDGER, state=State.FAILED, told=str(error))
    changing = State.TO_MAKE if is_trial else State.MADE
    return Item(name=LEDGER, state=changing if changed else State.THERE, told=f"the tables of the {place}")


async def _temporal(
    settings: "Settings", retention: timedelta | None, *, is_cloud: bool | None, is_trial: bool
) -> "list[Item]":
    from temporalio.client import Client

    from perennial_billing.runtime.payloads import converter_of
    from perennial_billing.runtime.service import connect_service
    from perennial_billing.starter.setting_up.cloud import is_cloud as is_cloud_address
    from perennial_billing.starter.setting_up.item import Item, State
    from perennial_billing.starter.setting_up.temporal import set_up

    try:
        found = await connect_service(needs_namespace=False)
        client = Client(found.service, namespace=found.namespace, data_converter=converter_of(settings))
        if is_cloud is None:
            is_cloud = is_cloud_address(client.config()["service_client"].config.target_host)
        wanted = _wanted(settings, retention, is_cloud=is_cloud, is_trial=is_trial)
        return [each async for each in set_up(client, wanted)]
    except StartupError as error:
        return [Item(name=TEMPORAL, state=State.FAILED, told=str(error))]


def _wanted(settings: "Settings", retention: timedelta | None, *, is_cloud: bool, is_trial: bool) -> "Wanted":
    from perennial_billing.starter.setting_up.temporal import Wanted
    from perennial_billing.worker.rates import paces_of
    from perennial_billing.worker.release import own_build_id

    async def keep_rates(client: "Client") -> bool:
        return await _keep_rates(client, settings)

    return Wanted(
        task_queue=settings.task_queue,
        retention=retention,
        rates=paces_of(settings),
        keep_rates=keep_rates,
        deployment_name=settings.deployment_name,
        build_id=own_build_id(settings) if settings.worker_versioning else None,
        is_cloud=is_cloud,
        is_trial=is_trial,
    )


async def _keep_rates(client: "Client", settings: "Settings") -> bool:
    """As a worker tells them when it starts, those of accounts that the ledger has among them."""
    from perennial_billing.worker.accounts import Accounts
    from perennial_billing.worker.books import ledger_of
    from perennial_billing.worker.quotas import Quotas

    async with AsyncExitStack() as stack:
        try:
            ledger = await stack.enter_async_context(ledger_of(settings))
        except StartupError:
            ledger = None
        return await Quotas(client, settings, Accounts(settings, ledger)).keep()


def _say(items: "Sequence[Item]", *, as_json: bool) -> None:
    from perennial_billing.starter.setting_up.item import left

    found = left(items)
    if as_json:
        say_json({"ready": not found, "items": [each.as_data() for each in items]})
    else:
        say(None, Sheet(_ITEMS, [(each.name, _coloured(each), each.told) for each in items]), as_json=False)
        for each in items:
            if each.lines:
                out.print(Text(f"\n{each.name}: {each.state}", "bold"))
                for line in each.lines:
                    out.print(Text(f"  {line}"), soft_wrap=True)
    if found:
        raise RefusedError(f"{len(found)} of {len(items)} are left to you: {', '.join(each.name for each in found)}")


def _coloured(item: "Item") -> Text:
    return Text(item.state.value, "bold red" if item.is_left else "green")
