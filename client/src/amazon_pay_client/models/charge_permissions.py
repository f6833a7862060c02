"""A charge permission: the buyer's agreement that the merchant may charge."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from amazon_pay_client.models.common import Address, AnsweredMetadata, MerchantMetadata
from amazon_pay_client.models.wire import Decided, Price, RequestModel, Timestamp, WireModel


class ChargePermissionState(StrEnum):
    """States of a charge permission. Source: Amazon Pay API v2, "charge permission"."""

    CHARGEABLE = "Chargeable"
    NON_CHARGEABLE = "NonChargeable"
    CLOSED = "Closed"


class ChargePermissionType(StrEnum):
    """What a permission was given for."""

    ONE_TIME = "OneTime"
    RECURRING = "Recurring"
    PAYMENT_METHOD_ON_FILE = "PaymentMethodOnFile"


class Reason(WireModel):
    """One reason of a permission's state; an open set of codes."""

    reason_code: str
    reason_description: str | None = None


class ChargePermissionStatusDetails(WireModel):
    """A permission's state. Unlike a charge's, it can have several reasons."""

    state: Annotated[ChargePermissionState | Decided, Field(union_mode="left_to_right")]
    reasons: tuple[Reason, ...] | None = None
    last_updated_timestamp: Timestamp | None = None


class FrequencyUnit(StrEnum):
    """What a frequency counts in."""

    YEAR = "Year"
    MONTH = "Month"
    WEEK = "Week"
    DAY = "Day"
    VARIABLE = "Variable"


def _as_text(value: object) -> object:
    """Amazon's .NET SDK sends a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Frequency(WireModel):
    """How often the merchant means to charge; `value` is a string on the wire, "0" when the unit is Variable."""

    unit: Annotated[FrequencyUnit | str, Field(union_mode="left_to_right")]
    value: Annotated[str, BeforeValidator(_as_text)]


class RecurringMetadata(WireModel):
    """What the buyer is told about a recurring permission. Amazon never charges by itself."""

    frequency: Frequency
    amount: Price | None = None


class Limits(WireModel):
    """The limit of one calendar month and what is left of it."""

    amount_limit: Price | None = None
    amount_balance: Price | None = None


class PermissionBuyer(WireModel):
    """Who approved the permission. Null 30 days after it closed; personal data, so keep it out of logs."""

    buyer_id: str | None = None
    name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    prime_membership_types: tuple[str, ...] | None = None


class PaymentPreference(WireModel):
    """The payment method in words, such as a card's brand and last digits."""

    payment_descriptor: str | None = None


class PaymentMethodOnFileMetadata(WireModel):
    """Of a Saved Wallet permission."""

    setup_only: bool | None = None


class UpdateChargePermissionRequest(RequestModel):
    """The body of Update Charge Permission; what is not named stays as it is. Not while it is closed."""

    merchant_metadata: MerchantMetadata | None = None
    recurring_metadata: RecurringMetadata | None = None


class CloseChargePermissionRequest(RequestModel):
    """The body of Close Charge Permission.

    Attributes:
        closure_reason: at most 255 characters.
        cancel_pending_charges: also cancel charges that are pending or authorized.
    """

    closure_reason: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    cancel_pending_charges: bool = False


class ChargePermission(WireModel):
    """A charge permission as Amazon Pay answers it.

    Buyer details and addresses are null 30 days after it closed.

    Attributes:
        charge_permission_type: None where Amazon does not say; it does so of every permission since there are several
            types.
    """

    charge_permission_id: Decided
    charge_permission_reference_id: str | None = None
    platform_id: str | None = None
    buyer: PermissionBuyer | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    payment_preferences: tuple[PaymentPreference | None, ...] | None = None
    status_details: ChargePermissionStatusDetails
    creation_timestamp: Timestamp | None = None
    expiration_timestamp: Timestamp | None = None
    merchant_metadata: AnsweredMetadata | None = None
    release_environment: str | None = None
    limits: Limits | None = None
    charge_permission_type: Annotated[ChargePermissionType | str, Field(union_mode="left_to_right")] | None = None
    recurring_metadata: RecurringMetadata | None = None
    payment_method_on_file_metadata: PaymentMethodOnFileMetadata | None = None
    presentment_currency: str | None = None
