"""Sandbox and Live: two worlds that know nothing of each other, in one simulator. No money moves in either.

Amazon's own ids show which world an object is of. Source of their forms: ids in answers of the sandbox that merchants
have published, and those in the official SDKs' tests; they are no part of the documentation, so nobody may rely on more
than that they differ. The two digits after the letter stand for the region.
"""

from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from typing import Final

from amazon_pay_client import Environment
from amazon_pay_client.models import ChargePermissionType
from amazon_pay_client.regions import environment_of_key

_LIVE_PATH: Final = "/live/"
_SEVEN_DIGITS: Final = 10_000_000
_FARTHEST_APART: Final = 9_000_000


class ReleaseEnvironment(StrEnum):
    """A world by the name that objects answer as `releaseEnvironment`."""

    SANDBOX = "Sandbox"
    LIVE = "Live"


def environment_of(public_key_id: str, path: str) -> ReleaseEnvironment:
    """The world that a request is for: its key id names it, or else its path; with neither it is the sandbox."""
    named = environment_of_key(public_key_id)
    is_live = path.startswith(_LIVE_PATH) if named is None else named is Environment.LIVE
    return ReleaseEnvironment.LIVE if is_live else ReleaseEnvironment.SANDBOX


def environment_of_keys(public_key_ids: Iterable[str]) -> ReleaseEnvironment:
    """The world of a merchant who has only keys for Live; the sandbox of everybody else."""
    named = {environment_of_key(public_key_id) for public_key_id in public_key_ids}
    return ReleaseEnvironment.LIVE if named == {Environment.LIVE} else ReleaseEnvironment.SANDBOX


def permission_id(kind: ChargePermissionType, release_environment: str, number: int, owner: str = "") -> str:
    """A new charge permission's id, which no other merchant's has. One for one time is the order itself.

    Args:
        kind: of the charge permission.
        release_environment: its world.
        number: counted from 1, of the merchant's.
        owner: the merchant; empty for the first one.
    """
    of_sandbox, of_live = ("S01", "P01") if kind is ChargePermissionType.ONE_TIME else ("C01", "B01")
    prefix = of_live if release_environment == ReleaseEnvironment.LIVE else of_sandbox
    return f"{prefix}-{_digits(number, 7919, owner)}"


def order_id(release_environment: str | None, number: int, owner: str = "") -> str:
    """The order number of a charge whose permission is no order; as `permission_id`."""
    prefix = "P01" if release_environment == ReleaseEnvironment.LIVE else "S01"
    return f"{prefix}-{_digits(number, 104_729, owner)}"


def _digits(number: int, factor: int, owner: str) -> str:
    """Two groups of seven digits. Those of different merchants begin at different places."""
    apart = int.from_bytes(sha256(owner.encode()).digest()[:8]) if owner else 0
    first, second = number + apart % _FARTHEST_APART, number * factor + apart // _FARTHEST_APART
    return f"{first % _SEVEN_DIGITS:07}-{second % _SEVEN_DIGITS:07}"
