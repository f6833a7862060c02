"""Delivery trackers: a shipment that Amazon tells the buyer's Alexa device about. Source: Amazon Pay API v2, "delivery
tracker".
"""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from amazon_pay_client.models.wire import RequestModel, WireModel


class DeliveryDetail(RequestModel):
    """One parcel.

    Attributes:
        tracking_number: the carrier's; it can be used once.
        carrier_code: from the list of carriers that Amazon publishes, such as `FEDEX`.
    """

    tracking_number: Annotated[str, StringConstraints(min_length=1)]
    carrier_code: Annotated[str, StringConstraints(min_length=1)]


class CreateDeliveryTrackerRequest(RequestModel):
    """The body of Create Delivery Tracker: one order, by one of the two ids, and its parcels."""

    charge_permission_id: str | None = None
    amazon_order_reference_id: str | None = None
    delivery_details: Annotated[tuple[DeliveryDetail, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_order(self) -> Self:
        if (self.charge_permission_id is None) == (self.amazon_order_reference_id is None):
            raise ValueError("chargePermissionId, amazonOrderReferenceId: exactly one of the two is needed")
        return self


class AnsweredDeliveryDetail(WireModel):
    """One parcel, as Amazon answers it: whatever it holds is taken."""

    tracking_number: str | None = None
    carrier_code: str | None = None


class DeliveryTracker(WireModel):
    """A delivery tracker as Amazon Pay answers it."""

    charge_permission_id: str | None = None
    amazon_order_reference_id: str | None = None
    delivery_details: tuple[AnsweredDeliveryDetail, ...] | None = None
