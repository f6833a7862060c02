"""Sandbox and Live: two worlds that know nothing of each other, in one simulator. No money moves in either.

Amazon's own ids show which world an object is of. Source of their forms: ids in answers of the sandbox that merchants
have published, and those in the official SDKs' tests; they are no part of the documentation, so nobody may rely on more
than that they differ. The two digits after the letter stand for the region.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from amazon_pay_client import Environment
from amazon_pay_client.models import ChargePermissionType
from amazon_pay_client.regions import environment_of_key

_LIVE_PATH: Final = "/live/"


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


def permission_id(kind: ChargePermissionType, release_environment: str, number: int) -> str:
    """A new charge permission's id. One for one time is the order itself."""
    of_sandbox, of_live = ("S01", "P01") if kind is ChargePermissionType.ONE_TIME else ("C01", "B01")
    prefix = of_live if release_environment == ReleaseEnvironment.LIVE else of_sandbox
    return f"{prefix}-{number:07}-{number * 7919 % 10_000_000:07}"


def order_id(release_environment: str | None, number: int) -> str:
    """The order number of a charge whose permission is no order."""
    prefix = "P01" if release_environment == ReleaseEnvironment.LIVE else "S01"
    return f"{prefix}-{number:07}-{number * 104_729 % 10_000_000:07}"
