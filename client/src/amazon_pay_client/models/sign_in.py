"""Sign-in without a checkout: the payload of a button of the product type SignIn. It is never sent to the API."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from amazon_pay_client.models.wire import RequestModel


class SignInScope(StrEnum):
    """What is asked of the buyer. Source: the official .NET SDK's list."""

    NAME = "name"
    EMAIL = "email"
    POSTAL_CODE = "postalCode"
    SHIPPING_ADDRESS = "shippingAddress"
    PHONE_NUMBER = "phoneNumber"
    PRIME_STATUS = "primeStatus"
    BILLING_ADDRESS = "billingAddress"


class SignInRequest(RequestModel):
    """A sign-in button's payload; the buyer comes back with a `buyerToken`.

    Attributes:
        sign_in_return_url: must be registered for the store in Seller Central.
        store_id: the store's client id, `amzn1.application-oa2-client...`.
        sign_in_scopes: Amazon's default is name, email and buyer id.
        sign_in_cancel_url: where the buyer comes back to after leaving; only some regions know it.
    """

    sign_in_return_url: str
    store_id: str
    sign_in_scopes: tuple[Annotated[SignInScope | str, Field(union_mode="left_to_right")], ...] | None = None
    sign_in_cancel_url: str | None = None
