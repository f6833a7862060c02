"""How a subscription stands, in one word, and how one ends. The words of lists, filters and notices."""

from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime

from perennial_billing.billing.values import Value


class Status(StrEnum):
    """A subscription's status, as searched for and shown. Who owes something is said beside it: past due."""

    ACTIVE = "active"
    PENDING = "pending"
    RETRYING = "retrying"
    AWAITING_PAYMENT_METHOD = "awaiting_payment_method"
    ON_HOLD = "on_hold"
    UNPAID = "unpaid"
    """Not paid, and not tried any more before the buyer has mended the payment method."""
    PAUSED = "paused"
    """As somebody asked, or a policy where a charge is disputed."""
    AWAITING_CHECKOUT = "awaiting_checkout"
    """The charge permission is closed; the buyer may approve a new one."""
    ENDING = "ending"
    CANCELED = "canceled"
    CLOSED = "closed"
    WRITTEN_OFF = "written_off"
    """It ended by itself, as a period could not be collected."""
    COMPLETED = "completed"
    REPLACED = "replaced"
    """It goes on under another charge permission."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing will ever be charged again."""
        return self in ENDED


ENDED: Final = frozenset({Status.CANCELED, Status.CLOSED, Status.WRITTEN_OFF, Status.COMPLETED, Status.REPLACED})
NEEDS_ATTENTION: Final = frozenset(
    {Status.ON_HOLD, Status.UNPAID, Status.AWAITING_PAYMENT_METHOD, Status.AWAITING_CHECKOUT}
)


class Ending(Value):
    """A decided end.

    Attributes:
        status: the one to end in.
        at: when it takes effect (UTC); what falls due later is not owed.
        reason: why, in words.
        reason_code: Amazon's, if there is one.
    """

    status: Status
    at: AwareDatetime
    reason: str
    reason_code: str | None = None
