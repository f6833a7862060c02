"""A PostgreSQL server of the tests' own: on a free port of loopback, as an ordinary user, with nothing to lose."""

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
_QUICKLY: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60")
_SETTINGS: Final = (
    "-h",
    "127.0.0.1",
    *(part for each in ("unix_socket_directories=", *_QUICKLY) for part in ("-c", each)),
)


def program(name: str) -> str | None:
    """Where one of PostgreSQL's programs is; Debian has them beside the PATH."""
    return next((found for place in _PLACES if (found := shutil.which(name, path=str(place)))), shutil.which(name))


class Postgres:
    """A running server.

    Args:
        port: where it listens.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self._databases = 0

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
async def postgres() -> AsyncIterator[Postgres]:
    """Starts a server; ends it by its own process id, however the context is left."""
    somebody = _as_somebody()
    with tempfile.TemporaryDirectory(prefix="perennial-postgres-") as name:
        folder = Path(name)
        if somebody:
            os.chown(folder, somebody["user"], somebody["group"])
        await _run("initdb", "--pgdata", name, "--username", "perennial", *_EVERYBODY, **somebody)
        with bind("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]
        process = await _started("postgres", "-D", name, "-p", str(port), *_SETTINGS, **somebody)
        try:
            running = Postgres(port)
            async with asyncio.timeout(SECONDS):
                while not running.is_ready():
                    assert process.returncode is None, "PostgreSQL has ended"
                    await asyncio.sleep(0.05)
            yield running
        finally:
            process.send_signal(signal.SIGINT)  # without waiting for those who are still connected
            async with asyncio.timeout(SECONDS):
                await process.wait()


async def _run(name: str, *arguments: str, **somebody: Any) -> None:  # Any: arguments of Popen
    process = await _started(name, *arguments, **somebody)
    assert await process.wait() == 0, f"{name} has failed"


async def _started(name: str, *arguments: str, **somebody: Any) -> asyncio.subprocess.Process:  # Any: as above
    path = program(name)
    assert path is not None, f"{name} is not installed"
    return await asyncio.create_subprocess_exec(
        path, *arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **somebody
    )
