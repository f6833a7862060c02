"""What is decided about a subscription's life beside its plan: a pause, a planned end, something charged once."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from billing.money import Money


class Pause(BaseModel):
    """Nothing that falls due within it is owed.

    Attributes:
        since: when it begins (UTC).
        until: when it ends by itself (UTC); by a request only when not given.
        keeps_anchor: whether the due dates stay where they are.
        has_begun: whether it has.
    """

    model_config = ConfigDict(frozen=True)

    since: AwareDatetime
    until: AwareDatetime | None = None
    keeps_anchor: bool = True
    has_begun: bool = False


class Decided(BaseModel):
    """What the merchant said that a period costs; it is asked once."""

    model_config = ConfigDict(frozen=True)

    period: int
    amount: Money


def check_decided(amount: Money, at_most: Money) -> None:
    """Whether a period may cost what the merchant says.

    Args:
        amount: what the merchant says.
        at_most: what the plan says.

    Raises:
        ValueError: it is in another currency, or more.
    """
    if amount.currency != at_most.currency:
        raise ValueError(f"{amount} is in another currency than the plan, {at_most.currency}")
    if amount.amount > at_most.amount:
        raise ValueError(f"{amount} is more than the plan allows, {at_most}")


class PlannedEnd(BaseModel):
    """A cancellation that takes effect later, and can be taken back before."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    reason: str


class Taken(BaseModel):
    """An item that was taken under a reference, so that it is not taken again.

    Attributes:
        reference: the merchant's own name for it.
        amount: how much.
        what: what it is for, in words.
        effective_at: when it was to be charged (UTC).
    """

    model_config = ConfigDict(frozen=True)

    reference: str
    amount: Money
    what: str
    effective_at: AwareDatetime


class Extra(BaseModel):
    """Something charged once, with the next charge."""

    model_config = ConfigDict(frozen=True)

    amount: Money
    what: str
