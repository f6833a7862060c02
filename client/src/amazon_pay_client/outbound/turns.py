"""How many exchanges are under way at a time, and how long one waits for its turn."""

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections import OrderedDict
from typing import Final

from amazon_pay_client.outbound.library import httpx

GRACE_SECONDS: Final = 5.0
"""How long after its time an exchange may still hold its turn: closing a connection takes no longer."""

_log = logging.getLogger(__name__)


class Turn:
    """The right to one exchange, which ends at an instant that is known from the start (on `time.monotonic`)."""

    __slots__ = ("ends",)

    def __init__(self, ends: float) -> None:
        self.ends: float = ends


_Coming = concurrent.futures.Future[Turn]
"""A turn that is waited for. This kind of future belongs to no event loop, and can be waited for in any, or in none."""


class Turns:
    """A bound of our own before the library's pool, in which nothing then ever waits.

    It counts over all threads and event loops together, so that a process asks no more of a server than it was told to.

    No turn can be lost: as each exchange ends by an instant, a turn that is held long after it belongs to nobody any
    more, and is taken back. That is said in the log, because it is an error in this program.

    Args:
        at_once: exchanges under way at a time.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        # May be taken again by the thread that has it: the end of a call that nobody waits for any more comes whenever
        # its remains are collected, also in here.
        self._lock = threading.RLock()
        self._held: set[Turn] = set()
        self._waiting: OrderedDict[_Coming, float] = OrderedDict()

    @property
    def under_way(self) -> int:
        """How many are held."""
        return len(self._held)

    async def take(self, ends: float) -> Turn:
        """A turn, first come, first served.

        Args:
            ends: when the exchange has to end, on `time.monotonic`; the wait is a part of it.

        Raises:
            httpx.PoolTimeout: no turn came until then; nothing was sent.
        """
        coming = self._ask_for(ends)
        if coming.done():
            return coming.result()
        try:
            async with asyncio.timeout(ends - time.monotonic()):
                return await asyncio.wrap_future(coming)
        except BaseException as error:
            self._give_up(coming)
            if isinstance(error, TimeoutError):
                raise self._none_came() from None
            raise

    def take_blocking(self, ends: float) -> Turn:
        """The same for a thread that waits.

        Raises:
            httpx.PoolTimeout: no turn came until then; nothing was sent.
        """
        coming = self._ask_for(ends)
        try:
            return coming.result(max(ends - time.monotonic(), 0.0))
        except BaseException as error:
            self._give_up(coming)
            if isinstance(error, TimeoutError):
                raise self._none_came() from None
            raise

    def give_back(self, turn: Turn) -> None:
        """Ends a turn; the next one begins."""
        with self._lock:
            self._held.discard(turn)
            begun = self._begin()
        for coming, its_turn in begun:
            coming.set_result(its_turn)

    def _ask_for(self, ends: float) -> _Coming:
        """A turn that is there already, or comes."""
        coming = _Coming()
        with self._lock:
            self._waiting[coming] = ends
            overdue = self._overdue() if len(self._held) >= self._at_once else []
            begun = self._begin()
        if overdue:
            _log.error("%d requests never said that they ended; their turns are taken back", len(overdue))
        for each, turn in begun:
            each.set_result(turn)
        return coming

    def _begin(self) -> list[tuple[_Coming, Turn]]:
        """Those whose turn it is now; told so by the caller, outside of the lock."""
        begun = []
        while self._waiting and len(self._held) < self._at_once:
            coming, ends = self._waiting.popitem(last=False)
            if coming.set_running_or_notify_cancel():
                turn = Turn(ends)
                self._held.add(turn)
                begun.append((coming, turn))
        return begun

    def _overdue(self) -> list[Turn]:
        overdue = [turn for turn in self._held if turn.ends + GRACE_SECONDS < time.monotonic()]
        self._held.difference_update(overdue)
        return overdue

    def _give_up(self, coming: _Coming) -> None:
        """Ends a wait; a turn that came in the same moment goes to the next."""
        with self._lock:
            self._waiting.pop(coming, None)
        if not coming.cancel():
            self.give_back(coming.result())

    def _none_came(self) -> httpx.PoolTimeout:
        return httpx.PoolTimeout(f"{self._at_once} requests are under way, and none has ended")
