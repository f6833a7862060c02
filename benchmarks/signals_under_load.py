"""Each process is told to end, killed, or frozen under load: what was under way, what was lost, how soon it is seen.

    uv run python -m benchmarks.signals_under_load            # nine cases, a few minutes
    uv run python -m benchmarks.signals_under_load --items 20

A worker charges subscribers who fall due together, of an Amazon that takes up to a second for an answer. The receiver
takes signed notifications, which are posted again where no success is answered, as SNS does. The API starts
subscriptions, and whoever asked sends the same again, under the same key, where no answer comes. In the middle the
process gets SIGTERM, SIGKILL or SIGSTOP. It is seen when its `/ready` does not answer with 200 within five seconds; one
that is frozen is killed then, as an orchestrator would do it. Another takes its place. Nothing may be lost, and nothing
may happen twice that costs money: then the exit code is 1.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from rich.progress import track

from amazon_pay_client.ipn import ObjectType
from amazon_pay_simulator.faults import FaultPlan
from amazon_pay_simulator.notifications import NotificationSender, NotificationSigner
from benchmarks.processes import perennial, said
from benchmarks.report import Report
from benchmarks.wishes import MONTHLY
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.ledger.api_keys import Scope, make
from perennial_billing.runtime.http import bind
from perennial_billing.runtime.liveness import READY
from perennial_billing.sandbox.stage import MERCHANT_ID, Stage, stage
from perennial_billing.starter.errors import NoWorkerError
from perennial_billing.workflows.messages import NotificationSignal
from perennial_billing.workflows.names import workflow_id

HOST: Final = "127.0.0.1"
SIGNALS: Final = (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP)
ANSWERS_WITHIN_SECONDS: Final = 5.0
LOOKS_EVERY_SECONDS: Final = 0.05
START_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 240.0
LATENCY_SECONDS: Final = 1.0
UNTIL_DUE: Final = timedelta(seconds=6)
ASKED_AT_ONCE: Final = 8
CERTIFICATE_URL: Final = f"https://{HOST}/SimpleNotificationService-0123456789abcdef.pem"
ASKED_AGAIN_SECONDS: Final = 0.2


@dataclass(frozen=True)
class Case:
    """What came of one process and one signal.

    Attributes:
        process: which.
        signal: that it got.
        items: charges, notifications or starts in all.
        under_way: how many were begun and not ended when it got the signal.
        lost: how many never came to be.
        twice: how many came to be more often than once, at Amazon's or as a subscription.
        seen_seconds: from the signal until it was not ready any more.
        done_seconds: from then on until all was done, the other's start included.
    """

    process: str
    signal: str
    items: int
    under_way: int
    lost: int
    twice: int
    seen_seconds: float
    done_seconds: float


@asynccontextmanager
async def _running(
    command: str, environment: Mapping[str, str], *options: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """A process of ours once it is ready, and the port at which it says so."""
    with bind(HOST, 0) as free:
        port = free.getsockname()[1]
    own = {"PERENNIAL_HEALTH_PORT": str(port), "PERENNIAL_LOG_LEVEL": "ERROR"}
    async with perennial(command, *options, environment={**environment, **own}) as process:
        async with asyncio.timeout(START_SECONDS):
            await _until(lambda: _is_ready(port))
        yield process, port


async def _is_ready(port: int) -> bool:
    try:
        async with httpx.AsyncClient(timeout=ANSWERS_WITHIN_SECONDS) as http:
            return (await http.get(f"http://{HOST}:{port}{READY}")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


async def _hit(process: asyncio.subprocess.Process, port: int, sent: signal.Signals) -> float:
    """Sends the signal, and waits until it is seen and the process is gone; gives how many seconds the first took."""
    began = time.monotonic()
    process.send_signal(sent)

    async def is_seen() -> bool:
        return not await _is_ready(port)

    await _until(is_seen)
    seen = time.monotonic() - began
    if sent is signal.SIGSTOP:
        process.kill()
    await process.wait()
    return seen


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():  # noqa: ASYNC110 - another process
            await asyncio.sleep(LOOKS_EVERY_SECONDS)


async def worker(sent: signal.Signals, items: int) -> Case:
    """Charges are under way."""
    async with stage(with_worker=False) as house:
        environment = house.worker_environment()
        due = datetime.now(UTC) + UNTIL_DUE + timedelta(seconds=items / 20)
        permissions = [(await house.simulator.open_permission()).charge_permission_id for _ in range(items)]
        async with _running("worker", environment) as (process, port):
            for each in permissions:
                terms = Terms(charge_permission_id=each, plan=MONTHLY, anchor=due)
                await house.subscriptions.start(terms, unchecked=True)
            await house.simulator.set_faults(FaultPlan(longest_latency_seconds=LATENCY_SECONDS))

            async def some_are_charged() -> bool:
                return len(await _charges(house)) >= items // 4

            await _until(some_are_charged)
            under_way = await _calls_under_way(house, permissions)
            seen = await _hit(process, port, sent)
        began = time.monotonic()
        async with _running("worker", environment):

            async def all_are_paid() -> bool:
                with suppress(NoWorkerError):  # it has just been started, and has much to do
                    views = [await house.subscriptions.status(each) for each in permissions]
                    return all(view.periods_paid == 1 for view in views)
                return False

            await _until(all_are_paid)
            done = time.monotonic() - began
        charges = await _charges(house)
    lost, twice = items - len(charges), sum(times > 1 for times in charges.values())
    return Case("worker", sent.name, items, under_way, lost, twice, round(seen, 2), round(done, 1))


async def _charges(house: Stage) -> Counter[str]:
    return Counter(each.charge_permission_id for each in (await house.simulator.books()).charges)


async def _calls_under_way(house: Stage, permissions: list[str]) -> int:
    """Activities that a worker has."""
    handles = [house.client.get_workflow_handle(workflow_id(each)) for each in permissions]
    described = await asyncio.gather(*(handle.describe() for handle in handles))
    pending = [activity for each in described for activity in each.raw_description.pending_activities]
    return sum(activity.HasField("last_started_time") for activity in pending)


async def receiver(sent: signal.Signals, items: int) -> Case:
    """Notifications arrive."""
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(stage(with_worker=False))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        signer = NotificationSigner.create()
        own = {"PERENNIAL_IPN_TRUSTED_CERTIFICATE_PATH": str(signer.write_certificate(folder))}
        environment = house.worker_environment() | own
        handle = await house.client.start_workflow("Nobody", id=workflow_id("C01-1"), task_queue="nobody-listens")
        with bind(HOST, 0) as free:
            at = str(free.getsockname()[1])
        url = f"http://{HOST}:{at}/ipn"
        senders = [NotificationSender(signer, MERCHANT_ID, [url], CERTIFICATE_URL) for _ in range(ASKED_AT_ONCE)]
        async with _running("ipn", environment, "--port", at) as (process, port):
            for number in range(items):
                senders[number % len(senders)].notify(ObjectType.CHARGE, f"S01-{number}", "C01-1")
            for sender in senders:
                await stack.enter_async_context(sender.running())

            async def some_are_taken() -> bool:
                return sum(sender.delivered for sender in senders) >= items // 4

            await _until(some_are_taken)
            under_way = min(len(senders), items - sum(sender.delivered for sender in senders))
            seen = await _hit(process, port, sent)
        began = time.monotonic()
        async with _running("ipn", environment, "--port", at):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*(sender.delivered_all() for sender in senders))
            done = time.monotonic() - began
        arrived = {
            NotificationSignal.model_validate_json(
                event.workflow_execution_signaled_event_attributes.input.payloads[0].data
            ).object_id
            async for event in handle.fetch_history_events()
            if event.HasField("workflow_execution_signaled_event_attributes")
        }
    return Case("receiver", sent.name, items, under_way, items - len(arrived), 0, round(seen, 2), round(done, 1))


async def api(sent: signal.Signals, items: int) -> Case:
    """Subscriptions are started."""
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(stage(with_worker=False))
        environment = house.worker_environment() | {"PERENNIAL_API_REQUESTS_PER_MINUTE": "1000000"}
        key = await make(house.ledger, "shop", list(Scope))
        permissions = [(await house.simulator.open_permission()).charge_permission_id for _ in range(items)]
        with bind(HOST, 0) as free:
            at = str(free.getsockname()[1])
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"http://{HOST}:{at}",
                headers={"Authorization": f"Bearer {key.token}"},
                timeout=ANSWERS_WITHIN_SECONDS * 2,
            )
        )
        asking = _Asking(http, permissions)
        async with _running("api", environment, "--port", at) as (process, port):
            await said(process)
            tasks = [asyncio.create_task(asking.ask()) for _ in range(ASKED_AT_ONCE)]

            async def some_are_answered() -> bool:
                return len(asking.answers) >= items // 4

            await _until(some_are_answered)
            under_way = asking.under_way
            seen = await _hit(process, port, sent)
        began = time.monotonic()
        async with _running("api", environment, "--port", at):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*tasks)
            done = time.monotonic() - began
        listed = Counter(
            [each.id async for each in house.client.list_workflows("WorkflowType = 'SubscriptionWorkflow'")]
        )
    answered = {permission for permission, code in asking.answers.items() if code == httpx.codes.CREATED}
    lost = sum(permission not in answered or not listed[workflow_id(permission)] for permission in permissions)
    twice = sum(times > 1 for times in listed.values())
    return Case("API", sent.name, items, under_way, lost, twice, round(seen, 2), round(done, 1))


class _Asking:
    """Asks for starts until each is answered, the same under the same key."""

    def __init__(self, http: httpx.AsyncClient, permissions: list[str]) -> None:
        self._http, self._left = http, iter(permissions)
        self.answers: dict[str, int] = {}
        self.under_way = 0

    async def ask(self) -> None:
        plan = MONTHLY.model_dump(mode="json")
        for permission in self._left:
            body = {"charge_permission_id": permission, "plan": plan, "unchecked": True}
            while permission not in self.answers:
                await self._once(permission, body)

    async def _once(self, permission: str, body: dict[str, Any]) -> None:  # Any: JSON
        self.under_way += 1
        try:
            answer = await self._http.post("/v1/subscriptions", json=body, headers={"Idempotency-Key": permission})
        except httpx.HTTPError:
            await asyncio.sleep(ASKED_AGAIN_SECONDS)
            return
        finally:
            self.under_way -= 1
        if answer.is_server_error or answer.status_code == httpx.codes.CONFLICT:
            await asyncio.sleep(ASKED_AGAIN_SECONDS)  # away; or the one that was killed is thought to be at it
        else:
            self.answers[permission] = answer.status_code


async def cases(items: int, *, shows: bool) -> list[Case]:
    """All of them, one after the other."""
    wanted = [(of, sent) for of in (worker, receiver, api) for sent in SIGNALS]
    progress = track(wanted, description="signals", console=Console(stderr=True), disable=not shows)
    return [await of(sent, items) for of, sent in progress]


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100, help="charges, notifications and starts of each case")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = asyncio.run(cases(given.items, shows=sys.stderr.isatty()))
    rows = [[str(value) for value in asdict(case).values()] for case in found]
    columns = ["process", "signal", "items", "under way", "lost", "twice", "seen after, s", "all done after, s"]
    note = f"seen: {READY} did not answer with 200 within {ANSWERS_WITHIN_SECONDS:g} s; done: with another in its place"
    Report("Signals under load", columns, rows, {"cases": [asdict(case) for case in found]}, note).print(
        as_json=given.json
    )
    if any(case.lost or case.twice for case in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
