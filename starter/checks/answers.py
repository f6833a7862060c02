"""What Amazon's answer to one signed read means: that it is Amazon, that the signature is accepted, and that this
machine's clock is right. Nothing is asked here.

Sources: Amazon Pay API v2, "error handling"; the official PHP SDK's issue 19 and the official Magento plug-in's issue
1103, where a date ahead of Amazon's was refused with 400 InvalidHeaderValue.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from amazon_pay_client import clock
from amazon_pay_client.errors import AccessError, ApiError, InvalidAnswerError, NotFoundError
from perennial_billing.starter.checks.check import Check, State, not_tried

ANSWER: Final = "Amazon answers"
SIGNATURE: Final = "signature"
CLOCK: Final = "clock"

_WHOLE_SECONDS: Final = timedelta(seconds=1)
"""What the header leaves away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An answer, of whomever.

    Attributes:
        host: who was asked, as scheme and host.
        error: what it is other than a success, as the client reads it.
        date: its `Date` header, as it is.
        sent: by this machine's clock (UTC), when the question went out.
        received: when the answer was there.
    """

    host: str
    error: ApiError | InvalidAnswerError | None
    date: str | None
    sent: datetime
    received: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NotHeard:
    """There was none.

    Attributes:
        host: who was asked, as scheme and host.
        why: in a few words.
    """

    host: str
    why: str


def answered(heard: Heard | NotHeard) -> Check:
    """Whether Amazon Pay was reached at all."""
    if isinstance(heard, NotHeard):
        return Check(
            name=ANSWER,
            state=State.UNANSWERED,
            found=f"{heard.host} was asked: {heard.why}",
            to_do="look whether this machine reaches it (network, DNS, HTTPS_PROXY), and try again",
        )
    error = heard.error
    if isinstance(error, InvalidAnswerError):
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return _again(heard.host, f"it answers {error.status}")
        return Check(
            name=ANSWER,
            state=State.WRONG,
            found=f"{heard.host} answers {error.status} with what is not Amazon Pay's: something between is answering",
            to_do="look for a proxy or a page to sign in to on the way, and for PERENNIAL_AMAZON_PAY_ORIGIN",
        )
    if error is not None and error.status == HTTPStatus.UPGRADE_REQUIRED:
        return Check(
            name=ANSWER,
            state=State.WRONG,
            found=f"{heard.host} wants a newer TLS than this way to it speaks",
            to_do="TLS 1.2 or newer is needed: look at the proxy, or at this Python's OpenSSL",
        )
    if error is not None and error.is_retryable:
        return _again(heard.host, f"it answers {error.status} {error.reason_code}")
    return Check(name=ANSWER, state=State.DONE, found=heard.host)


def signature(heard: Heard | NotHeard, public_key_id: str) -> Check:
    """Whether the signature was accepted: what does not exist is not found only by whom Amazon believes."""
    if answered(heard).state is not State.DONE or isinstance(heard, NotHeard):
        return not_tried(SIGNATURE, because_of="an answer of Amazon's")
    error = heard.error
    if error is None or isinstance(error, NotFoundError):
        return Check(name=SIGNATURE, state=State.DONE, found=f"accepted, of {public_key_id}")
    if isinstance(error, InvalidAnswerError):
        raise AssertionError("it is no answer of Amazon's")
    found = f"Amazon answers {error.status} {error.reason_code}"
    meaning, to_do = _MEANINGS.get(error.reason_code, _UNKNOWN_ACCESS if isinstance(error, AccessError) else _UNKNOWN)
    request = f" (request id {error.request_id})" if error.request_id else ""
    return Check(name=SIGNATURE, state=State.WRONG, found=f"{found}{request}: {meaning}", to_do=to_do)


_UNKNOWN_ACCESS: Final = (
    "it does not believe the request",
    "compare key id, private key and region with Seller Central's, or ask Amazon's support with the request id",
)
_UNKNOWN: Final = (
    "it did not look for what was asked for",
    "ask Amazon's support with the request id",
)
_MEANINGS: Final = {
    "InvalidRequestSignature": (
        "the private key is not the one that belongs to this public key id",
        "take the file that came with this id, or make a new key pair; look at the clock, too",
    ),
    "InvalidAuthentication": (
        "no such public key id is known in this region and environment",
        "compare PERENNIAL_PUBLIC_KEY_ID and PERENNIAL_REGION, or the account's, with Seller Central's; it may be gone",
    ),
    "InvalidAccountStatus": (
        "the account cannot be used yet, or not any more",
        "finish its registration in Seller Central",
    ),
    "UnauthorizedAccess": (
        "the key may not read what belongs to this account",
        "take a key of the account's own, made in Seller Central",
    ),
    "InvalidHeaderValue": (
        "a header is refused, which is the date where this machine's clock is ahead",
        "set the clock by NTP: seconds ahead of Amazon's may be too many",
    ),
}
"""What a refusal means, and what to do, by its reason code."""


def clock_of(heard: Heard | NotHeard) -> Check:
    """Whether this machine's clock, which stands in every signature, agrees with the date of the answer.

    Amazon does not document how far it may be off; it refuses dates ahead of its own. A minute is more than either
    side's whole seconds and a slow answer explain.
    """
    if isinstance(heard, NotHeard):
        return not_tried(CLOCK, because_of="an answer of Amazon's")
    ahead = ahead_by(heard)
    if ahead is None:
        return Check(
            name=CLOCK, state=State.DONE, found="the answer bears no date to compare with; see whether NTP sets it"
        )
    wrong = clock.in_words(ahead)
    if wrong is not None:
        return Check(
            name=CLOCK, state=State.WRONG, found=f"{wrong}: no signature holds then", to_do="set it by NTP, and repeat"
        )
    return Check(name=CLOCK, state=State.DONE, found="it agrees with Amazon's")


def ahead_by(heard: Heard) -> timedelta | None:
    """How far this machine's clock is ahead of the answer's date, at the least; negative where it is behind.

    Whoever answers dates the answer between question and answer, so only what lies outside of the two counts. None
    where there is no date (RFC 9110, section 6.6.1).
    """
    if heard.date is None:
        return None
    try:
        theirs = parsedate_to_datetime(heard.date)
    except ValueError:
        return None
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    if heard.sent > theirs + _WHOLE_SECONDS:
        return heard.sent - theirs - _WHOLE_SECONDS
    return min(heard.received - theirs, timedelta(0))


def _again(host: str, found: str) -> Check:
    return Check(name=ANSWER, state=State.UNANSWERED, found=f"{host} was asked: {found}", to_do="try again in a minute")
