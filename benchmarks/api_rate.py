"""How many requests a second the HTTP API answers, beside what it stands on.

The API runs as a process of its own (`perennial api`), beside it a bare FastAPI application with a route that reads a
body and answers one; a client in this process starts bare workflows on the same Temporal server (in memory). Starting
is `POST /v1/subscriptions`, with a new idempotency key each, whose answer is kept in the ledger (SQLite, on the disk);
looking is `GET /v1/subscriptions/{id}`, which a worker answers. By turns, so many at a time. The floor of starting is
the slower of a bare route and a bare start; that of looking the slower of a bare route and a bare query.

A start does more than those: it reads the charge permission at Amazon, and its answer is on the disk before it is sent.
So there is a second floor of it, "the same bare": for each, a bare route, one signed call to the simulator, two rows
that are committed one by one, and a bare start, one after the other.

Run: `python -m benchmarks.api_rate [--requests N] [--rounds N] [--connections N] [--json]`
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import aiosqlite
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from amazon_pay_client import AmazonPayClient
from benchmarks.bare_workflow import BareWorkflow, do_nothing
from benchmarks.load import Load, address_of, request_to
from benchmarks.processes import perennial, python, said
from benchmarks.report import Report
from perennial_billing.ledger.api_keys import Scope, make
from perennial_billing.sandbox.stage import stage
from perennial_billing.worker.wiring import amazon_pay_client

AIM: Final = 0.7
PLAN: Final = {
    "plan_id": "tea",
    "amount": {"amount": "8.45", "currency": "USD"},
    "interval": {"unit": "month", "count": 1},
}
_MEASURED: Final = ("bare route", "bare start", "the same bare", "bare query", "start", "look")
_LATER: Final = (datetime.now(UTC) + timedelta(days=20)).isoformat()
"""When the first charge is made: not while it is measured."""

_BARE: Final = """
import asyncio, json, sys
from fastapi import FastAPI, Request
from perennial_billing.runtime.http import bind, serving
app = FastAPI()
@app.post("/bare")
async def bare(request: Request) -> dict[str, int]:
    return {"length": len(await request.json())}
async def main() -> None:
    async with serving(app, bind("127.0.0.1", 0)) as origin:
        print(origin, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
"""


async def api_rate(requests: int, rounds: int, connections: int) -> Report:
    """Measures."""
    rates: dict[str, list[float]] = {name: [] for name in _MEASURED}
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(stage())
        key = await make(house.ledger, "benchmark", list(Scope))
        environment = house.worker_environment() | {
            "PERENNIAL_LOG_LEVEL": "ERROR",
            "PERENNIAL_API_REQUESTS_PER_MINUTE": "100000000",
        }
        served = await stack.enter_async_context(perennial("api", "--port", "0", environment=environment))
        origin = (await said(served)).split()[3].removesuffix("/v1,")
        bare = await said(await stack.enter_async_context(python("-c", _BARE)))
        await stack.enter_async_context(
            Worker(
                house.client,
                task_queue="bare",
                workflows=[BareWorkflow],
                activities=[do_nothing],
                workflow_runner=UnsandboxedWorkflowRunner(),
            )
        )
        amazon_pay = await stack.enter_async_context(amazon_pay_client(house.settings))
        rows_file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "rows.db"
        file = await stack.enter_async_context(aiosqlite.connect(rows_file, isolation_level=None))
        for line in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE kept (answer TEXT)"):
            await file.execute(line)
        loads = [await stack.enter_async_context(Load.to(address_of(bare), 1)) for _ in range(connections)]
        api_load = await stack.enter_async_context(Load.to(address_of(origin), connections))
        bare_load = await stack.enter_async_context(Load.to(address_of(bare), connections))
        for _ in range(rounds):
            permissions = [(await house.simulator.open_permission()).charge_permission_id for _ in range(requests)]
            starts = [_start(address_of(origin), key.token, each) for each in permissions]
            headers = {"Authorization": f"Bearer {key.token}"}
            looks = [
                request_to(address_of(origin), "GET", f"/v1/subscriptions/{each}", headers=headers)
                for each in permissions
            ]
            body = json.dumps({"plan": PLAN}).encode()
            plain = [
                request_to(address_of(bare), "POST", "/bare", body, {"content-type": "application/json"})
            ] * requests
            rates["bare route"].append(await _rate(requests, bare_load.send(plain, 200)))
            rates["bare start"].append(await _rate(requests, _bare_starts(house.client, requests, connections)))
            same = [_same_bare(house.client, amazon_pay, file, plain[0], each) for each in permissions]
            rates["the same bare"].append(await _rate(requests, _by_turns(same, loads)))
            rates["start"].append(await _rate(requests, api_load.send(starts, 201)))
            await _bare_queries(house.client, permissions, connections)  # until a worker has all of them at hand
            rates["bare query"].append(await _rate(requests, _bare_queries(house.client, permissions, connections)))
            rates["look"].append(await _rate(requests, api_load.send(looks, 200)))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    floors = {
        "start": min(medians["bare route"], medians["bare start"]),
        "look": min(medians["bare route"], medians["bare query"]),
    }
    of_same = medians["start"] / medians["the same bare"]
    rows = [
        (name, f"{rate:,.0f}", f"{rate / floors[name]:.2f}" if name in floors else "-")
        for name, rate in medians.items()
    ]
    figures: dict[str, object] = {
        "per_second": medians,
        "of_floor": {name: medians[name] / floors[name] for name in floors},
        "aim": AIM,
    }
    figures["of_the_same_bare"] = of_same
    note = (
        f"{requests} requests a round, {rounds} rounds, {connections} at a time; aim: {AIM:.0%} of the slower floor; "
    )
    note += f"starting is {of_same:.2f} of the same bare"
    return Report("The HTTP API", ("what", "a second", "of its floor"), rows, figures, note)


def _start(address: tuple[str, int], token: str, permission: str) -> bytes:
    body = json.dumps({"charge_permission_id": permission, "plan": PLAN, "anchor": _LATER}).encode()
    headers = {
        "Authorization": f"Bearer {token}",
        "Idempotency-Key": permission,
        "content-type": "application/json",
    }
    return request_to(address, "POST", "/v1/subscriptions", body, headers)


async def _rate(requests: int, work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return requests / (time.perf_counter() - began)


async def _bare_starts(client: Client, requests: int, at_a_time: int) -> None:
    async def start() -> None:
        await client.start_workflow(BareWorkflow.run, id=uuid4().hex, task_queue="bare")

    await _each([start] * requests, at_a_time)


def _same_bare(
    client: Client, amazon_pay: AmazonPayClient, file: aiosqlite.Connection, request: bytes, permission: str
) -> Callable[[Load], Awaitable[None]]:
    """What a start comes to, without it."""

    async def do(load: Load) -> None:
        await load.send([request], 200)
        await amazon_pay.charge_permissions.get(permission)
        await file.execute("INSERT INTO kept VALUES ('asked')")  # each is a commit of its own
        await client.start_workflow(BareWorkflow.run, id=uuid4().hex, task_queue="bare")
        await file.execute("INSERT INTO kept VALUES ('answered')")

    return do


async def _by_turns(work: list[Callable[[Load], Awaitable[None]]], loads: list[Load]) -> None:
    waiting = iter(work)

    async def some(load: Load) -> None:
        for each in waiting:
            await each(load)

    async with asyncio.TaskGroup() as group:
        for load in loads:
            group.create_task(some(load))


async def _bare_queries(client: Client, permissions: list[str], at_a_time: int) -> None:
    """The same query that the API makes, without it."""

    def asks(permission: str) -> Callable[[], Awaitable[object]]:
        return lambda: client.get_workflow_handle(f"subscription-{permission}").query("status")

    await _each([asks(each) for each in permissions], at_a_time)


async def _each(work: list[Callable[[], Awaitable[object]]], at_a_time: int) -> None:
    waiting = iter(work)

    async def some() -> None:
        for each in waiting:
            await each()

    async with asyncio.TaskGroup() as group:
        for _ in range(at_a_time):
            group.create_task(some())


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    asyncio.run(api_rate(given.requests, given.rounds, given.connections)).print(as_json=given.json)


if __name__ == "__main__":
    main()
