"""Parts that several objects share."""

from typing import Annotated

from pydantic import StringConstraints

from amazon_pay_client.models.wire import Decided, RequestModel, Timestamp, WireModel


class AnsweredMetadata(WireModel):
    """The merchant's metadata as Amazon answers it: whatever it holds is taken."""

    merchant_reference_id: str | None = None
    merchant_store_name: str | None = None
    note_to_buyer: str | None = None
    custom_information: str | None = None


class MerchantMetadata(RequestModel):
    """What the merchant attaches to a new object. Limits: Amazon Pay API v2, "merchantMetadata"."""

    merchant_reference_id: Annotated[str, StringConstraints(max_length=256)] | None = None
    merchant_store_name: Annotated[str, StringConstraints(max_length=50)] | None = None
    note_to_buyer: Annotated[str, StringConstraints(max_length=255)] | None = None
    custom_information: Annotated[str, StringConstraints(max_length=4096)] | None = None


class AnsweredProviderMetadata(WireModel):
    """A payment service provider's reference as Amazon answers it."""

    provider_reference_id: str | None = None


class ProviderMetadata(RequestModel):
    """For payment service providers: their own reference, at most 256 characters."""

    provider_reference_id: Annotated[str, StringConstraints(max_length=256)] | None = None


class Address(WireModel):
    """A postal address. Which lines are filled differs by country."""

    name: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    address_line3: str | None = None
    city: str | None = None
    county: str | None = None
    district: str | None = None
    state_or_region: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone_number: str | None = None


class StatusDetails(WireModel):
    """State of a checkout session, charge or refund: one reasonCode at the most."""

    state: Decided
    reason_code: str | None = None
    reason_description: str | None = None
    last_updated_timestamp: Timestamp | None = None
