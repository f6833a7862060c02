"""What is done to many takes a while: it goes on in this process, and its page tells how far it is.

It is kept in memory. Where the process ends, what was not begun is not done; asked for again, whom it holds for already
is left alone.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import structlog

from perennial_billing.starter.many.bulk import Doing
from perennial_billing.starter.many.runner import Outcome, Result, Tally, do_to_many

MOST: Final = 10_000
"""Subscriptions of one; `perennial bulk` takes more."""

KEPT: Final = 20
"""That have ended, the latest ones."""

_log = structlog.get_logger("console")


@dataclass(slots=True)
class Job:
    """One change for many.

    Attributes:
        id: by which it is looked at; the form's, so that a form that is sent twice begins it once.
        what: is done, in words.
        by: who asked for it.
        because: why.
        total: how many there are.
        began_at: when (UTC).
        tally: how far it is.
        results: what became of each of whom that is known.
        ended_at: when it had ended (UTC).
        stopped_by: who stopped it.
        fault: the kind of error that nobody foresaw and that ended it.
    """

    id: str
    what: str
    by: str
    because: str
    total: int
    began_at: datetime
    tally: Tally = field(default_factory=Tally)
    results: list[Result] = field(default_factory=list)
    ended_at: datetime | None = None
    stopped_by: str | None = None
    fault: str | None = None

    @property
    def known(self) -> int:
        """Of how many it is known what became of them."""
        return self.tally.counts.total()

    def count(self, outcome: str) -> int:
        """Of how many this became."""
        return self.tally.counts[Outcome(outcome)]


class Jobs:
    """Those of one process; one after the other, so that each is done at the pace that it was reckoned with."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def get(self, job_id: str) -> Job | None:
        """The one with an id; None where there is none, or not any more."""
        return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """The latest first."""
        return list(reversed(self._jobs.values()))

    @property
    def running(self) -> Job | None:
        """The one that is not done yet."""
        return next((job for job in self._jobs.values() if job.ended_at is None), None)

    def begin(self, job: Job, found: Sequence[str], doing: Doing, per_second: float) -> None:
        """Begins one; none may be running.

        Args:
            job: which.
            found: the charge permissions that it is for.
            doing: what is done to each.
            per_second: how many are begun in a second, at most.
        """
        if self.running is not None:
            raise AssertionError("another one is running")
        for old in [each for each in self._jobs.values() if each.ended_at is not None][:-KEPT]:
            del self._jobs[old.id]
        self._jobs[job.id] = job
        self._tasks[job.id] = asyncio.create_task(self._run(job, found, doing, per_second))

    async def stop(self, job: Job, by: str) -> None:
        """Begins no more; what is under way may still be done."""
        task = self._tasks.get(job.id)
        if task is not None and job.ended_at is None:
            job.stopped_by = by
            task.cancel()
            await asyncio.wait({task})

    async def close(self) -> None:
        """Stops whatever runs, as the process ends."""
        for job in self._jobs.values():
            await self.stop(job, "the console's end")

    async def _run(self, job: Job, found: Sequence[str], doing: Doing, per_second: float) -> None:
        try:
            await do_to_many(_each(found), doing, job.results.append, per_second=per_second, tally=job.tally)
        except Exception as error:  # noqa: BLE001 - nobody waits for it: its page tells, and the log has all of it
            job.fault = type(error).__name__
            _log.error("what is done to many has failed", job=job.id, exc_info=error)
        finally:
            job.ended_at = datetime.now(UTC)
            self._tasks.pop(job.id, None)


async def _each(found: Sequence[str]) -> AsyncIterator[str]:
    for each in found:
        yield each
