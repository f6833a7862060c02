"""Amazon's limit on what a recurring charge permission may be charged in one calendar month.

Source: Amazon Pay, "monthly recurring charge limits". Amazon raises it for single merchants, and each charge permission
says its own (`limits.amountLimit`): so these figures warn, and never refuse.
"""

from calendar import monthrange
from decimal import Decimal
from typing import Final

from perennial_billing.billing.money import Money
from perennial_billing.billing.plan.plan import Phase, Plan
from perennial_billing.billing.refusals import Refused

_LIMITS: Final = {
    "JPY": Decimal(100_000),
    **dict.fromkeys(("DKK", "HKD", "NOK", "SEK", "ZAR"), Decimal(10_000)),
}
_LIMIT_OF_OTHERS: Final = Decimal(1_000)
_LONGEST_MONTH_DAYS: Final = max(monthrange(2024, month)[1] for month in range(1, 13))


def monthly_limit(currency: str) -> Money:
    """The limit that Amazon gives a merchant who has agreed on no other."""
    return Money(amount=_LIMITS.get(currency, _LIMIT_OF_OTHERS), currency=currency)


def most_charges_in_a_month(phase: Phase) -> int:
    """How many periods of a phase can fall due in one calendar month."""
    days = phase.interval.days
    most = -(-_LONGEST_MONTH_DAYS // days) if days else 1
    return most if phase.periods is None else min(most, phase.periods)


def is_above(charge: Money, limit: Money) -> bool:
    """Whether a charge can be made in no month."""
    return charge.currency == limit.currency and charge.amount > limit.amount


def check_monthly_limit(charge: Money, limit: Money | None) -> None:
    """Whether a charge can be made at all under a charge permission.

    Args:
        charge: what is to be charged.
        limit: what the charge permission says; None where Amazon told none.

    Raises:
        Refused: it never can be, in no month.
    """
    if limit is not None and is_above(charge, limit):
        raise Refused(
            "amount",
            charge,
            f"the charge permission allows {limit} in a calendar month: agree on less, or have Amazon raise the limit",
        )


def limit_warning(plan: Plan, quantity: int = 1) -> str | None:
    """Says that a plan must run into the limit in some month, by the phase that costs most; None where it cannot."""
    limit = monthly_limit(plan.currency)
    by_phase = [(most_charges_in_a_month(phase), phase.amount.amount * quantity) for phase in plan.phases]
    charges, price = max(by_phase, key=lambda of_phase: of_phase[0] * of_phase[1])
    total = charges * price
    if total <= limit.amount:
        return None
    amount = Money(amount=price, currency=plan.currency)
    times = f"{charges} charges of {amount} can fall into one month, {total} in all" if charges > 1 else amount
    return (
        f"{times}: Amazon allows {limit} a calendar month, unless it has agreed on more with you; what is above it "
        "waits for the next month"
    )
