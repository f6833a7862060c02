"""Refunds: `client.refunds`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call, request_of
from amazon_pay_client.models import CreateRefundRequest, Refund
from amazon_pay_client.paths import resource

if TYPE_CHECKING:
    from amazon_pay_client.transport import Transport


class Refunds:
    """Operations on refunds. Source: Amazon Pay API v2, "refund"."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def create(
        self,
        request: CreateRefundRequest | Mapping[str, Any],
        *,
        idempotency_key: str,
        headers: Mapping[str, str] | None = None,
    ) -> Refund:
        """Gives money back (POST /refunds). The answer is always pending: wait for the notification, or read it again.

        Args:
            request: which charge, and how much of it.
            idempotency_key: 1 to 32 characters of `A-Z a-z 0-9 _ -`, new for each refund and the same for each
                repetition of it.
            headers: extra headers; they are signed.

        Raises:
            DeclinedError: the refund was declined.
            InvalidStateError: the charge is not captured.
            DuplicateIdempotencyKeyError: the key was used before with another body.
            ApiError: any other error answer.
            TransportError: no answer; whether money goes back is unknown, so send the same again.
        """
        return await self._transport.send(
            Call(
                method="POST",
                to=resource("refunds"),
                read=model_of(Refund),
                body=request_of(CreateRefundRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )

    async def get(self, refund_id: str, *, headers: Mapping[str, str] | None = None) -> Refund:
        """Reads one refund (GET /refunds/{refundId}).

        Raises:
            NotFoundError: no such refund in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        return await self._transport.send(
            Call(
                method="GET",
                to=resource("refunds/{refund_id}", refund_id=refund_id),
                read=model_of(Refund),
                headers=headers,
            )
        )
