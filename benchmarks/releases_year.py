"""Old and new worker side by side: subscribers of every kind of plan live a virtual year while releases come and go.

    uv run python -m benchmarks.releases_year                      # 60 subscribers
    uv run python -m benchmarks.releases_year --subscriptions 8 --seed 7

Release A begins all. At month 3 release B joins beside it, does one thing more before each command, so that neither
can replay what the other did, and is promoted; at month 6 it is rolled back, and at month 9 promoted again. Both go on
working, as processes of their own. Meanwhile merchants ask for every kind of change (`benchmarks.wishes`), and some
charges are declined. Nothing else fails: what is wrong in the end is the releases' doing.

In the end the simulator's books are held against the ledger by the auditor, and in sums: nothing charged twice, nothing
forgotten; no period begun more than a minute late; nobody left with a release that is gone. The exit code is 1 else.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from amazon_pay_client.models import Currency
from amazon_pay_simulator.books import ExportedBooks
from benchmarks.fault_run import AT_ONCE, DECLINES, GRACE, Buyer, Figures, Tally, audit_of, patiently
from benchmarks.processes import perennial, python
from benchmarks.report import Report
from benchmarks.wishes import GOLD, MONTHLY, QUARTERLY, YEARLY, options_of, story_of
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.keys import idempotency_key
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.refusals import Refused
from perennial_billing.runtime.logs import configure_logging
from perennial_billing.runtime.settings import Settings
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.starter.cli.plan_file import read_plan
from perennial_billing.starter.deployments import Deployment, Deployments

A: Final = "A"
B: Final = "B"

EXAMPLES: Final = Path(__file__).parent.parent / "examples" / "plans"

PATIENCE: Final = timedelta(minutes=2)
LATE: Final = timedelta(minutes=1)
DECLINED_SHARE: Final = 0.1
MONTHS: Final = 12


class Resident(Buyer):
    """A buyer who lives on from one date to the next, and is then there still."""

    async def live_until(self, instant: datetime) -> None:
        """All that happens, and is asked for, until an instant."""
        subscription = await self._look()
        while not subscription.has_ended:
            now = await patiently(self.now)
            if now >= instant:
                return
            subscription = await self._asks_what_is_due(subscription, now)
            if not subscription.has_ended:
                subscription = await self._goes_on(subscription, now, instant)

    async def settle(self) -> None:
        """Until nothing is open any more."""
        until = await patiently(self.now) + GRACE
        subscription = await self._look()
        while not subscription.has_ended:
            now = await patiently(self.now)
            subscription = await self._asks_what_is_due(subscription, now)
            if subscription.has_ended or now > until or await self._is_settled(subscription):
                return
            subscription = await self._goes_on(subscription, now, now)


@dataclass(frozen=True, slots=True)
class Step:
    """How the releases stood after something was done.

    Attributes:
        month: of the year.
        what: was done.
        current: the release that new runs go to.
        runs: that only this release goes on with, by release.
        needed: releases whose workers are needed.
        moved: how many were woken, and how many were given to another release as they were.
        seconds: that it took.
    """

    month: int
    what: str
    current: str
    runs: dict[str, int]
    needed: list[str]
    moved: str
    seconds: float


async def releases_year(seed: int, count: int) -> Report:
    """Lives the year; gives the figures and what is wrong."""
    started, tally = time.perf_counter(), Tally()
    figures = Figures(seed=seed, subscribers=count, periods=MONTHS)
    async with stage(with_worker=False) as house, _release(house, A), _release(house, B) as late_start:
        releases = _Releases(house)
        steps = [await releases.step(0, "A begins", A)]
        buyers = [await _begun(house, random.Random(f"{seed}/{each}"), each, tally) for each in range(count)]  # noqa: S311
        await _each_until(buyers, 3)
        late_start.set()
        steps.append(await releases.step(3, "B joins, and is promoted", B))
        await _each_until(buyers, 6)
        steps.append(await releases.step(6, "back to A", A))
        await _each_until(buyers, 9)
        steps.append(await releases.step(9, "B is promoted again", B))
        await _each_until(buyers, MONTHS)
        await _all(buyers)
        steps.append(await releases.step(MONTHS, "the end", None))
        await audit_of(house, buyers, figures)
        late, begun = await _late(buyers, await house.simulator.books())
        figures.findings += late
        if steps[-1].runs.get(A) or any(each.is_stranded for each in (await releases.look()).releases):
            figures.findings.append(f"stranded: {steps[-1].runs}")
    figures.asked, figures.asked_again = tally.in_words, tally.again
    figures.seconds = round(time.perf_counter() - started, 1)
    return _report(figures, steps, (begun - len(late), begun))


class _Releases:
    """The worker deployment of a stage."""

    def __init__(self, house: Stage) -> None:
        settings = house.settings
        self._deployments = Deployments(house.client, settings.deployment_name, settings.task_queue)

    async def look(self) -> Deployment:
        """How it stands."""
        return await self._deployments.look()

    async def step(self, month: int, what: str, promoted: str | None) -> Step:
        """Promotes a release, moves all to it, and looks."""
        started, moved = time.perf_counter(), ""
        if promoted is not None:
            await self._promote(promoted)
            done = await self._deployments.move(patience=PATIENCE, seen=lambda _: None)
            moved = f"{done.woken} woken, {done.freed} given, {done.left} left"
        found = await self.look()
        return Step(
            month=month,
            what=what,
            current=found.current.build_id if found.current else "",
            runs={each.build_id: each.runs for each in found.releases},
            needed=[each.build_id for each in found.releases if each is found.current or each.runs],
            moved=moved,
            seconds=round(time.perf_counter() - started, 1),
        )

    async def _promote(self, build_id: str) -> None:
        async with asyncio.timeout(60):
            while True:
                try:
                    return await self._deployments.promote(build_id)
                except Refused:  # its workers were started just now
                    await asyncio.sleep(0.1)


@asynccontextmanager
async def _release(house: Stage, build_id: str) -> AsyncIterator[asyncio.Event]:
    """A worker process of a release, until the context is left: A at once, B as soon as that is said."""
    environment = {
        **house.worker_environment(),
        "PERENNIAL_WORKER_VERSIONING": "true",
        "PERENNIAL_BUILD_ID": build_id,
        "PERENNIAL_LOG_LEVEL": "ERROR",
    }
    begins, ends = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        await begins.wait()
        running = (
            perennial("worker", environment=environment)
            if build_id == A
            else python("-m", "benchmarks.another_release", environment=environment)
        )
        async with running:
            await ends.wait()

    if build_id == A:
        begins.set()
    working = asyncio.create_task(run())
    try:
        yield begins
    finally:
        begins.set()
        ends.set()
        await working


def _plans() -> list[Plan]:
    """Every kind: those that are documented by example, and those that merchants change to and fro."""
    return [MONTHLY, GOLD, QUARTERLY, YEARLY, *(read_plan(path) for path in sorted(EXAMPLES.glob("*.toml")))]


async def _begun(house: Stage, dice: random.Random, number: int, tally: Tally) -> Resident:
    plans, of_this_one = _plans(), options_of(dice)
    plan = plans[number % len(plans)]
    currency = Currency(plan.currency)
    permission = await house.simulator.open_permission(currency)
    declines = [dice.choice(DECLINES) if dice.random() < DECLINED_SHARE else None for _ in range(3 * MONTHS)]
    await house.simulator.script(permission.charge_permission_id, declines)
    terms = Terms(
        charge_permission_id=permission.charge_permission_id,
        plan=plan,
        anchor=datetime.now(UTC) + timedelta(minutes=30),
        zone=dice.choice(("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")),
    )
    wishes = story_of(dice, terms.anchor, _month(terms, MONTHS))
    await house.subscriptions.start(terms)
    return Resident(house, terms, wishes, of_this_one, f"releases/{number}", tally)


def _month(terms: Terms, months: int) -> datetime:
    """So many months after a subscription began, a day before the next due date, as most releases come between two."""
    plan = Plan.of("months", MONTHLY.phases[0].amount, Interval(unit=Unit.MONTH))
    return terms.but(plan=plan).schedule.due(months) - timedelta(days=1)


async def _each_until(buyers: Sequence[Resident], months: int) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def live(buyer: Resident) -> None:
        async with places:
            await buyer.live_until(_month(buyer.terms, months))

    async with asyncio.TaskGroup() as group:
        for buyer in buyers:
            group.create_task(live(buyer))


async def _all(buyers: Sequence[Resident]) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def settle(buyer: Resident) -> None:
        async with places:
            await buyer.settle()

    async with asyncio.TaskGroup() as group:
        for buyer in buyers:
            group.create_task(settle(buyer))


async def _late(buyers: Sequence[Resident], books: ExportedBooks) -> tuple[list[str], int]:
    """Which periods were not begun within a minute of their due date, and how many were begun.

    A period that waits for the one before, as the policy says, is not late; nor is what a merchant asked for later.
    """
    made = {call.idempotency_key: call.charge_id for call in reversed(books.calls)}
    created = {charge.charge_id: charge.creation_timestamp for charge in books.charges}
    late: list[str] = []
    begun = 0
    for buyer in buyers:
        settled_before = datetime.min.replace(tzinfo=UTC)
        for record in (await patiently(buyer.status)).ledger:
            waited, settled_before = settled_before > record.due, max(settled_before, record.settled_at)
            keys = [idempotency_key(each, record.period, 1) for each in buyer.charge_permissions]
            first = next((at for key in keys if (at := created.get(made.get(key) or ""))), None)
            if record.outcome not in {PeriodOutcome.PAID, PeriodOutcome.WRITTEN_OFF} or first is None or waited:
                continue
            begun += 1
            if first - record.due > LATE:
                late.append(f"{buyer.charge_permission_id}: period {record.period} was begun {first - record.due} late")
    return late, begun


def _report(figures: Figures, steps: Sequence[Step], begun: tuple[int, int]) -> Report:
    in_time, begun_in_all = begun
    rows = [
        (
            f"{each.month}",
            each.what,
            each.current,
            ", ".join(f"{name}: {runs}" for name, runs in sorted(each.runs.items())),
            " and ".join(sorted(each.needed)),
            each.moved,
            f"{each.seconds:.1f}",
        )
        for each in steps
    ]
    asked = sum(int(words.split(" of ")[1]) for words in figures.asked.values())
    return Report(
        title=f"A year of {figures.subscribers} subscribers and two releases, {len(figures.findings)} findings",
        columns=("month", "what", "current", "runs", "needed", "moved", "s"),
        rows=rows,
        figures=asdict(figures)
        | {"steps": [asdict(each) for each in steps], "begun": begun_in_all, "begun_in_time": in_time},
        note=f"{figures.periods_due} periods, {figures.periods_paid} paid, {figures.charges_captured} charges; "
        f"{in_time} of {begun_in_all} begun within a minute of their due date; {figures.ledger_entries} entries of the "
        f"ledger; {asked} changes asked for; {figures.seconds:.0f} s.\n" + "\n".join(figures.findings[:20]),
    )


def main() -> None:
    """Runs it from the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.releases_year", description="A year with two releases.")
    parser.add_argument("--subscriptions", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    configure_logging(Settings(log_level="ERROR"))
    report = asyncio.run(releases_year(arguments.seed, arguments.subscriptions))
    report.print(as_json=arguments.json)
    sys.exit(1 if report.figures["findings"] else 0)


if __name__ == "__main__":
    main()
