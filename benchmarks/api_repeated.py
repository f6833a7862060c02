"""Not speed but a promise: one request, sent a thousand times at once with the same key, is done once and answered the
same each time: a start, a refund, a cancellation that gives money back.

The API runs as a process of its own; Amazon's books are those of the simulator.

Run: `python -m benchmarks.api_repeated [--times N] [--connections N] [--json]`
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from benchmarks.api_rate import PLAN
from benchmarks.load import Load, address_of, request_to
from benchmarks.processes import perennial, said
from benchmarks.report import Report
from perennial_billing.ledger.api_keys import Scope, make
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.sandbox.subscriber import Subscriber


async def repeated(times: int, connections: int) -> Report:
    """Sends each, and looks at Amazon's books."""
    rows, figures = [], {}
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(stage())
        key = await make(house.ledger, "benchmark", list(Scope))
        environment = house.worker_environment() | {
            "PERENNIAL_LOG_LEVEL": "ERROR",
            "PERENNIAL_API_REQUESTS_PER_MINUTE": "100000000",
        }
        served = await stack.enter_async_context(perennial("api", "--port", "0", environment=environment))
        address = address_of((await said(served)).split()[3].removesuffix("/v1,"))
        load = await stack.enter_async_context(Load.to(address, connections))
        permission = (await house.simulator.open_permission()).charge_permission_id

        async def send(
            what: str, path: str, body: dict[str, Any], status: int, effects: Callable[[], Awaitable[int]]
        ) -> None:
            headers = {
                "Authorization": f"Bearer {key.token}",
                "Idempotency-Key": f"{what}-5113",
                "content-type": "application/json",
            }
            request = request_to(address, "POST", path, json.dumps(body).encode(), headers)
            began = time.perf_counter()
            answered = await load.send([request] * times, status)
            seconds, different = time.perf_counter() - began, len({each.body for each in answered})
            rows.append((what, f"{len(answered):,}", str(different), str(await effects()), f"{seconds:.1f}"))
            figures[what] = {"sent": len(answered), "answers": different, "effects": await effects()}

        start = {"charge_permission_id": permission, "plan": PLAN}
        await send("start", "/v1/subscriptions", start, 201, lambda: _started(house, permission))
        subscriber = Subscriber(house, (await house.subscriptions.status(permission)).terms)
        await subscriber.until_due(0)
        of_it = f"/v1/subscriptions/{permission}"
        part = {"period": 0, "amount": {"amount": "2.45", "currency": "USD"}}
        await send("refund", f"{of_it}/refunds", part, 200, lambda: _refunds(house, permission))
        await subscriber.after(timedelta(hours=2))
        before = await _refunds(house, permission)

        async def of_the_cancellation() -> int:
            await subscriber.quiet()
            return await _refunds(house, permission) - before

        await send("cancel", f"{of_it}/cancel", {"when": "now", "refund": "all"}, 200, of_the_cancellation)
    note = f"{times:,} times each, {connections} at a time; one answer and one effect are right"
    return Report("One key, one effect", ("what", "sent", "different answers", "effects", "s"), rows, figures, note)


async def _started(house: Stage, permission: str) -> int:
    found = house.client.list_workflows(f"WorkflowId = 'subscription-{permission}'")
    return len([each async for each in found])


async def _refunds(house: Stage, permission: str) -> int:
    books = await house.simulator.books()
    charges = {charge.charge_id for charge in books.charges if charge.charge_permission_id == permission}
    return len([refund for refund in books.refunds if refund.charge_id in charges])


def main() -> None:
    """Sends, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1_000)
    parser.add_argument("--connections", type=int, default=250)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    report = asyncio.run(repeated(given.times, given.connections))
    report.print(as_json=given.json)
    if any(each["answers"] != 1 or each["effects"] != 1 for each in report.figures.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
