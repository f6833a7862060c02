"""Our processes as real ones: started as a person starts them, ended by their own process id."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

STOP_SECONDS = 60.0


def heed_interrupts() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and so do the processes that this starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@asynccontextmanager
async def perennial(*arguments: str, environment: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs `perennial ARGUMENTS` while the context is open; what it prints is kept in its pipes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PERENNIAL_", "TEMPORAL_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from perennial_billing.starter.cli import main; main()",
        *arguments,
        env={**kept, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()


async def finished(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    """Waits for a process to end by itself; gives its exit code and what it printed."""
    async with asyncio.timeout(STOP_SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
