"""The price of a part of a period, by days."""

from perennial_billing.billing.money import Money
from perennial_billing.billing.refusals import Refused


def prorate(price: Money, days: int, of_days: int) -> Money:
    """The price of some days, where that of so many is known; also of more days than those.

    Raises:
        Refused: the days are fewer than none, or those of which the price is known are none.
    """
    if days < 0:
        raise Refused("days", days, "a part has no days, or some")
    if of_days < 1:
        raise Refused("of_days", of_days, "a whole period has at least one day")
    return Money.rounded(price.amount * days / of_days, price.currency)
