"""The commands that run a process: worker, ipn, simulator."""

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from pydantic import ValidationError

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.output import asynchronous, in_one_line, out

if TYPE_CHECKING:
    from amazon_pay_simulator.faults import FaultPlan

LARGEST_FAULTS_BYTES: Final = 1024 * 1024


@asynchronous
async def worker() -> None:
    """Run a worker: hosts the subscriptions and calls Amazon Pay.

    Settings come from PERENNIAL_ and TEMPORAL_ environment variables; docs/operations.md lists them. SIGTERM stops
    it after the calls under way.
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
    from perennial_billing.runtime.logs import configure_logging
    from perennial_billing.runtime.metrics import runtime_with_metrics
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.runtime.temporal import connect

    settings = load_settings()
    configure_logging(settings)
    listener = bind(host or settings.ipn_host, settings.ipn_port if port is None else port)
    with listener:
        runtime = runtime_with_metrics(settings)
        app = create_app(await connect(patient=True, runtime=runtime), settings, runtime.metric_meter)
        async with serving(app, listener) as origin:
            out.print(f"IPN receiver at {origin}{PATH}")
            await _until_stopped()


@asynchronous
async def simulator(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 for any free one.")] = 8600,
    keys: Annotated[
        Path, typer.Option(help="Folder of the merchant's key pair and the notifications' certificate; made when new.")
    ] = Path(".perennial-simulator"),
    receiver_url: Annotated[str | None, typer.Option(help="Where to send notifications (IPNs).")] = None,
    public_key_id: Annotated[str, typer.Option(help="The id that requests are signed under.")] = "SANDBOX-SIMULATOR",
    merchant_id: Annotated[str, typer.Option(help="The merchant named in notifications.")] = "A1SIMULATOR",
    database: Annotated[
        Path | None, typer.Option(help="An SQLite file that keeps the books across restarts; in memory when not given.")
    ] = None,
    throttle: Annotated[
        Literal["sandbox", "live"] | None,
        typer.Option(help="Answer 429 by Amazon's limits there; throttles nothing when not given."),
    ] = None,
    faults: Annotated[
        Path | None, typer.Option(help="A JSON file that says what goes wrong; see examples/simulator/faults.json.")
    ] = None,
    tls: Annotated[
        bool,
        typer.Option("--tls", help="Serve https, as the official SDKs want it, with a certificate made in --keys."),
    ] = False,
) -> None:
    """Run a local Amazon Pay with a control API at /simulator (documented at /docs)."""
    from amazon_pay_client import Environment
    from amazon_pay_simulator import SimulatorConfig, create_app
    from amazon_pay_simulator.certificates import tls_files
    from amazon_pay_simulator.merchant_key import MERCHANT_KEY_FILE, merchant_key
    from amazon_pay_simulator.notifications import CERTIFICATE_FILE, NotificationSigner, ReceiverUrl
    from perennial_billing.runtime.http import Tls, bind, origin_of, serving

    if receiver_url is not None:
        try:
            ReceiverUrl.validate_python(receiver_url)
        except ValidationError as error:
            raise StartupError(f"--receiver-url: {in_one_line(error)}") from None
    listener = bind(host, port)
    with listener:
        try:
            keys.mkdir(parents=True, exist_ok=True)
            private_key = merchant_key(keys)
            signer = NotificationSigner.load_or_create(keys)
            secure = Tls(*tls_files(keys, host)) if tls else None
        except (OSError, ValueError) as error:
            raise StartupError(f"--keys: {error}") from None
        config = SimulatorConfig(
            public_keys={public_key_id: private_key.public_key()},
            merchant_id=merchant_id,
            receiver_url=receiver_url,
            origin=origin_of(listener, secure=tls),
            signer=signer,
            database=database,
            throttled_as=Environment(throttle) if throttle else None,
            faults=_read_faults(faults),
        )
        try:
            app = create_app(config)
        except sqlite3.Error as error:
            raise StartupError(f"--database {database}: {error}") from None
        async with serving(app, listener, secure) as origin:
            out.print(f"Amazon Pay simulator at {origin}, control API at {origin}/docs. A worker needs:")
            for name, value in {
                "AMAZON_PAY_ORIGIN": origin,
                "PUBLIC_KEY_ID": public_key_id,
                "PRIVATE_KEY_PATH": keys / MERCHANT_KEY_FILE,
                "MERCHANT_ID": merchant_id,
                "IPN_TRUSTED_CERTIFICATE_PATH": keys / CERTIFICATE_FILE,
            }.items():
                out.print(f"  PERENNIAL_{name}={value}", soft_wrap=True, highlight=False)
            await _until_stopped()


def _read_faults(path: Path | None) -> "FaultPlan":
    from amazon_pay_client.files import read_small_file
    from amazon_pay_simulator.faults import FaultPlan

    if path is None:
        return FaultPlan()
    try:
        return FaultPlan.model_validate_json(read_small_file(path, LARGEST_FAULTS_BYTES).content)
    except OSError as error:
        raise StartupError(f"--faults {path}: {error.strerror or error}") from None
    except ValidationError as error:
        raise StartupError(f"--faults {path}: {in_one_line(error)}") from None


async def _until_stopped() -> None:
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
