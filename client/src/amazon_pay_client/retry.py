"""Sending a request again, for callers who want the client to do it. It is off unless a `Retry` is given.

Whoever keeps requests in a durable place, such as a workflow, repeats them from there and leaves this off: two
mechanisms that repeat multiply each other.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypedDict, TypeVar

import tenacity

from amazon_pay_client.errors import AmazonPayError, ThrottledError, TransportError

Answer = TypeVar("Answer")


class _Rules(TypedDict):
    """What both kinds of repetition go by."""

    stop: tenacity.stop_after_attempt
    wait: Callable[[tenacity.RetryCallState], float]
    retry: tenacity.retry_if_exception
    reraise: bool


def may_be_repeated(error: BaseException, *, method: str, has_idempotency_key: bool) -> bool:
    """Whether the same request may be sent again after this error without doing anything twice.

    GET, PATCH and DELETE do the same however often they arrive. A POST does so only with an idempotency key;
    without one it is repeated only where Amazon surely did not act: after 429, or when no connection came about.
    """
    if not isinstance(error, AmazonPayError) or not error.is_retryable:
        return False
    if method != "POST" or has_idempotency_key:
        return True
    return isinstance(error, ThrottledError) or (isinstance(error, TransportError) and error.never_sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often the client sends a request again, and how long it waits in between.

    Repeated is what `error.is_retryable` names: no usable answer, 408, 425, 429 and every 5xx except a decline.
    Each repetition carries the same idempotency key and exactly the same bytes; only the date and the signature are
    new. A POST without an idempotency key is not repeated after it may have been processed, but after 429 and
    where no connection came about. A DELETE whose first answer was lost can be answered with `InvalidStateError`
    the second time, although it did what was asked.

    The waits grow exponentially from `first_wait_seconds`, with jitter, so that clients that were turned away
    together do not come back together. Where the answer asked for a longer wait, that is kept.
    Source of the number of attempts: the official Java and PHP SDKs repeat up to three times.

    Attributes:
        attempts: sendings in all, the first among them.
        first_wait_seconds: before the first repetition; also the width of the jitter.
        longest_wait_seconds: the cap of every wait, whatever the answer asks for.
        sleep: waits so many seconds; for tests.
        blocking_sleep: the same for the client that blocks.

    Raises:
        ValueError: `attempts` is below 1, or a wait is not a finite number of seconds.
    """

    attempts: int = 4
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 30.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    blocking_sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts: {self.attempts} is not a number of sendings; 1 or more is accepted")
        for name in ("first_wait_seconds", "longest_wait_seconds"):
            seconds = getattr(self, name)
            if not (seconds >= 0 and math.isfinite(seconds)):
                raise ValueError(f"{name}: {seconds!r} is not a wait; a number of seconds from 0 on is accepted")

    async def run(self, send: Callable[[], Awaitable[Answer]], is_repeated: Callable[[BaseException], bool]) -> Answer:
        """Sends until an answer comes, an error is not to be repeated, or the attempts are used up.

        Raises:
            AmazonPayError: the last error, as it came.
        """
        attempts = tenacity.AsyncRetrying(sleep=self.sleep, **self._rules(is_repeated))

        async def attempt() -> Answer:
            return await send()

        return await attempts(attempt)

    def run_blocking(self, send: Callable[[], Answer], is_repeated: Callable[[BaseException], bool]) -> Answer:
        """The same in a thread that waits.

        Raises:
            AmazonPayError: the last error, as it came.
        """
        return tenacity.Retrying(sleep=self.blocking_sleep, **self._rules(is_repeated))(send)

    def _rules(self, is_repeated: Callable[[BaseException], bool]) -> _Rules:
        jittered = tenacity.wait_exponential_jitter(
            initial=self.first_wait_seconds, max=self.longest_wait_seconds, jitter=self.first_wait_seconds
        )

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked_for = error.retry_after_seconds if isinstance(error, AmazonPayError) else None
            return max(jittered(state), min(asked_for or 0.0, self.longest_wait_seconds))

        return {
            "stop": tenacity.stop_after_attempt(self.attempts),
            "wait": wait,
            "retry": tenacity.retry_if_exception(is_repeated),
            "reraise": True,
        }
