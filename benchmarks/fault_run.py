"""Many subscribers live a virtual year while nearly everything fails, and the auditor looks at the end.

    uv run python -m benchmarks.fault_run                        # 300 subscribers, 12 periods
    uv run python -m benchmarks.fault_run --seed 7 --subscribers 20 --periods 3

Answers are lost after the charge was made, connections are reset, 500, 503 and 429 come instead of answers,
notifications are lost, doubled and late, cards are declined and mended, the worker is killed with SIGKILL and the
Temporal server too. What fails on the wire and in the buyers' wallets comes from one seed. When processes are killed
depends on how fast the machine is, so two runs of a seed meet the same faults at different moments.

The exit code is 1 where the audit finds anything.
"""

import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from temporalio.service import RPCError

from benchmarks.processes import perennial
from billing.calendar import Interval, Unit
from billing.contract.terms import Terms
from billing.money import Money
from billing.plan import Plan
from billing.status import Status
from runtime.logs import configure_logging
from runtime.settings import Settings
from sandbox.stage import Stage, stage
from sandbox.subscriber import Subscriber
from sandbox.witness import BooksWitness
from simulator.faults import Fault, FaultPlan
from starter.audit.auditor import Auditor
from starter.errors import SubscriptionError

PLAN: Final = Plan.of("fault-run", Money.parse("9.99 USD"), Interval(unit=Unit.MONTH))
AT_ONCE: Final = 12
"""Subscribers that are moved through time together: enough to keep two cores busy."""

DECLINES: Final = ("SoftDeclined", "SoftDeclined", "ProcessingFailure", "HardDeclined", "TransactionTimedOut")
DECLINE_SHARE: Final = 0.15
"""Of all attempts."""

FAULTS: Final = {
    Fault.LOST_ANSWER: 0.04,
    Fault.RESET: 0.03,
    Fault.INTERNAL_ERROR: 0.03,
    Fault.UNAVAILABLE: 0.03,
    Fault.THROTTLED: 0.03,
}
DAYS_UNTIL_A_CARD_IS_MENDED: Final = timedelta(days=2)
GRACE: Final = timedelta(days=45)
"""After the last period fell due: longer than any period is collected."""

Answer = TypeVar("Answer")


@dataclass
class Figures:
    """What came of a run."""

    seed: int
    subscribers: int
    periods: int
    worker_kills: int = 0
    server_kills: int = 0
    charge_calls: int = 0
    replayed_calls: int = 0
    charges_captured: int = 0
    periods_due: int = 0
    periods_paid: int = 0
    periods_given_up: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    seconds: float = 0


async def patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Asks again while the server or the worker is away."""
    while True:
        try:
            return await ask()
        except (RPCError, RuntimeError, SubscriptionError):
            await asyncio.sleep(0.2)


class Buyer(Subscriber):
    """One subscriber whose buyer mends a card when it is needed."""

    async def live(self, periods: int, settled: Callable[[], object]) -> None:
        """Until so many periods fell due and the last one was settled; calls `settled` after each.

        A skip that the server took before it was killed is asked for again, and goes further by as much: more periods
        fall due then than were wanted, and those are settled too.
        """
        schedule = self.terms.schedule
        end = schedule.due(periods - 1) + GRACE
        subscription = await patiently(self.quiet)
        told = 0
        while not subscription.has_ended:
            now = await patiently(self.now)
            if now > end or subscription.next_period >= max(periods, schedule.periods_due(now)):
                break
            step = subscription.next
            if subscription.status in {Status.AWAITING_PAYMENT_METHOD, Status.PAUSED}:
                # To instants, not by durations: what is asked again after an outage must not go further.
                mended = now + DAYS_UNTIL_A_CARD_IS_MENDED
                await patiently(lambda mended=mended: self.until(mended))  # type: ignore[misc]
                await self.stage.simulator.mend_payment_method(self.charge_permission_id, await patiently(self.now))
                # The notification may be lost: the workflow then looks by itself within a day.
                seen = mended + timedelta(days=1, hours=1)
                subscription = await patiently(lambda seen=seen: self.until(seen))  # type: ignore[misc]
            else:
                wanted = step.at if step else now + timedelta(days=1)
                subscription = await patiently(lambda wanted=wanted: self.until(wanted))  # type: ignore[misc]
            while told < min(subscription.next_period, periods):
                told += 1
                settled()


async def begin(house: Stage, rng: random.Random, periods: int) -> Buyer:
    """A buyer approves, and the merchant starts the subscription."""
    permission = await house.simulator.open_permission()
    script = [rng.choice(DECLINES) if rng.random() < DECLINE_SHARE else None for _ in range(3 * periods)]
    await house.simulator.script(permission.charge_permission_id, script)
    terms = Terms(
        charge_permission_id=permission.charge_permission_id,
        plan=PLAN,
        anchor=datetime.now(UTC) + timedelta(minutes=30),
        zone=rng.choice(("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")),
    )
    await house.subscriptions.start(terms)
    return Buyer(house, terms)


class Killer:
    """Keeps a worker running, and kills it and the server at moments spread over the run."""

    def __init__(
        self, house: Stage, figures: Figures, rng: random.Random, worker_kills: int, server_kills: int
    ) -> None:
        self._house = house
        self._figures = figures
        deeds = ["worker"] * worker_kills + ["server"] * server_kills
        rng.shuffle(deeds)
        self._deeds = deeds
        self._moments = sorted(rng.random() for _ in deeds)
        self._progress = 0.0
        self._nothing_left = asyncio.Event()

    def moves_on(self, share: float) -> None:
        """So much more of the run is done."""
        self._progress += share

    async def finish(self) -> None:
        """Does what is left to do; nothing is killed after that."""
        self._progress = 1.0
        await self._nothing_left.wait()

    async def run(self) -> None:
        """Until it is cancelled."""
        environment = {"PERENNIAL_LOG_LEVEL": "ERROR", **self._house.worker_environment()}
        while True:
            async with perennial("worker", environment=environment) as worker:
                await self._until_a_worker_has_to_die(worker)

    async def _until_a_worker_has_to_die(self, worker: asyncio.subprocess.Process) -> None:
        while worker.returncode is None:
            await asyncio.sleep(0.1)
            if not self._moments:
                self._nothing_left.set()
            if not self._moments or self._progress < self._moments[0]:
                continue
            self._moments.pop(0)
            if self._deeds.pop(0) == "server":
                await self._house.server.crash()
                self._figures.server_kills += 1
            else:
                worker.send_signal(signal.SIGKILL)
                self._figures.worker_kills += 1
                return


async def fault_run(
    seed: int, subscribers: int, periods: int, worker_kills: int, server_kills: int, console: Console
) -> Figures:
    """Runs it all; gives the figures and what the audit found."""
    started = time.monotonic()
    figures = Figures(seed=seed, subscribers=subscribers, periods=periods)
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    plan = FaultPlan(
        seed=seed, requests=FAULTS, lost_notifications=0.1, doubled_notifications=0.1, late_notifications=0.1
    )
    with tempfile.TemporaryDirectory(prefix="perennial-faults-") as folder:
        async with stage(with_worker=False, database=Path(folder) / "temporal.sqlite") as house:
            buyers = [await begin(house, rng, periods) for _ in range(subscribers)]
            await house.simulator.set_faults(plan)
            killer = Killer(house, figures, rng, worker_kills, server_kills)
            killing = asyncio.create_task(killer.run())
            try:
                await _live_all(buyers, periods, killer, console)
                await killer.finish()
                figures.faults = await house.simulator.faults()
                await house.simulator.set_faults(FaultPlan())
                await _audit(house, buyers, figures)
            finally:
                killing.cancel()
                with suppress(asyncio.CancelledError):
                    await killing
    figures.seconds = round(time.monotonic() - started, 1)
    return figures


async def _live_all(buyers: list[Buyer], periods: int, killer: Killer, console: Console) -> None:
    places = asyncio.Semaphore(AT_ONCE)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        total = len(buyers) * periods
        task = progress.add_task("periods", total=total)

        def settled() -> None:
            progress.advance(task)
            killer.moves_on(1 / total)

        async def live(buyer: Buyer) -> None:
            async with places:
                await buyer.live(periods, settled)

        async with asyncio.TaskGroup() as group:
            for buyer in buyers:
                group.create_task(live(buyer))


async def _audit(house: Stage, buyers: list[Buyer], figures: Figures) -> None:
    by_permission = {buyer.charge_permission_id: buyer for buyer in buyers}
    for buyer in buyers:
        subscription = await patiently(buyer.quiet)
        figures.periods_due += buyer.terms.schedule.periods_due(await patiently(buyer.now))
        figures.periods_paid += subscription.periods_paid
        figures.periods_given_up += sum(record.outcome.value == "written_off" for record in subscription.ledger)

    async def virtual_time(charge_permission_id: str) -> datetime:
        return await patiently(by_permission[charge_permission_id].now)

    books = await house.simulator.books()
    figures.charge_calls = len(books.calls)
    figures.replayed_calls = sum(call.replayed for call in books.calls)
    figures.charges_captured = sum(charge.status_details.state == "Captured" for charge in books.charges)
    auditor = Auditor(house.client, house.subscriptions, BooksWitness(books), virtual_time)
    for identifier in by_permission:
        audited = await auditor.one(identifier)
        figures.findings += [f"{identifier}: {finding}" for finding in audited.findings]


def main(
    seed: Annotated[int, typer.Option(help="Of every fault.")] = 1,
    subscribers: Annotated[int, typer.Option(min=1)] = 300,
    periods: Annotated[int, typer.Option(min=1)] = 12,
    worker_kills: Annotated[int, typer.Option(min=0)] = 10,
    server_kills: Annotated[int, typer.Option(min=0)] = 2,
    as_json: Annotated[bool, typer.Option("--json")] = False,  # noqa: FBT002 - an option of a command
) -> None:
    """Lets subscribers live under faults, and audits them."""
    configure_logging(Settings(log_level="ERROR"))
    console = Console(stderr=True)
    figures = asyncio.run(fault_run(seed, subscribers, periods, worker_kills, server_kills, console))
    if as_json:
        sys.stdout.write(json.dumps(asdict(figures)) + "\n")
    else:
        table = Table("Figure", "Value", title="Fault run")
        for name, value in asdict(figures).items():
            table.add_row(name.replace("_", " "), json.dumps(value) if isinstance(value, dict | list) else str(value))
        Console().print(table)
    raise typer.Exit(1 if figures.findings else 0)


if __name__ == "__main__":
    typer.run(main)
