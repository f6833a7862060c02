"""A ledger of a million entries, in SQLite and in PostgreSQL: how fast it takes more, finds, reports and is exported.

What is recorded one subscription at a time (`Ledger.record`: entry, projection and commit) is measured beside a bare
insert of the same rows by the database's driver, in as many transactions, by turns, into the same full tables. Pages of
`find` are read for each thing that can be searched by, the first and one from the middle of the ids; the aim is 50 ms a
page of 100 on SQLite. Reports and exports are run as the commands that one types.

SQLite waits for the disk at each commit, as it does in production. PostgreSQL is a server of this run that does not, so
its figures are of processor time; where it is not installed it is left out.

Run: `python -m benchmarks.ledger_size [--subscriptions N] [--inserts N] [--pages N] [--folder PATH] [--json]`
"""

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import func, insert, select

from benchmarks.command_line import PERENNIAL
from benchmarks.ledger_stories import NOW, PERIODS, stories
from benchmarks.postgres import postgres, program
from benchmarks.report import Report
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.ledger.database import file_url, parsed
from perennial_billing.ledger.entries import Row, Told, entries_of
from perennial_billing.ledger.finding import Search, find, timeline
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.projection import folded
from perennial_billing.ledger.tables import entries, subscriptions

AIM_MILLISECONDS: Final = 50
PAGE: Final = 100
FILLED_AT_ONCE: Final = 1_000
"""Subscriptions a transaction, before anything is measured."""

ROUNDS: Final = 5
YEAR: Final = timedelta(days=365)
MEBIBYTE: Final = 1_024
"""Kibibytes, in which the most memory of a process is told."""

Figures = dict[str, Any]  # Any: as JSON has it


async def fill(ledgers: Sequence[Ledger], subscribers: int) -> None:
    """What so many subscribers told, into each ledger."""
    everybody = stories(subscribers)
    recorded_at = datetime.now(UTC)
    while some := list(islice(everybody, FILLED_AT_ONCE)):
        told = [list(entries_of(each, recorded_at)) for each in some]
        rows = [row for of_one in told for row in of_one]
        stand = [folded(None, of_one) for of_one in told]
        for ledger in ledgers:
            async with ledger.engine.begin() as connection:
                await connection.execute(insert(entries), rows)
                await connection.execute(insert(subscriptions), stand)
    for ledger in ledgers:
        if ledger.engine.dialect.name == "postgresql":  # which does so by itself, a minute later; SQLite never does
            async with ledger.engine.begin() as connection:
                await connection.exec_driver_sql("ANALYZE")


def paid_once_more(count: int, *, of: int) -> Iterator[Told]:
    """A period that was paid, of so many of the subscribers, as a healthy one tells it."""
    for told in islice(stories(of), count):
        number = max(notice.number for notice in told.notices) + 1
        paid = next(notice for notice in told.notices if notice.amount is not None)
        notice = paid.but(
            number=number,
            type=NoticeType.PERIOD_PAID,
            at=NOW,
            period=PERIODS,
            due=NOW,
            attempt=1,
            charge_id=f"{told.charge_permission_id}-{number}",
        )
        yield replace(told, notices=[notice])


# Inserts


async def recorded_a_second(ledger: Ledger, told: Sequence[Told]) -> float:
    """As a worker records: one after the other, each with its commit."""
    began = time.perf_counter()
    for each in told:
        await ledger.record(each)
    return len(told) / (time.perf_counter() - began)


def bare_inserts_a_second(address: str, told: Sequence[Told]) -> float:
    """The same rows by the driver alone: an entry is added and the subscription's row changed, with as many commits."""
    url = parsed(address)
    rows = [next(iter(entries_of(each, NOW))) for each in told]
    if url.get_backend_name() == "sqlite":
        return _by_sqlite(str(url.database), rows)
    return _by_psycopg(url.set(drivername="postgresql").render_as_string(hide_password=False), rows)


def _statements(row: Row, mark: str) -> tuple[str, str]:
    marks = ", ".join([mark] * len(row))
    changed = f"charged_minor = charged_minor + {mark}, periods_paid = periods_paid + 1, told = {mark}"
    return (
        f"INSERT INTO entries ({', '.join(row)}) VALUES ({marks})",  # noqa: S608 - columns of ours
        f"UPDATE subscriptions SET {changed} WHERE charge_permission_id = {mark}",  # noqa: S608 - as above
    )


def _changes(row: Row) -> tuple[object, ...]:
    return row["amount_minor"], row["number"], row["charge_permission_id"]


def _by_sqlite(file: str, rows: Sequence[Row]) -> float:
    add, change = _statements(rows[0], "?")
    values = [tuple(map(_as_sqlite_has_it, row.values())) for row in rows]
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        began = time.perf_counter()
        for row, each in zip(rows, values, strict=True):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(add, each)
            connection.execute(change, _changes(row))
            connection.execute("COMMIT")
        return len(rows) / (time.perf_counter() - began)


def _by_psycopg(address: str, rows: Sequence[Row]) -> float:
    add, change = (statement.encode() for statement in _statements(rows[0], "%s"))
    values = [tuple(Jsonb(value) if isinstance(value, dict) else value for value in row.values()) for row in rows]
    with psycopg.connect(address) as connection:
        began = time.perf_counter()
        for row, each in zip(rows, values, strict=True):
            connection.execute(add, each)
            connection.execute(change, _changes(row))
            connection.commit()
        return len(rows) / (time.perf_counter() - began)


def _as_sqlite_has_it(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return json.dumps(value) if isinstance(value, dict) else value


async def measure_inserts(ledger: Ledger, address: str, inserts: int, subscribers: int) -> Figures:
    """Both by turns, of other subscribers each time; a first round is a warm-up that does not count."""
    rounds = 2 * (ROUNDS + 1)
    everybody = paid_once_more(inserts // ROUNDS * rounds, of=subscribers)
    recorded, bare = [], []
    for number in range(ROUNDS + 1):
        some, others = (list(islice(everybody, inserts // ROUNDS)) for _ in range(2))
        ours = await recorded_a_second(ledger, some)
        theirs = await asyncio.to_thread(bare_inserts_a_second, address, others)
        if number:
            recorded.append(ours)
            bare.append(theirs)
    return {
        "recorded_a_second": statistics.median(recorded),
        "bare_a_second": statistics.median(bare),
        "ratio": statistics.median(ours / theirs for ours, theirs in zip(recorded, bare, strict=True)),
        "recorded_a_second_by_round": recorded,
        "bare_a_second_by_round": bare,
    }


# Pages


def searches(subscribers: int) -> dict[str, Search]:
    """Each thing that can be searched by, and all of them together."""
    somebody = next(islice(stories(subscribers), subscribers // 2, None))
    charge = next(notice.charge_id for notice in somebody.notices if notice.charge_id)
    return {
        "everybody": Search(),
        "charge permission": Search(charge_permission_id=somebody.charge_permission_id),
        "charge id": Search(charge_id=charge),
        "reference": Search(merchant_reference=somebody.merchant_reference),
        "account": Search(merchant_account="shop-eu"),
        "plan": Search(plan_id="plan-07"),
        "status active": Search(statuses=(Status.ACTIVE,)),
        "status canceled": Search(statuses=(Status.CANCELED,)),
        "active or retrying": Search(statuses=(Status.ACTIVE, Status.RETRYING)),
        "retrying or canceled": Search(statuses=(Status.RETRYING, Status.CANCELED)),
        "not ended": Search(has_ended=False),
        "past due": Search(past_due=True),
        "past due before": Search(past_due_before=NOW - timedelta(days=30)),
        "past due, nobody": Search(past_due_before=NOW - YEAR),
        "not past due": Search(past_due=False),
        "reason": Search(reason="SoftDeclined"),
        "needs attention": Search(needs_attention=True),
        "charged before": Search(charged_before=NOW + timedelta(days=7)),
        "ended within": Search(ended_from=NOW - 2 * YEAR, ended_before=NOW),
        "plan and past due": Search(plan_id="plan-07", past_due=True),
        "account, active": Search(merchant_account="shop-jp", statuses=(Status.ACTIVE,)),
    }


async def measure_pages(ledger: Ledger, subscribers: int, pages: int) -> Figures:
    """Milliseconds a page, the median and the slowest: the first page, and one that begins in the middle."""
    middle = next(islice(stories(subscribers), subscribers // 2, None)).charge_permission_id
    found = {}
    for name, search in searches(subscribers).items():
        first = await _milliseconds(pages, lambda search=search: find(ledger, search, limit=PAGE))  # type: ignore[misc]
        deep = await _milliseconds(
            pages,
            lambda search=search: find(ledger, search, after=middle, limit=PAGE),  # type: ignore[misc]
        )
        found[name] = {"first": first, "deep": deep}
    return found | {"timeline": {"first": await _milliseconds(pages, lambda: timeline(ledger, middle))}}


async def _milliseconds(times: int, read: Callable[[], Awaitable[object]]) -> list[float]:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await read()
        took.append(1000 * (time.perf_counter() - began))
    return [statistics.median(took), max(took)]


# Reports and exports, as whole commands


TELLING_MEMORY: Final = f"""
import atexit, re, sys
from pathlib import Path

def tell():
    sys.stderr.write(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])

atexit.register(tell)
{PERENNIAL}
"""
"""A process's own most memory; what its parent is told of it begins with the parent's."""

COMMANDS: Final = {
    "report recovery": ("report", "recovery", "--json"),
    "report revenue": ("report", "revenue", "--json", "--since", "2025-07-01", "--until", "2027-07-01"),
    "report aging": ("report", "aging", "--json", "--at", "2027-06-15"),
    "report forecast": ("report", "forecast", "--json", "--since", "2027-06-15"),
    "export entries, CSV": ("export", "entries", "--to", "{folder}/entries.csv"),
    "export entries, JSON lines": ("export", "entries", "--format", "jsonl", "--to", "{folder}/entries.jsonl"),
    "export entries, Parquet": ("export", "entries", "--format", "parquet", "--to", "{folder}/entries.parquet"),
    "export subscriptions, CSV": ("export", "subscriptions", "--to", "{folder}/subscriptions.csv"),
}


def measure_commands(address: str, folder: Path) -> Figures:
    """The seconds and the mebibytes of each command, from its start to its end."""
    return {name: _command(address, folder, arguments) for name, arguments in COMMANDS.items()}


def _command(address: str, folder: Path, arguments: Sequence[str]) -> Figures:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PERENNIAL_", "TEMPORAL_"))}
    began = time.perf_counter()
    process = subprocess.run(  # noqa: S603 - this very Python, on code that stands above
        [sys.executable, "-c", TELLING_MEMORY, *(each.format(folder=folder) for each in arguments)],
        env=kept | {"PERENNIAL_LEDGER_URL": address},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}: {process.stderr}")
    return {"seconds": time.perf_counter() - began, "mebibytes": int(process.stderr) / MEBIBYTE}


# The whole


async def run(subscribers: int, inserts: int, pages: int, folder: Path) -> Figures:
    """Both databases, or SQLite alone where PostgreSQL is not installed."""
    async with AsyncExitStack() as stack:
        addresses = {"SQLite": file_url(folder / "ledger.db")}
        if program("postgres") is not None:
            server = await stack.enter_async_context(postgres())
            addresses["PostgreSQL"] = server.url(server.create())
        ledgers = {
            name: await stack.enter_async_context(Ledger.open(address, set_up=True))
            for name, address in addresses.items()
        }
        began = time.perf_counter()
        await fill(list(ledgers.values()), subscribers)
        figures: Figures = {"subscriptions": subscribers, "filled_seconds": time.perf_counter() - began}
        for name, ledger in ledgers.items():
            figures[name] = await _measure(ledger, addresses[name], subscribers, inserts, pages, folder)
        return figures


async def _measure(ledger: Ledger, address: str, subscribers: int, inserts: int, pages: int, folder: Path) -> Figures:
    async with ledger.engine.connect() as connection:
        count = (await connection.execute(select(func.count()).select_from(entries))).scalar_one()
    return {
        "entries": count,
        "pages": await measure_pages(ledger, subscribers, pages),
        "commands": await asyncio.to_thread(measure_commands, address, folder),
        "inserts": await measure_inserts(ledger, address, inserts, subscribers),
    }


def reports(figures: Figures) -> Iterator[Report]:
    """Inserts, pages and commands, each database beside the other."""
    databases = [name for name in ("SQLite", "PostgreSQL") if name in figures]
    counts = {name: figures[name]["entries"] for name in databases}
    of = f"{figures['subscriptions']} subscriptions, {counts['SQLite']} entries"
    inserts = {name: figures[name]["inserts"] for name in databases}
    yield Report(
        f"Recording into {of}",
        ("database", "recorded a second", "bare inserts a second", "ratio"),
        [
            (name, *(f"{each[key]:.0f}" for key in ("recorded_a_second", "bare_a_second")), f"{each['ratio']:.2f}")
            for name, each in inserts.items()
        ],
        figures,
        f"medians of {ROUNDS} rounds by turns; a commit each",
    )
    pages = {name: figures[name]["pages"] for name in databases}
    yield Report(
        f"Pages of {PAGE}, in {of}",
        ("by", *(f"{name}, {which}, ms" for name in databases for which in ("first", "in the middle"))),
        [
            (
                by,
                *(_in_words(pages[name][by].get(which)) for name in databases for which in ("first", "deep")),
            )
            for by in pages["SQLite"]
        ],
        figures,
        f"the median, and the slowest; the aim is {AIM_MILLISECONDS} ms a page on SQLite",
    )
    commands = {name: figures[name]["commands"] for name in databases}
    yield Report(
        f"Whole commands, in {of}",
        ("command", *(f"{name}, {unit}" for name in databases for unit in ("s", "MiB"))),
        [
            (
                command,
                *(
                    text
                    for name in databases
                    for text in (
                        f"{commands[name][command]['seconds']:.1f}",
                        f"{commands[name][command]['mebibytes']:.0f}",
                    )
                ),
            )
            for command in COMMANDS
        ],
        figures,
        "from the start of the process to its end, and the most memory that it had",
    )


def _in_words(took: Sequence[float] | None) -> str:
    return f"{took[0]:.1f} ({took[1]:.1f})" if took else "-"


async def _in(folder: Path | None, subscribers: int, inserts: int, pages: int) -> Figures:
    if folder is not None:
        return await run(subscribers, inserts, pages, folder)
    with tempfile.TemporaryDirectory() as temporary:
        return await run(subscribers, inserts, pages, Path(temporary))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.ledger_size", description="A ledger of a million entries.")
    parser.add_argument("--subscriptions", type=int, default=100_000, help="ten entries each")
    parser.add_argument("--inserts", type=int, default=2_000, help="that are measured, of each kind")
    parser.add_argument("--pages", type=int, default=15, help="how often each page is read")
    parser.add_argument(
        "--folder", type=Path, help="where the SQLite file and the exports are; a temporary one if none"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    found = asyncio.run(_in(options.folder, options.subscriptions, options.inserts, options.pages))
    if options.json:
        next(reports(found)).print(as_json=True)
    else:
        for each in reports(found):
            each.print(as_json=False)
