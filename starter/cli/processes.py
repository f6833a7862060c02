"""The commands that run a process: worker, ipn, api."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from perennial_billing.starter.cli.output import asynchronous, out

if TYPE_CHECKING:
    from temporalio.client import Client

    from perennial_billing.ipn.receiver import Merchants, Noticed
    from perennial_billing.ledger.ledger import Ledger
    from perennial_billing.ledger.reports.forecast import Quota
    from perennial_billing.runtime.settings import Settings
    from perennial_billing.starter.api.services import Reach, Services


@asynchronous
async def worker() -> None:
    """Run a worker: hosts the subscriptions and calls Amazon Pay.

    Settings come from PERENNIAL_ and TEMPORAL_ environment variables; docs/reference/settings.md lists them. SIGTERM
    stops it after the calls under way.
    """
    from perennial_billing.runtime.logs import configure_logging
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.main import run_worker

    settings = load_settings()
    configure_logging(settings)
    await run_worker(settings)


@asynchronous
async def ipn(
    host: Annotated[str | None, typer.Option(help="Where to listen; PERENNIAL_IPN_HOST when not given.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; PERENNIAL_IPN_PORT when not given.")] = None,
) -> None:
    """Run the receiver of Amazon's notifications (IPNs) at /ipn."""
    from perennial_billing.ipn.app import PATH, create_app
    from perennial_billing.runtime.http import bind, serving
    from perennial_billing.runtime.liveness import answering
    from perennial_billing.runtime.logs import configure_logging
    from perennial_billing.runtime.metrics import runtime_with_metrics
    from perennial_billing.runtime.reaching import Reaching
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.runtime.temporal import connect
    from perennial_billing.runtime.tracing import begin_tracing

    settings = load_settings()
    configure_logging(settings)
    begin_tracing("perennial-ipn")
    listener, reaching = bind(host or settings.ipn_host, settings.ipn_port if port is None else port), Reaching()
    with listener:
        runtime = runtime_with_metrics(settings)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(answering(settings, reaching.why_not))
            merchants = await stack.enter_async_context(merchants_of(settings))
            client = await connect(settings, patient=True, runtime=runtime)
            noticed = await stack.enter_async_context(noticed_of(settings))
            app = create_app(client, settings, runtime.metric_meter, noticed, merchants=merchants)
            async with serving(app, listener) as origin:
                out.print(f"IPN receiver at {origin}{PATH}")
                reaching.serves(client)
                await until_stopped()
                reaching.stops()


@asynccontextmanager
async def noticed_of(settings: "Settings") -> "AsyncIterator[Noticed | None]":
    """Notes in the ledger that notifications arrive, where there is one."""
    from perennial_billing.ledger.arrivals import Arrivals
    from perennial_billing.worker.books import has_ledger, ledger_of

    if not has_ledger(settings):
        yield None
        return
    async with ledger_of(settings, patient=True) as ledger, Arrivals.noting(ledger) as arrivals:
        yield lambda _notification, topic_arn: arrivals.note(topic_arn)


@asynccontextmanager
async def merchants_of(settings: "Settings") -> "AsyncIterator[Merchants | None]":
    """Tells whose notifications are taken, where there are other accounts than that of the settings.

    A receiver needs no key of theirs, and no ledger where there is none: what it cannot look up is asked for again.

    Raises:
        StartupError: the file of accounts cannot be read; or no merchant is known at all, in live.
    """
    from perennial_billing.runtime.settings import Environment
    from perennial_billing.worker.accounts import Accounts
    from perennial_billing.worker.books import has_ledger, ledger_of

    opened = has_ledger(settings)
    if settings.accounts_path is None and not opened:
        yield None
        return
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(ledger_of(settings, patient=True)) if opened else None
        accounts = Accounts(settings, ledger)
        is_live = settings.environment is Environment.LIVE
        if is_live and settings.merchant_id is None and not await accounts.all():
            settings.required("merchant_id")
        yield accounts.is_merchant


@asynchronous
async def api(
    host: Annotated[str | None, typer.Option(help="Where to listen; PERENNIAL_API_HOST when not given.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; PERENNIAL_API_PORT when not given.")] = None,
) -> None:
    """Serve the HTTP API, with its documentation at /docs."""
    from perennial_billing.runtime.http import bind, serving
    from perennial_billing.runtime.liveness import answering
    from perennial_billing.runtime.logs import configure_logging
    from perennial_billing.runtime.metrics import runtime_with_metrics
    from perennial_billing.runtime.reaching import Reaching
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.runtime.temporal import connect
    from perennial_billing.runtime.tracing import begin_tracing
    from perennial_billing.starter.api.app import create_app

    settings = load_settings()
    configure_logging(settings)
    begin_tracing("perennial-api")
    listener, reaching = bind(host or settings.api_host, settings.api_port if port is None else port), Reaching()
    with listener:
        runtime = runtime_with_metrics(settings)
        async with answering(settings, reaching.why_not):
            client = await connect(settings, patient=True, runtime=runtime)
            async with (
                services_for(client, settings) as services,
                serving(create_app(services, runtime.metric_meter), listener) as origin,
            ):
                out.print(f"HTTP API at {origin}/v1, its documentation at {origin}/docs")
                reaching.serves(client)
                await until_stopped()
                reaching.stops()


@asynccontextmanager
async def services_for(client: "Client", settings: "Settings") -> "AsyncIterator[Services]":
    """What the API works with; without keys of Amazon Pay it cannot ask there, and does all else."""
    from contextlib import nullcontext

    from amazon_pay_client import Region
    from perennial_billing.starter.amazon_pay import reader_of
    from perennial_billing.starter.api.services import Services
    from perennial_billing.starter.cli.reports import own_quotas, quota_of
    from perennial_billing.starter.client import Subscriptions
    from perennial_billing.worker.books import ledger_of
    from perennial_billing.worker.wiring import accounts_of, names_accounts

    async with (
        ledger_of(settings, patient=True) as ledger,
        accounts_of(settings, ledger) if names_accounts(settings) else nullcontext() as accounts,
    ):
        own = Region.parse(settings.region)

        async def consent(account: str) -> bool:
            return (await accounts.region_of(account) if accounts is not None else own) is Region.EU

        subscriptions = Subscriptions(
            client,
            settings.task_queue,
            needs_consent=consent,
            ledger=lambda: nullcontext(ledger),
            amazon=(lambda account: reader_of(accounts, account)) if accounts is not None else None,
        )
        reach = reach_of(client, ledger, settings)

        async def quotas() -> "Mapping[str, Quota]":
            return await own_quotas(settings, ledger)

        yield Services(subscriptions, ledger, settings, quota_of(settings), reach, accounts, quotas)


def reach_of(client: "Client", ledger: "Ledger", settings: "Settings") -> "Reach":
    """What the API reaches as a worker does."""
    from perennial_billing.activities.endpoints import Endpoints
    from perennial_billing.starter.api.services import Reach
    from perennial_billing.worker.wiring import deliveries_on, endpoints_client, own_endpoint

    return Reach(
        client,
        deliveries=lambda: deliveries_on(client, settings),
        endpoints=Endpoints(ledger, own_endpoint(settings), seconds=0.0),
        posts=lambda: endpoints_client(settings, at_once=1),
    )


async def until_stopped() -> None:
    """Waits for SIGTERM or SIGINT."""
    async with stop_signals() as stop:
        await stop.wait()


@asynccontextmanager
async def stop_signals() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set, in place of ending the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
