"""A PostgreSQL server of the tests' own: on a free port of loopback, as an ordinary user, with nothing to lose."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psycopg

from perennial_billing.runtime.http import bind

SECONDS: Final = 60.0
_PLACES: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_QUICKLY: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60")


def program(name: str) -> str | None:
    """Where one of PostgreSQL's programs is; Debian has them beside the PATH."""
    return next((found for place in _PLACES if (found := shutil.which(name, path=str(place)))), shutil.which(name))


class Postgres:
    """A running server.

    Args:
        port: where it listens.
        process: itself.
        folder: its data.
    """

    def __init__(self, port: int, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.port = port
        self.process = process
        self.folder = folder
        self._databases = 0

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
async def postgres(folder: Path) -> AsyncIterator[Postgres]:
    """Starts a server; ends it by its own process id, however the context is left."""
    initdb, server = program("initdb"), program("postgres")
    assert initdb is not None
    assert server is not None
    somebody = _as_somebody()
    data = folder / "data"
    data.mkdir(mode=0o700)
    if somebody:
        os.chown(data, somebody["user"], somebody["group"])
        for parent in (folder, *folder.parents[:2]):
            parent.chmod(parent.stat().st_mode | 0o011)
    made = [initdb, "--pgdata", str(data), "--username", "perennial", "--auth", "trust", "--encoding", "UTF8", "-N"]
    making = await asyncio.create_subprocess_exec(*made, stdout=subprocess.DEVNULL, cwd="/", **somebody)
    assert await making.wait() == 0
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    settings = [part for each in _QUICKLY for part in ("-c", each)]
    arguments = [
        server,
        "-D",
        str(data),
        "-p",
        str(port),
        "-h",
        "127.0.0.1",
        "-c",
        "unix_socket_directories=",
        *settings,
    ]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*arguments, stdout=log, stderr=log, cwd="/", **somebody)
    try:
        running = Postgres(port, process, data)
        async with asyncio.timeout(SECONDS):
            while True:
                assert process.returncode is None, (folder / "log").read_text()
                try:
                    running.execute("SELECT 1")
                    break
                except psycopg.OperationalError:
                    await asyncio.sleep(0.05)
        yield running
    finally:
        process.send_signal(signal.SIGINT)  # without waiting for those who are still connected
        async with asyncio.timeout(SECONDS):
            await process.wait()
