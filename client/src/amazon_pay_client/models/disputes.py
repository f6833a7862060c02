"""Disputes about a charge, and the evidence that a merchant brings. Source: Amazon Pay API v2, "dispute"; the values
of the enumerations are those of the official Java SDK. Creating and updating disputes is for payment service providers.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from amazon_pay_client.models.wire import Decided, EpochTimestamp, PositivePrice, Price, RequestModel, WireModel


class DisputeState(StrEnum):
    """States of a dispute."""

    UNDER_REVIEW = "UnderReview"
    ACTION_REQUIRED = "ActionRequired"
    RESOLVED = "Resolved"
    CLOSED = "Closed"


class DisputeReasonCode(StrEnum):
    """Why a dispute is in its state."""

    MERCHANT_RESPONSE_REQUIRED = "MerchantResponseRequired"
    MERCHANT_ADDITIONAL_EVIDENCES_REQUIRED = "MerchantAdditionalEvidencesRequired"
    BUYER_ADDITIONAL_EVIDENCES_REQUIRED = "BuyerAdditionalEvidencesRequired"
    MERCHANT_ACCEPTED_DISPUTE = "MerchantAcceptedDispute"
    MERCHANT_RESPONSE_DEADLINE_EXPIRED = "MerchantResponseDeadlineExpired"
    BUYER_CANCELLED = "BuyerCancelled"
    INVESTIGATOR_RESOLVED = "InvestigatorResolved"
    AUTO_RESOLVED = "AutoResolved"
    CHARGEBACK_FILED = "ChargebackFiled"


class DisputeResolution(StrEnum):
    """In whose favour it ended."""

    BUYER_WON = "BuyerWon"
    MERCHANT_WON = "MerchantWon"
    NO_FAULT = "NoFault"


class DisputeFilingReason(StrEnum):
    """Why the buyer filed it."""

    PRODUCT_NOT_RECEIVED = "ProductNotReceived"
    PRODUCT_UNACCEPTABLE = "ProductUnacceptable"
    PRODUCT_NO_LONGER_NEEDED = "ProductNoLongerNeeded"
    CREDIT_NOT_PROCESSED = "CreditNotProcessed"
    OVERCHARGED = "Overcharged"
    DUPLICATE_CHARGE = "DuplicateCharge"
    SUBSCRIPTION_CANCELLED = "SubscriptionCancelled"
    UNRECOGNIZED = "Unrecognized"
    FRAUDULENT = "Fraudulent"
    OTHER = "Other"


class EvidenceType(StrEnum):
    """What a piece of evidence is."""

    PRODUCT_DESCRIPTION = "ProductDescription"
    RECEIPT = "Receipt"
    CANCELLATION_POLICY = "CancellationPolicy"
    CUSTOMER_SIGNATURE = "CustomerSignature"
    TRACKING_NUMBER = "TrackingNumber"
    CARRIER_NAME = "CarrierName"
    DEVICE_ID = "DeviceId"
    DEVICE_NAME = "DeviceName"
    DOWNLOAD_DATE_TIME = "DownloadDateTime"
    OTHER = "Other"


class EvidenceFileType(StrEnum):
    """The formats of evidence files."""

    CSV = "csv"
    PDF = "pdf"
    XLS = "xls"
    XLSX = "xlsx"
    DOC = "doc"
    DOCX = "docx"
    ODS = "ods"
    JPG = "jpg"
    PNG = "png"


class FilePurpose(StrEnum):
    """What a file is for."""

    DISPUTE_EVIDENCE = "disputeEvidence"


class DisputeProviderMetadata(WireModel):
    """The provider's own id of a dispute."""

    provider_dispute_id: str | None = None


class DisputeStatusDetails(WireModel):
    """A dispute's state, why, and in whose favour it ended."""

    state: Annotated[DisputeState | Decided, Field(union_mode="left_to_right")]
    reason_code: Annotated[DisputeReasonCode | str, Field(union_mode="left_to_right")] | None = None
    reason_description: str | None = None
    resolution: Annotated[DisputeResolution | str, Field(union_mode="left_to_right")] | None = None
    last_updated_timestamp: EpochTimestamp | None = None


class CreateDisputeRequest(RequestModel):
    """The body of Create Dispute.

    Attributes:
        filing_timestamp: when the buyer filed it (UTC); Unix seconds on the wire.
        merchant_response_deadline: how long the merchant may contest it: 11 days for a chargeback, 7 for a claim.
    """

    charge_id: str
    provider_metadata: DisputeProviderMetadata
    dispute_amount: PositivePrice
    filing_reason: Annotated[DisputeFilingReason | str, Field(union_mode="left_to_right")]
    status_details: DisputeStatusDetails
    filing_timestamp: EpochTimestamp
    merchant_response_deadline: EpochTimestamp | None = None


class UpdateDisputeRequest(RequestModel):
    """The body of Update Dispute."""

    status_details: DisputeStatusDetails
    closure_timestamp: EpochTimestamp | None = None


class MerchantEvidence(WireModel):
    """One piece of evidence: a file that was uploaded before, a text, or both."""

    evidence_type: Annotated[EvidenceType | str, Field(union_mode="left_to_right")]
    file_id: str | None = None
    evidence_text: str | None = None


class ContestDisputeRequest(RequestModel):
    """The body of Contest Dispute."""

    merchant_evidences: Annotated[tuple[MerchantEvidence, ...], Field(min_length=1)]


class Dispute(WireModel):
    """A dispute as Amazon Pay answers it. It carries Unix seconds where other objects carry timestamps.

    Id and state are always there; for the rest see `Charge`.
    """

    dispute_id: Decided
    charge_id: str | None = None
    charge_permission_id: str | None = None
    provider_metadata: DisputeProviderMetadata | None = None
    dispute_type: str | None = None
    dispute_amount: Price | None = None
    filing_reason: Annotated[DisputeFilingReason | str, Field(union_mode="left_to_right")] | None = None
    status_details: DisputeStatusDetails
    creation_timestamp: EpochTimestamp | None = None
    filing_timestamp: EpochTimestamp | None = None
    merchant_response_deadline: EpochTimestamp | None = None
    closure_timestamp: EpochTimestamp | None = None
    merchant_evidences: tuple[MerchantEvidence, ...] | None = None
    release_environment: str | None = None


class UploadFileRequest(RequestModel):
    """The body of Upload File: it announces a file; the answer says where its content goes."""

    type: EvidenceFileType
    purpose: Annotated[FilePurpose | str, Field(union_mode="left_to_right")] = FilePurpose.DISPUTE_EVIDENCE


class UploadedFile(WireModel):
    """An announced file: its id for a piece of evidence, and the address to put its content to."""

    file_id: Decided
    type: str | None = None
    purpose: str | None = None
    url: str | None = None
