"""The program `amazon-pay-simulator` as a real process: started as a person starts it, ended by its own process id."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from amazon_pay_simulator import program
from tests.worker.processes import heed_interrupts

READY_SECONDS: Final = 60.0
ENDED_BY: Final = {signal.SIGTERM: -signal.SIGTERM, signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}


@dataclass(frozen=True)
class Running:
    """A simulator that serves.

    Attributes:
        process: whose it is.
        said: what it printed, each line by its name; of more with one name, the last.
        lines: all of it.
    """

    process: asyncio.subprocess.Process
    said: dict[str, str]
    lines: list[str]

    @property
    def origin(self) -> str:
        return self.said["origin"]


@asynccontextmanager
async def simulating(
    keys: Path, *options: str, end: signal.Signals = signal.SIGTERM, **environment: str
) -> AsyncIterator[Running]:
    """Runs the program while the context is open, on any free port."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AMAZON_PAY_SIMULATOR_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "amazon_pay_simulator", "--port", "0", "--keys", str(keys), *options),
        env={**kept, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )
    try:
        yield await _ready(process)
        process.send_signal(end)
        async with asyncio.timeout(READY_SECONDS):
            _, err = await process.communicate()
        assert (process.returncode, err.decode()) == (ENDED_BY[end], ""), err.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _ready(process: asyncio.subprocess.Process) -> Running:
    assert process.stdout is not None
    assert process.stderr is not None
    lines: list[str] = []
    async with asyncio.timeout(READY_SECONDS):
        while not lines or "Ctrl-C ends it" not in lines[-1]:
            line = (await process.stdout.readline()).decode()
            assert line, (await process.stderr.read()).decode()
            lines.append(line.strip())
    said = dict(line.split(":", 1) for line in lines[1:-1])
    return Running(process, {name: value.strip() for name, value in said.items()}, lines)


def trouble(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of the error with which the program ends at once, in this process."""
    with pytest.raises(SystemExit) as ended:
        program.main(arguments)
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert (out, len(err.splitlines())) == ("", 1), f"{out}{err}"
    assert err.startswith("error: ")
    return err
