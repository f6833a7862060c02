"""What can be said to a running subscription."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from billing.changes import Change
from billing.collection import Step
from billing.ledger import PeriodOutcome
from billing.money import Money
from billing.terms import ChargePermissionId


class CancelRequest(BaseModel):
    """A request to cancel. The reason is told to Amazon as the closure reason, at most 255 characters of it."""

    model_config = ConfigDict(frozen=True)

    reason: str = "Canceled by the merchant"


class ReplacementRequest(BaseModel):
    """The buyer approved a new charge permission, under which the subscription is to go on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    charge_permission_id: ChargePermissionId


class CaptureRequest(BaseModel):
    """The merchant wants a period's authorized charge captured: all of it where no amount is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    period: Annotated[int, Field(ge=0)]
    amount: Money | None = None


class CaptureResult(BaseModel):
    """What became of a capture.

    Attributes:
        charge_id: Amazon's.
        outcome: captured, still authorized because the capture was declined, or lost for good.
        reason_code: Amazon's, where it was not captured.
    """

    model_config = ConfigDict(frozen=True)

    charge_id: str
    outcome: PeriodOutcome
    reason_code: str | None = None


class ChangeRequest(BaseModel):
    """One change of a running subscription."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    change: Change


class Changed(BaseModel):
    """What a change has come to.

    Attributes:
        effective_at: when it takes effect (UTC).
        next_step: what happens next.
    """

    model_config = ConfigDict(frozen=True)

    effective_at: AwareDatetime
    next_step: Step | None


class NotificationSignal(BaseModel):
    """One of Amazon's notifications, handed on. It says which object to look at, and never how it stands."""

    model_config = ConfigDict(frozen=True)

    notification_id: str
    object_type: str
    object_id: str
