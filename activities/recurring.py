"""What Amazon is told of a plan: the recurring metadata of a checkout session and of a charge permission.

Amazon never charges by it. Source: Amazon Pay, "recurring payments": the frequency's value is a text, and the amount is
null where it varies.
"""

from typing import Final

from amazon_pay_client.models import Currency, Frequency, Price, RecurringMetadata
from perennial_billing.billing.calendar import Unit
from perennial_billing.billing.plan.recurrence import Recurrence

_UNITS: Final = {Unit.DAY: "Day", Unit.WEEK: "Week", Unit.MONTH: "Month", Unit.YEAR: "Year"}


def recurring_metadata(recurrence: Recurrence) -> RecurringMetadata:
    """The frequency and amount in Amazon's words."""
    interval, amount = recurrence.interval, recurrence.amount
    price = Price(amount=amount.amount, currency_code=Currency(amount.currency)) if amount else None
    return RecurringMetadata(frequency=Frequency(unit=_UNITS[interval.unit], value=str(interval.count)), amount=price)
