"""The command `perennial dev`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.live import Live

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.profile import dev_folder, held, profile
from perennial_billing.starter.cli.output import RefusedError, mind, out, run

if TYPE_CHECKING:
    from perennial_billing.sandbox.stage import Stage

HOST: Final = "127.0.0.1"
PORTS: Final = {"Temporal": 7233, "Web UI": 8233, "simulator": 8600, "notifications": 8601, "HTTP API": 8602}
"""Those by which each is known when it is run alone."""


def dev(
    data_folder: Annotated[
        Path | None,
        typer.Option(
            help="Where everything is kept; PERENNIAL_DATA_FOLDER, or a folder of its own, when not given. Other "
            "commands look there, too, so set PERENNIAL_DATA_FOLDER for them where you name one."
        ),
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Forget all that was kept, and start afresh.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --reset.")] = False,
) -> None:
    """Run everything on this machine, with nothing to configure, until Ctrl-C.

    A Temporal server with its Web UI, a simulator in place of Amazon, the receiver of its notifications, the ledger,
    the HTTP API and a worker. All is kept in a folder, so subscriptions go on where they were after a restart. Every
    other command finds it by itself while nothing is set that says otherwise.
    """
    run(_dev((data_folder or dev_folder()).absolute(), reset=reset, yes=yes))


async def _dev(folder: Path, *, reset: bool, yes: bool) -> None:
    from perennial_billing.runtime.logs import configure_logging
    from perennial_billing.runtime.settings import Environment, load_settings
    from perennial_billing.starter.cli.dev.screen import panel, tell
    from perennial_billing.starter.cli.processes import stop_signals

    settings = load_settings()
    if settings.environment is Environment.LIVE:
        raise StartupError("PERENNIAL_ENVIRONMENT: `perennial dev` takes no real money; sandbox is accepted")
    configure_logging(settings.model_copy(update={"log_level": "ERROR"}))
    with held(folder):
        if reset:
            _reset(folder, yes=yes)
        async with stop_signals() as stop, _everything(folder, settings.temporal_binary) as (set_up, where):
            if not out.is_terminal:
                for name, address in where.items():
                    out.print(f"{name}: {address}", soft_wrap=True)
                out.print("Ready. Ctrl-C ends all.")
            with Live(panel(where), console=out) if out.is_terminal else nullcontext():
                telling = asyncio.create_task(tell(set_up.ledger))
                stopping = asyncio.create_task(stop.wait())
                try:
                    await asyncio.wait({telling, stopping}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    telling.cancel()
                    stopping.cancel()
                    await asyncio.wait({telling, stopping})
            if not telling.cancelled():
                telling.result()
            out.print(f"Ending. Everything is kept in {folder}.", soft_wrap=True)


def _reset(folder: Path, *, yes: bool) -> None:
    """Deletes what earlier runs left.

    Raises:
        RefusedError: whoever was asked said no, or cannot be asked.
    """
    from perennial_billing.starter.cli.dev.keeping import own_files

    files = own_files(folder)
    if not files:
        return
    if not yes:
        if not out.is_terminal:
            raise RefusedError(f"--reset: deletes what is kept in {folder}, and nobody can be asked here; add --yes")
        if not typer.confirm(f"Delete all subscriptions, books and keys that are kept in {folder}?"):
            raise RefusedError("--reset: nothing was deleted")
    for path in files:
        path.unlink()


@asynccontextmanager
async def _everything(folder: Path, binary: Path | None) -> "AsyncIterator[tuple[Stage, dict[str, str]]]":
    """All of it, with its profile; gives what runs where."""
    from perennial_billing.runtime.http import bind, serving
    from perennial_billing.sandbox.stage import Ports, stage
    from perennial_billing.starter.api.app import create_app
    from perennial_billing.starter.cli.dev.keeping import API_KEY_FILE, api_key
    from perennial_billing.starter.cli.processes import services_for

    ports = {name: _free(name, port) for name, port in PORTS.items()}
    async with stage(
        ui_port=ports["Web UI"],
        binary=binary,
        folder=folder,
        ports=Ports(server=ports["Temporal"], simulator=ports["simulator"], ipn=ports["notifications"]),
    ) as set_up:
        token = await api_key(folder, set_up.ledger)
        async with (
            services_for(set_up.client, set_up.settings) as services,
            serving(create_app(services), bind(HOST, ports["HTTP API"])) as api,
        ):
            where = {
                "Temporal Web UI": f"{set_up.server.ui}/namespaces/{set_up.client.namespace}/workflows",
                "Temporal": set_up.server.address,
                "Amazon Pay, simulated": f"{set_up.simulator.origin}/docs",
                "Notifications": set_up.ipn_url,
                "HTTP API": f"{api}/v1",
                "HTTP API, documentation": f"{api}/docs",
                "HTTP API, key": f"{token} (also in {folder / API_KEY_FILE})",
                "Everything is kept in": str(folder),
            }
            certificate = str(set_up.settings.ipn_trusted_certificate_path)
            variables = set_up.worker_environment() | {"PERENNIAL_IPN_TRUSTED_CERTIFICATE_PATH": certificate}
            with profile(folder, variables):
                yield set_up, where


def _free(name: str, port: int) -> int:
    """The port, or 0 for any other where it is taken, which is said."""
    from perennial_billing.runtime.http import bind

    try:
        bind(HOST, port).close()
    except StartupError:
        mind(f"port {port}, where {name} is as a rule, is taken; a free one is used instead")
        return 0
    return port
