"""Charges: `client.charges`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from amazon_pay.models import Charge, CreateChargeRequest
from amazon_pay.transport import segment

if TYPE_CHECKING:
    from amazon_pay.transport import Transport


class Charges:
    """Operations on charges. Source: Amazon Pay API v2, "charge"."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def create(
        self,
        request: CreateChargeRequest,
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
        answer = await self._transport.send(
            "POST", "charges", body=request, idempotency_key=idempotency_key, headers=headers
        )
        return self._transport.read(answer, Charge)

    async def get(self, charge_id: str, *, headers: Mapping[str, str] | None = None) -> Charge:
        """Reads one charge (GET /charges/{chargeId}).

        Raises:
            NotFoundError: no such charge in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        answer = await self._transport.send("GET", f"charges/{segment(charge_id)}", headers=headers)
        return self._transport.read(answer, Charge)
