"""Charges: `client.charges`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call, request_of
from amazon_pay_client.models import (
    CancelChargeRequest,
    CaptureChargeRequest,
    Charge,
    CreateChargeRequest,
    UpdateChargeRequest,
)
from amazon_pay_client.paths import resource
from amazon_pay_client.time_limits import OperationKind

if TYPE_CHECKING:
    from amazon_pay_client.transport import Transport


class Charges:
    """Operations on charges. Source: Amazon Pay API v2, "charge"."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def create(
        self,
        request: CreateChargeRequest | Mapping[str, Any],
        *,
        idempotency_key: str,
        headers: Mapping[str, str] | None = None,
    ) -> Charge:
        """Charges the buyer (POST /charges).

        The same key with the same body answers what the first call answered, for ever; with another body it is
        refused. A decline is an error answer without a charge id.

        Args:
            request: what to charge.
            idempotency_key: 1 to 32 characters of `A-Z a-z 0-9 _ -`, new for each attempt and the same for each
                repetition of it. The caller keeps it; the client never makes one up.
            headers: extra headers, such as `x-amz-pay-simulation-code`; they are signed.

        Raises:
            DeclinedError: the payment was declined.
            DuplicateIdempotencyKeyError: the key was used before with another body.
            ApiError: any other error answer.
            TransportError: no answer; whether the buyer was charged is unknown, so send the same again.
        """
        return await self._transport.send(
            Call(
                method="POST",
                to=resource("charges"),
                read=model_of(Charge),
                kind=OperationKind.PAYMENT,
                body=request_of(CreateChargeRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )

    async def get(self, charge_id: str, *, headers: Mapping[str, str] | None = None) -> Charge:
        """Reads one charge (GET /charges/{chargeId}).

        Raises:
            NotFoundError: no such charge in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        return await self._transport.send(
            Call(
                method="GET",
                to=resource("charges/{charge_id}", charge_id=charge_id),
                read=model_of(Charge),
                headers=headers,
            )
        )

    async def update(
        self,
        charge_id: str,
        request: UpdateChargeRequest | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Charge:
        """Tells Amazon the state of a charge (PATCH /charges/{chargeId}); for payment service providers only.

        Raises:
            InvalidStateError: the charge cannot come into that state.
            NotFoundError: no such charge in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer; sending the same again is safe.
        """
        return await self._transport.send(
            Call(
                method="PATCH",
                to=resource("charges/{charge_id}", charge_id=charge_id),
                read=model_of(Charge),
                body=request_of(UpdateChargeRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )

    async def capture(
        self,
        charge_id: str,
        request: CaptureChargeRequest | Mapping[str, Any],
        *,
        idempotency_key: str,
        headers: Mapping[str, str] | None = None,
    ) -> Charge:
        """Takes the money of an authorized charge (POST /charges/{chargeId}/capture).

        Args:
            charge_id: the charge's.
            request: how much of it.
            idempotency_key: as for `create`.
            headers: extra headers; they are signed.

        Raises:
            DeclinedError: the capture was declined.
            InvalidStateError: the charge is not authorized.
            DuplicateIdempotencyKeyError: the key was used before with another body.
            NotFoundError: no such charge in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer; whether the money was taken is unknown, so send the same again.
        """
        return await self._transport.send(
            Call(
                method="POST",
                to=resource("charges/{charge_id}/capture", charge_id=charge_id),
                read=model_of(Charge),
                kind=OperationKind.PAYMENT,
                body=request_of(CaptureChargeRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )

    async def cancel(
        self,
        charge_id: str,
        request: CancelChargeRequest | Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Charge:
        """Gives up a charge that is pending or authorized (DELETE /charges/{chargeId}/cancel).

        Raises:
            InvalidStateError: it is captured or over.
            NotFoundError: no such charge in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer; canceling again is safe.
        """
        return await self._transport.send(
            Call(
                method="DELETE",
                to=resource("charges/{charge_id}/cancel", charge_id=charge_id),
                read=model_of(Charge),
                body=request_of(CancelChargeRequest, request),
                headers=headers,
            )
        )
