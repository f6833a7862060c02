"""What one healthy monthly period costs, beside a peer and a bare workflow.

The peer is a subscription as one would write it by Temporal's samples, which makes the same signed call; the bare
workflow is a timer and an activity. All three are measured by turns in one run, on one Temporal server, against one
simulator. Each has its worker in a process of its own, whose processor time and memory are its own alone: server,
simulator, the notices' endpoint and what moves time are others. Workers are `benchmarks.measured_worker`, with the
settings that a worker has by default.

Counted are history events and bytes a period, without those of virtual time, which real subscriptions have not;
Amazon's notifications are off, as each adds what a signal adds. Memory is what the worker's process grows by with each
workflow that sleeps in its cache after its first period: half of the workflows are there before, so that the growth is
theirs and not the process's.

Run: `python -m benchmarks.healthy_period [--subscribers N] [--periods N] [--deliver] [--no-ledger] [--json]`
"""

import argparse
import asyncio
import statistics
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Final, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client

from benchmarks.contestants import Bares, Contestant, Handle, Life, Peers, Subscriptions, Unrecorded
from benchmarks.report import Report
from perennial_billing.runtime.http import bind, serving
from perennial_billing.runtime.logs import configure_logging
from perennial_billing.runtime.settings import Settings
from perennial_billing.sandbox.house import HOST
from perennial_billing.sandbox.stage import stage

SECRET: Final = "whsec_YSBzZWNyZXQgb2YgYmVuY2htYXJrcyBvbmx5IQ=="  # noqa: S105 - signs notices to this very process
MOST_EVENTS: Final = 13
MOST_BYTES: Final = 2_100
"""The aims, a period."""

MOST_PROCESSOR: Final = 1.1
MOST_MEMORY: Final = 1.5
"""The aims, as multiples of the peer's."""

AT_ONCE: Final = 12
"""Workflows that are moved through time together: enough to keep two cores busy."""

HISTORIES: Final = 20
"""Of each kind, that are read: within a kind they differ by a few bytes."""

SETTLE_SECONDS: Final = 0.3
"""Until what runs beside the workflows, such as the delivery of notices, is over as well."""

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

OF_VIRTUAL_TIME: Final = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED,
    }
)

_ACTIONS: Final = frozenset(
    {
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        EventType.EVENT_TYPE_MARKER_RECORDED,
    }
)
"""What Temporal Cloud charges for, as far as a healthy period's history shows it. The delivery of a notice is one more,
as an activity of its own, where an endpoint is set; each repetition of a call would be one as well."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a period costs; and what a workflow costs that sleeps."""

    events: float
    bytes: float
    actions: float
    worker_milliseconds: float
    resident_kilobytes: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found, and how ours compares with the peer's: by turns for the processor, as both had the same noise."""

    subscription: Cost
    peer: Cost
    bare: Cost
    processor_ratio: float
    memory_ratio: float


@dataclass(frozen=True, slots=True)
class _History:
    events: int
    bytes: int
    actions: int
    calls: int

    @classmethod
    async def of(cls, client: Client, handle: Handle) -> "_History":
        """Of a workflow's run, without virtual time."""
        history = await handle.fetch_history()
        events = [event for event in history.events if event.event_type not in OF_VIRTUAL_TIME]
        execution = WorkflowExecution(workflow_id=handle.id)
        described = await client.workflow_service.describe_workflow_execution(
            DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
        )
        of_time = sum(event.ByteSize() for event in history.events if event.event_type in OF_VIRTUAL_TIME)
        return cls(
            events=len(events),
            bytes=described.workflow_execution_info.history_size_bytes - of_time,
            actions=sum(event.event_type in _ACTIONS for event in events),
            calls=sum(event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED for event in events),
        )


class _Side:
    """One kind in the run: its workflows, and what their turns used."""

    def __init__(self, contestant: Contestant, client: Client) -> None:
        self.milliseconds: list[float] = []
        self.kilobytes = 0.0
        self._contestant = contestant
        self._client = client
        self._lives: list[Life] = []
        self._before: list[_History] = []

    async def begin(self, count: int) -> None:
        """Starts so many and moves them through their first period, one half after the other."""
        await self._begin(count - count // 2)
        before = await self._contestant.resident_bytes()
        await self._begin(count // 2)
        self.kilobytes = (await self._contestant.resident_bytes() - before) / (count // 2) / 1000
        self._before = await self._histories()

    async def _begin(self, count: int) -> None:
        async def begin(_: int) -> Life:
            life = await self._contestant.begin()
            await life.quiet()
            await life.move()
            return life

        self._lives += await _each(range(count), begin)
        await asyncio.sleep(SETTLE_SECONDS)

    async def turn(self) -> None:
        """Moves all through a period."""
        before = await self._contestant.processor_seconds()
        await _each(self._lives, lambda life: life.move())
        await asyncio.sleep(SETTLE_SECONDS)
        used = await self._contestant.processor_seconds() - before
        self.milliseconds.append(1000 * used / len(self._lives))

    async def cost(self) -> Cost:
        """What it came to.

        Raises:
            RuntimeError: a workflow did not make one call a period, so that something else was measured.
        """
        total = len(self.milliseconds) * len(self._before)
        pairs = list(zip(self._before, await self._histories(), strict=True))
        if any(late.calls - early.calls != len(self.milliseconds) for early, late in pairs):
            raise RuntimeError(f"{self._contestant.kind}: a workflow did not make one call a period")
        return Cost(
            events=sum(late.events - early.events for early, late in pairs) / total,
            bytes=sum(late.bytes - early.bytes for early, late in pairs) / total,
            actions=sum(late.actions - early.actions for early, late in pairs) / total,
            worker_milliseconds=statistics.median(self.milliseconds),
            resident_kilobytes=self.kilobytes,
        )

    async def _histories(self) -> list[_History]:
        return await _each(self._lives[:HISTORIES], lambda life: _History.of(self._client, life.handle))


async def _each(items: Iterable[Item], do: Callable[[Item], Awaitable[Outcome]]) -> list[Outcome]:
    """Does it to each, so many at once."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(item: Item) -> Outcome:
        async with places:
            return await do(item)

    return await asyncio.gather(*(one(item) for item in items))


async def _run(subscribers: int, periods: int, *, deliver: bool, ledger: bool) -> Figures:
    async def take(request: Request) -> Response:
        await request.body()
        return Response(status_code=204)

    endpoint = Starlette(routes=[Route("/", take, methods=["POST"])])
    async with (
        serving(endpoint, bind(HOST, 0)) as url,
        stage(with_worker=False) as house,
        AsyncExitStack() as workers,
    ):
        await house.simulator.send_notifications_to(None)
        notices = {"PERENNIAL_WEBHOOK_URL": url, "PERENNIAL_WEBHOOK_SECRET": SECRET} if deliver else {}
        sides = [
            _Side(await workers.enter_async_context(kind.on(house, notices)), house.client)
            for kind in (Subscriptions if ledger else Unrecorded, Peers, Bares)
        ]
        for side in sides:
            await side.begin(subscribers)
        for _ in range(periods):
            for side in sides:
                await side.turn()
        ours, peer, bare = sides
        return Figures(
            subscription=await ours.cost(),
            peer=await peer.cost(),
            bare=await bare.cost(),
            processor_ratio=statistics.median(
                us / them for us, them in zip(ours.milliseconds, peer.milliseconds, strict=True)
            ),
            memory_ratio=_ratio(ours.kilobytes, peer.kilobytes),
        )


def _ratio(of_us: float, of_them: float) -> float:
    """0 where nothing was found to compare with, as where too few workflows made a process grow."""
    return of_us / of_them if of_them > 0 else 0.0


def report(found: Figures, settings: Mapping[str, int | bool]) -> Report:
    """All beside each other."""
    ours, peer, bare = found.subscription, found.peer, found.bare
    rows = [
        ("history events", ours.events, peer.events, bare.events, None, f"<= {MOST_EVENTS}"),
        ("history bytes", ours.bytes, peer.bytes, bare.bytes, None, f"<= {MOST_BYTES:,}"),
        ("actions", ours.actions, peer.actions, bare.actions, None, "-"),
        (
            "worker, ms of CPU",
            *(ours.worker_milliseconds, peer.worker_milliseconds, bare.worker_milliseconds, found.processor_ratio),
            f"<= {MOST_PROCESSOR} peers",
        ),
        (
            "asleep, kB of memory",
            *(ours.resident_kilobytes, peer.resident_kilobytes, bare.resident_kilobytes, found.memory_ratio),
            f"<= {MOST_MEMORY} peers",
        ),
    ]
    return Report(
        "One healthy monthly period",
        ("a period", "ours", "peer", "bare", "ours / peer", "aim"),
        [
            (name, f"{us:,.1f}", f"{them:,.1f}", f"{floor:,.1f}", f"{ratio or _ratio(us, them):.2f}", aim)
            for name, us, them, floor, ratio, aim in rows
        ],
        {
            **settings,
            **asdict(found),
            "aim": {
                "events": MOST_EVENTS,
                "bytes": MOST_BYTES,
                "processor_ratio": MOST_PROCESSOR,
                "memory_ratio": MOST_MEMORY,
            },
        },
        f"{settings['subscribers']} of each, {settings['periods']} periods by turns; notices are "
        f"{'delivered' if settings['deliver'] else 'logged'}{'' if settings['ledger'] else ', not recorded'}; "
        f"each worker in a process of its own",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.healthy_period", description="What a healthy period costs.")
    parser.add_argument("--subscribers", type=int, default=300, help="2 to 900, and as many peers and bare workflows")
    parser.add_argument("--periods", type=int, default=3, help="1 to 11, so that all are in one run")
    parser.add_argument("--deliver", action="store_true", help="notices are delivered to an endpoint, and not logged")
    parser.add_argument(
        "--no-ledger", action="store_true", help="nothing is recorded: what the ledger costs is the rest"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    configure_logging(Settings(log_level="ERROR"))
    ledger = not options.no_ledger
    figures = asyncio.run(_run(options.subscribers, options.periods, deliver=options.deliver, ledger=ledger))
    wanted = {
        "subscribers": options.subscribers,
        "periods": options.periods,
        "deliver": options.deliver,
        "ledger": ledger,
    }
    report(figures, wanted).print(as_json=options.json)
