"""Seeing each request that goes out, and what came back: for logs, metrics and traces of whoever calls.

    with watching(seen):
        await client.charges.create(request, idempotency_key=key)

An exchange is told once it is over, also one that failed, and each time that `Retry` sends again. It holds nothing of
what was said, but for Amazon's own id of the request.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter
from typing import Final


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and its answer.

    Attributes:
        method: upper case.
        resource: what was addressed, with the ids' names instead of the ids, such as `charges/{charge_id}`.
        status: of the answer; None where none came.
        request_id: `x-amz-pay-request-id`, which Amazon's support asks for; None where none came.
        seconds: how long it took.
    """

    method: str
    resource: str
    status: int | None
    request_id: str | None
    seconds: float


Seen = Callable[[Exchange], None]
"""Is told of each exchange; what it raises is raised to whoever called."""

_SEEN: ContextVar[Seen | None] = ContextVar("who is told of exchanges", default=None)
LONGEST_REQUEST_ID: Final = 128
"""Characters: whoever answers could write anything there."""


@contextmanager
def watching(seen: Seen) -> Iterator[None]:
    """Tells `seen` of each exchange of this task or thread while the context is open, whichever client makes it."""
    token = _SEEN.set(seen)
    try:
        yield
    finally:
        _SEEN.reset(token)


class Stopwatch:
    """Of one exchange.

    Args:
        method: of its request.
        resource: as of an `Exchange`.
    """

    def __init__(self, method: str, resource: str) -> None:
        self._method = method
        self._resource = resource
        self._began = perf_counter()

    def tell(self, status: int | None, request_id: str | None = None) -> None:
        """It is over."""
        seen = _SEEN.get()
        if seen is not None:
            shown = request_id[:LONGEST_REQUEST_ID] if request_id else None
            seen(Exchange(self._method, self._resource, status, shown, perf_counter() - self._began))
