"""A payday of many merchant accounts at once, served by one worker process: whether each has its own pace.

    uv run python -m benchmarks.accounts_payday                              # 200 accounts with 50, two with 2,000
    uv run python -m benchmarks.accounts_payday --accounts 20 --subscriptions 10 --large 1 --larger 100

All subscriptions fall due at one instant. The simulator keeps Amazon's limits of live for each merchant, and answers
429 to what is more. The Temporal server is told of them by the worker, which is a process of its own. The exit code is
1 where anybody was answered 429, or was not charged.

What an account gets is the least of three: its quota, its subscriptions, and its share of what the machine does in a
second. The last one is told as well, so that nobody takes it for the second.
"""

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final
from unittest.mock import patch

import typer
from cryptography.fernet import Fernet

from amazon_pay_client import Environment, Region
from amazon_pay_client.limits import RATES
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.certificates import new_key
from amazon_pay_simulator.merchants import Merchant, public_pem
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.throttling import Throttle
from benchmarks.processes import perennial
from benchmarks.report import Report
from benchmarks.wishes import MONTHLY
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.runtime.http import bind
from perennial_billing.runtime.temporal import has_workers
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.worker.keeping import NewAccount, NewKey, add
from perennial_billing.workflows.names import Call

LIVE: Final = RATES[Environment.LIVE][Call.CREATE_CHARGE]
AT_ONCE: Final = 16
STARTED_A_SECOND: Final = 60.0
"""At the least: so long before payday the starts begin."""

HEAD_START: Final = timedelta(seconds=10)
PATIENCE: Final = timedelta(minutes=30)
_POLLERS: Final = "temporal_num_pollers"


@dataclass
class Account:
    """What came of one account.

    Attributes:
        charged: how many subscriptions.
        first_seconds: after all fell due, when Amazon got its first call.
        last_seconds: when it got its last.
        a_second: calls after the first burst, on average.
        throttled: answers 429.
    """

    charged: int
    first_seconds: float
    last_seconds: float
    a_second: float
    throttled: int


@dataclass
class Payday:
    """What came of one.

    Attributes:
        subscriptions: of all accounts.
        late_seconds: after the instant at which all fell due, when the last was started: by then others were charged.
        throttled: answers 429, of all.
        charged_in_seconds: until the last was charged.
        a_second: calls of all accounts together, while the small ones were charged: what the machine does.
        small: medians, and the worst, over the accounts with few subscriptions.
        large: each account with many.
        memory_before_mib: of the worker process before anything was due, in MiB.
        memory_most_mib: the most it ever had.
        long_polls: with which the worker waits for tasks.
        connections: sockets that the worker has open, to Temporal, Amazon and the ledger.
    """

    subscriptions: int = 0
    late_seconds: float = 0
    throttled: int = 0
    charged_in_seconds: float = 0
    a_second: float = 0
    small: dict[str, float] = field(default_factory=dict)
    large: list[dict[str, float]] = field(default_factory=list)
    memory_before_mib: float = 0
    memory_most_mib: float = 0
    long_polls: int = 0
    connections: int = 0


class Taken:
    """When the simulator got each Create Charge, of which merchant, and whether it was one too many."""

    def __init__(self) -> None:
        self.calls: dict[int, list[float]] = defaultdict(list)
        self.throttled: dict[int, int] = defaultdict(int)
        self.count = 0

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Notes it where the simulator keeps its limits: reading its journal would cost more than what is measured."""
        take = Throttle.take

        def noted(throttle: Throttle, operation: str) -> None:
            of_charges = operation == Call.CREATE_CHARGE.value
            try:
                take(throttle, operation)
            except Refusal:
                self.throttled[id(throttle)] += of_charges
                raise
            if of_charges:
                self.calls[id(throttle)].append(time.monotonic())
                self.count += 1

        with patch.object(Throttle, "take", noted):
            yield


async def payday(accounts: int, subscriptions: int, large: int, larger: int) -> Payday:
    """Lets one pass."""
    came, taken = Payday(subscriptions=accounts * subscriptions + large * larger), Taken()
    rates = {Call.CREATE_CHARGE.value: LIVE.per_second}
    secret = Fernet.generate_key().decode()
    with taken.noting():
        async with (
            stage(
                with_worker=False, throttled_as=Environment.LIVE, calls_per_second=rates, accounts_secret=secret
            ) as house,
            _merchants(house, accounts + large) as merchants,
            worker_process(house) as worker,
        ):
            wanted = {name: larger if number < large else subscriptions for number, name in enumerate(merchants)}
            due = datetime.now(UTC) + timedelta(seconds=came.subscriptions / STARTED_A_SECOND) + HEAD_START
            await each_of(
                [(name, amazon) for name, amazon in merchants.items() for _ in range(wanted[name])],
                lambda one: _begun(house, one[0], one[1], due),
            )
            came.late_seconds = round(max(0.0, (datetime.now(UTC) - due).total_seconds()), 1)
            await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds() - 1))
            came.memory_before_mib = worker.memory("VmRSS")
            began = time.monotonic() + max(0.0, (due - datetime.now(UTC)).total_seconds())
            await _until_all_are_charged(taken, came.subscriptions)
            came.memory_most_mib = worker.memory("VmHWM")
            came.long_polls, came.connections = await worker.long_polls(), worker.connections()
    _sum_up(came, taken, began, subscriptions)
    return came


@asynccontextmanager
async def _merchants(house: Stage, count: int) -> AsyncIterator[dict[str, SimulatorHandle]]:
    """Accounts in the ledger, and merchants at the simulator, with one key for all: who plays their buyers, by name."""
    key, trusted = new_key(), ssl.create_default_context()
    async with AsyncExitStack() as stack:
        found = {}
        for number in range(count):
            name, merchant_id, key_id = f"shop-{number}", f"A8SHOP{number}", f"SANDBOX-SHOP-{number}"
            merchant = Merchant(merchant_id=merchant_id, public_keys={key_id: public_pem(key.public_key())})
            await house.simulator.put_merchant(merchant)
            await add(
                house.ledger, house.settings, NewAccount(name, merchant_id, Region.NA, NewKey(key_id, key), {}, None)
            )
            handle = SimulatorHandle(house.simulator.origin, merchant_id, trusted)
            found[name] = await stack.enter_async_context(handle)
        yield found


async def _begun(house: Stage, name: str, amazon: SimulatorHandle, due: datetime) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    terms = Terms(charge_permission_id=permission, plan=MONTHLY, anchor=due, merchant_account=name)
    await house.subscriptions.start(terms, unchecked=True)


async def each_of(items: Iterable[Any], do: Callable[[Any], Awaitable[None]]) -> None:  # Any: whatever there is
    """Does it for each, some at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(item: Any) -> None:  # Any: as above
        async with places:
            await do(item)

    async with asyncio.TaskGroup() as group:
        for item in items:
            group.create_task(one(item))


async def _until_all_are_charged(taken: Taken, subscriptions: int) -> None:
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while taken.count < subscriptions:  # noqa: ASYNC110 - it counts in the midst of what is measured
            await asyncio.sleep(0.5)


@dataclass(frozen=True)
class WorkerProcess:
    """A worker process, as the system sees it."""

    process_id: int
    metrics: str

    def memory(self, name: str) -> float:
        """What it has, or had at the most, in MiB."""
        status = Path(f"/proc/{self.process_id}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
        return round(int(line.split()[1]) / 1024, 1)

    def connections(self) -> int:
        """Sockets that it has open."""
        links = (path.readlink() for path in Path(f"/proc/{self.process_id}/fd").iterdir())
        return sum(1 for each in links if str(each).startswith("socket:"))

    async def long_polls(self) -> int:
        """With which it waits for tasks, as the SDK counts them."""
        async with bounded_client(at_once=1, bounds=Bounds(seconds=10.0, answer_bytes=8 * 1024 * 1024)) as http:
            lines = (await http.get(self.metrics)).text.splitlines()
        return int(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(_POLLERS)))


@asynccontextmanager
async def worker_process(house: Stage) -> AsyncIterator[WorkerProcess]:
    """One worker process, once it asks for work."""
    with bind("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    environment = house.worker_environment() | {"PERENNIAL_METRICS_ADDRESS": f"127.0.0.1:{port}"}
    async with perennial("worker", environment=environment) as process:
        async with asyncio.timeout(60):
            while True:
                if await has_workers(house.client, house.settings.task_queue, for_workflows=True):
                    break
                await asyncio.sleep(0.2)
        yield WorkerProcess(process.pid, f"http://127.0.0.1:{port}/metrics")


def _sum_up(came: Payday, taken: Taken, began: float, few: int) -> None:
    found = [_account(calls, taken.throttled[key], began) for key, calls in taken.calls.items()]
    small, large = [each for each in found if each.charged <= few], [each for each in found if each.charged > few]
    came.throttled = sum(taken.throttled.values())
    came.charged_in_seconds = round(max(each.last_seconds for each in found), 1)
    until = max(each.last_seconds for each in small)
    by_then = sorted(at - began for calls in taken.calls.values() for at in calls if at - began <= until)
    came.a_second = round(len(by_then) / until, 1)
    came.large = [asdict(each) for each in large]
    came.small = {
        "accounts": len(small),
        "charged": sum(each.charged for each in small),
        "first_seconds_worst": max(each.first_seconds for each in small),
        "last_seconds_median": median(each.last_seconds for each in small),
        "last_seconds_worst": until,
        "a_second_median": median(each.a_second for each in small),
        "a_second_least": min(each.a_second for each in small),
    }


def _account(calls: list[float], throttled: int, began: float) -> Account:
    first, last = calls[0] - began, calls[-1] - began
    after_burst = calls[LIVE.burst :] or calls
    lasted = after_burst[-1] - after_burst[0]
    return Account(
        charged=len(calls),
        first_seconds=round(first, 1),
        last_seconds=round(last, 1),
        a_second=round((len(after_burst) - 1) / lasted, 2) if lasted > 0 else 0.0,
        throttled=throttled,
    )


def main(
    accounts: Annotated[int, typer.Option(min=1, help="With few subscriptions.")] = 200,
    subscriptions: Annotated[int, typer.Option(min=1, help="Of each of these.")] = 50,
    large: Annotated[int, typer.Option(min=0, help="Accounts with many.")] = 2,
    larger: Annotated[int, typer.Option(min=1, help="Subscriptions of each of those.")] = 2_000,
    as_json: Annotated[bool, typer.Option("--json")] = False,  # noqa: FBT002 - an option of a command
) -> None:
    """A payday of many accounts at once."""
    came = asyncio.run(payday(accounts, subscriptions, large, larger))
    figures = asdict(came)
    rows = [
        (name.replace("_", " "), *([_shown(value)] if not isinstance(value, list) else map(_shown, value)))
        for name, value in figures.items()
    ]
    width = max(len(row) for row in rows)
    note = f"{LIVE.per_second:g} Create Charge a second for each account, after {LIVE.burst} at once"
    columns = ("figure", "", *([""] * (width - 2)))
    Report(
        "Payday of many accounts", columns, [(*row, *[""] * (width - len(row))) for row in rows], figures, note
    ).print(as_json=as_json)
    raise typer.Exit(1 if came.throttled else 0)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name.replace('_', ' ')}: {each:g}" for name, each in value.items())
    return f"{value:,}"


if __name__ == "__main__":
    typer.run(main)
