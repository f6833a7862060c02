"""What a merchant sells: how much, how often, for how long, and what happens when a charge fails."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from billing.calendar import Interval
from billing.money import Money
from billing.policy import CollectionPolicy


class Capture(StrEnum):
    """When the money of a charge is taken."""

    NOW = "now"
    """With the charge."""
    LATER = "later"
    """When the merchant says so, for instance as goods are sent: within 30 days, all of it or a part."""


class Plan(BaseModel):
    """One plan.

    Attributes:
        plan_id: the merchant's name for it, shown in the Web UI.
        amount: what each period costs.
        interval: the time between two due dates.
        periods: how many periods are charged; None for as long as the subscription lives.
        capture: when the money is taken.
        collection: what happens when a charge fails.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    amount: Money
    interval: Interval
    periods: Annotated[int, Field(ge=1, le=100_000)] | None = None
    capture: Capture = Capture.NOW
    collection: CollectionPolicy = CollectionPolicy()

    def has_period(self, number: int) -> bool:
        """Whether a period (counted from 0) belongs to the plan."""
        return self.periods is None or number < self.periods
