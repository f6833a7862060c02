"""What falls due in the next days, and when each account's quota of calls will have charged it.

It goes by each subscription's next charge and its interval, at the regular price: what is not known here is who pays,
what a trial, a credit or another plan makes of the price, and whether a term ends before. Charges after the next one
keep its wall time in UTC, so they may be an hour off where a change of the clocks lies between.
"""

from calendar import monthrange
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import count
from math import ceil
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from perennial_billing.billing.calendar import Interval, Unit, add_months, first_valid_instant
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.zones import zone as rules_of
from perennial_billing.ledger.database import reading
from perennial_billing.ledger.entries import money
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.selecting import DayOfMonth, Seconds, total
from perennial_billing.ledger.tables import subscriptions

AT_ONCE: Final = 2_000
"""Groups that are read together."""

ALL_ACCOUNTS: Final = "*"
"""In place of an account's name: all together. Each has a quota of its own, so all are done when the last one is."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE: Final = 60
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Quota:
    """How often Create Charge may be called for one account.

    Attributes:
        burst: calls at once, after a while without any.
        per_second: calls a second from then on.
    """

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Due:
    """What falls due within a day or an hour, for one account in one currency.

    Attributes:
        begins: the instant at which the day or the hour begins (UTC).
        account: the merchant account's short name.
        charges: how many periods fall due.
        amount: what they come to at regular prices.
        retries: how many owed periods are tried again; their amount is not in here.
    """

    begins: datetime
    account: str
    charges: int
    amount: Money
    retries: int


@dataclass(frozen=True, slots=True)
class Done:
    """When what falls due within a day or an hour is charged, for one account.

    Attributes:
        begins: the instant at which the day or the hour begins (UTC).
        account: the merchant account's short name; `ALL_ACCOUNTS` for all of several.
        calls: how many attempts are made in all currencies.
        done_at: when the account's quota has let the last of them through (UTC), if no other calls are made.
        longest_wait: how long one of them waits for its turn at the most, in whole seconds.
        queued_until: until when there is anybody who waits (UTC): what falls due together is through then. None where
            nobody does.
    """

    begins: datetime
    account: str
    calls: int
    done_at: datetime
    longest_wait: timedelta
    queued_until: datetime | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The report.

    Attributes:
        zone: in which days and hours are counted.
        since: the instant from which on it looks (UTC).
        until: the end, which is not in it any more (UTC).
        quota: by which it is reckoned.
        days: what falls due, by day.
        hours: the same, by hour.
        days_done: when that is charged, by day.
        hours_done: the same, by hour.
    """

    zone: str
    since: datetime
    until: datetime
    quota: Quota
    days: Sequence[Due]
    hours: Sequence[Due]
    days_done: Sequence[Done]
    hours_done: Sequence[Done]


class _Key(NamedTuple):
    begins: datetime
    account: str
    currency: str


class _Group(NamedTuple):
    """Subscriptions that are alike: charged within the same minute, in the same currency, and as often.

    `anchor_day` is the day of the month to which their charges come back after a shorter month; 0 where days count.
    """

    account: str
    currency: str
    minute: int
    unit: str
    of_units: int
    anchor_day: int
    subscriptions: int
    minor: int
    are_retries: bool

    @property
    def first(self) -> datetime:
        """When they are charged next (UTC)."""
        return _EPOCH + timedelta(seconds=self.minute * _MINUTE)


@dataclass(slots=True)
class _Tally:
    """What falls due together."""

    charges: int = 0
    minor: int = 0
    retries: int = 0

    def add(self, group: _Group) -> None:
        if group.are_retries:
            self.retries += group.subscriptions
        else:
            self.charges += group.subscriptions
            self.minor += group.minor

    def merge(self, other: "_Tally") -> None:
        self.charges += other.charges
        self.minor += other.minor
        self.retries += other.retries


async def forecast(
    ledger: Ledger,
    since: datetime,
    days: int,
    quota: Quota,
    *,
    zone: str = "UTC",
    account: str | None = None,
    quotas: Mapping[str, Quota] | None = None,
) -> Forecast:
    """Makes the report.

    Args:
        ledger: of which.
        since: from when on (aware); what should have been charged before falls due then, once.
        days: how many days are looked ahead.
        quota: of Create Charge, for each account that has none of its own.
        zone: the merchant's, in which days and hours are counted.
        account: of one merchant account only.
        quotas: of accounts that have one of their own.

    Raises:
        Refused: there is no such zone.
        LedgerUnavailableError: the database cannot be used now.
    """
    begin = since.astimezone(UTC).replace(second=0, microsecond=0)
    end = begin + timedelta(days=days)
    rules_of(zone)
    calls: dict[str, Counter[datetime]] = {}
    hours: dict[_Key, _Tally] = {}
    async with reading(ledger.engine) as connection:
        async for group in _groups(connection, end, account):
            for at in _dates(group, begin, end):
                calls.setdefault(group.account, Counter())[at] += group.subscriptions
                hours.setdefault(_Key(_hour_of(at, zone), group.account, group.currency), _Tally()).add(group)
    by_day: dict[_Key, _Tally] = {}
    for key, tally in hours.items():
        by_day.setdefault(key._replace(begins=_day_of(key.begins, zone)), _Tally()).merge(tally)
    own = quotas or {}
    hours_done = [each for of in sorted(calls) for each in _done(of, calls[of], own.get(of, quota), zone)]
    if len(calls) > 1:
        hours_done = [*_together(hours_done), *hours_done]
    days_done = _by_day(hours_done, zone)
    return Forecast(zone, begin, end, quota, _lines(by_day), _lines(hours), days_done, hours_done)


def _lines(tallies: Mapping[_Key, _Tally]) -> list[Due]:
    return [
        Due(key.begins, key.account, tally.charges, money(tally.minor, key.currency), tally.retries)
        for key, tally in sorted(tallies.items(), key=lambda each: each[0])
    ]


def _done(account: str, calls: Mapping[datetime, int], quota: Quota, zone: str) -> list[Done]:
    """When each hour's last call is let through: a bucket of calls that is filled again at the quota's rate."""
    found: dict[datetime, Done] = {}
    left, at = float(quota.burst), min(calls, default=_EPOCH)
    for due in sorted(calls):
        now = max(at, due)
        left = min(quota.burst, left + quota.per_second * (now - at).total_seconds()) - calls[due]
        at = now + timedelta(seconds=max(-left, 0.0) / quota.per_second)
        left = max(left, 0.0)
        hour = _hour_of(due, zone)
        waits = timedelta(seconds=ceil((at - due).total_seconds()))
        done = Done(hour, account, calls[due], at, waits, at if at > due else None)
        found[hour] = _with(found.get(hour), done)
    return list(found.values())


def _together(hours: Sequence[Done]) -> list[Done]:
    """All accounts as one: each hour is done when the last of them is."""
    found: dict[datetime, Done] = {}
    for each in sorted(hours, key=lambda done: (done.begins, done.account)):
        before = found.get(each.begins)
        of_all = replace(each, account=ALL_ACCOUNTS)
        if before is not None:
            ends = [at for at in (before.queued_until, each.queued_until) if at is not None]
            of_all = replace(
                of_all,
                calls=before.calls + each.calls,
                done_at=max(before.done_at, each.done_at),
                longest_wait=max(before.longest_wait, each.longest_wait),
                queued_until=max(ends, default=None),
            )
        found[each.begins] = of_all
    return list(found.values())


def _by_day(hours: Sequence[Done], zone: str) -> list[Done]:
    found: dict[tuple[str, datetime], Done] = {}
    for hour in hours:
        day = replace(hour, begins=_day_of(hour.begins, zone))
        found[day.account, day.begins] = _with(found.get((day.account, day.begins)), day)
    return list(found.values())


def _with(before: Done | None, later: Done) -> Done:
    """Both together."""
    if before is None:
        return later
    return replace(
        later,
        calls=before.calls + later.calls,
        longest_wait=max(before.longest_wait, later.longest_wait),
        queued_until=later.queued_until or before.queued_until,
    )


def _dates(group: _Group, begin: datetime, end: datetime) -> Iterator[datetime]:
    """When the subscriptions of a group are charged within the time."""
    if group.first < begin:
        yield begin
    if group.are_retries:
        if group.first >= begin:
            yield group.first
        return
    interval = Interval(unit=Unit(group.unit), count=group.of_units)
    for number in count():
        at = _later(group.first, number, interval, group.anchor_day)
        if at >= end:
            return
        if at >= begin:
            yield at


def _later(first: datetime, number: int, interval: Interval, anchor_day: int) -> datetime:
    """So many intervals later; a date that a short month has cut off comes back to its day."""
    if not interval.months:
        return first + timedelta(days=number * interval.days)
    month = add_months(first.date().replace(day=1), number * interval.months)
    was_cut = first.day == monthrange(first.year, first.month)[1]
    day = max(first.day, anchor_day) if was_cut else first.day
    return datetime.combine(month.replace(day=min(day, monthrange(month.year, month.month)[1])), first.time(), UTC)


def _hour_of(at: datetime, zone: str) -> datetime:
    """The begin of the hour that clocks on a wall of the zone show (UTC)."""
    wall = at.astimezone(rules_of(zone))
    return at - timedelta(minutes=wall.minute, seconds=wall.second)


def _day_of(at: datetime, zone: str) -> datetime:
    """The begin of the zone's day (UTC)."""
    rules = rules_of(zone)
    return first_valid_instant(at.astimezone(rules).date(), time(), rules)


async def _groups(connection: AsyncConnection, end: datetime, account: str | None) -> AsyncIterator[_Group]:
    column = subscriptions.c
    theirs = true() if account is None else column.merchant_account == account
    is_retried = and_(
        column.next_charge_at.is_(None),
        column.past_due_since.is_not(None),
        column.next_action == Action.CHARGE.value,
        column.next_action_at < end,
    )
    for query in (
        _grouped(column.next_charge_at, and_(theirs, column.next_charge_at < end), are_retries=False),
        _grouped(column.next_action_at, and_(theirs, is_retried), are_retries=True),
    ):
        rows = await connection.stream(query)
        async for page in rows.partitions(AT_ONCE):
            for row in page:
                group = _Group(*row)
                yield group._replace(minor=int(group.minor), are_retries=bool(group.are_retries))


def _grouped(
    when: ColumnElement[Any],  # Any: an instant
    which: ColumnElement[bool],
    *,
    are_retries: bool,
) -> Select[Any]:  # Any: the fields of a group
    column = subscriptions.c
    counts_months = column.interval_unit.in_([Unit.MONTH.value, Unit.YEAR.value])
    groups = select(
        column.merchant_account,
        column.currency,
        (Seconds(when) // _MINUTE).label("minute"),
        column.interval_unit,
        column.interval_count,
        case((counts_months, DayOfMonth(column.began_at)), else_=0).label("anchor_day"),
        (column.price_minor * column.quantity).label("minor"),
    ).where(which, column.currency.is_not(None))
    each = groups.subquery()
    by = [each.c[name] for name in each.c.keys() if name != "minor"]  # noqa: SIM118 - columns, by their names
    return select(*by, func.count(), total(each.c.minor), literal(are_retries)).group_by(*by)
