"""The program `amazon-pay-simulator` as a real process: started as a person starts it, ended by its own process id.

Or in a thread of this one, where the process itself is not what a test is about: another costs a second.
"""

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
from amazon_pay_simulator.configuration import read_settings
from amazon_pay_simulator.preparation import prepared
from amazon_pay_simulator.serving import Server, listening
from tests.worker.processes import heed_interrupts

READY_SECONDS: Final = 60.0
ENDED_BY: Final = {signal.SIGTERM: -signal.SIGTERM, signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}


@dataclass(frozen=True)
class Running:
    """A simulator that serves.

    Attributes:
        said: what it printed, each line by its name; of more with one name, the last.
        lines: all of it.
    """

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
    return Running({name: value.strip() for name, value in said.items()}, lines)


@asynccontextmanager
async def serving_here(keys: Path, *options: str) -> AsyncIterator[Running]:
    """What the program serves, with these options, while the context is open."""
    settings = read_settings(["--port", "0", "--keys", str(keys), *options])
    loop, serves = asyncio.get_running_loop(), asyncio.Event()
    with listening(settings.host, settings.port) as listener:
        ready = prepared(settings, listener)

        def tell() -> None:
            loop.call_soon_threadsafe(serves.set)

        server = Server(ready.app, ready.tls, tell)
        running = asyncio.create_task(asyncio.to_thread(server.run, sockets=[listener]))
        try:
            async with asyncio.timeout(READY_SECONDS):
                await serves.wait()
            yield Running(dict(ready.lines()), [f"{name}: {value}" for name, value in ready.lines()])
        finally:
            server.should_exit = True
            await running


def trouble(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of the error with which the program ends at once, in this process."""
    with pytest.raises(SystemExit) as ended:
        program.main(arguments)
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert (out, len(err.splitlines())) == ("", 1), f"{out}{err}"
    assert err.startswith("error: ")
    return err
