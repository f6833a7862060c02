"""A buyer who signed in with Amazon. All of it is personal data: keep it out of logs and ids."""

from amazon_pay_client.models.common import Address
from amazon_pay_client.models.wire import WireModel


class Buyer(WireModel):
    """A buyer as Amazon Pay answers it; which fields are filled depends on the scopes that were asked for.

    Attributes:
        prime_membership_types: only for merchants on Amazon's allow-list.
    """

    buyer_id: str | None = None
    name: str | None = None
    email: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone_number: str | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    prime_membership_types: tuple[str, ...] | None = None
