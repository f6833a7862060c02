"""What makes a repetition harmless at Amazon's: the idempotency keys of attempts, captures and refunds."""

import hashlib
import re
from typing import Final

from perennial_billing.billing.refusals import Refused

LONGEST_IDEMPOTENCY_KEY: Final = 32
"""Characters (Amazon Pay API v2, "idempotency"); `A-Z a-z 0-9 _ -` are accepted."""

_DIGEST_CHARACTERS: Final = 18


def idempotency_key(charge_permission_id: str, period: int, attempt: int, life: int = 1) -> str:
    """The key of one attempt: the same for each repetition of it, another for every other attempt.

    A person can read the period and the attempt in it: `3f0c0d4c2f7c8d9e1a-p12-a1`. The permission's id is
    hashed because it may be longer than a key.

    Args:
        charge_permission_id: the permission charged.
        period: counted from 0.
        attempt: counted from 1 within the period.
        life: counted from 1: which of the subscriptions that have lived under this charge permission.

    Raises:
        Refused: a number is out of range, so that the key would not be one.
    """
    key = f"{_digest(_lived(charge_permission_id, life))}-p{period}-a{attempt}"
    if period < 0 or attempt < 1 or len(key) > LONGEST_IDEMPOTENCY_KEY:
        raise Refused(
            "attempt", f"{attempt} of period {period}", "what fits into an idempotency key of 32 characters is"
        )
    return key


MOST_CAPTURES: Final = 9
"""Of one charge: one more digit would not fit into a key."""


def capture_key(attempt_key: str, capture: int = 1) -> str:
    """The key under which an attempt's authorized charge is captured: another one, as it is another operation.

    Args:
        attempt_key: the attempt's.
        capture: counted from 1, up to `MOST_CAPTURES`; the next one after a capture that was declined.

    Raises:
        Refused: there are too many.
    """
    if not 1 <= capture <= MOST_CAPTURES:
        raise Refused("capture", capture, f"a charge may be captured in {MOST_CAPTURES} tries")
    head, _, number = attempt_key.rpartition("-a")
    return f"{head}-c{number}" if capture == 1 else f"{head}-c{number}-{capture}"


def refund_key(charge_permission_id: str, number: int, life: int = 1) -> str:
    """The key of one refund, such as `3f0c0d4c2f7c8d9e1a-r2`.

    Args:
        charge_permission_id: the permission under which the subscription runs when the refund is asked for.
        number: counted from 1 within the subscription.
        life: as above.

    Raises:
        Refused: the number is out of range, so that the key would not be one.
    """
    key = f"{_digest(_lived(charge_permission_id, life))}-r{number}"
    if number < 1 or len(key) > LONGEST_IDEMPOTENCY_KEY:
        raise Refused("refund", number, "what fits into an idempotency key of 32 characters is")
    return key


def late_refund_key(charge_id: str, reference: str) -> str:
    """The key of a refund of a subscription that has ended, where nobody counts any more: one for each name of one.

    Args:
        charge_id: whose money goes back.
        reference: the merchant's own name for the refund.
    """
    return f"{_digest(f'{charge_id} {reference}')}-r"


def _lived(charge_permission_id: str, life: int) -> str:
    """Whose keys they are. Amazon keeps keys for ever, so those of the first life stay as they always were."""
    return charge_permission_id if life == 1 else f"{charge_permission_id} life {life}"


def _digest(charge_permission_id: str) -> str:
    return hashlib.sha256(charge_permission_id.encode()).hexdigest()[:_DIGEST_CHARACTERS]


THOUSANDTHS: Final = 1000


def spread_of(charge_permission_id: str) -> int:
    """Which part of a jitter is this subscriber's, in thousandths: always the same, and another for each."""
    return int.from_bytes(hashlib.sha256(charge_permission_id.encode()).digest()[-4:], "big") % THOUSANDTHS


def period_of_key(key: str) -> int | None:
    """The period that an idempotency key of ours was made for; None for any other text."""
    match = _OURS.fullmatch(key)
    return int(match["period"]) if match else None


def owner_of_key(key: str) -> str | None:
    """By what a key of ours is recognised as one of the same charge permission and life; None for any other text."""
    match = _OURS.fullmatch(key)
    return match["owner"] if match else None


def attempt_of_key(key: str) -> tuple[int, int] | None:
    """The period and the attempt that a key of an attempt, or of its capture, was made for; None for any other text."""
    match = _OF_AN_ATTEMPT.fullmatch(key)
    return (int(match["period"]), int(match["attempt"])) if match else None


_OURS: Final = re.compile(rf"(?P<owner>[0-9a-f]{{{_DIGEST_CHARACTERS}}})-p(?P<period>\d+)-a\d+")

_OF_AN_ATTEMPT: Final = re.compile(rf"[0-9a-f]{{{_DIGEST_CHARACTERS}}}-p(?P<period>\d+)-[ac](?P<attempt>\d+)(?:-\d+)?")
