"""The client of these examples, from the environment.

    AMAZON_PAY_PUBLIC_KEY_ID     as Seller Central shows it, such as SANDBOX-AEXAMPLE
    AMAZON_PAY_PRIVATE_KEY_PATH  the private key of the pair, a PEM file
    AMAZON_PAY_REGION            na (the default) or us, eu, de or uk, jp
    AMAZON_PAY_ORIGIN            a simulator's address instead of Amazon's, such as http://127.0.0.1:8600

`amazon-pay-simulator` prints the key id, and keeps the private key in its folder.
"""

import os
from pathlib import Path

from amazon_pay_client import AmazonPayClient, Retry


def client_from_environment() -> AmazonPayClient:
    """A client that repeats by itself what may be repeated.

    Raises:
        KeyError: a variable is not set.
        ValueError: a variable is wrong.
    """
    return AmazonPayClient(
        public_key_id=os.environ["AMAZON_PAY_PUBLIC_KEY_ID"],
        private_key=Path(os.environ["AMAZON_PAY_PRIVATE_KEY_PATH"]),
        region=os.environ.get("AMAZON_PAY_REGION", "na"),
        origin=os.environ.get("AMAZON_PAY_ORIGIN"),
        retry=Retry(),
        application="examples/1",
    )
