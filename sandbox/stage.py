"""The whole system on loopback, in one process and in virtual time: for the demonstration and for tests."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from temporalio.client import Client

from amazon_pay_client import Environment
from amazon_pay_simulator import SimulatorConfig, SimulatorHandle, create_app
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.merchant_key import MERCHANT_KEY_FILE, merchant_key
from amazon_pay_simulator.notifications import CERTIFICATE_FILE, NotificationSigner
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.embedded import EmbeddedServer
from perennial_billing.runtime.http import bind, origin_of, serving
from perennial_billing.runtime.settings import CallRates, Settings, rates_in_words
from perennial_billing.sandbox.house import HOST, TEMPORAL_FILE, house, ipn_url_at
from perennial_billing.starter.client import Subscriptions
from perennial_billing.worker.books import set_up_ledger

PUBLIC_KEY_ID: Final = "SANDBOX-SIMULATOR"
MERCHANT_ID: Final = "A1SIMULATOR"
SIMULATOR_FILE: Final = "simulator.db"
UNLIMITED: Final = 10_000.0
"""Calls a second: on the stage nobody has to be paced."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the stage listens; 0 is any free port."""

    server: int = 0
    simulator: int = 0
    ipn: int = 0


ANYWHERE: Final = Ports()


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that can be reached on it.

    Attributes:
        server: the Temporal server; moves workflows through virtual time.
        simulator: plays the buyer and shows the books.
        subscriptions: the merchant's way in.
        ledger: where all that is told is recorded.
        settings: as a worker process on this stage would have them.
        ipn_url: where notifications are received.
    """

    server: EmbeddedServer
    simulator: SimulatorHandle
    subscriptions: Subscriptions
    ledger: Ledger
    settings: Settings
    ipn_url: str

    @property
    def client(self) -> Client:
        """A client of the Temporal server."""
        return self.server.client

    def worker_environment(self) -> dict[str, str]:
        """The environment variables with which a worker process joins this stage."""
        return {
            "TEMPORAL_ADDRESS": self.server.address,
            "PERENNIAL_AMAZON_PAY_ORIGIN": self.simulator.origin,
            "PERENNIAL_PUBLIC_KEY_ID": PUBLIC_KEY_ID,
            "PERENNIAL_PRIVATE_KEY_PATH": str(self.settings.private_key_path),
            "PERENNIAL_SEND_VIRTUAL_TIME": "true",
            "PERENNIAL_TASK_QUEUE": self.settings.task_queue,
            "PERENNIAL_DATA_FOLDER": str(self.settings.data_folder),
            **(
                {"PERENNIAL_CALLS_PER_SECOND": rates_in_words(rates)}
                if (rates := self.settings.calls_per_second)
                else {}
            ),
            **({"PERENNIAL_ACCOUNTS_SECRET": ",".join(secrets)} if (secrets := self.settings.accounts_secrets) else {}),
            **({"PERENNIAL_CODEC_KEYS": keys.get_secret_value()} if (keys := self.settings.codec_keys) else {}),
            **({"PERENNIAL_LEDGER_URL": url.get_secret_value()} if (url := self.settings.ledger_url) else {}),
        }


@asynccontextmanager
async def stage(
    *,
    with_worker: bool = True,
    ui_port: int | None = None,
    binary: Path | None = None,
    database: Path | None = None,
    webhook_url: str | None = None,
    webhook_secret: str | None = None,
    amount_hook_url: str | None = None,
    amount_hook_secret: str | None = None,
    assumptions: Assumptions | None = None,
    ledger_url: str | None = None,
    throttled_as: Environment | None = None,
    calls_per_second: CallRates | None = UNLIMITED,
    accounts_secret: str | None = None,
    codec_keys: str | None = None,
    folder: Path | None = None,
    ports: Ports = ANYWHERE,
) -> AsyncIterator[Stage]:
    """Sets up server, simulator, IPN receiver and worker; takes everything down again however it is left.

    Args:
        with_worker: False leaves hosting the workflows to worker processes that join.
        ui_port: serve Temporal's Web UI there; 0 for any free port, None for no Web UI.
        binary: the `temporal` program.
        database: a file for the Temporal server, which can then be restarted; in memory when not given.
        webhook_url: where notices are sent; they are logged when it is not given.
        webhook_secret: what they are signed with.
        amount_hook_url: where amounts are asked for.
        amount_hook_secret: what the questions are signed with.
        assumptions: how the simulator behaves where Amazon's documentation is silent; its defaults when not given.
        ledger_url: the ledger's database, which gets its tables; a file of the stage's own when not given.
        throttled_as: the environment whose limits the simulator keeps; it takes all that comes when not given.
        calls_per_second: how often the workers call each operation; as often as Amazon takes it where it is None.
        accounts_secret: what the keys of accounts in the ledger are encrypted with, where there are to be any.
        codec_keys: what histories are encrypted with; they are plain when it is not given.
        folder: keeps keys, ledger, and the databases of the Temporal server and the simulator, so that another stage
            goes on where this one ended; nothing is kept when it is not given.
        ports: where it listens, beside the Web UI.

    Raises:
        StartupError: a port is taken or the `temporal` program is missing.
    """
    with (
        ExitStack() as stack,
        bind(HOST, ports.simulator) as simulator_listener,
        bind(HOST, ports.ipn) as ipn_listener,
    ):
        keys = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perennial-")))
        if folder is not None:
            database = database or folder / TEMPORAL_FILE
        private_key = merchant_key(keys)
        ipn_url = ipn_url_at(ipn_listener)
        config = SimulatorConfig(
            public_keys={PUBLIC_KEY_ID: private_key.public_key()},
            merchant_id=MERCHANT_ID,
            receivers=[ipn_url],
            origin=origin_of(simulator_listener),
            signer=NotificationSigner.load_or_create(keys),
            assumptions=assumptions or Assumptions(),
            throttled_as=throttled_as,
            database=folder / SIMULATOR_FILE if folder is not None else None,
        )
        settings = Settings(
            merchant_id=MERCHANT_ID,
            public_key_id=PUBLIC_KEY_ID,
            private_key_path=keys / MERCHANT_KEY_FILE,
            amazon_pay_origin=origin_of(simulator_listener),
            send_virtual_time=True,
            ipn_trusted_certificate_path=keys / CERTIFICATE_FILE,
            graceful_shutdown_seconds=5,
            calls_per_second=calls_per_second,
            accounts_secret=SecretStr(accounts_secret) if accounts_secret else None,
            codec_keys=SecretStr(codec_keys) if codec_keys else None,
            data_folder=keys,
            webhook_url=webhook_url,
            webhook_secret=SecretStr(webhook_secret) if webhook_secret else None,
            amount_hook_url=amount_hook_url,
            amount_hook_secret=SecretStr(amount_hook_secret) if amount_hook_secret else None,
            ledger_url=SecretStr(ledger_url) if ledger_url else None,
        )
        if ledger_url is not None:
            await set_up_ledger(settings)
        async with (
            serving(create_app(config), simulator_listener) as origin,
            SimulatorHandle(origin) as simulator,
            house(
                settings,
                ipn_listener,
                with_worker=with_worker,
                port=ports.server,
                ui_port=ui_port,
                binary=binary,
                database=database,
            ) as set_up,
        ):
            if folder is not None:
                await simulator.send_notifications_to(ipn_url)  # a database keeps where they went the last time
            yield Stage(
                server=set_up.server,
                simulator=simulator,
                subscriptions=set_up.subscriptions,
                ledger=set_up.ledger,
                settings=settings,
                ipn_url=ipn_url,
            )
