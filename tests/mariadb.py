"""MariaDB as a process of its own, with the tables of a WordPress shop: for the queries that export subscribers."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

SECONDS: Final = 60.0
_SERVER, _CLIENT = "mariadbd", "mariadb"
_QUICKLY: Final = (
    "--skip-networking",
    "--skip-grant-tables",
    "--innodb-log-file-size=4M",
    "--innodb-flush-method=nosync",
)
"""Nobody but the test reaches its socket, so it needs no tables of users; making those takes longest."""


def program(name: str) -> str | None:
    """Where one of its programs is; Debian has the server beside a user's PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


def is_here() -> bool:
    """Whether it is installed."""
    return None not in {program(_SERVER), program(_CLIENT)}


class MariaDB:
    """A running server.

    Args:
        socket: where it listens.
    """

    def __init__(self, socket: Path) -> None:
        self._client = [str(program(_CLIENT)), "--no-defaults", f"--socket={socket}", "--user=root", "--batch"]

    def run(self, sql: str, database: str = "") -> str:
        """What the client prints for a script: columns by tabs, their names first.

        Raises:
            CalledProcessError: the server refuses it.
        """
        return subprocess.run(
            [*self._client, *([database] if database else [])], input=sql, text=True, capture_output=True, check=True
        ).stdout


@contextmanager
def mariadb() -> Iterator[MariaDB]:
    """Starts a server; ends it by its own process id, however the context is left.

    Raises:
        RuntimeError: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="perennial-mariadb-") as name:
        folder, socket = Path(name), Path(name) / "socket"
        data, as_somebody = folder / "data", _as_somebody(folder)
        data.mkdir()
        command = [str(program(_SERVER)), "--no-defaults", f"--datadir={data}", f"--socket={socket}", *_QUICKLY]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen([*command, *as_somebody], stdout=log, stderr=log)
        server = MariaDB(socket)
        try:
            _wait_for(process, server, folder / "log")
            yield server
        finally:
            process.terminate()
            process.wait(SECONDS)


def _as_somebody(folder: Path) -> list[str]:
    """Root has to say as whom it runs."""
    if os.geteuid() != 0:
        return []
    return [f"--user={pwd.getpwuid(folder.stat().st_uid).pw_name}"]


def _wait_for(process: "subprocess.Popen[Any]", server: MariaDB, log: Path) -> None:
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends and process.poll() is None:
        try:
            server.run("SELECT 1")
        except subprocess.CalledProcessError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"MariaDB does not start: {log.read_text()[-2_000:]}")
