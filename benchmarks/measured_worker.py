"""A worker in a process of its own that says, when it is asked, how much processor time and memory it has used.

`healthy_period` runs it as `python -m benchmarks.measured_worker KIND` (subscription, unrecorded, peer or bare), with a
worker's settings in the environment. Each line on its standard input is a question, `processor` or `memory`, which a
line answers: seconds or bytes. It runs on the event loop of `perennial worker`, logs as that does, and ends at SIGTERM.
"""

import asyncio
import ctypes
import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from temporalio.worker import Worker

from perennial_billing.runtime.logs import configure_logging
from perennial_billing.runtime.loop import new_event_loop
from perennial_billing.runtime.settings import Settings, load_settings
from perennial_billing.runtime.temporal import connect

PROCESSOR: Final = "processor"
MEMORY: Final = "memory"

_PAGES: Final = Path("/proc/self/statm")


async def _subscription(settings: Settings) -> None:
    from perennial_billing.worker.main import run_worker

    await run_worker(settings)


async def _unrecorded(settings: Settings) -> None:
    """The same without its ledger: what that costs is the difference."""
    from perennial_billing.ledger.ledger import Ledger

    async def record(_ledger: Ledger, *_: object) -> None:
        """Nothing is written down."""

    with patch.object(Ledger, "record", record):
        await _subscription(settings)


async def _peer(settings: Settings) -> None:
    from benchmarks.peer_activities import PeerActivities
    from benchmarks.peer_workflow import PeerWorkflow
    from perennial_billing.worker.wiring import amazon_pay_client

    async with amazon_pay_client(settings) as amazon_pay:
        client = await connect(patient=True)
        activities = [PeerActivities(amazon_pay).charge]
        await _until_told(
            Worker(client, task_queue=settings.task_queue, workflows=[PeerWorkflow], activities=activities)
        )


async def _bare(settings: Settings) -> None:
    from benchmarks.bare_workflow import BareWorkflow, do_nothing

    client = await connect(patient=True)
    await _until_told(Worker(client, task_queue=settings.task_queue, workflows=[BareWorkflow], activities=[do_nothing]))


_WORKERS: Final[Mapping[str, Callable[[Settings], Coroutine[Any, Any, None]]]] = {  # Any: what coroutines yield
    "subscription": _subscription,
    "unrecorded": _unrecorded,
    "peer": _peer,
    "bare": _bare,
}


async def _until_told(worker: Worker) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with worker:
        await stop.wait()


async def _answer() -> None:
    """Answers one question after the other, until nobody can ask any more."""
    questions = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    while question := (await questions.readline()).decode().strip():
        answer = {PROCESSOR: time.process_time, MEMORY: _resident_bytes}[question]()
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _resident_bytes() -> int:
    """What the process holds in memory, after all that it does not need was given back.

    Where there is no /proc, it is the most that it ever held (in units of that system's).
    """
    gc.collect()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    if _PAGES.exists():
        return int(_PAGES.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def _run(kind: str) -> None:
    settings = load_settings()
    configure_logging(settings)
    answering = asyncio.create_task(_answer())
    try:
        await _WORKERS[kind](settings)
    finally:
        answering.cancel()
        # The SDK aborts an interpreter that ends within milliseconds of the last call to the server.
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_run(sys.argv[1]))
