"""The token with which a solution provider acts for a merchant. Source: Amazon Pay, "delegated authorization"."""

from pydantic import Field

from amazon_pay_client.models.wire import Decided, WireModel


class AuthorizationToken(WireModel):
    """A token for the header `x-amz-pay-authtoken`. A secret; `repr` does not show it."""

    authorization_token: Decided = Field(repr=False)
