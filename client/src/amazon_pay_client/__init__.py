"""Amazon Pay API v2 for Python: signing, typed models, an async client, errors, notifications.

It knows nothing of subscriptions and can be used on its own.

Owns: how Amazon Pay is spoken to, and which failures leave the outcome unknown. Does not decide: which idempotency key
a call has, and whether it is made again beyond what is safe for every call.
"""

from amazon_pay_client.button import SignedPayload
from amazon_pay_client.client import AmazonPayClient
from amazon_pay_client.keys import PrivateKeyError, load_private_key
from amazon_pay_client.regions import Environment, Region
from amazon_pay_client.resources.checkout_sessions import CompletedCheckout
from amazon_pay_client.resources.merchant_accounts import ClaimedAccount
from amazon_pay_client.retry import Retry
from amazon_pay_client.signing import Algorithm, SignatureAuth
from amazon_pay_client.time_limits import TimeLimits

__all__ = [
    "Algorithm",
    "AmazonPayClient",
    "ClaimedAccount",
    "CompletedCheckout",
    "Environment",
    "PrivateKeyError",
    "Region",
    "Retry",
    "SignatureAuth",
    "SignedPayload",
    "TimeLimits",
    "load_private_key",
]
