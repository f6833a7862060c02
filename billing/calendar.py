"""When each period of a subscription falls due.

due(n) = anchor + n intervals, in the subscription's zone, clamped to the month's length, then turned to UTC. It is
always reckoned from the anchor and n, never from the previous date, so a short month never moves the billing day.
Periods are half-open: [due(n), due(n + 1)).

A wall time that a change of the clocks skips moves to the first valid instant after it; one that occurs twice is
the first of the two.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Final, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field

from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.values import Value
from perennial_billing.billing.zones import ZoneName
from perennial_billing.billing.zones import zone as rules_of

PERMISSION_LIVES_MONTHS: Final = 13
"""A recurring charge permission expires so many months after its last charge (Amazon Pay, "charge permission")."""

LONGEST_INTERVAL_MONTHS: Final = 12
"""After thirteen months the charge permission has expired at the very instant at which the next period falls due."""

_MONTHS_PER_YEAR: Final = 12
_SHORTEST_MONTH_DAYS: Final = 28
_LONGEST_MONTH_DAYS: Final = 31
_LONGEST_INTERVAL_DAYS: Final = 366
"""Twelve months, the longest that they can be."""


class Unit(StrEnum):
    """Units of an interval; the words that people write."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


_MONTHS_PER_UNIT: Final = {Unit.MONTH: 1, Unit.YEAR: _MONTHS_PER_YEAR}
_DAYS_PER_UNIT: Final = {Unit.DAY: 1, Unit.WEEK: 7}


class Interval(Value):
    """The time between two due dates: `count` units, at most 12 months."""

    unit: Unit
    count: Annotated[int, Field(ge=1)] = 1

    def model_post_init(self, context: object) -> None:
        """Checks it, once; a validator would again wherever it becomes part of another value."""
        super().model_post_init(context)
        if self.months > LONGEST_INTERVAL_MONTHS or self.days > _LONGEST_INTERVAL_DAYS:
            raise Refused(
                "",
                self,
                f"at most {LONGEST_INTERVAL_MONTHS} months ({_LONGEST_INTERVAL_DAYS} days) are, as a recurring "
                f"charge permission expires {PERMISSION_LIVES_MONTHS} months after its last charge",
            )

    @property
    def months(self) -> int:
        """Calendar months in the interval; zero when it counts days."""
        return self.count * _MONTHS_PER_UNIT.get(self.unit, 0)

    @property
    def days(self) -> int:
        """Days in the interval; zero when it counts months."""
        return self.count * _DAYS_PER_UNIT.get(self.unit, 0)

    @property
    def each(self) -> str:
        """After a price: `a month`, `every 3 months`."""
        return f"a {self.unit}" if self.count == 1 else f"every {self}"

    def __str__(self) -> str:
        return f"1 {self.unit}" if self.count == 1 else f"{self.count} {self.unit}s"


class Period(NamedTuple):
    """One billing period, half-open: it starts when it falls due and ends where the next one starts (UTC)."""

    number: int
    start: datetime
    end: datetime

    def __contains__(self, instant: object) -> bool:
        return isinstance(instant, datetime) and self.start <= instant < self.end


class BillingCalendar(Value):
    """The due dates of one subscription.

    Attributes:
        anchor: the instant from which all are reckoned, and at which period 0 falls due where `offset` is zero. Its
            wall time in `zone` is the wall time of every due date.
        zone: IANA zone in which days, months and wall times are counted.
        interval: the time between two due dates.
        offset: months from the anchor to period 0, so that what follows other periods keeps their billing day.
    """

    anchor: AwareDatetime
    zone: ZoneName
    interval: Interval
    offset: Annotated[int, Field(ge=0)] = 0

    def due(self, number: int) -> datetime:
        """The instant in UTC at which period `number` falls due.

        Raises:
            Refused: the number is negative.
        """
        if number < 0:
            raise Refused("period", number, "periods are counted from 0")
        if number == self.offset == 0:
            return self.anchor.astimezone(UTC)
        zone = rules_of(self.zone)
        anchor = self.anchor.astimezone(zone)
        month = add_months(anchor.date(), self.offset + number * self.interval.months)
        day = month + timedelta(days=number * self.interval.days)
        return first_valid_instant(day, anchor.time(), zone)

    def period(self, number: int) -> Period:
        """The period with its bounds."""
        return Period(number, self.due(number), self.due(number + 1))

    def period_containing(self, instant: datetime) -> Period:
        """The period in which an instant lies.

        Raises:
            Refused: the instant is before period 0 falls due.
        """
        first = self.due(0)
        if instant < first:
            raise Refused("instant", instant.isoformat(), f"instants from the anchor {first.isoformat()} on are")
        return self.period(self.number_at(instant))

    def number_at(self, instant: datetime) -> int:
        """The number of the period in which an instant lies that is not before period 0 falls due."""
        elapsed_days, months = (instant - self.due(0)).days, self.interval.months
        low = max(elapsed_days // (self.interval.days or months * _LONGEST_MONTH_DAYS) - 1, 0)
        high = elapsed_days // (self.interval.days or months * _SHORTEST_MONTH_DAYS) + 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.due(middle) <= instant else (low, middle)
        return low


def add_months(day: date, months: int) -> date:
    """The same day of the month, some months later; the month's last day where that month is shorter."""
    index = day.year * _MONTHS_PER_YEAR + day.month - 1 + months
    year, month = divmod(index, _MONTHS_PER_YEAR)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def permission_expiry(charged_at: datetime) -> datetime:
    """When a recurring charge permission expires that was last charged, or approved, at an instant (UTC)."""
    charged = charged_at.astimezone(UTC)
    return datetime.combine(add_months(charged.date(), PERMISSION_LIVES_MONTHS), charged.time(), UTC)


def first_anchor_on_or_after(start: date, anchor_day: int) -> date:
    """The first date from `start` on that falls on a day of the month (1 to 31), clamped to the month's length.

    Raises:
        Refused: there is no such day of the month.
    """
    if not 1 <= anchor_day <= _LONGEST_MONTH_DAYS:
        raise Refused("anchor day", anchor_day, "the days of a month are, 1 to 31")
    for month in (start.replace(day=1), add_months(start.replace(day=1), 1)):
        candidate = month.replace(day=min(anchor_day, monthrange(month.year, month.month)[1]))
        if candidate >= start:
            return candidate
    raise AssertionError(f"the month after {start} has no day {anchor_day}")


def next_within_hours(instant: datetime, zone: str, start: int, end: int) -> datetime:
    """The instant itself where its hour in the zone is at least `start` and before `end`; else the next start (UTC)."""
    tz = rules_of(zone)
    local = instant.astimezone(tz)
    if start <= local.hour < end:
        return instant.astimezone(UTC)
    day = local.date() + timedelta(days=local.hour >= end)
    return first_valid_instant(day, time(start), tz)


def first_valid_instant(day: date, wall_time: time, zone: ZoneInfo) -> datetime:
    """Turns a wall time to UTC: the first of two where it occurs twice, the end of the gap where it is skipped."""
    wall = datetime.combine(day, wall_time.replace(tzinfo=None, fold=0), zone)
    instant = wall.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return instant
    # The wall time is skipped. Read with the offset after the gap it lies before the change, and with the offset
    # before the gap it lies after it: the change itself, the gap's end, is found between the two.
    before, after = wall.replace(fold=1).astimezone(UTC), instant
    old_offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == old_offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def shifted(instant: datetime, since: datetime, until: datetime, zone: str) -> datetime:
    """An instant, later by the time between two others as clocks on a wall of the zone show it (UTC).

    So what falls due at nine in the morning does so after a pause of some days too, whatever the clocks did meanwhile.
    """
    tz = rules_of(zone)
    wall, begun, ended = (each.astimezone(tz).replace(tzinfo=None) for each in (instant, since, until))
    moved = wall + (ended - begun)
    return first_valid_instant(moved.date(), moved.time(), tz)


def days_between(start: datetime, end: datetime, zone: str) -> int:
    """How many days lie between two instants, as a calendar on a wall of the zone shows them."""
    tz = rules_of(zone)
    return (end.astimezone(tz).date() - start.astimezone(tz).date()).days
