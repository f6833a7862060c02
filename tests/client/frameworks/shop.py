"""What the applications of these tests have in common: their clients, made once by an import, and a charge."""

import atexit
import os
from decimal import Decimal
from typing import Any, Final

from amazon_pay_client import AmazonPayClient, SyncAmazonPayClient
from amazon_pay_client.models import CreateChargeRequest, Currency, Price

OPTIONS: Final[dict[str, Any]] = {
    "public_key_id": os.environ["AMAZON_PAY_PUBLIC_KEY_ID"],
    "private_key": os.environ["AMAZON_PAY_PRIVATE_KEY_PATH"],
    "region": "us",
    "origin": os.environ["AMAZON_PAY_ORIGIN"],
}
AWAITED: Final = AmazonPayClient(**OPTIONS)
BLOCKING: Final = SyncAmazonPayClient(**OPTIONS)
atexit.register(BLOCKING.close)
REQUEST: Final = CreateChargeRequest(
    charge_permission_id=os.environ["CHARGE_PERMISSION_ID"],
    charge_amount=Price(amount=Decimal("1.25"), currency_code=Currency.USD),
    capture_now=True,
)


async def charge_awaited(key: str) -> str:
    """The id of the charge."""
    return (await AWAITED.charges.create(REQUEST, idempotency_key=key)).charge_id


def charge_blocking(key: str) -> str:
    """The id of the charge."""
    return BLOCKING.charges.create(REQUEST, idempotency_key=key).charge_id
