"""The worker process: connects, works, and stops gracefully when told to."""

import asyncio
import os
import signal
from contextlib import aclosing
from typing import Final

import structlog

from perennial_billing.runtime.liveness import answering
from perennial_billing.runtime.metrics import runtime_with_metrics
from perennial_billing.runtime.settings import Settings
from perennial_billing.runtime.temporal import connect
from perennial_billing.runtime.tracing import begin_tracing
from perennial_billing.worker.accounts import Accounts
from perennial_billing.worker.books import ledger_of
from perennial_billing.worker.figures import LedgerFigures
from perennial_billing.worker.readiness import Readiness
from perennial_billing.worker.wiring import billing_workers, own_client

HARD_DEADLINE_SECONDS: Final = 15.0
"""After the graceful time: a worker that still has not stopped is ended, and Temporal repeats what it was doing."""


async def run_worker(settings: Settings) -> None:
    """Hosts subscriptions until SIGTERM or SIGINT; calls to Amazon under way are finished first.

    Raises:
        StartupError: a setting is missing or wrong.
    """
    begin_tracing("perennial-worker")
    log, readiness = structlog.get_logger("worker"), Readiness(settings.task_queue)
    async with (
        own_client(settings) as own,
        answering(settings, readiness.why_not),
        ledger_of(settings, patient=True) as ledger,
        aclosing(Accounts(settings, ledger, own)) as accounts,
    ):
        runtime, stop, loop = runtime_with_metrics(settings), asyncio.Event(), asyncio.get_running_loop()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, stop.set)
        stopping = asyncio.create_task(stop.wait())
        connecting = asyncio.create_task(connect(settings, patient=True, runtime=runtime))
        await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not connecting.done():
            connecting.cancel()
            return
        client = await connecting
        async with billing_workers(client, accounts, ledger, settings) as workers:
            running = asyncio.create_task(workers.run())
            figures = LedgerFigures(client, settings.task_queue, ledger, runtime.metric_meter, accounts.names)
            looking = asyncio.create_task(figures.go_on() if settings.metrics_address else stop.wait())
            readiness.works(client, workers.each)
            log.info(
                "worker started",
                task_queue=settings.task_queue,
                environment=settings.environment.value,
                ledger=ledger.place,
            )
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            looking.cancel()
            readiness.stops()
            log.info("worker stopping", graceful_seconds=settings.graceful_shutdown_seconds)
            try:
                async with asyncio.timeout(settings.graceful_shutdown_seconds + HARD_DEADLINE_SECONDS):
                    await workers.shutdown()
                    await running
            except TimeoutError:
                log.exception("worker did not stop in time, ending the process")
                os._exit(1)
            log.info("worker stopped")
