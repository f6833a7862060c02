"""`perennial demo` as a person runs it: the books are equal at the end, and nothing is left running however it ends.

The `temporal` program is run through a script that notes its process id, so the test knows which server to look for.
"""

import asyncio
import os
import shlex
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from perennial_billing.runtime.embedded import find_temporal
from tests.starter.command_line import Said, taken_port, typed
from tests.worker.processes import finished, perennial

DEMO_SECONDS = 60.0


class Server:
    """The demo's Temporal server, known by its process id as soon as it starts."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "temporal"
        self._noted = folder / "pid"
        self.program.write_text(
            f"#!/bin/sh\necho $$ > {shlex.quote(str(self._noted))}.new\n"
            f"mv {shlex.quote(str(self._noted))}.new {shlex.quote(str(self._noted))}\n"
            f'exec {shlex.quote(str(find_temporal()))} "$@"\n'
        )
        self.program.chmod(0o700)

    @property
    def environment(self) -> dict[str, str]:
        return {"PERENNIAL_TEMPORAL_BINARY": str(self.program)}

    @property
    def was_started(self) -> bool:
        return self._noted.exists()

    @property
    def process_id(self) -> int:
        return int(self._noted.read_text())

    @property
    def runs(self) -> bool:
        try:
            os.kill(self.process_id, 0)
        except ProcessLookupError:
            return False
        return True

    async def started(self) -> None:
        async with asyncio.timeout(60):
            while not self.was_started:
                await asyncio.sleep(0.05)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    watched = Server(tmp_path)
    yield watched
    if watched.was_started and watched.runs:
        os.kill(watched.process_id, signal.SIGKILL)


async def test_three_subscribers_live_a_year_and_the_books_are_equal(server: Server) -> None:
    async with perennial("demo", "--json", environment=server.environment) as process:
        async with asyncio.timeout(DEMO_SECONDS):
            out, err = await process.communicate()
    said = Said(process.returncode or 0, out.decode(), err.decode())

    assert (said.code, said.err) == (0, "")
    assert [subscriber["name"] for subscriber in said.data] == ["Ada", "Ben", "Chloe"]
    for subscriber in said.data:
        assert subscriber["differences"] == []
        assert subscriber["periods_due"] == subscriber["periods_paid"] == subscriber["charges_captured"] == 12
        assert subscriber["amount_paid"] == subscriber["amount_captured"] == "238.80"
    assert server.was_started
    assert not server.runs


@pytest.mark.long
async def test_a_demo_that_is_kept_is_looked_at_as_it_says(server: Server) -> None:
    async with perennial("demo", "--keep", environment=server.environment) as process:
        assert process.stdout is not None
        lines: list[str] = []
        async with asyncio.timeout(DEMO_SECONDS):
            while not lines or "perennial list" not in lines[-1]:
                lines.append((await process.stdout.readline()).decode().strip())
        exported = [line.removeprefix("export ").partition("=") for line in lines if line.startswith("export ")]
        there = {name: value for name, _, value in exported}

        listed = await typed("list", "--ended", "--json", **there)
        live = await typed("list", "--live", "--ended", "--json", **there)
        process.send_signal(signal.SIGINT)
        await finished(process)

    assert set(there) == {"TEMPORAL_ADDRESS", "PERENNIAL_DATA_FOLDER"}
    known, asked = ({each["charge_permission_id"] for each in said.data} for said in (listed, live))
    assert known == asked
    assert len(known) == 3


@pytest.mark.parametrize(
    "told", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)], ids=["Ctrl-C", "SIGTERM"]
)
async def test_a_demo_that_is_interrupted_takes_its_server_down_with_it(server: Server, told: signal.Signals) -> None:
    async with perennial("demo", "--json", environment=server.environment) as process:
        await server.started()
        await asyncio.sleep(0.5)
        process.send_signal(told)
        code, out, err = await finished(process)

    assert code != 0
    assert (out, "Traceback" in err) == ("", False)
    assert not server.runs


async def test_a_port_of_the_web_ui_that_is_taken_is_named_before_a_server_starts(server: Server) -> None:
    with taken_port() as port:
        said = await typed("demo", "--ui-port", str(port), **server.environment)

    assert said.code == 2
    assert f"127.0.0.1:{port}: cannot listen there" in said.trouble
    assert not server.was_started


async def test_a_temporal_program_that_is_missing_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "no-such-program"

    said = await typed("demo", PERENNIAL_TEMPORAL_BINARY=str(missing))

    assert said.code == 2
    assert f"PERENNIAL_TEMPORAL_BINARY: {missing}" in said.trouble


async def test_a_temporal_program_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    broken = tmp_path / "temporal"
    broken.write_text("#!/bin/sh\necho 'no room for the database'\nexit 3\n")
    broken.chmod(0o700)

    said = await typed("demo", "--json", PERENNIAL_TEMPORAL_BINARY=str(broken))

    assert said.code == 2
    assert str(broken) in said.trouble
    assert "no room for the database" in said.trouble
