"""When a charge is tried again that Amazon's monthly limit has refused.

The limit counts calendar months, and Amazon says nowhere in which time zone ("monthly recurring charge limits"): it may
be Seattle's, UTC or the buyer's. So a month is over once it has turned in all of these. What is refused within a day of
a turn is taken for refused by the month before, and is looked at again in hours: whoever waited for the next turn would
lose a whole month, wherever Amazon turns its months a few hours later than we do.
"""

from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

from perennial_billing.billing.calendar import add_months, first_valid_instant
from perennial_billing.billing.zones import zone as rules_of

AMAZONS_ZONES: Final = ("UTC", "America/Los_Angeles")
"""Where Amazon may count beside the buyer's own zone: its timestamps are in UTC, and it sits in Seattle."""

TURN_LASTS: Final = timedelta(days=1)
"""How long after a turn a refusal may still be the old month's: no two zones are further apart than 26 hours, and of
those that count one is UTC, so that one turn is still fresh when the next comes."""

LOOK_AGAIN_AT_TURN_AFTER: Final = timedelta(hours=6)
"""Four looks a day: soon enough that no weekly period is held up by it, and seldom enough to cost Amazon nothing."""


class LimitedMonth(NamedTuple):
    """A calendar month whose limit is used up.

    Attributes:
        ends_at: when it has turned in every zone that Amazon may count in (UTC); the same for all refusals of a month.
        look_at: when the charge is tried again (UTC).
    """

    ends_at: datetime
    look_at: datetime


def limited_month(now: datetime, zone: str) -> LimitedMonth:
    """The month that has refused a charge for its limit.

    Args:
        now: the instant of the refusal (UTC).
        zone: the subscriber's.
    """
    zones = (zone, *AMAZONS_ZONES)
    newest = max(now.astimezone(rules_of(each)).date().replace(day=1) for each in zones)
    if any(timedelta(0) <= now - _turn(newest, each) < TURN_LASTS for each in zones):
        return LimitedMonth(_turned_everywhere(newest, zones), now + LOOK_AGAIN_AT_TURN_AFTER)
    ends_at = _turned_everywhere(add_months(newest, 1), zones)
    return LimitedMonth(ends_at, ends_at)


def _turned_everywhere(first: date, zones: tuple[str, ...]) -> datetime:
    return max(_turn(first, each) for each in zones)


def _turn(first: date, zone: str) -> datetime:
    return first_valid_instant(first, time(0), rules_of(zone))
