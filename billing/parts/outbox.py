"""What the merchant is to be told, and is not on its way yet."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import AwareDatetime

from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.billing.values import Value

FULL_OUTBOX: Final = 100
"""Notices that wait before a subscription begins nothing more; so the state stays small while none can be handed on."""

NOTICES_WAITING: Final = "NoticesWaiting"
"""Our own reason beside Amazon's codes: what has happened cannot be recorded, and so not be told."""

HANDED_ON_AT_ONCE: Final = 50
"""Notices; a local activity hands so many on well within its time."""


class Outbox(Value):
    """Notices that were not handed on yet; none is dropped before, so that their numbers never have a gap.

    Attributes:
        notices: oldest first.
        told: how many there were in all; the last one's number.
        held_since: when they could not be handed on (UTC), as the ledger cannot be written to; None where they can.
    """

    notices: tuple[Notice, ...] = ()
    told: int = 0
    held_since: AwareDatetime | None = None

    @property
    def first(self) -> tuple[Notice, ...]:
        """Those that are handed on next, together."""
        return self.notices[:HANDED_ON_AT_ONCE]

    @property
    def is_full(self) -> bool:
        """Whether so many wait that nothing more is to be begun before they are handed on."""
        return len(self.notices) >= FULL_OUTBOX

    def telling(self, kind: NoticeType, now: datetime, **fields: Any) -> "Outbox":  # Any: the fields of a notice
        """One more thing happened."""
        notice = Notice(number=self.told + 1, type=kind, at=now, **fields)
        return self.but(notices=(*self.notices, notice), told=notice.number)

    def asked_for_by(self, actor: str | None, because: str | None, *, after: int) -> "Outbox":
        """What was told after a number follows from what somebody asked for."""
        signed = (
            notice.but(actor=actor, because=because) if notice.number > after else notice for notice in self.notices
        )
        return self.but(notices=tuple(signed)) if actor or because else self

    def handed_on(self, numbers: Sequence[int]) -> "Outbox":
        """These are on their way; what came meanwhile stays."""
        left = tuple(notice for notice in self.notices if notice.number not in numbers)
        return self.but(notices=left, held_since=None)

    def held(self, now: datetime) -> "Outbox":
        """They could not be handed on, and are tried again later."""
        return self.but(held_since=self.held_since or now)
