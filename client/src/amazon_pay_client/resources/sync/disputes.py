# Made of `resources/disputes.py` by `python -m tests.client.sync_resources`: change that, and run this.

"""Disputes: `client.disputes`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call, request_of
from amazon_pay_client.models import ContestDisputeRequest, CreateDisputeRequest, Dispute, UpdateDisputeRequest
from amazon_pay_client.paths import resource

if TYPE_CHECKING:
    from amazon_pay_client.transport import SyncTransport


class SyncDisputes:
    """Operations on disputes. Source: Amazon Pay API v2, "dispute"; the official Java SDK."""

    def __init__(self, transport: "SyncTransport") -> None:
        self._transport = transport

    def create(
        self,
        request: CreateDisputeRequest | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Dispute:
        """Tells Amazon of a dispute that reached a payment service provider (POST /disputes).

        Args:
            request: the charge, the amount, and the reason.
            idempotency_key: as for a charge. Without one, a lost answer leaves open whether the dispute is there.
            headers: extra headers; they are signed.

        Raises:
            DuplicateIdempotencyKeyError: the key was used before with another body.
            ApiError: any other error answer.
            TransportError: no answer; with a key, send the same again.
        """
        return self._transport.send(
            Call(
                method="POST",
                to=resource("disputes"),
                read=model_of(Dispute),
                body=request_of(CreateDisputeRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )

    def get(self, dispute_id: str, *, headers: Mapping[str, str] | None = None) -> Dispute:
        """Reads one dispute (GET /disputes/{disputeId}).

        Raises:
            NotFoundError: no such dispute in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        return self._transport.send(
            Call(
                method="GET",
                to=resource("disputes/{dispute_id}", dispute_id=dispute_id),
                read=model_of(Dispute),
                headers=headers,
            )
        )

    def update(
        self,
        dispute_id: str,
        request: UpdateDisputeRequest | Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Dispute:
        """Tells Amazon how a dispute ended at a payment service provider (PATCH /disputes/{disputeId}).

        Raises:
            InvalidStateError: the dispute cannot come into that state.
            NotFoundError: no such dispute in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer; sending the same again is safe.
        """
        return self._transport.send(
            Call(
                method="PATCH",
                to=resource("disputes/{dispute_id}", dispute_id=dispute_id),
                read=model_of(Dispute),
                body=request_of(UpdateDisputeRequest, request),
                headers=headers,
            )
        )

    def contest(
        self,
        dispute_id: str,
        request: ContestDisputeRequest | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Dispute:
        """Answers a dispute with evidence (POST /disputes/{disputeId}/contest).

        Amazon takes it for 11 days after a chargeback and for 7 days after an A-to-z claim.

        Args:
            dispute_id: the dispute's.
            request: the evidence; files are announced with `client.files.upload` before.
            idempotency_key: as for a charge. Without one, read the dispute after a lost answer.
            headers: extra headers; they are signed.

        Raises:
            InvalidStateError: the time for it is over, or it was answered already.
            NotFoundError: no such dispute in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer; with a key, send the same again.
        """
        return self._transport.send(
            Call(
                method="POST",
                to=resource("disputes/{dispute_id}/contest", dispute_id=dispute_id),
                read=model_of(Dispute),
                body=request_of(ContestDisputeRequest, request),
                idempotency_key=idempotency_key,
                headers=headers,
            )
        )
