"""How a subscription stands, in one word, and how one ends."""

from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

from billing.collection import Stage


class Status(StrEnum):
    """A subscription's status, as searched for and shown."""

    ACTIVE = "active"
    PENDING = "pending"
    RETRYING = "retrying"
    AWAITING_PAYMENT_METHOD = "awaiting_payment_method"
    ON_HOLD = "on_hold"
    PAUSED = "paused"
    AWAITING_CHECKOUT = "awaiting_checkout"
    """The charge permission is closed; the buyer may approve a new one."""
    ENDING = "ending"
    CANCELED = "canceled"
    CLOSED = "closed"
    UNPAID = "unpaid"
    COMPLETED = "completed"
    REPLACED = "replaced"
    """It goes on under another charge permission."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing will ever be charged again."""
        return self in _ENDED


_ENDED: Final = frozenset({Status.CANCELED, Status.CLOSED, Status.UNPAID, Status.COMPLETED, Status.REPLACED})
NEEDS_ATTENTION: Final = frozenset(
    {Status.ON_HOLD, Status.PAUSED, Status.AWAITING_PAYMENT_METHOD, Status.AWAITING_CHECKOUT}
)
STATUS_OF_STAGE: Final = {
    Stage.CHARGING: Status.ACTIVE,
    Stage.PENDING: Status.PENDING,
    Stage.RETRYING: Status.RETRYING,
    Stage.AWAITING_PAYMENT_METHOD: Status.AWAITING_PAYMENT_METHOD,
    Stage.ON_HOLD: Status.ON_HOLD,
    Stage.PAUSED: Status.PAUSED,
}


class Ending(BaseModel):
    """A decided end.

    Attributes:
        status: the one to end in.
        at: when it takes effect (UTC); what falls due later is not owed.
        reason: why, in words.
        reason_code: Amazon's, if there is one.
    """

    model_config = ConfigDict(frozen=True)

    status: Status
    at: AwareDatetime
    reason: str
    reason_code: str | None = None
