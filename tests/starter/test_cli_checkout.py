"""`perennial plan checkout --sign`: the button's settings, as somebody puts them into a page."""

import json
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from amazon_pay_client.signing import Algorithm, verify
from tests.starter.command_line import typed
from tests.starter.key_material import RSA_PEM

PLAN: Final = Path(__file__).parents[2] / "examples" / "plans" / "coffee-with-texts.toml"
KEYS: Final = {
    "PERENNIAL_MERCHANT_ID": "A1COFFEE",
    "PERENNIAL_PUBLIC_KEY_ID": "SANDBOX-COFFEE",
    "PERENNIAL_PRIVATE_KEY": RSA_PEM,
    "PERENNIAL_REGION": "eu",
}
SHOP: Final = ("--store-id", "amzn1.application-oa2-client.5", "--result-url", "https://coffee.example/thanks")


async def test_a_button_is_printed_whose_payload_is_signed() -> None:
    said = await typed("plan", "checkout", str(PLAN), "--sign", *SHOP, "--reference", "order-9", **KEYS)

    assert (said.code, said.err) == (0, "")
    assert said.data["script"] == "https://static-eu.payments-amazon.com/checkout.js"
    assert said.data["checkout_amount"] == {"amount": "19.90", "currency": "EUR"}
    button = said.data["button"]
    assert (button["merchantId"], button["ledgerCurrency"], button["sandbox"]) == ("A1COFFEE", "EUR", True)
    config, key = button["createCheckoutSessionConfig"], load_pem_private_key(RSA_PEM.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    assert config["algorithm"] == Algorithm.V2.wire_name
    assert verify(key.public_key(), Algorithm.V2, config["payloadJSON"], config["signature"])
    payload = json.loads(config["payloadJSON"])
    assert payload["merchantMetadata"]["merchantStoreName"] == "The Coffee Club"
    assert payload["merchantMetadata"]["merchantReferenceId"] == "order-9"


async def test_a_checkout_that_charges_says_so_in_the_payload() -> None:
    said = await typed("plan", "checkout", str(PLAN), "--sign", *SHOP, "--first-charge", "checkout", **KEYS)

    details = json.loads(said.data["button"]["createCheckoutSessionConfig"]["payloadJSON"])["paymentDetails"]
    assert (details["paymentIntent"], details["softDescriptor"]) == ("AuthorizeWithCapture", "COFFEE 1")


@pytest.mark.parametrize(
    ("options", "environment", "named"),
    [
        (("--store-id", "a"), KEYS, "--result-url: must be given"),
        (("--result-url", "https://coffee.example"), KEYS, "--store-id: must be given"),
        ((*SHOP, "--first-charge", "nobody"), KEYS, "--first-charge"),
        ((*SHOP, "--review-url", "coffee"), KEYS, "--review-url: 'coffee' is not accepted"),
        ((*SHOP, "--product-type", "PayAndShip"), KEYS, "--review-url: it must be given"),
        ((*SHOP, "--ledger-currency", "USD"), KEYS, "--ledger-currency: 'USD' is not accepted"),
        (SHOP, KEYS | {"PERENNIAL_REGION": "na"}, "FILE: EUR is not accepted"),
        (SHOP, {name: value for name, value in KEYS.items() if "MERCHANT" not in name}, "PERENNIAL_MERCHANT_ID"),
        (SHOP, {name: value for name, value in KEYS.items() if "PRIVATE" not in name}, "PERENNIAL_PRIVATE_KEY_PATH"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_missing_or_wrong_is_named_as_it_was_typed(
    options: tuple[str, ...], environment: dict[str, str], named: str
) -> None:
    said = await typed("plan", "checkout", str(PLAN), "--sign", *options, **environment)

    assert said.code == 2
    assert named in said.trouble
