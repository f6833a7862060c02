"""A payday of one account at Amazon's limits of live, served by several workers, of which one is killed in the middle.

    uv run python -m benchmarks.payday_killed                                # 10,000 subscribers, three workers: 45 min
    uv run python -m benchmarks.payday_killed --subscribers 400

All subscriptions fall due at one instant. The simulator keeps the limit of Create Charge in live, ten calls at once
and four a second, and answers 429 to what is more. When half are charged, one worker is killed (SIGKILL), and no other
takes its place. What is told: how much of what Amazon would take was used, how many calls were one too many, and the
longest time in which nothing was sent. The exit code is 1 where less than 0.98 of it was used, more than one call in a
thousand was answered 429, or anybody was charged twice or not at all.
"""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from amazon_pay_client import Environment
from amazon_pay_client.limits import RATES
from benchmarks.accounts_payday import STARTED_A_SECOND, Taken, each_of, worker_process
from benchmarks.report import Report
from benchmarks.wishes import MONTHLY
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.workflows.names import Call

LIVE: Final = RATES[Environment.LIVE][Call.CREATE_CHARGE]
HEAD_START: Final = timedelta(seconds=20)
AIM_USED: Final = 0.98
AIM_THROTTLED: Final = 0.001
PATIENCE: Final = 2.0
"""Times what the limit alone takes."""

_LOOKS_EVERY_SECONDS: Final = 0.5
_BOOKS_EVERY_SECONDS: Final = 5.0
_STRAGGLERS_SECONDS: Final = 60.0
"""What a killed worker had taken is taken again by another after 12 s."""


@dataclass(frozen=True)
class Payday:
    """What came of one.

    Attributes:
        subscribers: all due at once.
        workers: processes, of which one was killed.
        killed_after: so many calls.
        charged_before: how many were charged before all were started and due, where starting took longer than planned.
        charged_in_seconds: from then to the last.
        used: the share of what Amazon would have taken in that time, but for what it takes at once.
        calls: Create Charge, repetitions included.
        throttled: of them answered 429.
        longest_pause_seconds: between two calls.
        charged_once: subscribers with exactly one charge.
    """

    subscribers: int
    workers: int
    killed_after: int
    charged_before: int
    charged_in_seconds: float
    used: float
    calls: int
    throttled: int
    longest_pause_seconds: float
    charged_once: int

    @property
    def is_as_aimed(self) -> bool:
        """Whether all went well."""
        enough = self.used >= AIM_USED and self.throttled <= AIM_THROTTLED * self.calls
        return enough and self.charged_once == self.subscribers


async def payday(subscribers: int, workers: int, progress: Progress) -> Payday:
    """Lets one pass."""
    taken, rates = Taken(), {Call.CREATE_CHARGE.value: LIVE.per_second}
    with taken.noting():
        async with AsyncExitStack() as stack:
            house = await stack.enter_async_context(
                stage(with_worker=False, throttled_as=Environment.LIVE, calls_per_second=rates)
            )
            processes = [await stack.enter_async_context(worker_process(house)) for _ in range(workers)]
            due = datetime.now(UTC) + timedelta(seconds=subscribers / STARTED_A_SECOND) + HEAD_START
            starting = progress.add_task("started", total=subscribers)

            async def begin(_: int) -> None:
                await _begun(house, due)
                progress.advance(starting)

            await each_of(range(subscribers), begin)
            began = time.monotonic() + max(0.0, (due - datetime.now(UTC)).total_seconds())
            charging = progress.add_task("charged", total=subscribers)

            def look() -> None:
                progress.update(charging, completed=taken.count)

            within = HEAD_START.total_seconds() + subscribers / LIVE.per_second * PATIENCE
            killed_after = await _until(taken, subscribers // 2, look, within)
            os.kill(processes[0].process_id, signal.SIGKILL)
            await _until(taken, subscribers, look, within)
            charges = await _all_charged(house, subscribers)
    all_calls = sum(map(len, taken.calls.values()))
    calls = sorted(at for each in taken.calls.values() for at in each if at >= began)
    lasted = calls[-1] - began
    throttled = sum(taken.throttled.values())
    return Payday(
        subscribers=subscribers,
        workers=workers,
        killed_after=killed_after,
        charged_in_seconds=round(lasted, 1),
        charged_before=all_calls - len(calls),
        used=round(len(calls) / (lasted * LIVE.per_second), 4),
        calls=all_calls + throttled,
        throttled=throttled,
        longest_pause_seconds=round(max(after - before for before, after in pairwise(calls)), 2),
        charged_once=sum(times == 1 for times in charges.values()),
    )


async def _begun(house: Stage, due: datetime) -> None:
    permission = (await house.simulator.open_permission()).charge_permission_id
    terms = Terms(charge_permission_id=permission, plan=MONTHLY, anchor=due)
    await house.subscriptions.start(terms, unchecked=True)


async def _until(taken: Taken, calls: int, look: Callable[[], None], within: float) -> int:
    """Waits for so many calls; how many there were then."""
    async with asyncio.timeout(within):
        while taken.count < calls:
            await asyncio.sleep(_LOOKS_EVERY_SECONDS)
            look()
    return taken.count


async def _all_charged(house: Stage, subscribers: int) -> Counter[str]:
    """How many charges each charge permission has in Amazon's books, once each has one; or after a minute."""
    charges: Counter[str] = Counter()
    for _ in range(int(_STRAGGLERS_SECONDS / _BOOKS_EVERY_SECONDS)):
        charges = Counter(each.charge_permission_id for each in (await house.simulator.books()).charges)
        if len(charges) >= subscribers:
            break
        await asyncio.sleep(_BOOKS_EVERY_SECONDS)
    return charges


def main(
    subscribers: Annotated[int, typer.Option(min=40, help="All due at once.")] = 10_000,
    workers: Annotated[int, typer.Option(min=2, help="Processes, of which one is killed.")] = 3,
    as_json: Annotated[bool, typer.Option("--json")] = False,  # noqa: FBT002 - an option of a command
) -> None:
    """A payday at Amazon's limits, in the middle of which a worker is killed."""
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        came = asyncio.run(payday(subscribers, workers, progress))
    figures = asdict(came)
    note = f"Amazon takes {LIVE.burst} at once and {LIVE.per_second:g} a second; aim: {AIM_USED} of that used, at most "
    note += f"{AIM_THROTTLED:.1%} answered 429, everybody charged once"
    rows = [(name.replace("_", " "), f"{value:,}") for name, value in figures.items()]
    Report("Payday of one account, a worker killed", ("figure", ""), rows, figures, note).print(as_json=as_json)
    raise typer.Exit(0 if came.is_as_aimed else 1)


if __name__ == "__main__":
    typer.run(main)
