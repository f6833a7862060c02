"""What one healthy monthly period costs with everything switched on, beside a bare workflow of a timer and an activity.

Counted are history events and bytes a period, and the worker's processor time, for both in one run on one Temporal
server. Notices are delivered to an endpoint; Amazon's notifications are off, as each adds what a signal adds. Events of
virtual time are left out: real subscriptions have none.

Run: `python -m benchmarks.healthy_period [--subscribers N] [--periods N] [--json]`
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from benchmarks.bare_workflow import MONTH, BareWorkflow, do_nothing
from benchmarks.report import Report
from billing.calendar import Interval, Unit
from billing.money import Money
from billing.plan import Plan
from billing.terms import Terms
from runtime.http import bind, serving
from runtime.logs import configure_logging
from runtime.settings import Settings
from runtime.temporal import is_busy
from sandbox.stage import HOST, Stage, stage
from sandbox.subscriber import LOOK_EVERY_SECONDS, Subscriber

SECRET: Final = "whsec_YSBzZWNyZXQgb2YgYmVuY2htYXJrcyBvbmx5IQ=="  # noqa: S105 - signs notices to this very process
BARE_QUEUE: Final = "bare"
MOST_EVENTS: Final = 14
MOST_BYTES: Final = 4_000
"""The aims, a period."""

Handle = WorkflowHandle[Any, Any]  # Any: only their histories are of interest

_OF_VIRTUAL_TIME: Final = frozenset(
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
    """What a period costs."""

    events: float
    bytes: float
    actions: float
    worker_milliseconds: float


async def _history(client: Client, handle: Handle) -> tuple[int, int, int]:
    """Events, bytes and actions of a workflow's run, without those of virtual time."""
    history = await handle.fetch_history()
    events = [event for event in history.events if event.event_type not in _OF_VIRTUAL_TIME]
    described = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=WorkflowExecution(workflow_id=handle.id))
    )
    of_time = sum(event.ByteSize() for event in history.events if event.event_type in _OF_VIRTUAL_TIME)
    actions = sum(event.event_type in _ACTIONS for event in events)
    return len(events), described.workflow_execution_info.history_size_bytes - of_time, actions


async def _measure(
    house: Stage,
    handles: list[Handle],
    move: list[Callable[[], Awaitable[object]]],
    periods: int,
) -> Cost:
    """Moves all through so many periods, beginning after their first."""
    before = [await _history(house.client, handle) for handle in handles]
    started = time.process_time()
    for _ in range(periods):
        await asyncio.gather(*(step() for step in move))
    busy = time.process_time() - started
    after = [await _history(house.client, handle) for handle in handles]
    total = periods * len(handles)
    return Cost(
        events=sum(late[0] - early[0] for early, late in zip(before, after, strict=True)) / total,
        bytes=sum(late[1] - early[1] for early, late in zip(before, after, strict=True)) / total,
        actions=sum(late[2] - early[2] for early, late in zip(before, after, strict=True)) / total,
        worker_milliseconds=1000 * busy / total,
    )


async def _subscriptions(house: Stage, subscribers: int, periods: int) -> Cost:
    plan = Plan.of("monthly", Money.parse("9.99 USD"), Interval(unit=Unit.MONTH))
    lives: list[Subscriber] = []
    for _ in range(subscribers):
        permission = await house.simulator.open_permission()
        terms = Terms(
            charge_permission_id=permission.charge_permission_id,
            plan=plan,
            anchor=datetime.now(UTC) + timedelta(minutes=30),
            zone="Europe/Berlin",
            merchant_reference=f"order-{permission.charge_permission_id}",
        )
        await house.subscriptions.start(terms)
        lives.append(Subscriber(house, terms))
    await asyncio.gather(*(life.until_due(0) for life in lives))

    def mover(life: Subscriber) -> Callable[[], Awaitable[object]]:
        async def move() -> object:
            return await life.until_due((await life.status()).next_period)

        return move

    return await _measure(house, [life.handle for life in lives], [mover(life) for life in lives], periods)


async def _bare(house: Stage, workflows: int, periods: int) -> Cost:
    client, skipper = house.client, house.server.time
    async with Worker(client, task_queue=BARE_QUEUE, workflows=[BareWorkflow], activities=[do_nothing]):
        handles: list[Handle] = [
            await client.start_workflow(BareWorkflow.run, periods + 2, id=f"bare-{number}", task_queue=BARE_QUEUE)
            for number in range(workflows)
        ]

        def mover(handle: Handle) -> Callable[[], Awaitable[object]]:
            async def move() -> None:
                await skipper.fast_forward(handle, MONTH + timedelta(seconds=1))
                await _quiet(client, handle.id)

            return move

        movers = [mover(handle) for handle in handles]
        await asyncio.gather(*(move() for move in movers))
        return await _measure(house, handles, movers, periods)


async def _quiet(client: Client, workflow_id: str) -> None:
    while True:
        if not await is_busy(client, workflow_id):
            return
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _run(subscribers: int, periods: int) -> tuple[Cost, Cost]:
    async def take(request: Request) -> Response:
        await request.body()
        return Response(status_code=204)

    endpoint = Starlette(routes=[Route("/", take, methods=["POST"])])
    async with serving(endpoint, bind(HOST, 0)) as url, stage(webhook_url=url, webhook_secret=SECRET) as house:
        await house.simulator.send_notifications_to(None)
        return await _subscriptions(house, subscribers, periods), await _bare(house, subscribers, periods)


def report(ours: Cost, bare: Cost, subscribers: int, periods: int) -> Report:
    """Both beside each other."""
    rows = [
        ("history events", ours.events, bare.events, MOST_EVENTS),
        ("history bytes", ours.bytes, bare.bytes, MOST_BYTES),
        ("actions in the history", ours.actions, bare.actions, None),
        ("worker, ms of processor", ours.worker_milliseconds, bare.worker_milliseconds, None),
    ]
    return Report(
        "One healthy monthly period",
        ("a period", "subscription", "bare workflow", "ratio", "aim"),
        [
            (name, f"{of_us:,.1f}", f"{floor:,.1f}", f"{of_us / floor:.2f}", f"<= {aim:,}" if aim else "-")
            for name, of_us, floor, aim in rows
        ],
        {
            "subscribers": subscribers,
            "periods": periods,
            "subscription": asdict(ours),
            "bare": asdict(bare),
            "aim": {"events": MOST_EVENTS, "bytes": MOST_BYTES},
        },
        f"{subscribers} of each, {periods} periods; workers, simulator, endpoint and the driver share this process",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.healthy_period", description="What a healthy period costs.")
    parser.add_argument("--subscribers", type=int, default=20, help="and as many bare workflows")
    parser.add_argument("--periods", type=int, default=10, help="at most 11, so that all are in one run")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    configure_logging(Settings(log_level="ERROR"))
    figures = asyncio.run(_run(options.subscribers, options.periods))
    report(*figures, options.subscribers, options.periods).print(as_json=options.json)
