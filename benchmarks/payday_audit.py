"""A payday at Amazon's live limits while an audit runs: whether anybody is in anybody's way.

    uv run python -m benchmarks.payday_audit                         # 60 subscribers
    uv run python -m benchmarks.payday_audit --subscribers 12 --ways workers

All subscribers fall due at one instant, some are declined at first, and the simulator answers 429 to whatever is more
than Amazon takes. From that instant on audits run, each reading every charge permission and every charge, one after the
other until all are charged, and once more afterwards. It is done without an audit as well, which is the floor; by the
workers' queues; and by a client beside the workers. The exit code is 1 where an audit finds anything, or the workers
are answered 429.
"""

import asyncio
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import typer

from amazon_pay_client import Environment
from amazon_pay_client.limits import RATES
from amazon_pay_simulator.control import JournalQuery
from benchmarks.report import Report
from benchmarks.wishes import MONTHLY
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.ledger.audits import Selection, begin, ended
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.starter.audit.amazon import Amazon, Directly, ThroughWorkers
from perennial_billing.starter.audit.auditor import Auditor
from perennial_billing.starter.audit.presence import Workflows
from perennial_billing.worker.wiring import amazon_pay_client
from perennial_billing.workflows.names import Call

LIVE: Final = RATES[Environment.LIVE]
PER_SECOND: Final = LIVE[Call.CREATE_CHARGE].per_second
DECLINED_FIRST: Final = 6
"""One subscriber of so many."""

UNTIL_PAYDAY: Final = timedelta(seconds=10)
PATIENCE_SECONDS: Final = 300.0
TOO_MANY: Final = 429


class Way(StrEnum):
    """How Amazon is asked by the audit."""

    NONE = "none"
    WORKERS = "workers"
    DIRECTLY = "directly"


@dataclass
class Payday:
    """What came of one.

    Attributes:
        charged_in_seconds: from the instant at which all fell due until the last was charged, or declined.
        throttled: answers 429, by the operation.
        audits: how many came to their end.
        reads: how often the audits and the workers have read at Amazon.
        findings: what the audits found.
        trouble: what they could not find out.
        last_audit_seconds: of the one after all were charged.
    """

    charged_in_seconds: float = 0
    throttled: dict[str, int] = field(default_factory=dict)
    audits: int = 0
    reads: int = 0
    findings: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    last_audit_seconds: float = 0


async def payday(subscribers: int, way: Way, share: float) -> Payday:
    """Lets one pass."""
    came = Payday()
    async with (
        stage(throttled_as=Environment.LIVE, calls_per_second=PER_SECOND) as house,
        amazon_pay_client(house.settings) as client,
    ):
        at = datetime.now(UTC) + UNTIL_PAYDAY
        names = [await _begun(house, at, number) for number in range(subscribers)]
        rates = {call: LIVE[call].per_second for call in (Call.GET_CHARGE_PERMISSION, Call.GET_CHARGE)}
        by_way: dict[Way, Amazon] = {
            Way.WORKERS: ThroughWorkers(house.client, house.settings.task_queue, rates, share=share),
            Way.DIRECTLY: Directly(client, rates, share=share),
        }
        await asyncio.sleep((at - datetime.now(UTC)).total_seconds())
        began = time.monotonic()
        if way is Way.NONE:
            await _until_all_are_charged(house, names)
            came.charged_in_seconds = round(time.monotonic() - began, 1)
        else:
            auditing = asyncio.create_task(_audits(house, by_way[way], came))
            try:
                await _until_all_are_charged(house, names)
                came.charged_in_seconds = round(time.monotonic() - began, 1)
            finally:
                auditing.cancel()
                await asyncio.gather(auditing, return_exceptions=True)
            again = time.monotonic()
            await _audit(house, by_way[way], came)
            came.last_audit_seconds = round(time.monotonic() - again, 1)
        await _count(house, came)
    return came


async def _begun(house: Stage, at: datetime, number: int) -> str:
    permission = (await house.simulator.open_permission()).charge_permission_id
    if number % DECLINED_FIRST == 0:
        await house.simulator.script(permission, ["SoftDeclined"])
    # Unchecked: sixty readings at one moment are more than Amazon takes, and no part of a payday.
    await house.subscriptions.start(Terms(charge_permission_id=permission, plan=MONTHLY, anchor=at), unchecked=True)
    return permission


async def _until_all_are_charged(house: Stage, names: list[str]) -> None:
    left = set(names)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while left:
            await asyncio.sleep(0.2)
            calls = (await house.simulator.books()).calls
            left -= {call.charge_permission_id for call in calls}


async def _audits(house: Stage, amazon: Amazon, came: Payday) -> None:
    while True:
        await _audit(house, amazon, came)


async def _audit(house: Stage, amazon: Amazon, came: Payday) -> None:
    workflows = Workflows(house.client, house.subscriptions)
    auditor = Auditor(house.ledger, workflows, amazon=amazon, deep=True)
    run = await begin(house.ledger, Selection(deep=True))
    async for audited in auditor.audit(run):
        came.findings += [f"{audited.charge_permission_id}: {each.says}" for each in audited.findings]
        came.trouble += [f"{audited.charge_permission_id}: {audited.trouble}"] if audited.trouble else []
    await ended(house.ledger, run)
    came.audits += 1


async def _count(house: Stage, came: Payday) -> None:
    throttled = await house.simulator.journal(JournalQuery(status=TOO_MANY, limit=1_000))
    came.throttled = dict(Counter(str(entry.operation) for entry in throttled.entries if entry.kind == "request"))
    for call in (Call.GET_CHARGE_PERMISSION, Call.GET_CHARGE):
        read = await house.simulator.journal(JournalQuery(operation=call.value, limit=1_000))
        came.reads += len(read.entries)


def main(
    subscribers: Annotated[int, typer.Option(min=1)] = 60,
    ways: Annotated[list[Way] | None, typer.Option(help="All of them when not given.")] = None,
    share: Annotated[float, typer.Option(min=0.01, max=1.0, help="Of Amazon's limits, for the audit.")] = 0.5,
    as_json: Annotated[bool, typer.Option("--json")] = False,  # noqa: FBT002 - an option of a command
) -> None:
    """Audits while a payday runs."""
    came = {way: asyncio.run(payday(subscribers, way, share)) for way in ways or list(Way)}
    figures = {way.value: asdict(one) for way, one in came.items()}
    names = list(asdict(Payday()))
    rows = [(name.replace("_", " "), *(str(of[name] or "-") for of in figures.values())) for name in names]
    note = f"{subscribers} subscribers, {PER_SECOND:g} calls a second of each kind, audits at {share:.0%} of that"
    Report("Payday", ("figure", *figures), rows, figures, note).print(as_json=as_json)
    raise typer.Exit(1 if any(one.findings or one.throttled or one.trouble for one in came.values()) else 0)


if __name__ == "__main__":
    typer.run(main)
