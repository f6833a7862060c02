"""How many exchanges are under way at a time, and how long one waits for its turn."""

import asyncio
import logging
import time
from typing import Final

from amazon_pay_client.outbound.library import httpx

GRACE_SECONDS: Final = 5.0
"""How long after its time an exchange may still hold its turn: closing a connection takes no longer."""

_log = logging.getLogger(__name__)


class Turn:
    """The right to one exchange, which ends at an instant that is known from the start (on `time.monotonic`)."""

    __slots__ = ("ends",)

    def __init__(self, ends: float) -> None:
        self.ends = ends


class Turns:
    """A bound of our own before the library's pool, in which nothing then ever waits.

    No turn can be lost: as each exchange ends by an instant, a turn that is held long after it belongs to nobody any
    more, and is taken back. That is said in the log, because it is an error in this program.

    Args:
        at_once: exchanges under way at a time.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._held: set[Turn] = set()
        self._waiting: dict[asyncio.Future[Turn], float] = {}

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
        if len(self._held) >= self._at_once:
            self._take_back()
        if len(self._held) < self._at_once:
            return self._give(ends)
        coming: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting[coming] = ends
        try:
            async with asyncio.timeout(ends - time.monotonic()):
                return await coming
        except BaseException as error:
            if self._waiting.pop(coming, None) is None and not coming.cancelled():
                self.give_back(coming.result())  # it came in the moment in which the wait ended
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout(f"{self._at_once} requests are under way, and none has ended") from None
            raise

    def give_back(self, turn: Turn) -> None:
        """Ends a turn; the next one begins."""
        self._held.discard(turn)
        while self._waiting and len(self._held) < self._at_once:
            coming = next(iter(self._waiting))
            ends = self._waiting.pop(coming)
            if not coming.done():
                coming.set_result(self._give(ends))

    def _give(self, ends: float) -> Turn:
        turn = Turn(ends)
        self._held.add(turn)
        return turn

    def _take_back(self) -> None:
        overdue = [turn for turn in self._held if turn.ends + GRACE_SECONDS < time.monotonic()]
        if overdue:
            _log.error("%d requests never said that they ended; their turns are taken back", len(overdue))
        for turn in overdue:
            self.give_back(turn)
