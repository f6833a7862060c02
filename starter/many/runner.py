"""Doing the same to many, some at a time and not faster than a rate, with a report and in bounded memory."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from perennial_billing.starter.pacing import Pace

AT_A_TIME: Final = 16

Item = TypeVar("Item")


class Outcome(StrEnum):
    """What became of one."""

    DONE = "done"
    ALREADY = "already"
    """It had been done before; nothing was changed."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report.

    Attributes:
        subject: which one: a charge permission's id, as far as it is known.
        outcome: what became of it.
        why: why it was refused, or what there is to say.
        row: where it stands in its file, counted from 1 as an editor counts lines.
        mind: what somebody should look at, although it was done.
    """

    subject: str
    outcome: Outcome
    why: str = ""
    row: int | None = None
    mind: str = ""


Report = Callable[[Result], None]


@dataclass(slots=True)
class Tally:
    """How far it is.

    Attributes:
        counts: of those of whom a result is known, by what became of them.
        under_way: how many were begun, and are not known yet.
    """

    counts: Counter[Outcome] = field(default_factory=Counter)
    under_way: int = 0


async def do_to_many(
    items: AsyncIterator[Item],
    perform: Callable[[Item], Awaitable[Result]],
    report: Report,
    *,
    per_second: float | None = None,
    at_a_time: int = AT_A_TIME,
    tally: Tally | None = None,
) -> Counter[Outcome]:
    """Performs something on each, and tells each result as it comes; no more than `at_a_time` are held at once.

    Args:
        items: on which.
        perform: what.
        report: told of each result.
        per_second: how many are begun in a second, at most.
        at_a_time: how many are under way at once, at most.
        tally: kept up to date, for whoever wants to know how far it came where it is broken off.

    Raises:
        ExceptionGroup: what `perform` or `report` raised; what was begun is ended first.
    """
    tally = tally or Tally()
    waiting: asyncio.Queue[Item] = asyncio.Queue(maxsize=1)
    pace = Pace(per_second)

    async def work() -> None:
        while True:
            item = await waiting.get()
            await pace.wait()
            tally.under_way += 1
            result = await perform(item)
            report(result)
            tally.under_way -= 1
            tally.counts[result.outcome] += 1
            waiting.task_done()

    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(work()) for _ in range(at_a_time)]
        async for item in items:
            await waiting.put(item)
        await waiting.join()
        for worker in workers:
            worker.cancel()
    return tally.counts
