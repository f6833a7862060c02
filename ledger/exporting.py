"""Everything in the ledger, row by row, for whoever keeps books elsewhere: in bounded memory, from one state of it."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Boolean, Integer, Select, Table, func, select

from perennial_billing.ledger.database import reading
from perennial_billing.ledger.entries import Row, money
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import Instant, entries, subscriptions

AT_ONCE: Final = 2_000
"""Rows that are read together."""


class What(StrEnum):
    """What can be exported."""

    ENTRIES = "entries"
    """A line for each thing that was told; since and until are about when it happened."""
    SUBSCRIPTIONS = "subscriptions"
    """A line for each subscription; since and until are about when it last told something."""


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    NUMBER = "number"
    AMOUNT = "amount"
    """In the currency of the row, as a decimal number; with two decimals at the most."""
    INSTANT = "instant"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class _Source:
    """A table as others read it.

    Attributes:
        table: ours.
        key: the column that it is gone through by.
        when: the column that since and until are about.
        columns: as they are called outside, in their order; an amount is made of minor units.
    """

    table: Table
    key: str
    when: str
    columns: tuple[str, ...]


_SOURCES: Final[Mapping[What, _Source]] = {
    What.ENTRIES: _Source(
        entries,
        "id",
        "at",
        (
            "id",
            "charge_permission_id",
            "number",
            "type",
            "at",
            "recorded_at",
            "period",
            "due",
            "attempt",
            "amount",
            "currency",
            "charge_id",
            "refund_id",
            "dispute_id",
            "reason_code",
            "status",
            "successor",
            "merchant_account",
            "merchant_reference",
            "plan_id",
        ),
    ),
    What.SUBSCRIPTIONS: _Source(
        subscriptions,
        "charge_permission_id",
        "as_of",
        (
            "charge_permission_id",
            "merchant_account",
            "merchant_reference",
            "plan_id",
            "price",
            "currency",
            "interval_unit",
            "interval_count",
            "quantity",
            "began_at",
            "status",
            "past_due_since",
            "needs_attention",
            "last_reason",
            "next_action",
            "next_action_at",
            "next_charge_at",
            "ended_at",
            "successor",
            "charged",
            "refunded",
            "written_off",
            "periods_paid",
            "disputes",
            "told",
            "as_of",
        ),
    ),
}


def columns_of(what: What) -> tuple[str, ...]:
    """The columns of an export, in their order. A later release adds columns at the end, and takes none away."""
    return _SOURCES[what].columns


def kinds_of(what: What) -> dict[str, Kind]:
    """What each column of an export holds, in their order."""
    table = _SOURCES[what].table
    return {name: _kind(table, name) for name in columns_of(what)}


def _kind(table: Table, name: str) -> Kind:
    if name not in table.c:
        return Kind.AMOUNT
    match table.c[name].type:
        case Instant():
            return Kind.INSTANT
        case Integer():  # also large ones
            return Kind.NUMBER
        case Boolean():
            return Kind.FLAG
        case _:
            return Kind.TEXT


async def count(
    ledger: Ledger,
    what: What,
    since: datetime | None = None,
    until: datetime | None = None,
    account: str | None = None,
) -> int:
    """How many rows an export has.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    source = _SOURCES[what]
    query = _within(select(func.count()).select_from(source.table), source, since, until, account)
    async with reading(ledger.engine) as connection:
        return int((await connection.execute(query)).scalar_one())


async def exported(
    ledger: Ledger,
    what: What,
    since: datetime | None = None,
    until: datetime | None = None,
    account: str | None = None,
) -> AsyncGenerator[list[Row]]:
    """The rows, some at a time; amounts are decimal numbers as texts, instants are aware.

    Args:
        ledger: where.
        what: of which table.
        since: of that instant or later (UTC).
        until: before that instant (UTC).
        account: of one merchant account only.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    source = _SOURCES[what]
    key = source.table.c[source.key]
    every = _within(select(source.table), source, since, until, account).order_by(key).limit(AT_ONCE)
    async with reading(ledger.engine) as connection:
        page = every
        while rows := [dict(row) for row in (await connection.execute(page)).mappings()]:
            yield [_as_exported(row, source.columns) for row in rows]
            page = every.where(key > rows[-1][source.key])


def _within(
    query: Select[Any],  # Any: of one column or of many
    source: _Source,
    since: datetime | None,
    until: datetime | None,
    account: str | None,
) -> Select[Any]:
    if account is not None:
        query = query.where(source.table.c.merchant_account == account)
    when = source.table.c[source.when]
    if since is not None:
        query = query.where(when >= since)
    return query if until is None else query.where(when < until)


def _as_exported(row: Row, columns: tuple[str, ...]) -> Row:
    return {name: row[name] if name in row else _amount(row, name) for name in columns}


def _amount(row: Row, name: str) -> str | None:
    minor_units, currency = row[f"{name}_minor"], row["currency"]
    if minor_units is None:
        return None
    return str(money(minor_units, currency).amount) if currency else str(minor_units)
