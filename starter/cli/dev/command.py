"""The command `perennial dev`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Annotated, Final

import typer

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.profile import SANDBOX_FOLDER, dev_folder, held, profile
from perennial_billing.starter.cli.output import RefusedError, mind, out, run

if TYPE_CHECKING:
    from perennial_billing.runtime.settings import Settings
    from perennial_billing.sandbox.house import House
    from perennial_billing.sandbox.stage import Stage
    from perennial_billing.starter.cli.dev.amazon import Notifications

HOST: Final = "127.0.0.1"
PORTS: Final = {
    "Temporal": 7233,
    "Web UI": 8233,
    "simulator": 8600,
    "notifications": 8601,
    "HTTP API": 8602,
    "the buyer's page": 8605,
}
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
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox",
            help="Work on Amazon's sandbox with your own keys instead of the simulator. What it needs of Seller "
            "Central is checked first, step by step.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --sandbox: print the checks as JSON, and start nothing.")
    ] = False,
) -> None:
    """Run everything on this machine, with nothing to configure, until Ctrl-C.

    A Temporal server with its Web UI, a simulator in place of Amazon, the receiver of its notifications, the ledger,
    the HTTP API, the buyer's page and a worker. All is kept in a folder, so subscriptions go on where they were after a
    restart. Every other command finds it by itself while nothing is set that says otherwise.

    With --sandbox, Amazon's own sandbox is used, with the keys that PERENNIAL_PUBLIC_KEY_ID and
    PERENNIAL_PRIVATE_KEY_PATH name. Its data is kept apart from the simulator's. Live is never touched.
    """
    folder = (data_folder or dev_folder()).absolute()
    if as_json and not sandbox:
        run(_json_is_for_the_checks())
    elif sandbox:
        run(_sandbox(folder / SANDBOX_FOLDER, reset=reset, yes=yes, as_json=as_json))
    else:
        run(_simulated(folder, reset=reset, yes=yes))


async def _json_is_for_the_checks() -> None:
    raise StartupError("--json: is accepted with --sandbox alone, whose checks it prints")


async def _simulated(folder: Path, *, reset: bool, yes: bool) -> None:
    settings = _settings()
    with held(folder):
        if reset:
            _reset(folder, yes=yes, sandbox=False)
        await _until_stopped(folder, _with_simulator(folder, settings.temporal_binary))


async def _sandbox(folder: Path, *, reset: bool, yes: bool, as_json: bool) -> None:
    from perennial_billing.runtime.http import origin_of
    from perennial_billing.starter.cli.dev.amazon import Notifications, all_checked

    settings = _settings()
    usual = PORTS["notifications"]
    if as_json:
        await all_checked(settings, Notifications(f"http://{HOST}:{usual}"), as_json=True)
        return
    with _listener(usual) as listener, held(folder):
        notifications = Notifications(origin_of(listener))
        await all_checked(settings, notifications, as_json=False)
        if reset:
            _reset(folder, yes=yes, sandbox=True)
        await _until_stopped(folder, _with_amazon(folder, settings, listener, notifications), notifications)


def _settings() -> "Settings":
    """Those of the environment, with logs that say nothing but errors.

    Raises:
        StartupError: one is wrong, or says live.
    """
    from perennial_billing.runtime.logs import configure_logging
    from perennial_billing.runtime.settings import Environment, load_settings

    settings = load_settings()
    if settings.environment is Environment.LIVE:
        raise StartupError("PERENNIAL_ENVIRONMENT: `perennial dev` takes no real money; sandbox is accepted")
    configure_logging(settings.model_copy(update={"log_level": "ERROR"}))
    return settings


async def _until_stopped(
    folder: Path,
    everything: "AbstractAsyncContextManager[tuple[Stage | House, dict[str, str]]]",
    notifications: "Notifications | None" = None,
) -> None:
    """Runs it, and tells what happens there."""
    from perennial_billing.starter.cli.dev.screen import shown, tell
    from perennial_billing.starter.cli.processes import stop_signals

    async with stop_signals() as stop, everything as (set_up, where):
        async with shown(where, notifications):
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


def _reset(folder: Path, *, yes: bool, sandbox: bool) -> None:
    """Deletes what earlier runs left.

    Raises:
        RefusedError: whoever was asked said no, or cannot be asked.
    """
    from perennial_billing.starter.cli.dev.keeping import own_files

    files = own_files(folder, sandbox=sandbox)
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
async def _with_simulator(folder: Path, binary: Path | None) -> "AsyncIterator[tuple[Stage, dict[str, str]]]":
    """All of it, with its profile; gives what runs where."""
    from perennial_billing.sandbox.stage import Ports, stage

    ports = _free_ports(*PORTS)
    async with (
        stage(
            ui_port=ports["Web UI"],
            binary=binary,
            folder=folder,
            ports=Ports(server=ports["Temporal"], simulator=ports["simulator"], ipn=ports["notifications"]),
        ) as set_up,
        _with_pages(folder, set_up, ports, f"{set_up.simulator.origin}/docs", simulated=True) as (where, page),
    ):
        certificate = str(set_up.settings.ipn_trusted_certificate_path)
        variables = set_up.worker_environment() | {"PERENNIAL_IPN_TRUSTED_CERTIFICATE_PATH": certificate}
        with profile(folder, variables | page):
            yield set_up, where


@asynccontextmanager
async def _with_amazon(
    folder: Path, settings: "Settings", listener: socket, notifications: "Notifications"
) -> "AsyncIterator[tuple[House, dict[str, str]]]":
    """The same on Amazon's sandbox."""
    from perennial_billing.sandbox.house import TEMPORAL_FILE, house
    from perennial_billing.starter.cli.dev.amazon import asked, joining, mind_what_is_set, settings_in

    own, ports = settings_in(folder, settings), _free_ports("Temporal", "Web UI", "HTTP API", "the buyer's page")
    async with (
        house(
            own,
            listener,
            port=ports["Temporal"],
            ui_port=ports["Web UI"],
            binary=own.temporal_binary,
            database=folder / TEMPORAL_FILE,
            noticed=notifications.take,
        ) as set_up,
        _with_pages(folder, set_up, ports, asked(own), simulated=False) as (where, page),
    ):
        variables = joining(set_up)
        mind_what_is_set(variables)
        with profile(folder, variables | page):
            yield set_up, where


@asynccontextmanager
async def _with_pages(
    folder: Path, set_up: "Stage | House", ports: dict[str, int], amazon: str, *, simulated: bool
) -> AsyncIterator[tuple[dict[str, str], dict[str, str]]]:
    """The HTTP API and the buyer's page beside it; gives what runs where, and what makes links to the page."""
    from pydantic import SecretStr

    from perennial_billing.runtime.http import bind, origin_of, serving
    from perennial_billing.starter.api.app import create_app
    from perennial_billing.starter.cli.dev.keeping import API_KEY_FILE, api_key, portal_secret
    from perennial_billing.starter.cli.portal import portal_for
    from perennial_billing.starter.cli.processes import services_for
    from perennial_billing.starter.portal.app import create_app as create_page

    listener = bind(HOST, ports["the buyer's page"])
    token, secret, address = await api_key(folder, set_up.ledger), portal_secret(folder), origin_of(listener)
    more = {"portal_secrets": SecretStr(secret), "portal_url": address, "portal_path": _settings().portal_path}
    settings = set_up.settings.model_copy(update=more)
    async with (
        services_for(set_up.client, settings) as services,
        serving(create_app(services), bind(HOST, ports["HTTP API"])) as api,
        portal_for(set_up.client, settings, tries_all=True) as portal,
        serving(create_page(portal), listener),
    ):
        where = {
            "Temporal Web UI": f"{set_up.server.ui}/namespaces/{set_up.client.namespace}/workflows",
            "Temporal": set_up.server.address,
            "Amazon Pay, simulated" if simulated else "Amazon Pay, sandbox": amazon,
            "Notifications": set_up.ipn_url,
            "HTTP API": f"{api}/v1",
            "HTTP API, documentation": f"{api}/docs",
            "HTTP API, key": f"{token} (also in {folder / API_KEY_FILE})",
            "Buyer's page": f"{address} (`perennial portal link`)",
            "Everything is kept in": str(folder),
        }
        yield where, {"PERENNIAL_PORTAL_SECRETS": secret, "PERENNIAL_PORTAL_URL": address}


def _listener(port: int) -> socket:
    """Where the receiver will listen, known before anything starts: there, or at any port where it is taken."""
    from perennial_billing.runtime.http import bind

    return bind(HOST, _free("notifications", port))


def _free_ports(*names: str) -> dict[str, int]:
    """A port for each."""
    return {name: _free(name, PORTS[name]) for name in names}


def _free(name: str, port: int) -> int:
    """The port, or 0 for any other where it is taken, which is said."""
    from perennial_billing.runtime.http import bind

    try:
        bind(HOST, port).close()
    except StartupError:
        mind(f"port {port}, where {name} is as a rule, is taken; a free one is used instead")
        return 0
    return port
