"""What is waited for before the next period is charged: its due date, its distance from a late one, its amount."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.stages import LOOK_AGAIN_AFTER
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.values import Value


class AmountAsked(Value):
    """The period fell due, and the merchant is asked what it costs.

    Attributes:
        at: since when (UTC).
        since: when the merchant's endpoint first failed to say so (UTC).
    """

    kind: Literal["asked"] = "asked"
    period: int
    at: AwareDatetime
    since: AwareDatetime | None = None


class AmountUnknown(Value):
    """The merchant's endpoint has not said so: it is asked again slowly, in plain sight.

    Attributes:
        since: when it first failed to (UTC).
        again_at: when it is asked again (UTC).
        why: what it answered instead, in words, where that is known.
    """

    kind: Literal["unknown"] = "unknown"
    period: int
    since: AwareDatetime
    again_at: AwareDatetime
    why: str | None = None


class AmountDecided(Value):
    """What the merchant said that a period costs; that stands, however often it is tried."""

    kind: Literal["decided"] = "decided"
    period: int
    amount: Money


AnyAmount = Annotated[AmountAsked | AmountUnknown | AmountDecided, Field(discriminator="kind")]


class Renewal(Value):
    """The next period, before it is begun.

    Attributes:
        not_before: where an overdue period was just charged, the next one that is overdue waits until then (UTC).
        collects_until: periods below this number are charged each, whatever the policy says about missed ones: they
            fell due while an older one was collected, or the merchant wants them.
        amount: how it stands with what it costs, where the plan asks for it.
        noticed: what of the next period the merchant was told before.
    """

    not_before: AwareDatetime | None = None
    collects_until: int = 0
    amount: AnyAmount | None = None
    noticed: tuple[str, ...] = ()

    def decided(self, period: int) -> Money | None:
        """What the merchant said that a period costs."""
        match self.amount:
            case AmountDecided(amount=amount) if self.amount.period == period:
                return amount
            case _:
                return None

    def asking(self, period: int) -> AmountAsked | None:
        """That the merchant is being asked about a period."""
        return self.amount if isinstance(self.amount, AmountAsked) and self.amount.period == period else None

    @property
    def undecided_since(self) -> datetime | None:
        """When the merchant's endpoint first failed to say what the next period costs (UTC), while that lasts."""
        return self.amount.since if isinstance(self.amount, AmountAsked | AmountUnknown) else None

    def earliest(self, period: int, at: datetime) -> datetime:
        """When a period is begun (UTC), which would be then if nothing stood against it."""
        again_at = at
        if isinstance(self.amount, AmountUnknown) and self.amount.period == period:
            again_at = self.amount.again_at
        return max(at, self.not_before or at, again_at)

    # What changes it

    def ask(self, period: int, now: datetime) -> "Renewal":
        """The merchant is asked; since when that has failed is kept."""
        return self.but(amount=AmountAsked(period=period, at=now, since=self.undecided_since))

    def decide(self, period: int, amount: Money) -> "Renewal":
        """The merchant has said it."""
        return self.but(amount=AmountDecided(period=period, amount=amount))

    def not_decided(self, period: int, now: datetime, why: str | None = None) -> "Renewal":
        """The merchant has not said it."""
        since = self.undecided_since or now
        unknown = AmountUnknown(period=period, since=since, again_at=now + LOOK_AGAIN_AFTER, why=why)
        return self.but(amount=unknown)

    def under_another_permission(self, next_period: int) -> "Renewal":
        """What is owed is charged whatever a policy says of missed periods; what the merchant said it costs stands."""
        decided = self.amount if self.decided(next_period) else None
        return Renewal(collects_until=max(self.collects_until, next_period + 1), amount=decided)

    def noticing(self, label: str) -> "Renewal":
        """The merchant is told that of the next period."""
        return self.but(noticed=(*self.noticed, label))

    def not_asked(self) -> "Renewal":
        """It is not asked for now; it will be when the period is begun."""
        return self.but(amount=None)


def check_decided(amount: Money, at_most: Money) -> None:
    """Whether a period may cost what the merchant says.

    Args:
        amount: what the merchant says.
        at_most: what the plan says.

    Raises:
        Refused: it is in another currency, or more.
    """
    if amount.currency != at_most.currency:
        raise Refused("amount", amount, f"it is in another currency than the plan, {at_most.currency}")
    if amount.amount > at_most.amount:
        raise Refused("amount", amount, f"it is more than the plan allows, {at_most}")
