"""How long it takes, and how much memory, to audit many subscriptions by the ledger alone.

    uv run python -m benchmarks.audit_of_many                          # 100,000 subscriptions, a year of each
    uv run python -m benchmarks.audit_of_many --subscriptions 1000 --periods 3

What Amazon and the subscriptions themselves are asked takes as long as they take: Amazon 4 reads a second in live. What
is measured here is all the rest: reading, folding, the rules, and noting what came of it. The floor beside it reads the
same rows out of the database and does nothing with them.
"""

import asyncio
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from sqlalchemy import Table, insert, select

from benchmarks.report import Report
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.billing.summary import Summary
from perennial_billing.ledger.audits import Selection, begin
from perennial_billing.ledger.database import file_url, reading
from perennial_billing.ledger.entries import Row, Told, entries_of
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.projection import folded
from perennial_billing.ledger.tables import entries, subscriptions
from perennial_billing.starter.audit.auditor import Auditor

BEGAN: Final = datetime(2026, 1, 31, 9, tzinfo=UTC)
PRICE: Final = Money.parse("9.99 EUR")
AT_ONCE: Final = 1_000
MEGABYTE: Final = 1024


def told_by(periods: int) -> tuple[list[Row], Row]:
    """The entries and the row of one subscriber who has paid so many periods."""
    month = timedelta(days=30)
    notices = [Notice(number=1, type=NoticeType.SUBSCRIPTION_STARTED, at=BEGAN)]
    for period in range(periods):
        due = BEGAN + period * month
        paid = Notice(number=period + 2, type=NoticeType.PERIOD_PAID, at=due)
        notices.append(paid.but(period=period, due=due, amount=PRICE, attempt=1, charge_id=f"S{period}"))
    summary = Summary(
        merchant_account="default",
        plan_id="monthly",
        price=PRICE,
        interval=Interval(unit=Unit.MONTH),
        quantity=1,
        began_at=BEGAN,
        status=Status.ACTIVE,
        next_charge_at=BEGAN + periods * month,
    )
    rows = [
        row
        for notice in notices
        for row in entries_of(Told("C", "default", "reference", "monthly", [notice], summary), BEGAN)
    ]
    return rows, folded(None, rows)


def all_of(rows: list[Row], count: int) -> Iterator[Row]:
    """The same of many, each under its own charge permission."""
    for number in range(count):
        name = f"C01-{number // 10_000_000:07}-{number % 10_000_000:07}"
        for row in rows:
            charge = {"charge_id": f"{name}-{row['charge_id']}"} if row.get("charge_id") else {}
            yield row | {"charge_permission_id": name} | charge


async def fill(ledger: Ledger, table: Table, rows: Iterator[Row]) -> None:
    """Writes them, many at a time."""
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= AT_ONCE:
            await _written(ledger, table, batch)
            batch = []
    await _written(ledger, table, batch)


async def _written(ledger: Ledger, table: Table, rows: list[Row]) -> None:
    if rows:
        async with ledger.engine.begin() as connection:
            await connection.execute(insert(table), rows)


async def floor(ledger: Ledger) -> float:
    """Seconds in which all entries are read, and nothing more."""
    began, last = time.monotonic(), 0
    while True:
        page = select(entries).where(entries.c.id > last).order_by(entries.c.id).limit(5_000)
        async with reading(ledger.engine) as connection:
            rows = (await connection.execute(page)).all()
        if not rows:
            return time.monotonic() - began
        last = rows[-1].id


async def measured(count: int, periods: int) -> dict[str, Any]:  # Any: figures
    """Fills a ledger, and audits it."""
    told, row = told_by(periods)
    with tempfile.TemporaryDirectory(prefix="perennial-audit-") as folder:
        async with Ledger.open(file_url(Path(folder) / "ledger.db"), set_up=True) as ledger:
            await fill(ledger, entries, all_of(told, count))
            await fill(ledger, subscriptions, all_of([row], count))
            reads = await floor(ledger)
            before = peak_megabytes()
            began, audited, found = time.monotonic(), 0, 0
            async for one in Auditor(ledger).audit(await begin(ledger, Selection())):
                audited += 1
                found += len(one.findings)
            seconds = time.monotonic() - began
    return {
        "subscriptions": audited,
        "entries": count * (periods + 1),
        "findings": found,
        "seconds": round(seconds, 1),
        "subscriptions_a_second": round(audited / seconds),
        "floor_seconds": round(reads, 1),
        "ratio": round(seconds / reads, 2),
        "peak_megabytes_before": before,
        "peak_megabytes": peak_megabytes(),
    }


def peak_megabytes() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // MEGABYTE


def main(
    subscriptions_: Annotated[int, typer.Option("--subscriptions", min=1)] = 100_000,
    periods: Annotated[int, typer.Option(min=1)] = 12,
    as_json: Annotated[bool, typer.Option("--json")] = False,  # noqa: FBT002 - an option of a command
) -> None:
    """Audits many subscriptions by the ledger alone."""
    figures = asyncio.run(measured(subscriptions_, periods))
    rows = [(name.replace("_", " "), f"{value:,}") for name, value in figures.items()]
    note = "floor: the same entries read in the same order, and nothing done with them"
    Report("Audit by the ledger alone", ("figure", "value"), rows, figures, note).print(as_json=as_json)


if __name__ == "__main__":
    typer.run(main)
