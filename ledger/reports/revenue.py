"""What was charged, went back, was disputed and was given up, by month and plan; who came and left; what recurs.

Each thing counts in the month in which it happened: a refund in that of the refund, under the plan of its charge.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from fractions import Fraction
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from perennial_billing.billing.calendar import Unit, add_months, first_valid_instant
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.billing.zones import zone as rules_of
from perennial_billing.ledger.database import reading
from perennial_billing.ledger.entries import money
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.selecting import first_told, is_a, of_account, total, within
from perennial_billing.ledger.tables import entries, subscriptions

LOST: Final = "BuyerWon"
"""The resolution of a dispute whose money is gone (Amazon Pay API v2, "dispute")."""

RECURS: Final = (
    Status.ACTIVE,
    Status.PENDING,
    Status.RETRYING,
    Status.AWAITING_PAYMENT_METHOD,
    Status.ON_HOLD,
)
"""Whose price counts as recurring: what falls due is collected, or tried. Not who is paused, unpaid, or ends."""

_MONTHLY: Final = {
    Unit.DAY: Fraction(365, 12),
    Unit.WEEK: Fraction(52, 12),
    Unit.MONTH: Fraction(1),
    Unit.YEAR: Fraction(1, 12),
}
"""How often a unit comes in a month, as the field reckons it: a year has 12 months, 52 weeks or 365 days."""


class Month(NamedTuple):
    """A calendar month of a zone, or what of it lies within the time that is reported on: [start, end), in UTC."""

    first: date
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of one plan in one currency within a month.

    Attributes:
        month: its first day.
        plan_id: the plan's, as it was when that happened; of what goes back, the charge's.
        charges: how many were captured.
        charged: what they came to.
        refunded: what went back to buyers.
        disputes: how many were opened.
        disputed: what they are about.
        disputes_lost: how many the buyer won.
        lost: what these were about.
        written_off: what was owed and given up.
    """

    month: date
    plan_id: str
    charges: int
    charged: Money
    refunded: Money
    disputes: int
    disputed: Money
    disputes_lost: int
    lost: Money
    written_off: Money


@dataclass(frozen=True, slots=True)
class Movement:
    """Who came and who left within a month; one that goes on under another charge permission does neither.

    Attributes:
        month: its first day.
        at_start: how many subscriptions there were when it began.
        begun: how many started.
        completed: how many had run their term.
        churned: how many ended otherwise: canceled, closed or written off.
    """

    month: date
    at_start: int
    begun: int
    completed: int
    churned: int

    @property
    def churn_rate(self) -> float | None:
        """The share of those at the start who left; None where there were none."""
        return self.churned / self.at_start if self.at_start else None


@dataclass(frozen=True, slots=True)
class Recurring:
    """What the subscriptions of one plan bring in a month, at their regular prices.

    Attributes:
        plan_id: what is charged now, or next.
        subscriptions: how many.
        monthly: normalised to a month, rounded half up to the minor unit.
    """

    plan_id: str
    subscriptions: int
    monthly: Money


@dataclass(frozen=True, slots=True)
class Revenue:
    """The report.

    Attributes:
        zone: in which months are counted.
        since: the first instant that counts (UTC).
        until: the first that does not any more (UTC).
        taken: by month, plan and currency, in that order.
        movements: by month, every one.
        recurring: by currency and plan, now.
        unseen_disputes: how many were opened of which Amazon has not shown the amount; they are in no sum.
    """

    zone: str
    since: datetime
    until: datetime
    taken: Sequence[Taken]
    movements: Sequence[Movement]
    recurring: Sequence[Recurring]
    unseen_disputes: int

    @property
    def months(self) -> Sequence[date]:
        """The first day of each month."""
        return [movement.month for movement in self.movements]


def months_of(since: datetime, until: datetime, zone: str) -> Iterator[Month]:
    """The calendar months of a zone that lie within a time, the first and the last as far as they do.

    Raises:
        Refused: there is no such zone.
    """
    rules = rules_of(zone)
    first = since.astimezone(rules).date().replace(day=1)
    while (start := first_valid_instant(first, time(), rules)) < until:
        following = add_months(first, 1)
        end = first_valid_instant(following, time(), rules)
        yield Month(first, max(start, since.astimezone(UTC)), min(end, until.astimezone(UTC)))
        first = following


async def revenue(
    ledger: Ledger, since: datetime, until: datetime, *, zone: str = "UTC", account: str | None = None
) -> Revenue:
    """Makes the report.

    Args:
        ledger: of which.
        since: what happened then or later counts (aware).
        until: and before then (aware).
        zone: the merchant's, in which months are counted.
        account: of one merchant account only.

    Raises:
        Refused: there is no such zone.
        LedgerUnavailableError: the database cannot be used now.
    """
    taken: list[Taken] = []
    movements: list[Movement] = []
    unseen = 0
    async with reading(ledger.engine) as connection:
        at_start = await _count_before(connection, since, account)
        for month in months_of(since, until, zone):
            lines, not_shown = await _taken(connection, month, account)
            taken += lines
            unseen += not_shown
            movements.append(await _movement(connection, month, at_start, account))
            at_start += movements[-1].begun - movements[-1].completed - movements[-1].churned
        recurring = await _recurring(connection, account)
    return Revenue(zone, since, until, taken, movements, recurring, unseen)


class _Key(NamedTuple):
    currency: str
    plan_id: str


_Sums = Mapping[_Key, tuple[int, int]]
"""How many, and how much in minor units."""


def _of_charge(column: str) -> ScalarSelect[Any]:  # Any: of the column's type
    """What the entry of the charge that this one is about has in a column."""
    paid = entries.alias()
    about = and_(paid.c.charge_id == entries.c.charge_id, paid.c.type == NoticeType.PERIOD_PAID.value)
    return select(paid.c[column]).where(about).limit(1).scalar_subquery()


def _of_dispute(column: str) -> ScalarSelect[Any]:  # Any: as above
    """What was first told of the dispute in a column; Amazon may not show it at the first reading."""
    told = entries.alias()
    about = and_(told.c.dispute_id == entries.c.dispute_id, told.c.amount_minor.is_not(None))
    return select(told.c[column]).where(about).order_by(told.c.id).limit(1).scalar_subquery()


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of things that are added up.

    Attributes:
        which: the entries, each of which counts once.
        of_a_charge: it is about a charge, whose plan counts.
        of_a_dispute: it is about a dispute, whose amount may have been told with another entry.
    """

    which: ColumnElement[bool]
    of_a_charge: bool = False
    of_a_dispute: bool = False

    def summed(self, month: Month, account: str | None) -> Select[Any]:  # Any: currency, plan, count, minor units
        """By currency and plan, within a month."""
        column = entries.c
        amount, currency, plan = (
            (_of_dispute("amount_minor"), _of_dispute("currency"), column.plan_id)
            if self.of_a_dispute
            else (column.amount_minor, column.currency, column.plan_id)
        )
        each = (
            select(
                currency.label("currency"),
                func.coalesce(_of_charge("plan_id"), plan).label("plan") if self.of_a_charge else plan.label("plan"),
                amount.label("minor"),
            )
            .where(self.which, within(column.at, month.start, month.end), of_account(account))
            .subquery()
        )
        by = (each.c.currency, each.c.plan)
        return select(*by, func.count(), total(each.c.minor)).group_by(*by)


_CHARGED: Final = _Kind(and_(is_a(NoticeType.PERIOD_PAID), first_told("charge_id")))
_REFUNDED: Final = _Kind(and_(is_a(NoticeType.REFUND_COMPLETED), first_told("refund_id")), of_a_charge=True)
_DISPUTED: Final = _Kind(
    and_(is_a(NoticeType.DISPUTE_OPENED), first_told("dispute_id")), of_a_charge=True, of_a_dispute=True
)
_LOST: Final = _Kind(
    and_(
        is_a(NoticeType.DISPUTE_OPENED, NoticeType.DISPUTE_CHANGED),
        entries.c.status == LOST,
        first_told("dispute_id", "status"),
    ),
    of_a_charge=True,
    of_a_dispute=True,
)
_WRITTEN_OFF: Final = _Kind(and_(is_a(NoticeType.PERIOD_WRITTEN_OFF), first_told("charge_permission_id", "period")))


async def _taken(connection: AsyncConnection, month: Month, account: str | None) -> tuple[list[Taken], int]:
    """The month's lines, and how many disputes were opened whose amount is not known."""
    charged, _ = await _sums(connection, _CHARGED, month, account)
    refunded, _ = await _sums(connection, _REFUNDED, month, account)
    disputed, unseen = await _sums(connection, _DISPUTED, month, account)
    lost, _ = await _sums(connection, _LOST, month, account)
    written_off, _ = await _sums(connection, _WRITTEN_OFF, month, account)
    keys = {*charged, *refunded, *disputed, *lost, *written_off}

    def count(sums: _Sums, key: _Key) -> int:
        return sums[key][0] if key in sums else 0

    def amount(sums: _Sums, key: _Key) -> Money:
        return money(sums[key][1] if key in sums else 0, key.currency)

    lines = [
        Taken(
            month=month.first,
            plan_id=key.plan_id,
            charges=count(charged, key),
            charged=amount(charged, key),
            refunded=amount(refunded, key),
            disputes=count(disputed, key),
            disputed=amount(disputed, key),
            disputes_lost=count(lost, key),
            lost=amount(lost, key),
            written_off=amount(written_off, key),
        )
        for key in sorted(keys, key=lambda key: (key.plan_id, key.currency))
    ]
    return lines, unseen


async def _sums(connection: AsyncConnection, kind: _Kind, month: Month, account: str | None) -> tuple[_Sums, int]:
    """By currency and plan; and how many have no amount that is known."""
    found, unknown = {}, 0
    for currency, plan_id, count, minor in await connection.execute(kind.summed(month, account)):
        if currency is None:
            unknown += count
        else:
            found[_Key(currency, plan_id)] = (int(count), int(minor))
    return found, unknown


_STARTED: Final = and_(is_a(NoticeType.SUBSCRIPTION_STARTED), first_told("charge_permission_id"))
_ENDED: Final = and_(
    is_a(NoticeType.SUBSCRIPTION_ENDED),
    entries.c.status.is_distinct_from(Status.REPLACED.value),
    first_told("charge_permission_id"),
)


async def _count_before(connection: AsyncConnection, since: datetime, account: str | None) -> int:
    """How many subscriptions there were at an instant."""
    begun, ended = [await _ends(connection, each, None, since, account) for each in (_STARTED, _ENDED)]
    return begun.total() - ended.total()


async def _movement(connection: AsyncConnection, month: Month, at_start: int, account: str | None) -> Movement:
    begun, ended = [await _ends(connection, each, month.start, month.end, account) for each in (_STARTED, _ENDED)]
    completed = ended[Status.COMPLETED]
    return Movement(month.first, at_start, begun.total(), completed, ended.total() - completed)


async def _ends(
    connection: AsyncConnection,
    which: ColumnElement[bool],
    since: datetime | None,
    until: datetime,
    account: str | None,
) -> Counter[str | None]:
    """How many there are, by status."""
    chosen = select(entries.c.status, func.count().label("found")).where(
        which, within(entries.c.at, since, until), of_account(account)
    )
    rows = await connection.execute(chosen.group_by(entries.c.status))
    return Counter({each.status: each.found for each in rows})


async def _recurring(connection: AsyncConnection, account: str | None) -> list[Recurring]:
    column = subscriptions.c
    by = (column.currency, column.plan_id, column.interval_unit, column.interval_count)
    chosen = (
        select(*by, func.count(), total(column.price_minor * column.quantity))
        .where(column.status.in_([status.value for status in RECURS]), column.currency.is_not(None))
        .group_by(*by)
    )
    if account is not None:
        chosen = chosen.where(column.merchant_account == account)
    counts: Counter[_Key] = Counter()
    monthly: dict[_Key, Fraction] = {}
    for currency, plan_id, unit, of_units, count, minor in await connection.execute(chosen):
        key = _Key(currency, plan_id)
        counts[key] += count
        monthly[key] = monthly.get(key, Fraction(0)) + _MONTHLY[Unit(unit)] * int(minor) / of_units
    return [Recurring(key.plan_id, counts[key], money(_half_up(monthly[key]), key.currency)) for key in sorted(monthly)]


def _half_up(amount: Fraction) -> int:
    return math.floor(amount + Fraction(1, 2))
