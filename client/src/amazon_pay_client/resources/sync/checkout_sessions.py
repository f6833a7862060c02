# Made of `resources/checkout_sessions.py` by `python -m tests.client.sync_resources`: change that, and run this.

"""Checkout sessions: `client.checkout_sessions`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call, request_of
from amazon_pay_client.models import (
    CheckoutSession,
    CompleteCheckoutSessionRequest,
    CreateCheckoutSessionRequest,
    FinalizeCheckoutSessionRequest,
    UpdateCheckoutSessionRequest,
)
from amazon_pay_client.paths import resource
from amazon_pay_client.resources.outcomes import CompletedCheckout, read_completed
from amazon_pay_client.time_limits import OperationKind

if TYPE_CHECKING:
    from amazon_pay_client.transport import SyncTransport


class SyncCheckoutSessions:
    """Operations on checkout sessions. Source: Amazon Pay API v2, "checkout session"."""

    def __init__(self, transport: "SyncTransport") -> None:
        self._transport = transport

    def create(
        self,
        request: CreateCheckoutSessionRequest | Mapping[str, Any],
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
        return self._transport.send(
            Call(
                method="POST",
                to=resource("checkoutSessions"),
                read=model_of(CheckoutSession),
                body=request_of(CreateCheckoutSessionRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )

    def get(self, checkout_session_id: str, *, headers: Mapping[str, str] | None = None) -> CheckoutSession:
        """Reads one session (GET /checkoutSessions/{checkoutSessionId}); 30 days after it was opened it is gone.

        Raises:
            NotFoundError: no such session in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        return self._transport.send(
            Call(
                method="GET",
                to=resource("checkoutSessions/{checkout_session_id}", checkout_session_id=checkout_session_id),
                read=model_of(CheckoutSession),
                headers=headers,
            )
        )

    def update(
        self,
        checkout_session_id: str,
        request: UpdateCheckoutSessionRequest | Mapping[str, Any],
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
        return self._transport.send(
            Call(
                method="PATCH",
                to=resource("checkoutSessions/{checkout_session_id}", checkout_session_id=checkout_session_id),
                read=model_of(CheckoutSession),
                body=request_of(UpdateCheckoutSessionRequest, request),
                headers=headers,
            )
        )

    def complete(
        self,
        checkout_session_id: str,
        request: CompleteCheckoutSessionRequest | Mapping[str, Any],
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
        return self._transport.send(
            Call(
                method="POST",
                to=resource("checkoutSessions/{checkout_session_id}/complete", checkout_session_id=checkout_session_id),
                read=read_completed,
                kind=OperationKind.PAYMENT,
                body=request_of(CompleteCheckoutSessionRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )

    def finalize(
        self,
        checkout_session_id: str,
        request: FinalizeCheckoutSessionRequest | Mapping[str, Any],
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
        return self._transport.send(
            Call(
                method="POST",
                to=resource("checkoutSessions/{checkout_session_id}/finalize", checkout_session_id=checkout_session_id),
                read=model_of(CheckoutSession),
                kind=OperationKind.PAYMENT,
                body=request_of(FinalizeCheckoutSessionRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )
