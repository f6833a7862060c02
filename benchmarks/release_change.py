"""What a new release costs while subscriptions sleep, in the two ways that Temporal has for workflows that live long.

Pinned: a run stays with its release; when another is made current, all are woken once and go on as new runs. Upgraded:
a run goes on in its midst under the release that is current when it wakes, and where commands changed, a patch with an
id for each period keeps what lies behind as it was. Both sides live through the same: so many subscriptions pay their
first period under one release, another is made current, and they pay the second under it; the upgraded ones by code
that has one patch.

Counted are the events that the change costs a subscription once, the events a period costs afterwards, how many runs
need the first release just after another was made current, and how long it takes until none does.

Run: `python -m benchmarks.release_change [--subscriptions N] [--json]`
"""

import argparse
import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from unittest.mock import patch

from temporalio import workflow
from temporalio.client import Client
from temporalio.common import VersioningBehavior
from temporalio.worker import WorkerDeploymentConfig

from benchmarks.contestants import PLAN
from benchmarks.healthy_period import OF_VIRTUAL_TIME
from benchmarks.report import Report
from perennial_billing.activities.signatures import Standing
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.protocol.commands import Command, CreateCharge
from perennial_billing.billing.protocol.events import Event
from perennial_billing.billing.refusals import Refused
from perennial_billing.runtime.logs import configure_logging
from perennial_billing.runtime.payloads import DATA_CONVERTER
from perennial_billing.runtime.settings import Settings
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.sandbox.subscriber import Subscriber
from perennial_billing.starter.deployments import Deployments
from perennial_billing.worker import wiring
from perennial_billing.worker.release import release_of
from perennial_billing.worker.wiring import amazon_pay_client, billing_workers
from perennial_billing.workflows import life
from perennial_billing.workflows.performing import perform

AT_ONCE: Final = 12
PATIENCE: Final = timedelta(minutes=2)

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one way.

    Attributes:
        needed_before_waking: runs that need the first release just after another was made current.
        seconds: from then on until none needs it.
        events_once: that the change added to a subscription's histories.
        events_a_period: of the period after it.
    """

    needed_before_waking: int
    seconds: float
    events_once: float
    events_a_period: float


async def release_change(subscriptions: int) -> Report:
    """Measures both ways, one after the other, each on a stage of its own."""
    found = {
        "pinned, woken": await _measured(subscriptions, VersioningBehavior.PINNED),
        "upgraded, patched": await _measured(subscriptions, VersioningBehavior.AUTO_UPGRADE),
    }
    rows = [
        (
            way,
            str(of.needed_before_waking),
            f"{of.seconds:.1f}",
            f"{of.events_once:.1f}",
            f"{of.events_a_period:.1f}",
        )
        for way, of in found.items()
    ]
    return Report(
        title=f"A new release while {subscriptions} subscriptions sleep",
        columns=("way", "runs that need the old", "s until it may stop", "events once", "events a period after"),
        rows=rows,
        figures={"subscriptions": subscriptions, "ways": {way: asdict(of) for way, of in found.items()}},
        note="Pinned and woken by nobody, all need the old release until they wake: a month here, a year at the most.",
    )


async def _measured(count: int, behavior: VersioningBehavior) -> Figures:
    async with stage(with_worker=False) as house, AsyncExitStack() as working:
        deployments = Deployments(house.client, house.settings.deployment_name, house.settings.task_queue)
        with _behaving(behavior):
            await working.enter_async_context(_release(house, "one"))
            await _promoted(deployments, "one")
            everyone = await _each(range(count), lambda _: _begun(house))
            before = await _events(house, everyone)
            await working.enter_async_context(_release(house, "two"))
        started = time.perf_counter()
        await _promoted(deployments, "two")
        needed = sum(each.runs for each in (await deployments.look()).releases if each.build_id == "one")
        pinned = behavior is VersioningBehavior.PINNED
        if pinned:
            await deployments.move(patience=PATIENCE, seen=lambda _: None, per_second=1_000)
        seconds = time.perf_counter() - started
        once = await _events(house, everyone)
        with patch.object(life, "perform", perform if pinned else _patched):
            await _each(everyone, lambda each: each.until_due(1))
        after = await _events(house, everyone)
    return Figures(needed if pinned else 0, seconds, (once - before) / count, (after - once) / count)


async def _patched(
    command: Command, account: str, *, standing: Standing | None = None, within: timedelta | None = None
) -> Event:
    """As a release has it that does one thing more before a charge, and must go on with what others began."""
    if isinstance(command, CreateCharge):
        workflow.patched(f"one-thing-more-{command.attempt.period}")
    return await perform(command, account, standing=standing, within=within)


@contextmanager
def _behaving(behavior: VersioningBehavior) -> Iterator[None]:
    """Releases are as those of a worker, with another behaviour."""

    def released(settings: Settings) -> WorkerDeploymentConfig | None:
        release = release_of(settings)
        return dataclasses.replace(release, default_versioning_behavior=behavior) if release else None

    with patch.object(wiring, "release_of", released):
        yield


@asynccontextmanager
async def _release(house: Stage, build_id: str) -> AsyncIterator[None]:
    """Workers of a release work while the context is open, by a connection of their own as another process has it."""
    settings = house.settings.model_copy(update={"worker_versioning": True, "build_id": build_id})
    client = await Client.connect(house.server.address, data_converter=DATA_CONVERTER)
    async with (
        amazon_pay_client(settings) as amazon_pay,
        billing_workers(client, amazon_pay, house.ledger, settings) as workers,
        workers.running(),
    ):
        yield


async def _promoted(deployments: Deployments, build_id: str) -> None:
    while True:
        try:
            return await deployments.promote(build_id)
        except Refused:  # its workers were started just now
            await asyncio.sleep(0.05)


async def _begun(house: Stage) -> Subscriber:
    permission = await house.simulator.open_permission()
    terms = Terms(
        charge_permission_id=permission.charge_permission_id,
        plan=PLAN,
        anchor=datetime.now(UTC) + timedelta(minutes=30),
        zone="Europe/Berlin",
    )
    await house.subscriptions.start(terms)
    subscriber = Subscriber(house, terms)
    await subscriber.until_due(0)
    return subscriber


async def _events(house: Stage, everyone: Sequence[Subscriber]) -> int:
    """Of all runs, without those of virtual time."""

    async def of(subscriber: Subscriber) -> int:
        events = 0
        async for run in house.client.list_workflows(f"WorkflowId = '{subscriber.handle.id}'"):
            history = await house.client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
            events += sum(event.event_type not in OF_VIRTUAL_TIME for event in history.events)
        return events

    return sum(await _each(everyone, of))


async def _each(items: Iterable[Item], do: Callable[[Item], Awaitable[Outcome]]) -> list[Outcome]:
    """Does it to each, so many at once."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(item: Item) -> Outcome:
        async with places:
            return await do(item)

    return await asyncio.gather(*(one(item) for item in items))


def main() -> None:
    """Runs it from the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.release_change", description="A new release while many sleep.")
    parser.add_argument("--subscriptions", type=int, default=60, help="of each way")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    configure_logging(Settings(log_level="ERROR"))
    asyncio.run(release_change(arguments.subscriptions)).print(as_json=arguments.json)


if __name__ == "__main__":
    main()
