"""What a plan comes to in the long run: how often, and how much."""

from typing import Self

from perennial_billing.billing.calendar import Interval
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan.plan import Amounts, Plan
from perennial_billing.billing.values import Value


class Recurrence(Value):
    """What Amazon is told of a plan; it shows it to the buyer and reckons the charge permission's expiry from it.

    Attributes:
        interval: the time between two due dates.
        amount: what each period costs; None where that varies.
    """

    interval: Interval
    amount: Money | None = None

    def __str__(self) -> str:
        return f"{self.amount or 'what it comes to'} {self.interval.each}"

    @classmethod
    def of(cls, plan: Plan, quantity: int = 1) -> Self:
        """A plan's, by its last phase; the amount varies where phases that cost differ in it, or it is asked for."""
        paid = {phase.amount for phase in plan.phases if not phase.amount.is_zero}
        amount = None
        if len(paid) == 1 and plan.amounts is not Amounts.ASKED:
            (price,) = paid
            amount = price.times(quantity)
        return cls(interval=plan.regular.interval, amount=amount)
