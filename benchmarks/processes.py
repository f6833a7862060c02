"""Our processes as real ones, for measuring: started as a person starts them, ended by their own process id."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

STOP_SECONDS: Final = 10.0


@asynccontextmanager
async def perennial(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs `perennial ARGUMENTS` while the context is open; its standard output can be read, its log is dropped.

    Of this process's own environment it gets no settings: what is measured is the same on every desk.
    """
    async with python(
        "-c", "from perennial_billing.starter.cli import main; main()", *arguments, environment=environment
    ) as process:
        yield process


@asynccontextmanager
async def python(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs this Python with such arguments, in all else as `perennial` does; its standard input can be written to."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PERENNIAL_", "TEMPORAL_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env={**kept, **(environment or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.communicate(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()


async def said(process: asyncio.subprocess.Process) -> str:
    """The next line that it prints.

    Raises:
        RuntimeError: it ended instead.
    """
    line = (await process.stdout.readline()).decode() if process.stdout else ""
    if not line:
        raise RuntimeError("the process ended before it said what was waited for")
    return line.strip()


async def ask(process: asyncio.subprocess.Process, question: str) -> str:
    """Writes it a line, and gives the line that it answers.

    Raises:
        RuntimeError: it ended instead.
    """
    if process.stdin is None:
        raise AssertionError("the process was started without a standard input")
    process.stdin.write(question.encode() + b"\n")
    return await said(process)
