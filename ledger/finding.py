"""Finding subscriptions and what they told: paged by key, so that a page costs the same wherever it begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import Notice
from perennial_billing.billing.status import Status
from perennial_billing.ledger.database import reading
from perennial_billing.ledger.entries import Row, minor, money
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import entries, subscriptions

PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Search:
    """Which subscriptions; of what is not given, any.

    Attributes:
        charge_permission_id: Amazon's.
        charge_id: a charge, refund or dispute of theirs, by Amazon's id.
        merchant_reference: the merchant's own.
        merchant_account: whose.
        merchant_accounts: any of these; of all where it is empty.
        plan_id: what is charged now, or next.
        statuses: any of these.
        has_ended: whether it has.
        reason: of the trouble that stands, or that ended it.
        past_due: a period is owed that could not be collected at once.
        past_due_before: and fell due before then (UTC).
        needs_attention: the merchant has to look.
        charged_before: the next period is begun before then (UTC).
        ended_from: ended then or later (UTC).
        ended_before: ended before then (UTC).
        price: of one unit, a regular period.
    """

    charge_permission_id: str | None = None
    charge_id: str | None = None
    merchant_reference: str | None = None
    merchant_account: str | None = None
    merchant_accounts: Sequence[str] = ()
    plan_id: str | None = None
    statuses: Sequence[Status] = ()
    has_ended: bool | None = None
    reason: str | None = None
    past_due: bool | None = None
    past_due_before: datetime | None = None
    needs_attention: bool | None = None
    charged_before: datetime | None = None
    ended_from: datetime | None = None
    ended_before: datetime | None = None
    price: Money | None = None

    def but(self, **fields: Any) -> "Search":  # Any: the fields' values
        """The same, with other values in some fields."""
        return replace(self, **fields)

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL has them."""
        column = subscriptions.c
        found: list[ColumnElement[bool]] = [
            column[name] == value
            for name, value in (
                ("charge_permission_id", self.charge_permission_id),
                ("merchant_reference", self.merchant_reference),
                ("merchant_account", self.merchant_account),
                ("plan_id", self.plan_id),
                ("last_reason", self.reason),
                ("needs_attention", self.needs_attention),
            )
            if value is not None
        ]
        if self.merchant_accounts:
            found.append(column.merchant_account.in_(self.merchant_accounts))
        if self.charge_id is not None:
            ids = (entries.c.charge_id, entries.c.refund_id, entries.c.dispute_id)
            told = [select(entries.c.charge_permission_id).where(each == self.charge_id) for each in ids]
            found.append(column.charge_permission_id.in_(told[0].union(*told[1:])))
        if self.statuses:
            found.append(column.status.in_([status.value for status in self.statuses]))
        if self.has_ended is not None:
            found.append(column.ended_at.is_not(None) if self.has_ended else column.ended_at.is_(None))
        if self.past_due is not None:
            found.append(column.past_due_since.is_not(None) if self.past_due else column.past_due_since.is_(None))
        if self.price is not None:
            found += [column.price_minor == minor(self.price), column.currency == self.price.currency]
        return [*found, *self._within()]

    def _within(self) -> Iterator[ColumnElement[bool]]:
        """From when on, and before when."""
        column = subscriptions.c
        if self.past_due_before is not None:
            yield column.past_due_since < self.past_due_before
        if self.charged_before is not None:
            yield column.next_charge_at < self.charged_before
        if self.ended_from is not None:
            yield column.ended_at >= self.ended_from
        if self.ended_before is not None:
            yield column.ended_at < self.ended_before


@dataclass(frozen=True, slots=True)
class Found:
    """A subscription, as it stood when it last told something; see `billing.summary` for what is not said here.

    Attributes:
        price: of one unit, a regular period; None where it told before summaries were kept.
        charged: all that was captured.
        refunded: all that went back.
        written_off: all that was given up.
        told: how many notices.
        as_of: when it last told something (UTC).
    """

    charge_permission_id: str
    merchant_account: str
    merchant_reference: str
    plan_id: str
    price: Money | None
    quantity: int | None
    status: Status | None
    past_due_since: datetime | None
    needs_attention: bool
    last_reason: str | None
    next_action: str | None
    next_action_at: datetime | None
    next_charge_at: datetime | None
    began_at: datetime | None
    ended_at: datetime | None
    successor: str | None
    periods_paid: int
    charged: Money | None
    refunded: Money | None
    written_off: Money | None
    told: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class EntryFound:
    """One thing that was told.

    Attributes:
        id: the ledger's; they grow in the order in which they were recorded.
        recorded_at: when it was written down (UTC, by the clock of the process that did).
        notice: what was told.
    """

    id: int
    charge_permission_id: str
    merchant_account: str
    merchant_reference: str
    plan_id: str
    recorded_at: datetime
    notice: Notice


async def find(ledger: Ledger, search: Search, *, after: str = "", limit: int = PAGE) -> list[Found]:
    """A page of the subscriptions that are searched for, by their charge permissions' ids.

    Args:
        ledger: where.
        search: which.
        after: the last one of the page before.
        limit: how many at most.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    column = subscriptions.c.charge_permission_id
    query = select(subscriptions).where(*search.conditions(), column > after).order_by(column).limit(limit)
    async with reading(ledger.engine) as connection:
        return [found_of(dict(row)) for row in (await connection.execute(query)).mappings()]


async def last_recorded(ledger: Ledger) -> datetime | None:
    """When anything was last written down (UTC, by the clock of the process that did); None in an empty ledger.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    async with reading(ledger.engine) as connection:
        query = select(entries.c.recorded_at).order_by(entries.c.id.desc()).limit(1)
        return (await connection.execute(query)).scalar()


async def last_happened(ledger: Ledger) -> datetime | None:
    """When what happened last did (UTC, by the subscriptions' own time); None in an empty ledger.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    async with reading(ledger.engine) as connection:
        query = select(entries.c.at).order_by(entries.c.at.desc()).limit(1)
        return (await connection.execute(query)).scalar()


async def timeline(ledger: Ledger, charge_permission_id: str, *, after: int = 0, limit: int = PAGE) -> list[EntryFound]:
    """A page of what one subscription told, oldest first.

    Args:
        ledger: where.
        charge_permission_id: whose.
        after: the id of the last one of the page before.
        limit: how many at most.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    column = entries.c
    query = (
        select(entries)
        .where(column.charge_permission_id == charge_permission_id, column.id > after)
        .order_by(column.id)
        .limit(limit)
    )
    async with reading(ledger.engine) as connection:
        return [_entry(dict(row)) for row in (await connection.execute(query)).mappings()]


async def latest_told(
    ledger: Ledger, charge_permission_id: str, *, before: int | None = None, limit: int = PAGE
) -> list[EntryFound]:
    """A page of what one subscription told, newest first.

    Args:
        ledger: where.
        charge_permission_id: whose.
        before: the id of the last one of the page before; None for the first page.
        limit: how many at most.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    column = entries.c
    theirs = [column.charge_permission_id == charge_permission_id]
    if before is not None:
        theirs.append(column.id < before)
    query = select(entries).where(*theirs).order_by(column.id.desc()).limit(limit)
    async with reading(ledger.engine) as connection:
        return [_entry(dict(row)) for row in (await connection.execute(query)).mappings()]


async def told_since(ledger: Ledger, after: int, *, limit: int = PAGE) -> list[EntryFound]:
    """A page of what all subscriptions told, in the order in which it was recorded.

    Args:
        ledger: where.
        after: the id of the last entry that is known.
        limit: how many at most.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    query = select(entries).where(entries.c.id > after).order_by(entries.c.id).limit(limit)
    async with reading(ledger.engine) as connection:
        return [_entry(dict(row)) for row in (await connection.execute(query)).mappings()]


async def last_told(ledger: Ledger) -> int:
    """The id of the newest entry; 0 where there is none.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    async with reading(ledger.engine) as connection:
        return int((await connection.execute(select(func.max(entries.c.id)))).scalar() or 0)


def found_of(row: Row) -> Found:
    """A row of the subscriptions, as others read it."""
    currency = row["currency"]

    def amount(column: str) -> Money | None:
        return money(row[column], currency) if currency and row[column] is not None else None

    given = {field.name: row[field.name] for field in fields(Found) if field.name in row}
    status = Status(row["status"]) if row["status"] else None
    amounts = {name: amount(f"{name}_minor") for name in ("price", "charged", "refunded", "written_off")}
    return Found(**given | amounts | {"status": status})


def _entry(row: Row) -> EntryFound:
    given = {field.name: row[field.name] for field in fields(EntryFound) if field.name in row}
    return EntryFound(**given | {"notice": Notice.model_validate(row["notice"])})
