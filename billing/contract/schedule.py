"""All the periods of a subscription: when each falls due and what it costs, through phases, changes and a billing day.

A schedule is a row of stretches, each of periods that are alike. It is made from what was agreed, so a date is always
reckoned from the anchor and the number, never from the date before.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, Self

from pydantic import AwareDatetime

from perennial_billing.billing.calendar import (
    BillingCalendar,
    Period,
    add_months,
    first_anchor_on_or_after,
    first_valid_instant,
)
from perennial_billing.billing.contract.agreement import Agreement, BillingDay, FirstPeriod, Grid
from perennial_billing.billing.contract.proration import prorate
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan.plan import MOST_PERIODS, Phase, Plan
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.values import Value
from perennial_billing.billing.zones import zone as rules_of

_NEAR: Final = timedelta(hours=12)
"""How far zones' rules may move a wall time; what is meant to be the same instant is not further apart."""


class WrittenDates(Value):
    """Due dates that were reckoned once and stand, whatever a later release of the zones' rules makes of them.

    A worker replays what a subscription did. Were the dates reckoned anew then, by newer rules, what lies behind would
    come out otherwise than it happened.

    Attributes:
        first: the period of the first date.
        dates: of it and those after it (UTC).
        rules: the edition of the zones' rules that they were reckoned by.
        days: the dates' days in the subscription's zone, by the same rules, where a plan's texts may name them: an
            attempt that is repeated after an upgrade says what it said before. Else None.
    """

    first: int = 0
    dates: tuple[AwareDatetime, ...] = ()
    rules: str = ""
    days: tuple[date, ...] | None = None

    @property
    def end(self) -> int:
        """The number of the first period after them."""
        return self.first + len(self.dates)

    def due(self, number: int) -> datetime | None:
        """When a period falls due; None where that is not written down."""
        return self.dates[number - self.first] if self.first <= number < self.end else None

    def day(self, number: int) -> date | None:
        """On which day that is; None where it is not written down."""
        return self.days[number - self.first] if self.days and self.first <= number < self.end else None

    def fallen_due(self, now: datetime, reckoned: Callable[[datetime], int]) -> int:
        """How many periods have fallen due until now.

        Args:
            now: that instant itself included.
            reckoned: how many by today's rules; it counts for those that are not written down.
        """
        written = self.first + bisect_right(self.dates, now)
        if not self.dates:
            return reckoned(now)
        if written == self.first:
            return min(reckoned(now), self.first)
        return max(reckoned(now), self.end) if written == self.end else written


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
        whole_days: of a short one: how many days a whole one has.
    """

    first: int
    periods: int | None
    calendar: BillingCalendar
    amount: Money
    counts: bool
    before: Grid | None
    of: str
    whole_days: int | None = None

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
        written: due dates that stand whatever the calendar says now.
    """

    def __init__(
        self,
        agreements: Sequence[Agreement],
        zone: str,
        ends_at: datetime | None = None,
        written: WrittenDates | None = None,
    ) -> None:
        self._stretches = tuple(_all_stretches(agreements, zone))
        self._ends_at = ends_at
        self._written = written or WrittenDates()

    @classmethod
    def regular(cls, calendar: BillingCalendar, amount: Money) -> Self:
        """The same for ever."""
        plan = Plan.of("regular", amount, calendar.interval)
        return cls([Agreement(starts_at=calendar.anchor, plan=plan)], calendar.zone)

    def stretch(self, number: int) -> Stretch:
        """The stretch in which a period lies; the last one where it lies beyond all."""
        if number < 0:
            raise Refused("period", number, "periods are counted from 0")
        return next(
            (stretch for stretch in self._stretches if stretch.end is None or number < stretch.end),
            self._stretches[-1],
        )

    def due(self, number: int) -> datetime:
        """The instant in UTC at which a period falls due; of the first one after the last, when that is over.

        Raises:
            Refused: the number is negative.
        """
        due = self._due(number)
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
        within = number >= 0 and (end is None or number < end)
        return within and (self._ends_at is None or self._due(number) < self._ends_at)

    @property
    def over_at(self) -> datetime | None:
        """When its last period is over, or nothing falls due any more (UTC); None without end."""
        end = self._stretches[-1].end
        return self._ends_at if end is None else self.due(end)

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
        end, fallen_due = self._stretches[-1].end, self._written.fallen_due(now, self._reckoned_due)
        return fallen_due if end is None else min(fallen_due, end)

    def _due(self, number: int) -> datetime:
        return self._written.due(number) or self.stretch(number).due(number)

    def _reckoned_due(self, now: datetime) -> int:
        begun = (stretch for stretch in reversed(self._stretches) if stretch.due(stretch.first) <= now)
        stretch = next(begun, None)
        if stretch is None:
            return 0
        in_stretch = stretch.calendar.number_at(now) + 1
        return stretch.first + (in_stretch if stretch.periods is None else min(in_stretch, stretch.periods))

    def costs_before(self, number: int, since: int) -> bool:
        """Whether one of the periods from `since` up to but not including `number` is no part of a trial."""
        return any(
            since <= stretch.first < number and (stretch.is_short or not stretch.amount.is_zero)
            for stretch in self._stretches
        )

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
        price = phase.amount.times(agreement.quantity)
        if not aligned and (wanted or (phase.interval.months and not phase.amount.is_zero)):
            aligned = True
            begins = grid.instant(zone)
            day = agreement.billing_day
            target = wanted or (first_billing_day(day, begins, zone, earlier=agreement.aligned) if day else grid)
            is_near = agreement.aligned and abs(target.instant(zone) - begins) <= _NEAR
            if target.instant(zone) != begins and not is_near:
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
    amount, of = Money.zero(regular.amount.currency), agreement.plan.plan_id
    return Stretch(agreement.first, 0, calendar, amount, counts=False, before=None, of=of)


def _before(target: Grid, begins: datetime, phase: Phase, price: Money, agreement: Agreement, zone: str) -> Stretch:
    """The short period that lies before a billing day; its share is of the whole period that would end there."""
    tz = rules_of(zone)
    ends_on, begins_on = target.instant(zone).astimezone(tz).date(), begins.astimezone(tz).date()
    kind = agreement.billing_day.first_period if agreement.billing_day else FirstPeriod.SHORT
    whole_from = add_months(ends_on, -phase.interval.months) - timedelta(phase.interval.days)
    whole_days = agreement.whole_days or (ends_on - whole_from).days
    share = prorate(price, max((ends_on - begins_on).days, 0), whole_days)
    amount = {FirstPeriod.FREE: Money.zero(price.currency), FirstPeriod.WHOLE: price, FirstPeriod.SHORT: share}[kind]
    calendar = BillingCalendar(anchor=begins, zone=zone, interval=phase.interval)
    counts = kind is FirstPeriod.WHOLE
    return Stretch(0, 1, calendar, amount, counts=counts, before=target, of="", whole_days=whole_days)


def first_billing_day(day: BillingDay, begins: datetime, zone: str, *, earlier: bool = False) -> Grid:
    """The first billing day on or after an instant, counted from a January, which has all days.

    Args:
        day: the day of the month; at the instant's own wall time where it says none.
        begins: the instant (UTC).
        zone: IANA zone in which days are counted.
        earlier: it may be a little before the instant too, which newer rules of the zone have moved.
    """
    tz = rules_of(zone)
    wall = day.at or begins.astimezone(tz).time()
    from_ = begins - _NEAR if earlier else begins
    first = first_anchor_on_or_after(from_.astimezone(tz).date(), day.day)
    if first_valid_instant(first, wall, tz) < from_:
        first = first_anchor_on_or_after(add_months(first.replace(day=1), 1), day.day)
    return Grid(first_valid_instant(date(first.year, 1, day.day), wall, tz), first.month - 1)
