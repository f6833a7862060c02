"""`perennial dev` as a person runs it: found by other commands, kept across a restart, and nothing left running."""

import asyncio
import fcntl
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

import httpx
import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.starter.command_line import Said, typed
from tests.starter.test_demo import Server
from tests.worker.processes import finished, perennial

START_SECONDS = 60.0
_TURN: Final = Path(tempfile.gettempdir()) / "perennial-tests-dev.lock"


class Dev:
    """A running one, and what it has said."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.where: dict[str, str] = {}
        self.checks: dict[str, str] = {}

    async def ready(self) -> None:
        async with asyncio.timeout(START_SECONDS):
            while (line := await self.line()) != "Ready. Ctrl-C ends all.":
                name, _, address = line.partition(": ")
                assert address, f"{line} {await finished(self.process)}"
                state, _, check = name.partition("  ")
                if check:
                    self.checks[check.strip()] = line
                else:
                    self.where[state] = address

    async def line(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().strip()

    async def typed(self, *arguments: str, **environment: str) -> Said:
        """A command in another shell, which is told nothing but the folder, unless more is given."""
        return await typed(*arguments, PERENNIAL_DATA_FOLDER=str(self.folder), **environment)

    async def end(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        code, _, err = await finished(self.process)
        return code, err

    @property
    def simulator(self) -> SimulatorHandle:
        return SimulatorHandle(self.where["Amazon Pay, simulated"].removesuffix("/docs"))


@asynccontextmanager
async def running(
    folder: Path, server: Server, *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Dev]:
    given = server.environment | {"PERENNIAL_DATA_FOLDER": str(folder)} | dict(environment or {})
    with _TURN.open("w") as turn:
        while not _has(turn):
            await asyncio.sleep(0.05)
        async with perennial("dev", *arguments, environment=given) as process:
            dev = Dev(process, folder)
            await dev.ready()
            turn.close()
            yield dev


def _has(turn: IO[str]) -> bool:
    """Whether it is this process's turn. Two that begin at one moment find the same ports free."""
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def told(dev: Dev, what: str) -> str:
    """The first line from now on that tells of it."""
    async with asyncio.timeout(START_SECONDS):
        while what not in (line := await dev.line()):
            pass
    return line


@pytest.mark.long  # in the suite: the tutorial, which is followed
async def test_a_subscription_goes_on_after_a_restart_and_other_shells_find_it(tmp_path: Path) -> None:
    server, folder = Server(tmp_path), tmp_path / "kept"
    async with running(folder, server) as dev:
        async with dev.simulator as simulator:
            permission = (await simulator.open_permission()).charge_permission_id
        started = await dev.typed("start", permission, "--amount", "7.30 USD", "--json")
        assert started.code == 0, started.err
        assert str(folder) in started.err
        assert "7.30 USD" in await told(dev, "period.paid")
        key = dev.where["HTTP API, key"].partition(" ")[0]
        link = await dev.typed("portal", "link", permission, "--lang", "en", "--json")
        assert link.code == 0, link.err
        async with httpx.AsyncClient() as http:
            page = await http.get(link.data["url"])
        assert (page.status_code, "$7.30 every month" in page.text) == (200, True)
        code, err = await dev.end()
        assert (code, "Traceback" in err) == (0, False)
    assert not server.runs
    assert sorted(each.name for each in folder.glob("dev*")) == ["dev.lock"]

    async with running(folder, server) as dev:
        assert dev.where["HTTP API, key"].partition(" ")[0] == key
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(headers=headers) as http:
            answer = await http.get(f"{dev.where['HTTP API']}/subscriptions/{permission}")
        assert answer.status_code == 200, answer.text
        canceled = await dev.typed("cancel", permission)
        assert canceled.code == 0, canceled.err
        assert permission in await told(dev, "subscription.ended")
        async with dev.simulator as simulator:
            books = await simulator.books()
        assert [str(charge.charge_amount.amount) for charge in books.charges] == ["7.30"]
        await dev.end()
    assert not server.runs


@pytest.mark.long
async def test_taken_ports_are_said_and_another_folder_runs_beside_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    one, other = Server(first), Server(second)
    async with running(first, one) as dev:
        beside = await typed("dev", PERENNIAL_DATA_FOLDER=str(first))
        assert beside.code == 2
        assert "runs in" in beside.trouble
        async with running(second, other) as another:
            assert set(dev.where.values()).isdisjoint(another.where.values())
            code, err = await another.end()
        assert (code, err.count("is taken; a free one is used instead") >= 5) == (0, True)
        await dev.end()
    assert not one.runs
    assert not other.runs


@pytest.mark.long
async def test_a_reset_forgets_its_own_files_and_asks_before(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("an old ledger")
    (tmp_path / "notes.txt").write_text("somebody's own")

    asked = await typed("dev", "--reset", PERENNIAL_DATA_FOLDER=str(tmp_path))
    assert asked.code == 1
    assert "--yes" in asked.trouble
    assert (tmp_path / "ledger.db").read_text() == "an old ledger"

    async with running(tmp_path, Server(tmp_path), "--reset", "--yes") as dev:
        await dev.end()
    assert (tmp_path / "notes.txt").read_text() == "somebody's own"
    assert (tmp_path / "ledger.db").read_bytes().startswith(b"SQLite format 3")


async def test_it_takes_no_real_money(tmp_path: Path) -> None:
    said = await typed("dev", PERENNIAL_DATA_FOLDER=str(tmp_path), PERENNIAL_ENVIRONMENT="live")

    assert said.code == 2
    assert "PERENNIAL_ENVIRONMENT" in said.trouble
