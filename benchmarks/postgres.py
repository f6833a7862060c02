"""PostgreSQL as a process of its own: for tests of the ledger, and to be killed."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psycopg

from perennial_billing.runtime.http import bind

SECONDS: Final = 60.0
_PLACES: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_EVERYBODY: Final = ("--auth", "trust", "--encoding", "UTF8", "--no-sync")
_QUICKLY: Final = ("fsync=off", "full_page_writes=off", "max_connections=60", "unix_socket_directories=")
"""What is committed outlives the server's process, not the machine's power."""


def program(name: str) -> str | None:
    """Where one of PostgreSQL's programs is; Debian has them beside the PATH."""
    return next((found for place in _PLACES if (found := shutil.which(name, path=str(place)))), shutil.which(name))


class Postgres:
    """A server.

    Args:
        folder: where its data are.
        port: where it listens.
        outlives: what was committed is there after it was killed.
    """

    def __init__(self, folder: Path, port: int, *, outlives: bool) -> None:
        self.port = port
        self._outlives = outlives
        self._folder = folder
        self._databases = 0
        self._process: asyncio.subprocess.Process | None = None

    async def start_again(self) -> None:
        """Starts it, and waits until it takes connections."""
        somebody = _as_somebody()
        settings = (*_QUICKLY, f"synchronous_commit={'on' if self._outlives else 'off'}")
        place = ("-D", str(self._folder), "-h", "127.0.0.1", "-p", str(self.port))
        self._process = await _started(
            "postgres", *place, *(part for each in settings for part in ("-c", each)), **somebody
        )
        async with asyncio.timeout(SECONDS):
            while not self.is_ready():
                if self._process.returncode is not None:
                    raise RuntimeError("PostgreSQL has ended")
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Ends it without waiting for those who are still connected."""
        await self._ends(signal.SIGINT)

    async def kill(self) -> None:
        """Ends it as a power failure does: nothing is brought to an end, and nobody answers any more."""
        backends = _children(self._process.pid) if self._process is not None else []
        await self._ends(signal.SIGKILL)
        for backend in backends:  # a moment longer each would go on, and take what it is sent
            with suppress(ProcessLookupError):
                os.kill(backend, signal.SIGKILL)
        async with asyncio.timeout(SECONDS):
            while any(map(_is_there, backends)):  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.01)

    async def _ends(self, by: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(by)
            async with asyncio.timeout(SECONDS):
                await process.wait()

    def is_ready(self) -> bool:
        """Whether it takes connections yet."""
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str) -> str:
        """The address of a database of it."""
        return f"postgresql://perennial@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Something that an administrator would do."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def create(self, template: str = "template0") -> str:
        """A new database, as another one is; its name."""
        self._databases += 1
        name = f"ledger_{self._databases}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name


def _as_somebody() -> dict[str, Any]:  # Any: arguments of Popen
    """Root may not run it: whoever the package has made for that does, or nobody."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise AssertionError("there is no ordinary user")


@asynccontextmanager
async def postgres(*, outlives: bool = False) -> AsyncIterator[Postgres]:
    """Starts a server; ends it by its own process id, however the context is left.

    Args:
        outlives: what was committed is to be there after it was killed, which takes a little longer each time.
    """
    somebody = _as_somebody()
    with tempfile.TemporaryDirectory(prefix="perennial-postgres-") as name:
        folder = Path(name)
        if somebody:
            os.chown(folder, somebody["user"], somebody["group"])
        await _run("initdb", "--pgdata", name, "--username", "perennial", *_EVERYBODY, **somebody)
        with bind("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]
        server = Postgres(folder, port, outlives=outlives)
        try:
            await server.start_again()
            yield server
        finally:
            await server.stop()


async def _run(name: str, *arguments: str, **somebody: Any) -> None:  # Any: arguments of Popen
    process = await _started(name, *arguments, **somebody)
    if await process.wait() != 0:
        raise RuntimeError(f"{name} has failed")


async def _started(name: str, *arguments: str, **somebody: Any) -> asyncio.subprocess.Process:  # Any: as above
    path = program(name)
    if path is None:
        raise RuntimeError(f"{name} is not installed")
    return await asyncio.create_subprocess_exec(
        path, *arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **somebody
    )


def _children(process_id: int) -> list[int]:
    """Whom a process has begun (Linux)."""
    try:
        return [int(each) for each in Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()]
    except OSError:
        return []


def _is_there(process_id: int) -> bool:
    """Whether a process is there, and not only its exit code."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
