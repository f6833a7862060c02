"""Everything that the ledger has of a subscription, for whoever holds it against something else: read page by page."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.ledger.database import reading
from perennial_billing.ledger.deliveries import is_undelivered
from perennial_billing.ledger.entries import Row, money
from perennial_billing.ledger.finding import Found, found_of
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.projection import folded
from perennial_billing.ledger.rebuilding import Difference, differences_between
from perennial_billing.ledger.tables import audits, deliveries, entries, subscriptions

AT_ONCE: Final = 200
"""Subscriptions a page at the most."""

ENTRIES_AT_ONCE: Final = 5_000
"""Entries a page; one subscription's are read together, however many they are."""

_READ: Final = (
    "id",
    "charge_permission_id",
    "number",
    "digest",
    "type",
    "at",
    "period",
    "due",
    "attempt",
    "amount_minor",
    "currency",
    "charge_id",
    "refund_id",
    "dispute_id",
    "reason_code",
    "successor",
    "merchant_account",
    "merchant_reference",
    "plan_id",
    "summary",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was told, without its words.

    Attributes:
        id: the ledger's; they grow in the order in which they were recorded.
        number: counted from 1.
        type: of `NoticeType`.
        at: when it happened (UTC, the subscription's time).
    """

    id: int
    number: int
    type: str
    at: datetime
    period: int | None = None
    due: datetime | None = None
    attempt: int | None = None
    amount: Money | None = None
    charge_id: str | None = None
    refund_id: str | None = None
    reason_code: str | None = None
    successor: str | None = None


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A notice that the merchant's endpoint never took.

    Attributes:
        number: of the notice.
        at: when it was tried last, or was to be (UTC).
        trouble: what came instead of a success then.
    """

    number: int
    at: datetime
    trouble: str | None


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The charge permission that a subscription went on from.

    Attributes:
        charge_permission_id: Amazon's.
        replaced_at_number: the number of the notice that told of it.
        charge_ids: charges that are named there.
        periods: those that are named there as charged, with their charges.
    """

    charge_permission_id: str
    replaced_at_number: int
    charge_ids: frozenset[str]
    periods: frozenset[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class LastAudit:
    """Up to where a subscription was found to be right.

    Attributes:
        entries: how many entries there were then.
        last_entry: the id of the last one.
    """

    entries: int
    last_entry: int


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger has of a subscription.

    Attributes:
        charge_permission_id: whose.
        row: how it stood when it last told something; None where only entries are left.
        entries: in the order in which they were recorded.
        differences: what its row is otherwise than its entries make of it.
        given_up: notices that were not delivered.
        predecessor: where it went on from another charge permission.
        last_audit: None where it never was found to be right.
    """

    charge_permission_id: str
    row: Found | None
    entries: Sequence[Entry]
    differences: Sequence[Difference] = ()
    given_up: Sequence[GivenUp] = ()
    predecessor: Predecessor | None = None
    last_audit: LastAudit | None = None

    @property
    def last_entry(self) -> int:
        """The id of its last entry; 0 where there is none."""
        return max((entry.id for entry in self.entries), default=0)


async def record_of(ledger: Ledger, charge_permission_id: str) -> Record | None:
    """What the ledger has of one subscription; None where it has nothing.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    async with reading(ledger.engine) as connection:
        [record] = await _records(connection, [charge_permission_id])
    return record if record.row is not None or record.entries else None


async def records(ledger: Ledger, names: Sequence[str]) -> list[Record]:
    """What the ledger has of some subscriptions, in their order.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    async with reading(ledger.engine) as connection:
        return await _records(connection, names)


async def pages(ledger: Ledger, chosen: Select[Any]) -> AsyncIterator[list[Record]]:  # Any: see below
    """What the ledger has of many subscriptions, some at a time, each page from one state of it.

    Args:
        ledger: where.
        chosen: gives ids of charge permissions and how many entries each is thought to have.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    after = ""
    while True:
        page = chosen.where(subscriptions.c.charge_permission_id > after).limit(AT_ONCE)
        async with reading(ledger.engine) as connection:
            rows = (await connection.execute(page.order_by(subscriptions.c.charge_permission_id))).all()
            if not rows:
                return
            names = _within_bounds((str(name), int(told)) for name, told in rows)
            found = await _records(connection, names)
        yield found
        after = names[-1]


async def orphans(ledger: Ledger) -> list[str]:
    """The charge permissions of entries without a row.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    has_row = select(subscriptions.c.charge_permission_id).where(
        subscriptions.c.charge_permission_id == entries.c.charge_permission_id
    )
    query = select(entries.c.charge_permission_id).where(~has_row.exists()).distinct()
    async with reading(ledger.engine) as connection:
        return list((await connection.execute(query.order_by(entries.c.charge_permission_id))).scalars())


async def known_of(ledger: Ledger, names: Sequence[str]) -> set[str]:
    """Those of these charge permissions that the ledger knows: they have a row, or an entry names them as a successor.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    own = select(subscriptions.c.charge_permission_id).where(subscriptions.c.charge_permission_id.in_(names))
    refused = select(entries.c.successor).where(
        entries.c.type == NoticeType.REPLACEMENT_REFUSED.value, entries.c.successor.in_(names)
    )
    async with reading(ledger.engine) as connection:
        return {str(name) for query in (own, refused) for name in (await connection.execute(query)).scalars()}


def _within_bounds(told: Iterable[tuple[str, int]]) -> list[str]:
    """As many as have few enough entries together; one at least."""
    names: list[str] = []
    in_all = 0
    for name, count in told:
        in_all += count
        if names and in_all > ENTRIES_AT_ONCE:
            break
        names.append(name)
    return names


async def _records(connection: AsyncConnection, names: Sequence[str]) -> list[Record]:
    rows = await _rows_of(connection, names)
    told = await _entries_of(connection, names)
    given_up = await _given_up(connection, names)
    predecessors = await _predecessors(connection, names)
    last = await _last_audits(connection, names)
    found = []
    for name in names:
        row, of_this = rows.get(name), told[name]
        expected = folded(None, of_this) if of_this else None
        found.append(
            Record(
                charge_permission_id=name,
                row=found_of(row) if row else None,
                entries=tuple(map(_entry, of_this)),
                differences=tuple(differences_between(name, row, expected)),
                given_up=tuple(given_up[name]),
                predecessor=predecessors.get(name),
                last_audit=last.get(name),
            )
        )
    return found


async def _rows_of(connection: AsyncConnection, names: Sequence[str]) -> dict[str, Row]:
    query = select(subscriptions).where(subscriptions.c.charge_permission_id.in_(names))
    return {row["charge_permission_id"]: dict(row) for row in (await connection.execute(query)).mappings()}


async def _entries_of(connection: AsyncConnection, names: Sequence[str]) -> defaultdict[str, list[Row]]:
    query = select(*(entries.c[name] for name in _READ)).where(entries.c.charge_permission_id.in_(names))
    told: defaultdict[str, list[Row]] = defaultdict(list)
    for row in (await connection.execute(query.order_by(entries.c.id))).mappings():
        told[row["charge_permission_id"]].append(dict(row))
    return told


async def _given_up(connection: AsyncConnection, names: Sequence[str]) -> defaultdict[str, list[GivenUp]]:
    column = deliveries.c
    query = select(column.charge_permission_id, column.number, column.updated_at, column.trouble).where(
        column.charge_permission_id.in_(names), is_undelivered(datetime.now(UTC))
    )
    found: defaultdict[str, list[GivenUp]] = defaultdict(list)
    for name, number, at, trouble in await connection.execute(query.order_by(column.number)):
        found[name].append(GivenUp(number, at, trouble))
    return found


async def _predecessors(connection: AsyncConnection, names: Sequence[str]) -> dict[str, Predecessor]:
    column = entries.c
    before = select(subscriptions.c.charge_permission_id).where(subscriptions.c.successor.in_(names))
    identifiers = list((await connection.execute(before)).scalars())
    if not identifiers:
        return {}
    query = (
        select(
            column.charge_permission_id, column.type, column.number, column.period, column.charge_id, column.successor
        )
        .where(
            column.charge_permission_id.in_(identifiers),
            or_(column.charge_id.is_not(None), column.type == NoticeType.CHARGE_PERMISSION_REPLACED.value),
        )
        .order_by(column.id)
    )
    told: defaultdict[str, list[Any]] = defaultdict(list)  # Any: rows of different columns
    for row in await connection.execute(query):
        told[row.charge_permission_id].append(row)
    found = {}
    for identifier, rows in told.items():
        charges = [row for row in rows if row.charge_id is not None]
        for row in rows:
            if row.type == NoticeType.CHARGE_PERMISSION_REPLACED.value and row.successor in names:
                found[row.successor] = Predecessor(
                    charge_permission_id=identifier,
                    replaced_at_number=row.number,
                    charge_ids=frozenset(each.charge_id for each in charges),
                    periods=frozenset(
                        (each.period, each.charge_id)
                        for each in charges
                        if each.type == NoticeType.PERIOD_PAID.value and each.period is not None
                    ),
                )
    return found


async def _last_audits(connection: AsyncConnection, names: Sequence[str]) -> dict[str, LastAudit]:
    query = select(audits.c.charge_permission_id, audits.c.entries, audits.c.last_entry).where(
        audits.c.charge_permission_id.in_(names), audits.c.last_entry > 0
    )
    return {name: LastAudit(count, last) for name, count, last in await connection.execute(query)}


def count_of(name: Any) -> Any:  # Any: a column, and a condition of SQL's
    """How many entries a charge permission has, as a part of a query."""
    return select(func.count()).select_from(entries).where(entries.c.charge_permission_id == name).scalar_subquery()


def _entry(row: Row) -> Entry:
    amount = (
        money(row["amount_minor"], row["currency"]) if row["amount_minor"] is not None and row["currency"] else None
    )
    names = ("id", "number", "type", "at", "period", "due", "attempt", "charge_id", "refund_id")
    return Entry(
        amount=amount,
        reason_code=row["reason_code"],
        successor=row["successor"],
        **{name: row[name] for name in names},
    )
