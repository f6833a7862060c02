"""Amazon Pay API v2 for Python: signing, typed models, an async client, errors, notifications.

It knows nothing of subscriptions and can be used on its own.
"""

from amazon_pay.client import AmazonPayClient
from amazon_pay.keys import PrivateKeyError, load_private_key
from amazon_pay.regions import Environment, Region
from amazon_pay.signing import Algorithm, SignatureAuth

__all__ = [
    "Algorithm",
    "AmazonPayClient",
    "Environment",
    "PrivateKeyError",
    "Region",
    "SignatureAuth",
    "load_private_key",
]
