"""Writes a page with an Amazon Pay button for a monthly subscription; nothing is sent.

    python examples/client/button.py > button.html

The payload is written once and signed; the page carries exactly these bytes. Before the page works, put in your
merchant id, the store id, and addresses that are registered for the store in Seller Central.
"""

import asyncio
import sys
from decimal import Decimal

from account import client_from_environment

from amazon_pay_client.models import (
    ChargePermissionType,
    CreateCheckoutSessionRequest,
    Currency,
    Frequency,
    PaymentDetails,
    PaymentIntent,
    Price,
    ProductType,
    RecurringMetadata,
    WebCheckoutDetails,
)

MONTHLY = Price(amount=Decimal("9.99"), currency_code=Currency.USD)
SUBSCRIPTION = CreateCheckoutSessionRequest(
    web_checkout_details=WebCheckoutDetails(
        checkout_review_return_url="https://example.com/review",
        checkout_result_return_url="https://example.com/thanks",
    ),
    store_id="amzn1.application-oa2-client.example",
    scopes=("name", "email"),
    charge_permission_type=ChargePermissionType.RECURRING,
    recurring_metadata=RecurringMetadata(frequency=Frequency(unit="Month", value="1"), amount=MONTHLY),
    payment_details=PaymentDetails(payment_intent=PaymentIntent.AUTHORIZE_WITH_CAPTURE, charge_amount=MONTHLY),
)
PAGE = """<!doctype html>
<div id="AmazonPayButton"></div>
<script src="https://static-na.payments-amazon.com/checkout.js"></script>
<script>
  amazon.Pay.renderButton("#AmazonPayButton", {{
    merchantId: "your merchant id",
    ledgerCurrency: "{currency}",
    productType: "{product}",
    placement: "Checkout",
    buttonColor: "Gold",
    createCheckoutSessionConfig: {config}
  }});
</script>
"""


async def page() -> str:
    """The page."""
    async with client_from_environment() as client:
        signed = client.button_signature(SUBSCRIPTION)
    return PAGE.format(
        currency=MONTHLY.currency_code, product=ProductType.PAY_ONLY.value, config=signed.to_javascript()
    )


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(page()))
