"""What becomes of a notice on its way to an endpoint."""

from dataclasses import dataclass
from enum import StrEnum

from perennial_billing.ledger.tables import OF_THE_ENVIRONMENT


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    """It is being tried; how often it failed is told beside it."""
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    """The endpoint is gone or was disabled, or did not take it within the schedule of attempts."""
    NOT_SENT = "not_sent"
    """The endpoint was disabled when the notice came."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice on its way to one endpoint.

    Attributes:
        id: of the delivery; its first sending bears it at Temporal as well.
        charge_permission_id: whose it is.
        number: of the notice.
        endpoint: to which.
        state: how it begins.
    """

    id: str
    charge_permission_id: str
    number: int
    endpoint: str = OF_THE_ENVIRONMENT
    state: DeliveryState = DeliveryState.QUEUED
