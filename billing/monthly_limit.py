"""Amazon's limit on what a recurring charge permission may be charged in one calendar month.

Source: Amazon Pay, "monthly recurring charge limits". Amazon raises it for single merchants, and each charge permission
says its own (`limits.amountLimit`): so these figures warn, and never refuse.
"""

from calendar import monthrange
from decimal import Decimal
from typing import Final

from billing.money import Money
from billing.plan import Plan

_LIMITS: Final = {
    "JPY": Decimal(100_000),
    **dict.fromkeys(("DKK", "HKD", "NOK", "SEK", "ZAR"), Decimal(10_000)),
}
_LIMIT_OF_OTHERS: Final = Decimal(1_000)
_LONGEST_MONTH_DAYS: Final = max(monthrange(2024, month)[1] for month in range(1, 13))


def monthly_limit(currency: str) -> Money:
    """The limit that Amazon gives a merchant who has agreed on no other."""
    return Money(amount=_LIMITS.get(currency, _LIMIT_OF_OTHERS), currency=currency)


def most_charges_in_a_month(plan: Plan) -> int:
    """How many periods of a plan can fall due in one calendar month."""
    days = plan.interval.days
    return -(-_LONGEST_MONTH_DAYS // days) if days else 1


def limit_warning(plan: Plan) -> str | None:
    """Says that a plan must run into the limit in some month; None where it cannot."""
    charges, limit = most_charges_in_a_month(plan), monthly_limit(plan.amount.currency)
    total = plan.amount.amount * charges
    if total <= limit.amount:
        return None
    times = (
        f"{charges} charges of {plan.amount} can fall into one month, {total} in all" if charges > 1 else plan.amount
    )
    return (
        f"{times}: Amazon allows {limit} a calendar month, unless it has agreed on more with you; what is above it "
        "waits for the next month"
    )
