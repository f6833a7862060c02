"""What can be said to a running subscription."""

from pydantic import BaseModel, ConfigDict

from billing.terms import ChargePermissionId


class CancelRequest(BaseModel):
    """A request to cancel. The reason is told to Amazon as the closure reason, at most 255 characters of it."""

    model_config = ConfigDict(frozen=True)

    reason: str = "Canceled by the merchant"


class ReplacementRequest(BaseModel):
    """The buyer approved a new charge permission, under which the subscription is to go on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    charge_permission_id: ChargePermissionId


class NotificationSignal(BaseModel):
    """One of Amazon's notifications, handed on. It says which object to look at, and never how it stands."""

    model_config = ConfigDict(frozen=True)

    notification_id: str
    object_type: str
    object_id: str
