"""What Amazon Pay answered, in the words that the rules need. Made by the activities, decided upon by the rules."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from billing.money import Money


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


class ChargeAnswer(BaseModel):
    """The known outcome of one attempt.

    Attributes:
        outcome: how it stands.
        charge_id: Amazon's id; a synchronous decline has none.
        captured: how much was captured, where that was asked for.
        reason_code: Amazon's reasonCode for anything but a success; an open set.
        message: Amazon's text, for people.
        request_id: what Amazon's support asks for.
    """

    model_config = ConfigDict(frozen=True)

    outcome: ChargeOutcome
    charge_id: str | None = None
    captured: Money | None = None
    reason_code: str | None = None
    message: str | None = None
    request_id: str | None = None


class PermissionState(StrEnum):
    """Whether a charge permission can be charged."""

    CHARGEABLE = "chargeable"
    NON_CHARGEABLE = "non_chargeable"
    CLOSED = "closed"
    UNKNOWN = "unknown"
    """A state that Amazon has added since, or an answer that tells none."""


class PermissionAnswer(BaseModel):
    """A charge permission as it was read.

    Attributes:
        state: whether it can be charged.
        reason_codes: Amazon's reasons; an open set.
        last_updated: when its state last changed (UTC), to tell a mended permission from one never broken.
        refused: the reasonCode when Amazon did not answer the question itself (configuration, account).
        monthly_limit: what may be charged under it in one calendar month, where Amazon says so.
    """

    model_config = ConfigDict(frozen=True)

    state: PermissionState
    reason_codes: tuple[str, ...] = ()
    last_updated: datetime | None = None
    refused: str | None = None
    monthly_limit: Money | None = None

    @property
    def is_chargeable(self) -> bool:
        return self.state is PermissionState.CHARGEABLE

    @property
    def is_closed(self) -> bool:
        return self.state is PermissionState.CLOSED
