"""What a plan says to Amazon when a buyer checks out: the recurring metadata of the checkout session.

Amazon shows it to the buyer and reckons the charge permission's expiry from it; it never charges by it. Source: Amazon
Pay, "recurring payments": the frequency's value is a text, and the amount is null where it varies.
"""

from typing import Final

from amazon_pay.models import Currency, Frequency, Price, RecurringMetadata
from billing.calendar import Unit
from billing.plan import Plan

_UNITS: Final = {Unit.DAY: "Day", Unit.WEEK: "Week", Unit.MONTH: "Month", Unit.YEAR: "Year"}


def recurring_metadata(plan: Plan, quantity: int = 1) -> RecurringMetadata:
    """The frequency and amount of what the plan costs in the long run; no amount where paid phases differ in it."""
    regular = plan.regular
    paid = {phase.amount for phase in plan.phases if not phase.amount.is_zero}
    amount = None
    if len(paid) == 1:
        (price,) = paid
        amount = Price(amount=price.amount * quantity, currency_code=Currency(price.currency))
    interval = regular.interval
    return RecurringMetadata(frequency=Frequency(unit=_UNITS[interval.unit], value=str(interval.count)), amount=amount)
