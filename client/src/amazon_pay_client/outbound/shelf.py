"""The places that are kept for the next exchange, and those in which there is one: a list without any I/O."""

import threading
import time
from typing import Final, Generic, Protocol, TypeVar

from amazon_pay_client.outbound.library import httpx

KEPT_SECONDS: Final = 5.0
"""How long a connection is kept that nobody uses; servers and load balancers keep theirs longer."""

Origin = tuple[str, str, int | None]


def origin_of(url: httpx.URL) -> Origin:
    """What a connection is good for."""
    return url.scheme, url.host, url.port


class Kept(Protocol):
    """What a shelf must know of a place."""

    @property
    def origin(self) -> Origin:
        """Where its connection leads."""
        ...

    unused_since: float


AnyPlace = TypeVar("AnyPlace", bound=Kept)


class Shelf(Generic[AnyPlace]):
    """Places, each of one exchange at a time. Threads may share it.

    It closes nothing: whoever asks is given what is to be closed.

    Args:
        most_unused: places that are kept for the next request.
    """

    def __init__(self, most_unused: int) -> None:
        self._most_unused = most_unused
        self._lock = threading.RLock()  # see Turns
        self._unused: list[AnyPlace] = []
        self._used: set[AnyPlace] = set()
        self._is_closed = False

    def take(self, origin: Origin) -> tuple[AnyPlace | None, list[AnyPlace]]:
        """A place that leads there, if one is kept; and those that have become too old."""
        with self._lock:
            old = []
            while self._unused and self._unused[0].unused_since + KEPT_SECONDS < time.monotonic():
                old.append(self._unused.pop(0))
            # The last one first: the others grow old, and are closed.
            place = next((place for place in reversed(self._unused) if place.origin == origin), None)
            if place is not None:
                self._unused.remove(place)
                self._used.add(place)
            return place, old

    def add(self, place: AnyPlace) -> None:
        """A new place, for an exchange that begins."""
        with self._lock:
            self._used.add(place)

    def put_back(self, place: AnyPlace, *, orderly: bool) -> list[AnyPlace]:
        """Ends an exchange; its place is kept if it came to its orderly end. Returns what is to be closed."""
        with self._lock:
            self._used.discard(place)
            if not orderly or self._is_closed:
                return [place]
            place.unused_since = time.monotonic()
            self._unused.append(place)
            return [self._unused.pop(0)] if len(self._unused) > self._most_unused else []

    def clear(self) -> list[AnyPlace]:
        """Keeps none any more; all that there are, which are to be closed."""
        with self._lock:
            self._is_closed = True
            places = [*self._unused, *self._used]
            self._unused.clear()
            return places
