"""A deployment that is watched: worker, receiver and API in this process, and what Prometheus would read of it."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx
from temporalio.client import Client, Interceptor
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from perennial_billing.activities.accounts import OneAccount
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT
from perennial_billing.ipn.app import PATH as IPN_PATH
from perennial_billing.ipn.app import create_app as create_ipn_app
from perennial_billing.ledger.api_keys import Scope, make
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.http import bind, serving
from perennial_billing.runtime.metrics import meter_of, runtime_with_metrics
from perennial_billing.runtime.payloads import DATA_CONVERTER
from perennial_billing.runtime.temporal import MOST_SKIPS
from perennial_billing.sandbox.house import HOST
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.starter.amazon_pay import AmazonPayReader
from perennial_billing.starter.api.app import create_app
from perennial_billing.starter.api.services import Services
from perennial_billing.starter.cli.processes import reach_of
from perennial_billing.starter.cli.reports import quota_of
from perennial_billing.starter.client import Subscriptions
from perennial_billing.worker.figures import LedgerFigures
from perennial_billing.worker.wiring import amazon_pay_client, billing_workers

SKIPPING = TimeSkippingConfig(enabled=False, max_session_skip_count=MOST_SKIPS)
SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Watched:
    """It.

    Attributes:
        stage: server, simulator and ledger.
        figures: of the ledger, to be read whenever a test says so.
        api: sends a key of every scope.
        ipn_url: where notifications are taken and counted.
        metrics_url: where Prometheus reads.
    """

    stage: Stage
    figures: LedgerFigures
    api: httpx.AsyncClient
    ipn_url: str
    metrics_url: str

    async def metrics(self) -> list[tuple[str, dict[str, str], float]]:
        """Each sample: its name, its labels, its value."""
        async with httpx.AsyncClient() as http:
            text = (await http.get(self.metrics_url)).text
        return [
            (match["name"], dict(LABEL.findall(match["labels"] or "")), float(match["value"]))
            for match in SAMPLE.finditer(text)
        ]

    async def value(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        samples = [(had, value) for found, had, value in await self.metrics() if found == name]
        return sum(value for had, value in samples if labels.items() <= had.items())


def free_address() -> str:
    """An address that nobody listens on."""
    with bind(HOST, 0) as listener:
        return "{}:{}".format(*listener.getsockname())


@asynccontextmanager
async def watched(
    interceptors: Sequence[Interceptor] = (),
    *,
    webhook_url: str | None = None,
    webhook_secret: str | None = None,
    database: Path | None = None,
    ledger_url: str | None = None,
) -> AsyncIterator[Watched]:
    """Runs it while the context is open.

    Args:
        interceptors: of its one client of Temporal.
        webhook_url: where notices are sent.
        webhook_secret: what they are signed with.
        database: a file for the Temporal server, which can then be restarted.
        ledger_url: the ledger's database; a file of its own when it is not given.
    """
    address = free_address()
    async with stage(
        with_worker=False,
        webhook_url=webhook_url,
        webhook_secret=webhook_secret,
        database=database,
        ledger_url=ledger_url,
    ) as house:
        settings = house.settings.model_copy(update={"metrics_address": address, "api_requests_per_minute": 100_000})
        runtime = runtime_with_metrics(settings)
        client = await Client.connect(
            house.server.address, data_converter=DATA_CONVERTER, runtime=runtime, interceptors=list(interceptors)
        )
        async with (
            amazon_pay_client(settings) as amazon_pay,
            billing_workers(client, amazon_pay, house.ledger, settings) as workers,
            workers.running(),
        ):
            subscriptions = Subscriptions(
                TimeSkipper(client, config=SKIPPING).client,
                settings.task_queue,
                ledger=lambda: nullcontext(house.ledger),
                amazon=lambda _: nullcontext(AmazonPayReader(amazon_pay)),
            )
            services = Services(
                subscriptions, house.ledger, settings, quota_of(settings), reach_of(client, house.ledger, settings),
                OneAccount(amazon_pay),
            )  # fmt: skip
            figures = LedgerFigures(client, settings.task_queue, house.ledger, meter_of(client), _names)
            async with (
                serving(create_app(services, runtime.metric_meter), bind(HOST, 0)) as origin,
                serving(create_ipn_app(client, settings, runtime.metric_meter), bind(HOST, 0)) as ipn,
                httpx.AsyncClient(base_url=origin, headers=await _key(house.ledger), timeout=60) as api,
            ):
                yield Watched(house, figures, api, ipn + IPN_PATH, f"http://{address}/metrics")


async def _names() -> list[str]:
    return [DEFAULT_ACCOUNT]


async def _key(ledger: Ledger) -> dict[str, str]:
    key = await make(ledger, "who watches", [*Scope])
    return {"Authorization": f"Bearer {key.token}"}
