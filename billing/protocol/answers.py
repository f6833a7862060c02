"""What Amazon Pay answered, in the words that the rules need. Made by the activities, decided upon by the rules.

What Amazon wrote is let in here, and harmless from here on: see `billing.protocol.foreign`.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.foreign import Code, Codes, Prose
from perennial_billing.billing.values import Value

CLOCKS_MAY_DIFFER: Final = timedelta(minutes=2)
"""Amazon's and ours: what Amazon made so little before it was asked for is not older than that."""


class ChargeOutcome(StrEnum):
    """How one attempt stands."""

    CAPTURED = "captured"
    AUTHORIZED = "authorized"
    """The buyer's bank agreed; nothing was captured."""
    PENDING = "pending"
    """Amazon is still deciding or capturing; only Amazon can say how it ends."""
    DECLINED = "declined"
    """A known decline: the buyer was not charged."""
    REFUSED = "refused"
    """Amazon did not take the request: the merchant's fault or the account's, not the buyer's."""


class ChargeAnswer(Value):
    """The known outcome of one attempt.

    Attributes:
        outcome: how it stands.
        charge_id: Amazon's id; a synchronous decline has none.
        captured: how much was captured, where that was asked for.
        created_at: when Amazon made the charge (UTC). A saved answer to an older request has the time of that.
        amount: what it is of; told where a charge was read.
        refunded: how much of it has gone back; told where a charge was read, and some has.
        charge_permission_id: under which it was made; told where a charge was read.
        reason_code: Amazon's reasonCode for anything but a success; an open set.
        message: Amazon's text, for people.
        request_id: what Amazon's support asks for.
    """

    outcome: ChargeOutcome
    charge_id: Code | None = None
    captured: Money | None = None
    created_at: AwareDatetime | None = None
    amount: Money | None = None
    refunded: Money | None = None
    charge_permission_id: Code | None = None
    reason_code: Code | None = None
    message: Prose | None = None
    request_id: Code | None = None


class PermissionState(StrEnum):
    """Whether a charge permission can be charged."""

    CHARGEABLE = "chargeable"
    NON_CHARGEABLE = "non_chargeable"
    CLOSED = "closed"
    UNKNOWN = "unknown"
    """A state that Amazon has added since, or an answer that tells none."""


class PermissionAnswer(Value):
    """A charge permission as it was read.

    Attributes:
        state: whether it can be charged.
        reason_codes: Amazon's reasons; an open set.
        last_updated: when its state last changed (UTC), to tell a mended permission from one never broken.
        refused: the reasonCode when Amazon did not answer the question itself (configuration, account).
        monthly_limit: what may be charged under it in one calendar month, where Amazon says so.
        expires_at: when it closes by itself (UTC) unless it is charged before, where Amazon says so.
        monthly_balance: what is left of that in the month in which it was read, where Amazon says so.
        given_for: Amazon's chargePermissionType, where Amazon says so; an open set.
        currency: of the monthly limit as Amazon names it, also where nobody here knows that currency.
    """

    state: PermissionState
    reason_codes: Codes = ()
    last_updated: datetime | None = None
    refused: Code | None = None
    monthly_limit: Money | None = None
    monthly_balance: Money | None = None
    expires_at: AwareDatetime | None = None
    given_for: Code | None = None
    currency: Code | None = None

    @property
    def is_chargeable(self) -> bool:
        return self.state is PermissionState.CHARGEABLE

    @property
    def is_closed(self) -> bool:
        return self.state is PermissionState.CLOSED


class RefundState(StrEnum):
    """How a refund stands."""

    REQUESTED = "requested"
    """Amazon has not answered yet; whether it has taken it is not known before it does."""
    PENDING = "pending"
    REFUNDED = "refunded"
    FAILED = "failed"


class RefundAnswer(Value):
    """What Amazon said of a refund.

    Attributes:
        state: `failed` where it was declined, or not taken at all.
        refund_id: Amazon's; None where it was not taken.
        reason_code: Amazon's reasonCode of a failure; an open set.
        created_at: when Amazon took it (UTC).
        charge_id: Amazon's, of its charge; told where a refund was read.
        amount: how much; told where a refund was read.
    """

    state: RefundState
    refund_id: Code | None = None
    reason_code: Code | None = None
    created_at: AwareDatetime | None = None
    charge_id: Code | None = None
    amount: Money | None = None


class DisputeAnswer(Value):
    """A dispute as it was read.

    Attributes:
        charge_id: Amazon's, of the charge that it is about; None where it could not be read.
        amount: how much.
        state: Amazon's; an open set.
        reason_code: Amazon's; an open set.
        resolution: in whose favour it ended; an open set.
        deadline: until when the merchant may contest it (UTC).
        refused: the reasonCode where Amazon did not show it.
    """

    charge_id: Code | None = None
    amount: Money | None = None
    state: Code | None = None
    reason_code: Code | None = None
    resolution: Code | None = None
    deadline: AwareDatetime | None = None
    refused: Code | None = None


class SuccessorAnswer(Value):
    """Whether the subscription could be started under another charge permission; else that has one already."""

    started: bool
