"""Amazon's own limits, off unless asked for."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from amazon_pay_client import Environment
from amazon_pay_client.limits import RATES
from amazon_pay_simulator.refusals import Refusal


@dataclass(slots=True)
class _Bucket:
    left: float
    since: float


@dataclass(slots=True)
class Throttle:
    """Counts requests by Amazon's table.

    Attributes:
        environment: whose limits; None limits nothing. Operations that Amazon lists no limit for have none.
        seconds: tells the time that buckets refill by: real time, as a worker's pacing is real.
    """

    environment: Environment | None = None
    seconds: Callable[[], float] = time.monotonic
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def take(self, operation: str) -> None:
        """Takes one request.

        Raises:
            Refusal: TooManyRequests.
        """
        rate = RATES[self.environment].get(operation) if self.environment else None
        if rate is None:
            return
        now = self.seconds()
        bucket = self._buckets.setdefault(operation, _Bucket(rate.burst, now))
        bucket.left = min(rate.burst, bucket.left + (now - bucket.since) * rate.per_second)
        bucket.since = now
        if bucket.left < 1:
            raise Refusal("TooManyRequests", f"{operation} was called more than {rate.per_second:g} times a second")
        bucket.left -= 1
