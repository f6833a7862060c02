"""A change of what is agreed that has not taken effect yet."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from perennial_billing.billing.contract.agreement import MOST_UNITS, Agreement, BillingDay
from perennial_billing.billing.plan.plan import Plan, SharedPlan
from perennial_billing.billing.values import Value


class PlannedChange(Value):
    """What is to be different from a date on; all else stays as it is then.

    It follows its date: where the periods before it change, it is found a new place among them (`Contract`).

    Attributes:
        first: the period that it begins with.
        starts_at: it begins with the first period that falls due then or later (UTC).
        at_renewal: that is the due date of a period, so a newer release of the zones' rules may move both.
        plan: another plan.
        quantity: another number of units.
        billing_day: another day of the month.
    """

    first: int
    starts_at: AwareDatetime
    at_renewal: bool = False
    plan: SharedPlan | None = None
    quantity: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None
    billing_day: BillingDay | None = None

    def with_(self, other: "PlannedChange") -> "PlannedChange":
        """Both together; what the other says counts."""
        return other.but(
            plan=other.plan or self.plan,
            quantity=other.quantity or self.quantity,
            billing_day=other.billing_day or self.billing_day,
        )

    def applied_to(self, following: Agreement) -> Agreement:
        """What holds from its first period on, where without it this would hold."""
        changed = with_wish(following, self.plan, self.quantity)
        if self.billing_day is None:
            return changed
        return changed.but(billing_day=self.billing_day, anchor=None, months=0, aligned=False)


def with_wish(agreement: Agreement, plan: Plan | None, quantity: int | None) -> Agreement:
    """With another plan, whose free phases are not given again, or another quantity."""
    if plan is not None:
        agreement = agreement.but(plan=plan, consumed=_free_at_first(plan))
    return agreement if quantity is None else agreement.but(quantity=quantity)


def _free_at_first(plan: Plan) -> int:
    """How many periods a plan begins with that cost nothing; all but the last phase's."""
    count = 0
    for phase in plan.phases[:-1]:
        if not phase.amount.is_zero:
            break
        count += phase.periods or 0
    return count
