"""Merchant accounts and their stores, for solution providers who bring merchants to Amazon Pay.

Only providers whom Amazon has admitted may use them. Source: Amazon Pay, "merchant onboarding and account management
APIs"; the official SDKs' examples.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from amazon_pay_client.models.wire import Decided, Price, RequestModel, WireModel


class LedgerCurrency(StrEnum):
    """The currencies that an account can be kept in. Source: the official .NET SDK's list."""

    EUR = "EUR"
    GBP = "GBP"
    JPY = "JPY"
    USD = "USD"


class BusinessType(StrEnum):
    """Who the merchant is in law."""

    CORPORATE = "CORPORATE"
    INDIVIDUAL = "INDIVIDUAL"


class AccountPhoneNumber(RequestModel):
    """A phone number; the country's code is its calling code, such as "81"."""

    country_code: str
    number: str
    extension: str | None = None


class AccountAddress(RequestModel):
    """An address of a business or a person."""

    address_line1: str | None = None
    address_line2: str | None = None
    city: str | None = None
    state_or_region: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone_number: AccountPhoneNumber | None = None


class CustomerSupportInformation(RequestModel):
    """How buyers reach the merchant."""

    customer_support_email: str | None = None
    customer_support_phone_number: AccountPhoneNumber | None = None


class BusinessInfo(RequestModel):
    """The business behind an account.

    Attributes:
        country_of_establishment: the country's two letters.
        annual_sales_volume: an estimate.
    """

    email: str | None = None
    business_type: Annotated[BusinessType | str, Field(union_mode="left_to_right")] | None = None
    business_legal_name: str | None = None
    business_display_name: str | None = None
    business_category: str | None = None
    business_address: AccountAddress | None = None
    annual_sales_volume: Price | None = None
    country_of_establishment: str | None = None
    customer_support_information: CustomerSupportInformation | None = None


class Person(RequestModel):
    """A person who owns the business or speaks for it. Personal data.

    Attributes:
        date_of_birth: as Amazon's guide for the account's region writes it.
    """

    person_full_name: str
    residential_address: AccountAddress | None = None
    date_of_birth: str | None = None


class IntegrationInfo(RequestModel):
    """Where Amazon sends the merchant's notifications."""

    ipn_endpoint_urls: tuple[str, ...] | None = None


class StoreStatus(RequestModel):
    """Whether a store is in use, by the provider's word."""

    state: str
    reason_code: str | None = None


class AccountStore(RequestModel):
    """A store that comes with a new account."""

    store_name: str | None = None
    domain_urls: tuple[str, ...] | None = None
    privacy_policy_url: str | None = None
    store_status: StoreStatus | None = None


class MerchantStatus(RequestModel):
    """Whether the merchant is in business, by the provider's word."""

    status_provider: str | None = None
    state: str
    reason_code: str | None = None


class CreateMerchantAccountRequest(RequestModel):
    """The body of Create Merchant Account.

    Attributes:
        unique_reference_id: the provider's own id of the merchant; the same for Claim Merchant Account.
    """

    unique_reference_id: Annotated[str, StringConstraints(min_length=1)]
    ledger_currency: Annotated[LedgerCurrency | str, Field(union_mode="left_to_right")] | None = None
    business_info: BusinessInfo | None = None
    beneficiary_owners: tuple[Person, ...] | None = None
    primary_contact_person: Person | None = None
    integration_info: IntegrationInfo | None = None
    stores: tuple[AccountStore, ...] | None = None
    merchant_status: MerchantStatus | None = None


class UpdateMerchantAccountRequest(RequestModel):
    """The body of Update Merchant Account; what would make it another legal entity cannot be changed."""

    business_info: BusinessInfo | None = None
    beneficiary_owners: tuple[Person, ...] | None = None
    primary_contact_person: Person | None = None
    integration_info: IntegrationInfo | None = None
    stores: tuple[AccountStore, ...] | None = None
    merchant_status: MerchantStatus | None = None


class ClaimMerchantAccountRequest(RequestModel):
    """The body of Claim Merchant Account."""

    unique_reference_id: Annotated[str, StringConstraints(min_length=1)]


class MerchantAccount(WireModel):
    """A merchant account as Amazon Pay answers it.

    Attributes:
        authorization_token: lets the provider act for the merchant, as the header `x-amz-pay-authtoken`. A secret;
            `repr` does not show it.
    """

    merchant_account_id: Decided
    unique_reference_id: str | None = None
    authorization_token: str | None = Field(default=None, repr=False)


class _StoreSettings(RequestModel):
    """What a store is set up with; Create Store and Update Store take the same."""

    store_name: str | None = None
    allowed_origin_domains: tuple[str, ...] | None = None
    allowed_redirect_urls: tuple[str, ...] | None = Field(default=None, alias="allowedRedirectURLs")
    privacy_policy_url: str | None = None
    merchant_logo_url: str | None = None


class CreateStoreRequest(_StoreSettings):
    """The body of Create Store."""


class UpdateStoreRequest(_StoreSettings):
    """The body of Update Store; what is not named stays as it is."""


class Store(WireModel):
    """A store as Amazon Pay answers it. `store_id` is the client id that checkout sessions need."""

    store_id: Decided
    store_name: str | None = None
    allowed_origin_domains: tuple[str, ...] | None = None
    allowed_redirect_urls: tuple[str, ...] | None = Field(default=None, alias="allowedRedirectURLs")
    privacy_policy_url: str | None = None
    merchant_logo_url: str | None = None
