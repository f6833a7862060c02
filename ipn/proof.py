"""Proves that a posted message comes from Amazon and is meant for this merchant. Nothing is done before that."""

import base64
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from pydantic import ValidationError

from amazon_pay_client.ipn import Envelope, Notification
from perennial_billing.ipn.certificates import CertificateRefusedError, CertificateSource
from perennial_billing.runtime.settings import LONGEST_IPN_AGE

_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "1": hashes.SHA1(),  # noqa: S303 - SNS SignatureVersion 1 is SHA1withRSA; topics still use it
    "2": hashes.SHA256(),
}


LONGEST_CLAIM: Final = 300
"""Characters that are logged of it; a topic's name alone may have 256."""

FARTHEST_AHEAD: Final = timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours."""


class UnprovenError(Exception):
    """The message is not accepted. `cause` is one word for counting; the message says why.

    Attributes:
        cause: malformed, topic, stale, certificate, signature or merchant.
        claimed: what was claimed instead of what is accepted, where the operator has to know it; for the log only, as
            the sender may be anybody.
    """

    def __init__(self, cause: str, message: str, claimed: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.claimed = claimed


class Prover:
    """Checks envelopes.

    Args:
        certificates: where keys come from.
        topic_arns: the topics whose messages are taken; empty takes every topic.
        merchant_id: whose notifications are taken; None takes every merchant's.
        longest_age: how long ago a message may have been published.
    """

    def __init__(
        self,
        certificates: CertificateSource,
        topic_arns: Collection[str] = (),
        merchant_id: str | None = None,
        *,
        longest_age: timedelta = LONGEST_IPN_AGE,
    ) -> None:
        self._certificates = certificates
        self._topic_arns = frozenset(topic_arns)
        self._merchant_id = merchant_id
        self._longest_age = longest_age

    async def envelope(self, body: bytes) -> Envelope:
        """The proven envelope in a posted body.

        Raises:
            UnprovenError: it is not what it claims to be.
            CertificateUnavailableError: it cannot be checked now.
        """
        try:
            envelope = Envelope.model_validate_json(body)
        except ValidationError as error:
            raise UnprovenError("malformed", f"not an SNS message (wrong: {_fields(error)})") from None
        if self._topic_arns and envelope.topic_arn not in self._topic_arns:
            raise UnprovenError("topic", "the message is from another topic", envelope.topic_arn[:LONGEST_CLAIM])
        self._check_age(envelope.timestamp)
        algorithm = _HASHES.get(envelope.signature_version)
        if algorithm is None:
            claimed = envelope.signature_version[:LONGEST_CLAIM]
            raise UnprovenError("signature", "SignatureVersion is neither 1 nor 2", claimed)
        try:
            key = await self._certificates.public_key(envelope.signing_cert_url)
        except CertificateRefusedError as error:
            raise UnprovenError("certificate", str(error)) from None
        try:
            signature = base64.b64decode(envelope.signature, validate=True)
            key.verify(signature, envelope.string_to_sign(), padding.PKCS1v15(), algorithm)
        except (InvalidSignature, ValueError):
            raise UnprovenError("signature", "the signature does not hold") from None
        return envelope

    def _check_age(self, timestamp: str) -> None:
        try:
            published = datetime.fromisoformat(timestamp)
        except ValueError:
            published = None
        if published is None or published.tzinfo is None:
            raise UnprovenError("malformed", "not an SNS message (wrong: Timestamp)")
        age = datetime.now(UTC) - published
        if age > self._longest_age:
            raise UnprovenError("stale", f"the message is older than {self._longest_age}")
        if age < -FARTHEST_AHEAD:
            raise UnprovenError("stale", f"the message is from more than {FARTHEST_AHEAD} ahead")

    def notification(self, envelope: Envelope) -> Notification:
        """The notification in a proven envelope.

        Raises:
            UnprovenError: it is not one, or it is for another merchant.
        """
        try:
            notification = Notification.model_validate_json(envelope.message)
        except ValidationError as error:
            raise UnprovenError("malformed", f"not a notification of Amazon Pay (wrong: {_fields(error)})") from None
        if self._merchant_id is not None and notification.merchant_id != self._merchant_id:
            raise UnprovenError("merchant", "the notification is for another merchant")
        return notification


def _fields(error: ValidationError) -> str:
    return ", ".join(sorted({str(item["loc"][0]) if item["loc"] else "body" for item in error.errors()}))
