"""The price of a part of a period, by days. The last day is exclusive, as periods are half-open."""

from datetime import date
from typing import Final

from billing.money import Money
from billing.refusals import Refused

_DAYS_OF_A_COMMERCIAL_MONTH: Final = 30


def prorate_actual_days(price: Money, start: date, end: date, period_start: date, period_end: date) -> Money:
    """The price of [start, end) as the share of its days in the days of the whole period.

    Raises:
        Refused: the part does not lie within the period.
    """
    if not period_start <= start <= end <= period_end or period_start == period_end:
        raise Refused("part", f"{start} to {end}", f"parts of the period {period_start} to {period_end} are")
    days, of_days = (end - start).days, (period_end - period_start).days
    return Money.rounded(price.amount * days / of_days, price.currency)


def prorate_30_days(price: Money, start: date, end: date) -> Money:
    """The price of [start, end) with each month taken as 30 days; never more than the whole price.

    Raises:
        Refused: the part ends before it starts.
    """
    if end < start:
        raise Refused("part", f"{start} to {end}", "it may not end before it starts")
    days = min((end - start).days, _DAYS_OF_A_COMMERCIAL_MONTH)
    return Money.rounded(price.amount * days / _DAYS_OF_A_COMMERCIAL_MONTH, price.currency)
