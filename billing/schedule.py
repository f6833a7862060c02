"""All the periods of a subscription: when each falls due and what it costs, through phases, changes and a billing day.

A schedule is a row of stretches, each of periods that are alike. It is made anew from what was agreed whenever it is
asked for, so a date is always reckoned from the anchor and the number, never from the date before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from billing.calendar import (
    BillingCalendar,
    Interval,
    Period,
    Unit,
    add_months,
    first_anchor_on_or_after,
    first_valid_instant,
)
from billing.money import Money
from billing.plan import MOST_PERIODS, Phase, Plan
from billing.proration import prorate_actual_days
from billing.zones import zone as rules_of

MOST_UNITS: Final = 1_000_000


class FirstPeriod(StrEnum):
    """What a period costs that is cut short, because it begins between two billing days."""

    SHORT = "short"
    """Its days' share of the price."""
    WHOLE = "whole"
    """All of it; it counts as one of the phase's periods."""
    FREE = "free"
    """Nothing."""


class BillingDay(BaseModel):
    """A day of the month on which periods fall due, wherever a subscription begins; 31 is each month's last day.

    Phases that cost nothing, and those counted in days or weeks, are not moved to it.

    Attributes:
        day: 1 to 31.
        at: wall time in the subscription's zone; that of the beginning when not given.
        first_period: what the period before the first such day costs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: Annotated[int, Field(ge=1, le=31)]
    at: time | None = None
    first_period: FirstPeriod = FirstPeriod.SHORT


class Grid(NamedTuple):
    """A point from which months are counted: an anchor, and months from it."""

    anchor: datetime
    months: int

    def calendar(self, zone: str, interval: Interval) -> BillingCalendar:
        """The due dates from here on."""
        return BillingCalendar(anchor=self.anchor, zone=zone, interval=interval, offset=self.months)

    def instant(self, zone: str) -> datetime:
        """The instant of this point."""
        return self.calendar(zone, Interval(unit=Unit.MONTH)).due(0)


class Agreement(BaseModel):
    """What holds from a period on, until the next agreement does.

    Attributes:
        first: the period that it begins with.
        starts_at: when that falls due (UTC).
        plan: what is charged.
        quantity: how many units of it.
        consumed: how many periods of the plan's phases are over already.
        billing_day: the day of the month that periods are moved to.
        anchor: with `months`, the point that months are counted from; `starts_at` where there is none. A point later
            than `starts_at` makes the first period a short one.
        months: from the anchor to the first period that is not short.
        once: what it is for, where it is no plan's period, but something charged by itself, between two of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: int = 0
    starts_at: AwareDatetime
    plan: Plan
    quantity: Annotated[int, Field(ge=1, le=MOST_UNITS)] = 1
    consumed: int = 0
    billing_day: BillingDay | None = None
    anchor: AwareDatetime | None = None
    months: int = 0
    once: str | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Periods that are alike.

    Attributes:
        first: the first one's number.
        periods: how many; None without end.
        calendar: the due dates, the first one's being that of its period 0.
        amount: what each costs.
        counts: whether they are among the periods that the plan's phases speak of.
        before: the billing day that it is the single, short one before; None of all others.
        of: the plan and, where it has several, the number of its phase.
    """

    first: int
    periods: int | None
    calendar: BillingCalendar
    amount: Money
    counts: bool
    before: Grid | None
    of: str

    @property
    def end(self) -> int | None:
        """The number of the first period after it; None without end."""
        return None if self.periods is None else self.first + self.periods

    @property
    def is_short(self) -> bool:
        """Whether it is the single one before a billing day."""
        return self.before is not None

    def due(self, number: int) -> datetime:
        """When one of its periods falls due (UTC); of the next number, when its last one is over."""
        if self.before is not None and number > self.first:
            return self.before.instant(self.calendar.zone)
        return self.calendar.due(number - self.first)


class Schedule:
    """The periods of a subscription.

    Args:
        agreements: in their order; the first one begins with period 0.
        zone: IANA zone in which days, months and wall times are counted.
        ends_at: nothing falls due at or after this instant.
    """

    def __init__(self, agreements: Sequence[Agreement], zone: str, ends_at: datetime | None = None) -> None:
        self._stretches = tuple(_all_stretches(agreements, zone))
        self._ends_at = ends_at

    @classmethod
    def regular(cls, calendar: BillingCalendar, amount: Money) -> Self:
        """The same for ever."""
        plan = Plan.of("regular", amount, calendar.interval)
        return cls([Agreement(starts_at=calendar.anchor, plan=plan)], calendar.zone)

    def stretch(self, number: int) -> Stretch:
        """The stretch in which a period lies; the last one where it lies beyond all."""
        if number < 0:
            raise ValueError(f"period: {number} is negative; periods are counted from 0")
        return next(
            (stretch for stretch in self._stretches if stretch.end is None or number < stretch.end),
            self._stretches[-1],
        )

    def due(self, number: int) -> datetime:
        """The instant in UTC at which a period falls due; of the first one after the last, when that is over.

        Raises:
            ValueError: the number is negative.
        """
        due = self.stretch(number).due(number)
        return due if self._ends_at is None else min(due, self._ends_at.astimezone(UTC))

    def amount(self, number: int) -> Money:
        """What a period costs."""
        return self.stretch(number).amount

    def most(self, number: int) -> Decimal:
        """What the dearest period costs of this one and those after it; 0 where there is none."""
        prices = (
            stretch.amount.amount
            for stretch in self._stretches
            if (stretch.end is None or number < stretch.end) and self.has_period(max(number, stretch.first))
        )
        return max(prices, default=Decimal(0))

    def has_period(self, number: int) -> bool:
        """Whether there is such a period (counted from 0)."""
        end = self._stretches[-1].end
        within = end is None or number < end
        return within and (self._ends_at is None or self.stretch(number).due(number) < self._ends_at)

    def describe(self, number: int) -> str:
        """What kind of period it is, in words."""
        stretch = self.stretch(number)
        if stretch.is_short:
            return f"{stretch.of}, short: until {self.due(number + 1):%Y-%m-%d}"
        if stretch.periods is None or not stretch.counts:
            return stretch.of
        return f"{stretch.of}, {number - stretch.first + 1} of {stretch.periods}"

    def period(self, number: int) -> Period:
        """The period with its bounds."""
        return Period(number, self.due(number), self.due(number + 1))

    def periods_due(self, now: datetime) -> int:
        """How many periods have fallen due until now, the instant itself included."""
        if self._ends_at is not None:
            now = min(now, self._ends_at - datetime.resolution)
        fallen_due = 0
        for stretch in self._stretches:
            if now < stretch.due(stretch.first):
                break
            in_stretch = stretch.calendar.period_containing(now).number + 1
            fallen_due = stretch.first + (in_stretch if stretch.periods is None else min(in_stretch, stretch.periods))
        return fallen_due

    def counted(self, number: int, since: int) -> int:
        """How many of the periods from `since` up to but not including `number` the plan's phases speak of."""
        return sum(self.stretch(period).counts for period in range(since, number))

    def grid(self, number: int) -> Grid:
        """The point that a period's due date is reckoned from, or the next one's where that period is a short one."""
        stretch = self.stretch(number)
        if stretch.before is not None:
            return stretch.before
        calendar = stretch.calendar
        if not calendar.interval.months:
            return Grid(stretch.due(number), 0)
        return Grid(calendar.anchor, calendar.offset + (number - stretch.first) * calendar.interval.months)


def first_that_costs(schedule: Schedule) -> int:
    """The first period that is not free; 0 where all are."""
    number = 0
    while schedule.has_period(number) and number < MOST_PERIODS:
        if not schedule.amount(number).is_zero:
            return number
        end = schedule.stretch(number).end
        if end is None:
            break
        number = end
    return 0


def _all_stretches(agreements: Sequence[Agreement], zone: str) -> Iterator[Stretch]:
    for agreement, following in zip(agreements, [*agreements[1:], None], strict=True):
        for stretch in tuple(_stretches(agreement, zone)) or (_over(agreement, zone),):
            if following is None or (stretch.end is not None and stretch.end <= following.first):
                yield stretch
            elif stretch.first < following.first:
                yield replace(stretch, periods=following.first - stretch.first)


def _stretches(agreement: Agreement, zone: str) -> Iterator[Stretch]:
    number, consumed = agreement.first, agreement.consumed
    grid = Grid(agreement.starts_at, 0)
    wanted = Grid(agreement.anchor, agreement.months) if agreement.anchor else None
    aligned = agreement.billing_day is None and wanted is None
    for index, phase in enumerate(agreement.plan.phases):
        left = phase.periods
        if left is not None:
            over = min(consumed, left)
            left, consumed = left - over, consumed - over
            if left == 0:
                continue
        several = len(agreement.plan.phases) > 1
        of = agreement.once or agreement.plan.plan_id + (f", phase {index + 1}" if several else "")
        price = _times(phase.amount, agreement.quantity)
        if not aligned and (wanted or (phase.interval.months and not phase.amount.is_zero)):
            aligned = True
            begins = grid.instant(zone)
            day = agreement.billing_day
            target = wanted or (_first_billing_day(day, begins, zone) if day else grid)
            if target.instant(zone) != begins:
                short = _before(target, begins, phase, price, agreement, zone)
                yield replace(short, first=number, of=of)
                number += 1
                if left is not None and short.counts:
                    left -= 1
                grid = target
                if left == 0:
                    continue
            else:
                grid = target
        calendar = grid.calendar(zone, phase.interval)
        if not phase.interval.months:
            calendar = BillingCalendar(anchor=grid.instant(zone), zone=zone, interval=phase.interval)
        yield Stretch(number, left, calendar, price, counts=agreement.once is None, before=None, of=of)
        if left is None:
            return
        number += left
        months = phase.interval.months
        grid = Grid(grid.anchor, grid.months + left * months) if months else Grid(calendar.due(left), 0)


def _over(agreement: Agreement, zone: str) -> Stretch:
    """No period, as nothing is left of what was agreed; but the instant at which the one before it is over."""
    regular = agreement.plan.regular
    calendar = BillingCalendar(anchor=agreement.starts_at, zone=zone, interval=regular.interval)
    amount, of = _times(regular.amount, 0), agreement.plan.plan_id
    return Stretch(agreement.first, 0, calendar, amount, counts=False, before=None, of=of)


def _before(target: Grid, begins: datetime, phase: Phase, price: Money, agreement: Agreement, zone: str) -> Stretch:
    """The short period that lies before a billing day."""
    tz = rules_of(zone)
    ends_on, begins_on = target.instant(zone).astimezone(tz).date(), begins.astimezone(tz).date()
    kind = agreement.billing_day.first_period if agreement.billing_day else FirstPeriod.SHORT
    whole_from = add_months(ends_on, -phase.interval.months) - timedelta(days=phase.interval.days)
    share = prorate_actual_days(price, max(begins_on, whole_from), ends_on, whole_from, ends_on)
    amount = {FirstPeriod.FREE: _times(price, 0), FirstPeriod.WHOLE: price, FirstPeriod.SHORT: share}[kind]
    calendar = BillingCalendar(anchor=begins, zone=zone, interval=phase.interval)
    return Stretch(0, 1, calendar, amount, counts=kind is FirstPeriod.WHOLE, before=target, of="")


def _first_billing_day(day: BillingDay, begins: datetime, zone: str) -> Grid:
    """The first billing day on or after an instant, counted from a January, which has all days."""
    tz = rules_of(zone)
    local = begins.astimezone(tz)
    wall = day.at or local.time()
    first = first_anchor_on_or_after(local.date(), day.day)
    if first_valid_instant(first, wall, tz) < begins:
        first = first_anchor_on_or_after(add_months(first.replace(day=1), 1), day.day)
    return Grid(first_valid_instant(date(first.year, 1, day.day), wall, tz), first.month - 1)


def _times(amount: Money, quantity: int) -> Money:
    return Money(amount=amount.amount * quantity, currency=amount.currency)
