"""A charge: one authorization, and capture, against a charge permission."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from amazon_pay_client.models.checkout_sessions import WebCheckoutDetails
from amazon_pay_client.models.common import (
    AnsweredMetadata,
    AnsweredProviderMetadata,
    MerchantMetadata,
    ProviderMetadata,
    StatusDetails,
)
from amazon_pay_client.models.wire import Amount, Decided, PositivePrice, Price, RequestModel, Timestamp, WireModel


class ChargeState(StrEnum):
    """States of a charge. Source: Amazon Pay API v2, "charge"."""

    AUTHORIZATION_INITIATED = "AuthorizationInitiated"
    AUTHORIZED = "Authorized"
    CAPTURE_INITIATED = "CaptureInitiated"
    CAPTURED = "Captured"
    CANCELED = "Canceled"
    DECLINED = "Declined"


class ChargeInitiator(StrEnum):
    """Who initiates a charge: customer (C) or merchant (M), unscheduled (U) or recurring (R)."""

    CITU = "CITU"
    MITU = "MITU"
    CITR = "CITR"
    MITR = "MITR"


class Channel(StrEnum):
    """Where the buyer met the merchant."""

    WEB = "Web"
    PHONE = "Phone"
    APP = "App"
    ALEXA = "Alexa"
    POINT_OF_SALE = "PointOfSale"
    FIRE_TV = "FireTv"
    OFFLINE = "Offline"
    AMAZON = "Amazon"


class ResultPage(WireModel):
    """Where the buyer comes back to after a charge that needs them; Saved Wallet permissions only."""

    checkout_result_return_url: str | None = None


class ChargeStatusDetails(StatusDetails):
    """A charge's state and why. A state that is not listed stays a plain string."""

    state: Annotated[ChargeState | Decided, Field(union_mode="left_to_right")]


class CreateChargeRequest(RequestModel):
    """The body of Create Charge.

    Attributes:
        charge_amount: at most 150,000 USD, GBP or EUR, or 10,000,000 JPY; a recurring permission also has a limit
            for each calendar month.
        capture_now: capture at once; otherwise capture within 30 days.
        soft_descriptor: at most 16 characters on the buyer's statement; only with `capture_now`.
        can_handle_pending_authorization: let Amazon take up to 24 hours; the answer may be pending.
        charge_initiator: Saved Wallet permissions only, as `channel` and `web_checkout_details`.
    """

    charge_permission_id: str
    charge_amount: PositivePrice
    capture_now: bool = False
    soft_descriptor: Annotated[str, StringConstraints(max_length=16)] | None = None
    can_handle_pending_authorization: bool = False
    merchant_metadata: MerchantMetadata | None = None
    provider_metadata: ProviderMetadata | None = None
    platform_id: str | None = None
    charge_initiator: Annotated[ChargeInitiator | str, Field(union_mode="left_to_right")] | None = None
    channel: Annotated[Channel | str, Field(union_mode="left_to_right")] | None = None
    web_checkout_details: ResultPage | None = None

    @model_validator(mode="after")
    def _soft_descriptor_needs_capture(self) -> Self:
        if self.soft_descriptor is not None and not self.capture_now:
            raise ValueError("softDescriptor: is accepted only together with captureNow=true")
        return self


class UpdatedChargeStatus(RequestModel):
    """The state that a payment service provider tells Amazon, and why."""

    state: Annotated[ChargeState | str, Field(union_mode="left_to_right")]
    reason_code: str | None = None
    reason_description: str | None = None


class UpdateChargeRequest(RequestModel):
    """The body of Update Charge, for payment service providers only."""

    status_details: UpdatedChargeStatus


class CaptureChargeRequest(RequestModel):
    """The body of Capture Charge.

    Attributes:
        capture_amount: all of the authorized amount or a part; within 7 days it is answered at once, later the
            charge is CaptureInitiated first, and after 30 days the authorization has expired.
        soft_descriptor: at most 16 characters on the buyer's statement.
    """

    capture_amount: PositivePrice
    soft_descriptor: Annotated[str, StringConstraints(max_length=16)] | None = None


class CancelChargeRequest(RequestModel):
    """The body of Cancel Charge: for charges that are pending or authorized."""

    cancellation_reason: Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Charge(WireModel):
    """A charge as Amazon Pay answers it. Its id cannot be derived from the charge permission's id.

    Id and state are always there, as they decide. Everything else is None where Amazon leaves it out, and where it has
    a form that cannot be read: see `unread`.

    Attributes:
        converted_amount: in the merchant's own currency, where the buyer paid in another; without its currency where
            Amazon's answer names none. Amazon's guide shows a text there, the official .NET SDK a price.
        conversion_rate: from the one to the other.
        capture_now: as it was asked for; rarely answered, as `can_handle_pending_authorization`.
    """

    charge_id: Decided
    charge_amount: Price | None = None
    charge_permission_id: str | None = None
    capture_amount: Price | None = None
    refunded_amount: Price | None = None
    soft_descriptor: str | None = None
    provider_metadata: AnsweredProviderMetadata | None = None
    converted_amount: Price | Amount | None = None
    conversion_rate: Amount | None = None
    capture_now: bool | None = None
    can_handle_pending_authorization: bool | None = None
    channel: str | None = None
    charge_initiator: str | None = None
    status_details: ChargeStatusDetails
    creation_timestamp: Timestamp | None = None
    expiration_timestamp: Timestamp | None = None
    release_environment: str | None = None
    merchant_metadata: AnsweredMetadata | None = None
    platform_id: str | None = None
    web_checkout_details: WebCheckoutDetails | None = None
