"""Amazon Pay API v2 for Python: signing, typed models, clients that are awaited or block, errors, notifications.

It knows nothing of subscriptions and can be used on its own.

Owns: how Amazon Pay is spoken to, and which failures leave the outcome unknown. Does not decide: which idempotency key
a call has, and whether it is made again beyond what is safe for every call.
"""

from amazon_pay_client.answers import JsonAnswer
from amazon_pay_client.button import SignedPayload
from amazon_pay_client.client import AmazonPayClient, SyncAmazonPayClient
from amazon_pay_client.errors import (
    AccessError,
    AmazonPayError,
    AmountMismatchError,
    ApiError,
    BadRequestError,
    ClientUnusableError,
    DeclinedError,
    DuplicateIdempotencyKeyError,
    IncompleteAnswerError,
    InvalidAnswerError,
    InvalidStateError,
    NotFoundError,
    ThrottledError,
    TransportError,
    UnavailableError,
    UnsupportedOperationError,
)
from amazon_pay_client.identity import Integrator
from amazon_pay_client.keys import PrivateKeyError, load_private_key
from amazon_pay_client.regions import Environment, Region
from amazon_pay_client.resources.outcomes import ClaimedAccount, CompletedCheckout
from amazon_pay_client.retry import Retry
from amazon_pay_client.signing import Algorithm, SignatureAuth
from amazon_pay_client.time_limits import TimeLimits

__all__ = [
    "AccessError",
    "Algorithm",
    "AmazonPayClient",
    "AmazonPayError",
    "AmountMismatchError",
    "ApiError",
    "BadRequestError",
    "ClaimedAccount",
    "ClientUnusableError",
    "CompletedCheckout",
    "DeclinedError",
    "DuplicateIdempotencyKeyError",
    "Environment",
    "IncompleteAnswerError",
    "Integrator",
    "InvalidAnswerError",
    "InvalidStateError",
    "JsonAnswer",
    "NotFoundError",
    "PrivateKeyError",
    "Region",
    "Retry",
    "SignatureAuth",
    "SignedPayload",
    "SyncAmazonPayClient",
    "ThrottledError",
    "TimeLimits",
    "TransportError",
    "UnavailableError",
    "UnsupportedOperationError",
    "load_private_key",
]
