"""Settlements of a time held against the ledger, some transactions at a time."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.ledger.database import reading
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.settlements.lines import HAS_ID, LineKind
from perennial_billing.ledger.settlements.matching import (
    Difference,
    DifferenceKind,
    Recorded,
    Settled,
    differences,
    not_settled,
)
from perennial_billing.ledger.settlements.scope import Scope, in_scope
from perennial_billing.ledger.tables import entries, settlement_lines, settlements, subscriptions

AT_ONCE: Final = 500
"""Transactions that are looked at together."""

TOLD_WITHIN: Final = timedelta(hours=1)
"""How long after Amazon has posted something a subscription tells of it, where no notification came: it looks hourly.
What was told so soon after the first settlement began may stand in the one before."""

_COMPARED_KINDS: Final = sorted(kind.value for kind in HAS_ID)

_NAMED_BY: Final = {
    NoticeType.PERIOD_PAID: entries.c.charge_id,
    NoticeType.REFUND_COMPLETED: entries.c.refund_id,
}
"""Entries that say money has moved, and the id that a settlement names that by."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Some transactions that were compared.

    Attributes:
        transactions: how many.
        differences: what differs.
        foreign: how many are not of this ledger, where the account is shared.
    """

    transactions: int
    differences: Sequence[Difference]
    foreign: int = 0


async def count(ledger: Ledger, scope: Scope) -> int:
    """How many transactions will be compared, for a progress bar.

    Raises:
        LedgerError: the database cannot be used now.
    """
    await ledger.check_version()
    query = select(func.count(settlement_lines.c.transaction_id.distinct())).join_from(settlements, settlement_lines)
    async with reading(ledger.engine) as connection:
        query = query.where(in_scope(scope), settlement_lines.c.kind.in_(_COMPARED_KINDS))
        return int((await connection.execute(query)).scalar_one())


async def compared(ledger: Ledger, scope: Scope) -> AsyncIterator[Compared]:
    """Compares both sides, some transactions at a time: first what the settlements name, then what they do not.

    Raises:
        LedgerError: the database cannot be used now.
    """
    await ledger.check_version()
    async with reading(ledger.engine) as connection:
        chosen = select(settlements.c.id).where(in_scope(scope)).order_by(settlements.c.id)
        done: set[int] = set()
        for settlement in list((await connection.execute(chosen)).scalars()):
            after = ""
            while names := await _next_names(connection, settlement, after):
                yield await _compared(connection, scope, names, done)
                after = names[-1]
            done.add(settlement)
        async for unnamed in _not_settled(connection, scope):
            yield Compared(0, unnamed)


async def _next_names(connection: AsyncConnection, settlement: int, after: str) -> list[str]:
    lines = settlement_lines.c
    query = (
        select(lines.transaction_id)
        .where(lines.settlement == settlement, lines.transaction_id > after, lines.kind.in_(_COMPARED_KINDS))
        .distinct()
        .order_by(lines.transaction_id)
        .limit(AT_ONCE)
    )
    return list((await connection.execute(query)).scalars())


async def _compared(connection: AsyncConnection, scope: Scope, names: Sequence[str], done: set[int]) -> Compared:
    """Compares some; what one of the settlements that are done has named as well was compared then."""
    lines: dict[str, list[Settled]] = {name: [] for name in names}
    for settlement, line in await _settled(connection, names):
        if settlement in done and line.kind in HAS_ID:
            lines.pop(line.transaction_id, None)
        elif line.transaction_id in lines:
            lines[line.transaction_id].append(line)
    return await _of_lines(connection, scope, lines)


async def compared_transactions(
    ledger: Ledger, scope: Scope, transactions: Iterator[Settled]
) -> AsyncIterator[Compared]:
    """Compares what a transaction report says, some lines at a time; each line by itself, as it names what has changed.

    Raises:
        LedgerError: the database cannot be used now.
        ReportRefusedError: the report is refused; read it to its end before.
    """
    await ledger.check_version()
    async with reading(ledger.engine) as connection:
        while part := list(islice(transactions, AT_ONCE)):
            yield await _of_lines(connection, scope, {line.transaction_id: [line] for line in part})


async def _of_lines(connection: AsyncConnection, scope: Scope, lines: Mapping[str, Sequence[Settled]]) -> Compared:
    """Compares transactions, by their ids, with what was told of them."""
    told: dict[str, list[Recorded]] = {name: [] for name in lines}
    for entry in await _recorded(connection, list(lines)):
        for name in {entry.charge_id or "", entry.refund_id or "", entry.dispute_id or ""} & lines.keys():
            told[name].append(entry)
    permissions = {line.charge_permission_id for of_one in lines.values() for line in of_one}
    ours = await _known(connection, [each for each in permissions if each])
    found = [
        difference
        for name, of_one in lines.items()
        for difference in differences(
            of_one, told[name], is_ours=any(line.charge_permission_id in ours for line in of_one)
        )
    ]
    if not scope.is_shared:
        return Compared(len(lines), found)
    kept = [each for each in found if each.kind is not DifferenceKind.FOREIGN]
    return Compared(len(lines), kept, len(found) - len(kept))


async def _settled(connection: AsyncConnection, names: Sequence[str]) -> list[tuple[int, Settled]]:
    """Lines of all settlements, also of those that are not in the scope: one may name again what another has. Each with
    the key of its settlement.
    """
    query = (
        select(
            settlements.c.id,
            settlements.c.settlement_id,
            settlements.c.merchant_account,
            *(settlement_lines.c[name] for name in _OF_A_LINE),
        )
        .join_from(settlements, settlement_lines)
        .where(settlement_lines.c.transaction_id.in_(names))
        .order_by(settlement_lines.c.id)
    )
    rows = [dict(row) for row in (await connection.execute(query)).mappings()]
    return [(row.pop("id"), Settled(**{**row, "kind": LineKind(row["kind"])})) for row in rows]


_OF_A_LINE: Final = (
    "line",
    "kind",
    "transaction_id",
    "charge_permission_id",
    "posted_at",
    "currency",
    "amount_minor",
)
_OF_AN_ENTRY: Final = (
    "type",
    "at",
    "charge_permission_id",
    "merchant_account",
    "charge_id",
    "refund_id",
    "dispute_id",
    "currency",
    "amount_minor",
)


def _entries() -> Select[Any]:  # Any: of many columns
    return select(entries.c.id, *(entries.c[name] for name in _OF_AN_ENTRY))


async def _recorded(connection: AsyncConnection, names: Sequence[str]) -> list[Recorded]:
    named = (column.in_(names) for column in (entries.c.charge_id, entries.c.refund_id, entries.c.dispute_id))
    query = _entries().where(or_(*named)).order_by(entries.c.id)
    return [_entry(row) for row in (await connection.execute(query)).mappings()]


def _entry(row: Any) -> Recorded:  # Any: a row's columns have different types
    return Recorded(**{name: row[name] for name in _OF_AN_ENTRY} | {"type": NoticeType(row["type"])})


async def _known(connection: AsyncConnection, permissions: Sequence[str]) -> frozenset[str]:
    """Those that a subscription of this ledger has, or had."""
    column = subscriptions.c.charge_permission_id
    return frozenset((await connection.execute(select(column).where(column.in_(permissions)))).scalars())


async def _not_settled(connection: AsyncConnection, scope: Scope) -> AsyncIterator[list[Difference]]:
    """Entries within the time that is settled, which no settlement names."""
    begins, ends = await _covered(connection, scope)
    if begins is None or ends is None:
        return
    seen: set[str] = set()  # of differences alone
    for kind, named_by in _NAMED_BY.items():
        is_named = select(settlement_lines.c.id).where(settlement_lines.c.transaction_id == named_by).exists()
        query = (
            _entries()
            .where(
                entries.c.type == kind.value,
                entries.c.at >= begins,
                entries.c.at < ends,
                entries.c.merchant_account == scope.account,
                named_by.is_not(None),
                entries.c.amount_minor > 0,
                ~is_named,
            )
            .order_by(entries.c.at, entries.c.id)
            .limit(AT_ONCE)
        )
        page = query
        while rows := [dict(row) for row in (await connection.execute(page)).mappings()]:
            unnamed = [not_settled(_entry(row)) for row in rows]
            yield [each for each in unnamed if each.transaction_id not in seen]
            seen |= {each.transaction_id for each in unnamed}
            at, last = rows[-1]["at"], rows[-1]["id"]
            page = query.where(entries.c.at >= at, or_(entries.c.at > at, entries.c.id > last))


async def _covered(connection: AsyncConnection, scope: Scope) -> tuple[datetime | None, datetime | None]:
    """The time for which entries must stand in a settlement: all that is settled, within the scope."""
    query = select(func.min(settlements.c.starts_at), func.max(settlements.c.ends_at))
    begins, ends = (await connection.execute(query.where(settlements.c.merchant_account == scope.account))).one()
    if begins is None:
        return None, None
    first, last = begins + TOLD_WITHIN, ends - scope.settled_within
    return max(first, scope.since), min(last, scope.until) if scope.until else last
