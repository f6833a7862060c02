"""Checkout sessions: `client.checkout_sessions`."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from amazon_pay_client.models import (
    CheckoutSession,
    CompleteCheckoutSessionRequest,
    CreateCheckoutSessionRequest,
    FinalizeCheckoutSessionRequest,
    UpdateCheckoutSessionRequest,
)
from amazon_pay_client.time_limits import OperationKind
from amazon_pay_client.transport import model_of, resource

if TYPE_CHECKING:
    from amazon_pay_client.outbound.library import httpx
    from amazon_pay_client.transport import Transport


@dataclass(frozen=True, slots=True)
class CompletedCheckout:
    """What completing a session came to. Part of it stands in the HTTP status alone, so it is not a model of the wire.

    Attributes:
        session: holds the charge permission's id, and the charge's id where something was charged.
        authorization_is_pending: the answer was 202: the permission is there, and the charge is decided within 24
            hours. Wait for its notification, or read it again, before goods are sent.
    """

    session: CheckoutSession
    authorization_is_pending: bool


def _read_completed(answer: "httpx.Response") -> CompletedCheckout:
    return CompletedCheckout(model_of(CheckoutSession)(answer), answer.status_code == HTTPStatus.ACCEPTED)


class CheckoutSessions:
    """Operations on checkout sessions. Source: Amazon Pay API v2, "checkout session"."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def create(
        self,
        request: CreateCheckoutSessionRequest,
        *,
        idempotency_key: str,
        headers: Mapping[str, str] | None = None,
    ) -> CheckoutSession:
        """Opens a session from the server (POST /checkoutSessions). A signed button opens one without this call.

        Args:
            request: where the buyer comes back to, and what is to be paid.
            idempotency_key: as for a charge.
            headers: extra headers; they are signed.

        Raises:
            DuplicateIdempotencyKeyError: the key was used before with another body.
            ApiError: any other error answer.
            TransportError: no answer; sending the same again is safe.
        """
        return await self._transport.send(
            "POST",
            resource("checkoutSessions"),
            model_of(CheckoutSession),
            body=request,
            idempotency_key=idempotency_key,
            headers=headers,
        )

    async def get(self, checkout_session_id: str, *, headers: Mapping[str, str] | None = None) -> CheckoutSession:
        """Reads one session (GET /checkoutSessions/{checkoutSessionId}); 30 days after it was opened it is gone.

        Raises:
            NotFoundError: no such session in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        return await self._transport.send(
            "GET",
            resource("checkoutSessions/{checkout_session_id}", checkout_session_id=checkout_session_id),
            model_of(CheckoutSession),
            headers=headers,
        )

    async def update(
        self,
        checkout_session_id: str,
        request: UpdateCheckoutSessionRequest,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> CheckoutSession:
        """Adds what the session still lacks (PATCH /checkoutSessions/{checkoutSessionId}).

        Once `constraints` is empty, the answer holds the address that the buyer is sent to.

        Raises:
            InvalidStateError: the session is no longer open.
            NotFoundError: no such session in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer; sending the same again is safe.
        """
        return await self._transport.send(
            "PATCH",
            resource("checkoutSessions/{checkout_session_id}", checkout_session_id=checkout_session_id),
            model_of(CheckoutSession),
            body=request,
            headers=headers,
        )

    async def complete(
        self,
        checkout_session_id: str,
        request: CompleteCheckoutSessionRequest,
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> CompletedCheckout:
        """Confirms that the buyer came back (POST /checkoutSessions/{checkoutSessionId}/complete).

        Only this makes the charge permission, and the charge where the session asks for one. Without it Amazon
        cancels the session after 24 hours.

        Args:
            checkout_session_id: the session's.
            request: the amount, which must equal the session's.
            idempotency_key: Amazon needs none here; with one, `Retry` repeats also after a lost answer.
            headers: extra headers; they are signed.

        Raises:
            AmountMismatchError: the amount is not the session's.
            InvalidStateError: it is canceled, or completed already; read the session to see which.
            NotFoundError: no such session in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer; read the session to learn the outcome.
        """
        return await self._transport.send(
            "POST",
            resource("checkoutSessions/{checkout_session_id}/complete", checkout_session_id=checkout_session_id),
            _read_completed,
            kind=OperationKind.PAYMENT,
            body=request,
            idempotency_key=idempotency_key,
            headers=headers,
        )

    async def finalize(
        self,
        checkout_session_id: str,
        request: FinalizeCheckoutSessionRequest,
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> CheckoutSession:
        """Checks a session that the merchant's own page ends (POST /checkoutSessions/{checkoutSessionId}/finalize).

        Args:
            checkout_session_id: the session's.
            request: what is to be paid, and the addresses.
            idempotency_key: as for a charge; Amazon takes none as well.
            headers: extra headers; they are signed.

        Raises:
            DeclinedError: the payment was declined.
            InvalidStateError: the session is no longer open.
            NotFoundError: no such session in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer; read the session to learn the outcome.
        """
        return await self._transport.send(
            "POST",
            resource("checkoutSessions/{checkout_session_id}/finalize", checkout_session_id=checkout_session_id),
            model_of(CheckoutSession),
            kind=OperationKind.PAYMENT,
            body=request,
            idempotency_key=idempotency_key,
            headers=headers,
        )
