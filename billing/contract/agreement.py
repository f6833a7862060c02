"""What holds from a period on: a plan, how many units of it, and the day that periods are moved to."""

from datetime import datetime, time
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from pydantic import AwareDatetime, Field

from perennial_billing.billing.calendar import BillingCalendar, Interval, Unit
from perennial_billing.billing.plan.plan import SharedPlan
from perennial_billing.billing.values import Value

MOST_UNITS: Final = 1_000_000


class FirstPeriod(StrEnum):
    """What a period costs that is cut short, because it begins between two billing days."""

    SHORT = "short"
    """Its days' share of the price."""
    WHOLE = "whole"
    """All of it; it counts as one of the phase's periods."""
    FREE = "free"
    """Nothing."""


class BillingDay(Value):
    """A day of the month on which periods fall due, wherever a subscription begins; 31 is each month's last day.

    Phases that cost nothing, and those counted in days or weeks, are not moved to it.

    Attributes:
        day: 1 to 31.
        at: wall time in the subscription's zone; that of the beginning when not given.
        first_period: what the period before the first such day costs.
    """

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


class Agreement(Value):
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
        whole_days: how many days a whole period has, of which the short one is a part; those of the interval that ends
            with it when not given.
        aligned: it begins where a period does, so that none before it is short, however a later release of the zones'
            rules reckons the two.
        settles_later: it costs what it does, and that is charged with the next charge.
        once: what it is for, where it is no plan's period, but something charged by itself, between two of them.
    """

    first: int = 0
    starts_at: AwareDatetime
    plan: SharedPlan
    quantity: Annotated[int, Field(ge=1, le=MOST_UNITS)] = 1
    consumed: int = 0
    billing_day: BillingDay | None = None
    anchor: AwareDatetime | None = None
    months: int = 0
    whole_days: int | None = None
    aligned: bool = False
    settles_later: bool = False
    once: str | None = None

    def __str__(self) -> str:
        """In words: the plan, and how many units of it."""
        if self.once is not None:
            return f"{self.once}: {self.plan.regular.amount}, once"
        units = f", for {self.quantity} units" if self.quantity > 1 else ""
        day = f", on day {self.billing_day.day} of the month" if self.billing_day else ""
        return f"{self.plan.plan_id}: {self.plan}{units}{day}"

    @property
    def first_interval(self) -> Interval | None:
        """The time between two due dates in the phase that it begins in; None where nothing is left of the plan."""
        consumed = self.consumed
        for phase in self.plan.phases:
            if phase.periods is None or consumed < phase.periods:
                return phase.interval
            consumed -= phase.periods
        return None
