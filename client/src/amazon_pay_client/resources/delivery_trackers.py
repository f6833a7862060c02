"""Delivery trackers: `client.delivery_trackers`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call, request_of
from amazon_pay_client.models import CreateDeliveryTrackerRequest, DeliveryTracker
from amazon_pay_client.paths import resource

if TYPE_CHECKING:
    from amazon_pay_client.transport import Transport


class DeliveryTrackers:
    """Shipments that Amazon tells the buyer of. Source: Amazon Pay API v2, "delivery tracker"."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def create(
        self,
        request: CreateDeliveryTrackerRequest | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DeliveryTracker:
        """Tells Amazon how an order is shipped (POST /deliveryTrackers).

        Args:
            request: the order and its parcels.
            idempotency_key: Amazon needs none here; a tracking number counts once anyway.
            headers: extra headers; they are signed.

        Raises:
            ApiError: an error answer.
            TransportError: no answer.
        """
        return await self._transport.send(
            Call(
                method="POST",
                to=resource("deliveryTrackers"),
                read=model_of(DeliveryTracker),
                body=request_of(CreateDeliveryTrackerRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )
