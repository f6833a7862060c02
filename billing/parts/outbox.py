"""What the merchant is to be told, and is not on its way yet."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from billing.protocol.notices import Notice, NoticeType
from billing.values import Value

LONGEST_OUTBOX: Final = 100
"""Notices kept while they cannot be handed on; a subscription that waits so long does nothing else any more."""


class Outbox(Value):
    """Notices that were not handed on yet.

    Attributes:
        notices: oldest first.
        told: how many there were in all; the last one's number.
    """

    notices: tuple[Notice, ...] = ()
    told: int = 0

    def telling(self, kind: NoticeType, now: datetime, **fields: Any) -> "Outbox":  # Any: the fields of a notice
        """One more thing happened."""
        notice = Notice(number=self.told + 1, type=kind, at=now, **fields)
        return self.but(notices=(*self.notices, notice)[-LONGEST_OUTBOX:], told=notice.number)

    def handed_on(self, numbers: Sequence[int]) -> "Outbox":
        """These are on their way; what came meanwhile stays."""
        return self.but(notices=tuple(notice for notice in self.notices if notice.number not in numbers))
