"""Disputes, and the files that are brought as evidence. Source: Amazon Pay API v2, "dispute"."""

from datetime import datetime, timedelta
from typing import Final

from amazon_pay_client.ipn import ObjectType
from amazon_pay_client.models import ChargeState, Price
from amazon_pay_client.models.disputes import (
    ContestDisputeRequest,
    CreateDisputeRequest,
    DisputeFilingReason,
    DisputeReasonCode,
    DisputeState,
    DisputeStatusDetails,
    UpdateDisputeRequest,
    UploadedFile,
    UploadFileRequest,
)
from amazon_pay_simulator.context import Context, new_session_id
from amazon_pay_simulator.objects import Dispute
from amazon_pay_simulator.refusals import STATUS_OF, Refusal

MERCHANT_RESPONDS_WITHIN: Final = timedelta(days=11)
"""To a chargeback."""


class Disputes:
    """Raises, reads, updates and contests disputes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._books = context.books
        self._refused_with: str | None = None

    # What the API offers

    def create(self, request: CreateDisputeRequest, now: datetime) -> Dispute:
        """A payment service provider reports a dispute.

        Raises:
            Refusal: ResourceNotFound.
        """
        charge = self._books.charge(request.charge_id)
        return self._book(
            Dispute(
                dispute_id=self._next_id(charge.charge_id),
                charge_permission_id=charge.charge_permission_id,
                creation_timestamp=now,
                release_environment=charge.release_environment,
                **{name: getattr(request, name) for name in CreateDisputeRequest.model_fields},
            )
        )

    def read(self, dispute_id: str) -> Dispute:
        """Reads a dispute.

        Raises:
            Refusal: ResourceNotFound; or what was asked for, as where a key may not read disputes.
        """
        if self._refused_with is not None:
            raise Refusal(self._refused_with, "Disputes are not shown")
        return self._books.dispute(dispute_id)

    def update(self, dispute_id: str, request: UpdateDisputeRequest, _now: datetime) -> Dispute:
        """A payment service provider reports how a dispute goes on.

        Raises:
            Refusal: ResourceNotFound.
        """
        changes = {"status_details": request.status_details, "closure_timestamp": request.closure_timestamp}
        return self._book(self._books.dispute(dispute_id).model_copy(update=changes))

    def contest(self, dispute_id: str, request: ContestDisputeRequest, now: datetime) -> Dispute:
        """The merchant brings evidence.

        Raises:
            Refusal: ResourceNotFound, or InvalidRequest when no response of the merchant's is awaited.
        """
        dispute = self._books.dispute(dispute_id)
        deadline = dispute.merchant_response_deadline
        if dispute.status_details.state != DisputeState.ACTION_REQUIRED:
            raise Refusal("InvalidRequest", f"The dispute is {dispute.status_details.state}: no evidence is awaited")
        if deadline is not None and now > deadline:
            raise Refusal("InvalidRequest", f"Evidence was awaited until {deadline:%Y-%m-%d %H:%M:%S} UTC")
        details = DisputeStatusDetails(state=DisputeState.UNDER_REVIEW, last_updated_timestamp=now)
        changes = {"status_details": details, "merchant_evidences": request.merchant_evidences}
        return self._book(dispute.model_copy(update=changes))

    def upload_file(self, request: UploadFileRequest) -> UploadedFile:
        """Announces a file. Its content is not kept: the address takes nothing."""
        file_id = new_session_id()
        return UploadedFile(
            file_id=file_id, type=request.type, purpose=request.purpose, url=f"{self._context.origin}/files/{file_id}"
        )

    # What is asked for by a test

    def refuse_to_show(self, reason_code: str | None) -> None:
        """Get Dispute is answered so from now on; as usual with None.

        Raises:
            Refusal: InvalidParameterValue for a reasonCode that has no status.
        """
        if reason_code is not None and reason_code not in STATUS_OF:
            raise Refusal("InvalidParameterValue", f"{reason_code} is no reasonCode of a refusal")
        self._refused_with = reason_code

    # What buyers do

    def raise_chargeback(
        self, charge_id: str, amount: Price | None, reason: DisputeFilingReason, now: datetime
    ) -> Dispute:
        """The buyer's bank takes a charge back.

        Raises:
            Refusal: ResourceNotFound, or InvalidChargeStatus where nothing was captured that could be taken back.
        """
        charge = self._books.charge(charge_id)
        if charge.status_details.state != ChargeState.CAPTURED:
            raise Refusal("InvalidChargeStatus", f"The charge is {charge.status_details.state}, not captured")
        return self._book(
            Dispute(
                dispute_id=self._next_id(charge_id),
                charge_id=charge_id,
                charge_permission_id=charge.charge_permission_id,
                dispute_type="Chargeback",
                dispute_amount=amount or charge.capture_amount,
                filing_reason=reason,
                status_details=DisputeStatusDetails(
                    state=DisputeState.ACTION_REQUIRED,
                    reason_code=DisputeReasonCode.MERCHANT_RESPONSE_REQUIRED,
                    last_updated_timestamp=now,
                ),
                creation_timestamp=now,
                filing_timestamp=now,
                merchant_response_deadline=now + MERCHANT_RESPONDS_WITHIN,
                release_environment=charge.release_environment,
            )
        )

    def _next_id(self, charge_id: str) -> str:
        return f"{charge_id.rpartition('-C')[0]}-B{len(self._books.disputes) + 1:06}"

    def _book(self, dispute: Dispute) -> Dispute:
        self._books.disputes[dispute.dispute_id] = dispute
        permission_id = dispute.charge_permission_id or self._books.charge(dispute.charge_id).charge_permission_id
        self._context.notify(ObjectType.CHARGEBACK, dispute.dispute_id, permission_id)
        return dispute
