"""A checkout session: from the button to the buyer's approval. Source: Amazon Pay API v2, "checkout session".

A session lives for 24 hours and is deleted after 30 days. Completing it gives the charge permission.
"""

import json
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from amazon_pay_client.models.charge_permissions import (
    ChargePermissionType,
    PaymentMethodOnFileMetadata,
    PaymentPreference,
    RecurringMetadata,
)
from amazon_pay_client.models.common import (
    Address,
    AnsweredMetadata,
    AnsweredProviderMetadata,
    MerchantMetadata,
    ProviderMetadata,
    StatusDetails,
)
from amazon_pay_client.models.wire import Decided, PositivePrice, Price, RequestModel, Timestamp, WireModel


class CheckoutSessionState(StrEnum):
    """States of a checkout session. A completed one cannot be used again."""

    OPEN = "Open"
    COMPLETED = "Completed"
    CANCELED = "Canceled"


class PaymentIntent(StrEnum):
    """What happens when the session completes."""

    CONFIRM = "Confirm"
    """The charge permission is made, and nothing is charged: a free trial."""
    AUTHORIZE = "Authorize"
    AUTHORIZE_WITH_CAPTURE = "AuthorizeWithCapture"


class ProductType(StrEnum):
    """Whether a shipping address is needed."""

    PAY_AND_SHIP = "PayAndShip"
    PAY_ONLY = "PayOnly"
    PAY_AND_SHIP_MULTI_ADDRESS = "PayAndShipMultiAddress"


class CheckoutMode(StrEnum):
    """Whether the buyer comes back to the merchant for a review before paying."""

    PROCESS_ORDER = "ProcessOrder"


class WebCheckoutDetails(WireModel):
    """The addresses that the buyer is sent to.

    Attributes:
        amazon_pay_redirect_url: Amazon's page on which the buyer pays; answered once the session lacks nothing.
    """

    checkout_review_return_url: str | None = None
    checkout_result_return_url: str | None = None
    checkout_cancel_url: str | None = None
    amazon_pay_redirect_url: str | None = None
    checkout_mode: Annotated[CheckoutMode | str, Field(union_mode="left_to_right")] | None = None


class PaymentDetails(RequestModel):
    """What is to be paid.

    Attributes:
        soft_descriptor: at most 16 characters on the buyer's statement.
        can_handle_pending_authorization: let Amazon take up to 24 hours; with `Authorize` only.
    """

    payment_intent: Annotated[PaymentIntent | str, Field(union_mode="left_to_right")] | None = None
    can_handle_pending_authorization: bool | None = None
    charge_amount: PositivePrice | None = None
    total_order_amount: PositivePrice | None = None
    soft_descriptor: Annotated[str, StringConstraints(max_length=16)] | None = None
    presentment_currency: str | None = None
    allow_overcharge: bool | None = None
    extend_expiration: bool | None = None
    estimate_order_total: PositivePrice | None = None


class AnsweredPaymentDetails(WireModel):
    """What is to be paid, as Amazon answers it: whatever it holds is taken."""

    payment_intent: Annotated[PaymentIntent | str, Field(union_mode="left_to_right")] | None = None
    can_handle_pending_authorization: bool | None = None
    charge_amount: Price | None = None
    total_order_amount: Price | None = None
    soft_descriptor: str | None = None
    presentment_currency: str | None = None
    allow_overcharge: bool | None = None
    extend_expiration: bool | None = None
    estimate_order_total: Price | None = None


class CheckoutScope(StrEnum):
    """What is asked of the buyer at a checkout. Source: the official .NET SDK's list, as of the two that follow."""

    NAME = "name"
    EMAIL = "email"
    POSTAL_CODE = "postalCode"
    SHIPPING_ADDRESS = "shippingAddress"
    PHONE_NUMBER = "phoneNumber"
    PRIME_STATUS = "primeStatus"
    BILLING_ADDRESS = "billingAddress"


class RestrictionType(StrEnum):
    """Whether the countries that are named are the only ones, or all others are."""

    ALLOWED = "Allowed"
    NOT_ALLOWED = "NotAllowed"


class SpecialRestriction(StrEnum):
    """Addresses to which nothing is shipped."""

    PO_BOXES = "RestrictPOBoxes"
    PACKSTATIONS = "RestrictPackstations"


class Restriction(WireModel):
    """Which parts of a country are meant; empty for all of it."""

    states_or_regions: tuple[str, ...] | None = None
    zip_codes: tuple[str, ...] | None = None


class AddressRestrictions(WireModel):
    """Where can be shipped to: `Allowed` or `NotAllowed`, and the countries by their codes."""

    type: Annotated[RestrictionType | str, Field(union_mode="left_to_right")]
    restrictions: dict[str, Restriction] = Field(default_factory=dict)


class DeliverySpecifications(WireModel):
    """Which addresses the buyer may choose."""

    special_restrictions: tuple[Annotated[SpecialRestriction | str, Field(union_mode="left_to_right")], ...] | None = (
        None
    )
    address_restrictions: AddressRestrictions | None = None


class AddressPrice(WireModel):
    """What is shipped to one of several addresses."""

    address_id: str | None = None
    price: Price | None = None


class AddressDetails(Address):
    """Where the merchant's own page ships to. A button's payload has one field for district and county."""

    district_or_county: str | None = None


class CartDetails(WireModel):
    """What the buyer's cart holds, for checkouts that show it. Kept open: its parts differ by product."""


class CreateCheckoutSessionRequest(RequestModel):
    """The body of Create Checkout Session, and of a button's payload.

    Attributes:
        store_id: the store's client id, `amzn1.application-oa2-client...`.
        recurring_metadata: with `charge_permission_type=RECURRING`; the shortest cycle where there are several.
        supplementary_data: a JSON text, by agreement with Amazon.
    """

    web_checkout_details: WebCheckoutDetails
    store_id: str
    scopes: tuple[Annotated[CheckoutScope | str, Field(union_mode="left_to_right")], ...] | None = None
    product_type: Annotated[ProductType | str, Field(union_mode="left_to_right")] | None = None
    delivery_specifications: DeliverySpecifications | None = None
    address_details: AddressDetails | None = None
    payment_details: PaymentDetails | None = None
    merchant_metadata: MerchantMetadata | None = None
    supplementary_data: str | None = None
    platform_id: str | None = None
    provider_metadata: ProviderMetadata | None = None
    charge_permission_type: Annotated[ChargePermissionType | str, Field(union_mode="left_to_right")] | None = None
    recurring_metadata: RecurringMetadata | None = None
    payment_method_on_file_metadata: PaymentMethodOnFileMetadata | None = None
    charge_permission_id: str | None = None
    cart_details: CartDetails | None = None
    multi_addresses_checkout_metadata: tuple[AddressPrice, ...] | None = None
    checkout_button_text: str | None = None


class UpdateCheckoutSessionRequest(RequestModel):
    """The body of Update Checkout Session; what is not named stays as it is."""

    web_checkout_details: WebCheckoutDetails | None = None
    payment_details: PaymentDetails | None = None
    merchant_metadata: MerchantMetadata | None = None
    supplementary_data: str | None = None
    platform_id: str | None = None
    provider_metadata: ProviderMetadata | None = None
    charge_permission_type: Annotated[ChargePermissionType | str, Field(union_mode="left_to_right")] | None = None
    recurring_metadata: RecurringMetadata | None = None
    payment_method_on_file_metadata: PaymentMethodOnFileMetadata | None = None
    multi_addresses_checkout_metadata: tuple[AddressPrice, ...] | None = None


class CompleteCheckoutSessionRequest(RequestModel):
    """The body of Complete Checkout Session.

    Attributes:
        charge_amount: must equal the session's, or Amazon answers 409 AmountMismatch. None for a Saved Wallet that is
            only set up (`setup_only`), where nothing is charged and Amazon asks for no amount.
    """

    charge_amount: PositivePrice | None = None
    total_order_amount: PositivePrice | None = None


class FinalizeCheckoutSessionRequest(RequestModel):
    """The body of Finalize Checkout Session, for checkouts that the merchant's own page completes."""

    payment_intent: Annotated[PaymentIntent | str, Field(union_mode="left_to_right")]
    can_handle_pending_authorization: bool | None = None
    supplementary_data: str | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    charge_amount: PositivePrice | None = None
    total_order_amount: PositivePrice | None = None


class CheckoutSessionStatusDetails(StatusDetails):
    """A session's state and why. A state that is not listed stays a plain string."""

    state: Annotated[CheckoutSessionState | Decided, Field(union_mode="left_to_right")]


class Constraint(WireModel):
    """Something that the session still lacks, such as `ChargeAmountNotSet`."""

    constraint_id: str
    description: str | None = None


class SessionBuyer(WireModel):
    """The buyer of a session. Personal data."""

    buyer_id: str | None = None
    name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    prime_membership_types: tuple[str, ...] | None = None


class AddressWithId(Address):
    """One of several shipping addresses."""

    address_id: str | None = None


def _read_json_text(value: Any) -> Any:  # Any: what Amazon sends, before it is checked
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except RecursionError:
        raise ValueError("the JSON text is nested too deeply") from None


ListedAddress = Annotated[AddressWithId, BeforeValidator(_read_json_text)]
"""An item of `shippingAddressList`: a JSON text inside the JSON."""


class CheckoutSession(WireModel):
    """A checkout session as Amazon Pay answers it."""

    checkout_session_id: Decided
    web_checkout_details: WebCheckoutDetails | None = None
    product_type: Annotated[ProductType | str, Field(union_mode="left_to_right")] | None = None
    payment_details: AnsweredPaymentDetails | None = None
    cart_details: CartDetails | None = None
    charge_permission_type: Annotated[ChargePermissionType | str, Field(union_mode="left_to_right")] | None = None
    order_type: str | None = None
    recurring_metadata: RecurringMetadata | None = None
    payment_method_on_file_metadata: PaymentMethodOnFileMetadata | None = None
    merchant_metadata: AnsweredMetadata | None = None
    supplementary_data: str | None = None
    buyer: SessionBuyer | None = None
    billing_address: Address | None = None
    payment_preferences: tuple[PaymentPreference | None, ...] | None = None
    status_details: CheckoutSessionStatusDetails
    shipping_address: Address | None = None
    # Amazon leaves it out where there is none, and its .NET SDK cannot read a null there.
    shipping_address_list: Annotated[
        tuple[ListedAddress, ...] | None, Field(exclude_if=lambda listed: listed is None)
    ] = None
    platform_id: str | None = None
    charge_permission_id: str | None = None
    charge_id: str | None = None
    constraints: tuple[Constraint, ...] | None = None
    creation_timestamp: Timestamp | None = None
    expiration_timestamp: Timestamp | None = None
    store_id: str | None = None
    provider_metadata: AnsweredProviderMetadata | None = None
    release_environment: str | None = None
    checkout_button_text: str | None = None
    delivery_specifications: DeliverySpecifications | None = None
    multi_addresses_checkout_metadata: tuple[AddressPrice, ...] | None = None
