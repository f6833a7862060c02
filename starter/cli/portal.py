"""The commands about the buyer's own page: `portal serve` serves it, `portal link` makes a link to it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.connection import PermissionArgument, subscriptions
from perennial_billing.starter.cli.output import JsonOption, asynchronous, out, say

if TYPE_CHECKING:
    from temporalio.client import Client

    from perennial_billing.runtime.settings import Settings
    from perennial_billing.starter.portal.services import Portal

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}

portal = typer.Typer(help="The buyer's own page: serve it, and make links to it.", no_args_is_help=True)


@portal.callback()
def _portal() -> None:
    """The buyer's own page: serve it, and make links to it."""


@portal.command("serve")
@asynchronous
async def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen; PERENNIAL_PORTAL_HOST when not given.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; PERENNIAL_PORTAL_PORT when not given.")] = None,
) -> None:
    """Serve the buyer's own page. It needs no key of Amazon Pay, and nobody reaches the API by it."""
    from perennial_billing.runtime.http import bind, serving
    from perennial_billing.runtime.liveness import answering
    from perennial_billing.runtime.logs import configure_logging
    from perennial_billing.runtime.metrics import runtime_with_metrics
    from perennial_billing.runtime.reaching import Reaching
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.runtime.temporal import connect
    from perennial_billing.runtime.tracing import begin_tracing
    from perennial_billing.starter.cli.processes import until_stopped
    from perennial_billing.starter.portal.app import create_app
    from perennial_billing.starter.portal.links import address_of, seal_of

    settings = load_settings()
    configure_logging(settings)
    begin_tracing("perennial-portal")
    seal_of(settings)
    address, reaching = address_of(settings), Reaching()
    listener = bind(host or settings.portal_host, settings.portal_port if port is None else port)
    with listener:
        async with answering(settings, reaching.why_not):
            client = await connect(settings, patient=True, runtime=runtime_with_metrics(settings))
            async with portal_for(client, settings) as services, serving(create_app(services), listener) as origin:
                out.print(f"Buyer's page at {origin}, for buyers at {address}", soft_wrap=True)
                reaching.serves(client)
                await until_stopped()
                reaching.stops()


@portal.command("link")
@asynchronous
async def link(
    charge_permission_id: PermissionArgument,
    purpose: Annotated[
        str, typer.Option("--for", help="What may be done by it: overview, cancel, pause, payment-method.")
    ] = "overview",
    valid: Annotated[str, typer.Option(help="For how long: 30m, 1h, 7d; a minute to 30 days.")] = "1h",
    language: Annotated[
        str | None, typer.Option("--lang", help="Of the page: en, de, fr, it, es, ja; the browser's when not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a link to a buyer's own page, for that buyer alone: it needs no password."""
    from perennial_billing.billing.refusals import Refused
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.starter.portal.languages import LANGUAGES
    from perennial_billing.starter.portal.links import check_known, link_address
    from perennial_billing.starter.portal.purposes import Purpose
    from perennial_billing.worker.books import ledger_of

    settings = load_settings()
    if purpose not in set(Purpose):
        raise StartupError(f"--for: {purpose!r} is none; {', '.join(Purpose)} are accepted")
    if language is not None and language not in LANGUAGES:
        raise StartupError(f"--lang: {language!r} is none of the page's; {', '.join(LANGUAGES)} are accepted")
    try:
        url, made = link_address(settings, charge_permission_id, Purpose(purpose), _duration(valid), language)
    except Refused as error:
        raise StartupError(f"--valid: {valid!r} is not accepted; {error.accepted}") from None
    async with ledger_of(settings) as ledger:
        await check_known(await subscriptions(ledger=ledger), ledger, charge_permission_id)
    data = {"url": url, "purpose": made.purpose.value, "expires_at": made.expires_at.isoformat()}
    say(data, url, as_json=as_json)


def _duration(text: str) -> timedelta:
    """`30m`, `1h` or `7d`.

    Raises:
        StartupError: it is none of them.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text.strip())
    if found is None:
        raise StartupError(f"--valid: {text!r} is not accepted; minutes, hours or days such as 30m, 1h or 7d are")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@asynccontextmanager
async def portal_for(client: "Client", settings: "Settings", *, tries_all: bool = False) -> "AsyncIterator[Portal]":
    """What the pages work with.

    Args:
        client: of the Temporal server.
        settings: of the process.
        tries_all: buyers may do everything where no file says otherwise, as where all is tried out.

    Raises:
        StartupError: a setting is missing or wrong.
    """
    from urllib.parse import urlsplit

    from perennial_billing.starter.client import Subscriptions
    from perennial_billing.starter.portal.links import address_of, seal_of
    from perennial_billing.starter.portal.merchant import Merchant, Merchants, merchants_of
    from perennial_billing.starter.portal.purposes import Permission
    from perennial_billing.starter.portal.services import Portal
    from perennial_billing.worker.accounts import Accounts
    from perennial_billing.worker.books import ledger_of

    merchants, seal = merchants_of(settings.portal_path), seal_of(settings)
    if tries_all and settings.portal_path is None:
        merchants = Merchants(Merchant(allows=frozenset(Permission), pause_without_end=True))
    async with ledger_of(settings, patient=True) as ledger:
        yield Portal(
            Subscriptions(client, settings.task_queue, ledger=lambda: nullcontext(ledger)),
            ledger,
            seal,
            merchants,
            Accounts(settings, ledger).region_of,
            settings.portal_requests_per_minute,
            settings.amazon_pay_origin,
            urlsplit(address_of(settings)).path,
        )
