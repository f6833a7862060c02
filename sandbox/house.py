"""What bills, in one process and on loopback: a Temporal server, the receiver of notifications, the ledger, the client
of Amazon Pay and the workers. What stands in for Amazon, or whether anything does, is in the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Final

from temporalio.client import Client

from amazon_pay_client.ipn import Notification
from perennial_billing.ipn.app import PATH as IPN_PATH
from perennial_billing.ipn.app import create_app as create_ipn_app
from perennial_billing.ipn.receiver import Noticed
from perennial_billing.ledger.arrivals import Arrivals
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.embedded import EmbeddedServer, embedded_server
from perennial_billing.runtime.http import origin_of, serving
from perennial_billing.runtime.payloads import converter_of
from perennial_billing.runtime.settings import Settings
from perennial_billing.starter.amazon_pay import reader_of
from perennial_billing.starter.client import Subscriptions
from perennial_billing.worker.books import ledger_of
from perennial_billing.worker.wiring import accounts_of, billing_workers
from perennial_billing.workflows.names import SEARCH_ATTRIBUTES

HOST: Final = "127.0.0.1"
TEMPORAL_FILE: Final = "temporal.db"


@dataclass(frozen=True, slots=True)
class House:
    """Everything that can be reached in it.

    Attributes:
        server: the Temporal server; moves workflows through virtual time.
        subscriptions: the merchant's way in.
        ledger: where all that is told is recorded.
        settings: as its workers have them.
        ipn_url: where notifications are received.
    """

    server: EmbeddedServer
    subscriptions: Subscriptions
    ledger: Ledger
    settings: Settings
    ipn_url: str

    @property
    def client(self) -> Client:
        """A client of the Temporal server."""
        return self.server.client


def ipn_url_at(listener: socket) -> str:
    """Where a receiver takes notifications that listens there."""
    return origin_of(listener) + IPN_PATH


def _noting(arrivals: Arrivals, noticed: Noticed | None) -> Noticed:
    """As the receiver's own process notes what arrives, beside who else is told."""

    def note(notification: Notification, topic_arn: str) -> None:
        arrivals.note(topic_arn)
        if noticed is not None:
            noticed(notification, topic_arn)

    return note


@asynccontextmanager
async def house(
    settings: Settings,
    ipn_listener: socket,
    *,
    with_worker: bool = True,
    port: int = 0,
    ui_port: int | None = None,
    binary: Path | None = None,
    database: Path | None = None,
    noticed: Noticed | None = None,
) -> AsyncIterator[House]:
    """Runs all of it while the context is open; takes it down again however it is left.

    Args:
        settings: of every part of it.
        ipn_listener: where the receiver listens.
        with_worker: False leaves hosting the workflows to worker processes that join.
        port: where clients of the Temporal server connect; 0 for any free port.
        ui_port: serve Temporal's Web UI there; 0 for any free port, None for no Web UI.
        binary: the `temporal` program.
        database: a file for the Temporal server, which can then be restarted; in memory when not given.
        noticed: is told of each notification of Amazon's that is proven.

    Raises:
        StartupError: a port is taken, a setting is wrong, or the `temporal` program is missing.
    """
    async with (
        embedded_server(
            SEARCH_ATTRIBUTES,
            binary=binary,
            port=port,
            ui_port=ui_port,
            database=database,
            converter=converter_of(settings),
        ) as server,
        ledger_of(settings) as ledger,
        accounts_of(settings, ledger) as accounts,
        Arrivals.noting(ledger) as arrivals,
        serving(
            create_ipn_app(server.client, settings, noticed=_noting(arrivals, noticed), merchants=accounts.is_merchant),
            ipn_listener,
        ),
    ):
        set_up = House(
            server=server,
            subscriptions=Subscriptions(
                server.client,
                settings.task_queue,
                ledger=lambda: nullcontext(ledger),
                amazon=lambda account: reader_of(accounts, account),
            ),
            ledger=ledger,
            settings=settings,
            ipn_url=ipn_url_at(ipn_listener),
        )
        if not with_worker:
            yield set_up
            return
        async with (
            billing_workers(server.client, accounts, ledger, settings) as workers,
            workers.running(),
        ):
            yield set_up
