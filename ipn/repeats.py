"""Messages that were handed over already: SNS delivers some twice, and anybody who has seen one can post it again."""

from collections import OrderedDict
from typing import Final

REMEMBERED: Final = 100_000
"""Messages; some 20 MB, and hours of a busy merchant's. A repetition that is older than these is handed over again,
which does no harm: the workflow knows the last notifications by their ids, and looks instead of believing."""


class Repeats:
    """The last messages that were handed over, by their MessageId."""

    def __init__(self, room: int = REMEMBERED) -> None:
        self._room = room
        self._handed_over: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._handed_over

    def add(self, message_id: str) -> None:
        """Remembers a message, and forgets the oldest one where there is no room."""
        self._handed_over[message_id] = None
        if len(self._handed_over) > self._room:
            self._handed_over.popitem(last=False)
