"""Messages that were handed over already: SNS delivers some twice, and anybody who has seen one can post it again."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

REMEMBERED: Final = 100_000
"""Messages; some 20 MB, and hours of a busy merchant's. A repetition that is older than these is handed over again,
which does no harm: the workflow knows the last notifications by their ids, and looks instead of believing."""

WAIT_SECONDS: Final = 5.0
"""For those before; a try of one's own may take 8 s more, and SNS gives a receiver 15 s."""

Outcome = TypeVar("Outcome")


class Repeats:
    """The last messages that were handed over, by their MessageId, and those that are being handed over."""

    def __init__(self, room: int = REMEMBERED) -> None:
        self._room = room
        self._handed_over: OrderedDict[str, None] = OrderedDict()
        self._under_way: dict[str, asyncio.Event] = {}

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._handed_over

    def add(self, message_id: str) -> None:
        """Remembers a message, and forgets the oldest one where there is no room."""
        self._handed_over[message_id] = None
        if len(self._handed_over) > self._room:
            self._handed_over.popitem(last=False)

    async def once(self, message_id: str, hand_over: Callable[[], Awaitable[Outcome]]) -> Outcome | None:
        """Hands a message over, one at a time of those with its id; None where another has been handed over.

        Who comes meanwhile waits for what comes of the one under way. Where that fails, or is not to be remembered,
        one of those who wait tries it next, and nobody waits longer than an answer is waited for.

        Args:
            message_id: of the message.
            hand_over: does it; calls `add` where it is done for good.

        Raises:
            TimeoutError: those before have taken too long.
            Exception: what `hand_over` raised.
        """
        async with asyncio.timeout(WAIT_SECONDS):
            while under_way := self._under_way.get(message_id):
                await under_way.wait()
        if message_id in self:
            return None
        self._under_way[message_id] = over = asyncio.Event()
        try:
            return await hand_over()
        finally:
            del self._under_way[message_id]
            over.set()
