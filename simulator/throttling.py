"""Amazon's own limits, off unless asked for. Source: Amazon Pay API v2, "API throttling limits"."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from simulator.refusals import Refusal


class Limits(StrEnum):
    """Which of Amazon's tables counts."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"


class Rate(NamedTuple):
    """How many requests at once, and how many a second after that."""

    burst: int
    per_second: float


_TABLE: Final[dict[str, tuple[Rate, Rate]]] = {
    # operation: production, sandbox
    "CreateCharge": (Rate(10, 4), Rate(2, 1)),
    "GetCharge": (Rate(20, 4), Rate(5, 1)),
    "CaptureCharge": (Rate(20, 4), Rate(2, 1)),
    "CancelCharge": (Rate(10, 2), Rate(2, 1)),
    "GetChargePermission": (Rate(20, 4), Rate(10, 1)),
    "UpdateChargePermission": (Rate(10, 2), Rate(5, 1)),
    "CloseChargePermission": (Rate(10, 2), Rate(2, 1)),
    "CreateRefund": (Rate(10, 4), Rate(2, 1)),
    "GetRefund": (Rate(20, 4), Rate(5, 1)),
    "CreateCheckoutSession": (Rate(40, 16), Rate(5, 1)),
    "GetCheckoutSession": (Rate(40, 8), Rate(10, 1)),
    "UpdateCheckoutSession": (Rate(20, 8), Rate(5, 1)),
    "CompleteCheckoutSession": (Rate(20, 4), Rate(2, 1)),
}
"""Per merchant account and operation. Operations that are not listed are not limited here."""


@dataclass(slots=True)
class _Bucket:
    left: float
    since: float


@dataclass(slots=True)
class Throttle:
    """Counts requests by Amazon's table.

    Attributes:
        limits: which table; None limits nothing.
        seconds: tells the time that buckets refill by: real time, as a worker's pacing is real.
    """

    limits: Limits | None = None
    seconds: Callable[[], float] = time.monotonic
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def take(self, operation: str) -> None:
        """Takes one request.

        Raises:
            Refusal: TooManyRequests.
        """
        rates = _TABLE.get(operation)
        if self.limits is None or rates is None:
            return
        rate = rates[0] if self.limits is Limits.PRODUCTION else rates[1]
        now = self.seconds()
        bucket = self._buckets.setdefault(operation, _Bucket(rate.burst, now))
        bucket.left = min(rate.burst, bucket.left + (now - bucket.since) * rate.per_second)
        bucket.since = now
        if bucket.left < 1:
            raise Refusal("TooManyRequests", f"{operation} was called more than {rate.per_second:g} times a second")
        bucket.left -= 1
