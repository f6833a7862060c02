"""Charges that the buyer's bank takes back, or that the buyer complains about at Amazon.

Amazon tells of one by a CHARGEBACK notification. It is read, written down, and told; contesting it is the merchant's,
in Seller Central, before a deadline. What was paid stays paid in the account: the bank's decision is not ours to guess.
"""

from datetime import datetime
from typing import Final

from pydantic import AwareDatetime

from billing.parts.stages import LOOK_AGAIN_AFTER
from billing.protocol.answers import DisputeAnswer
from billing.protocol.commands import Command, ReadDispute
from billing.values import Value

KEPT: Final = 24
"""Disputes kept in the state, the latest ones."""


class Dispute(Value):
    """One dispute.

    Attributes:
        dispute_id: Amazon's.
        reported_at: when it was first heard of (UTC).
        period: the period whose charge it is about, as far as the account reaches back.
        seen: as it was last read; None before.
        look_at: when it is read (UTC); None where nothing is done before Amazon tells.
        at_once: whether that follows from what just happened.
        why: in words.
    """

    dispute_id: str
    reported_at: AwareDatetime
    period: int | None = None
    seen: DisputeAnswer | None = None
    look_at: AwareDatetime | None = None
    at_once: bool = False
    why: str = ""

    @classmethod
    def reported(cls, dispute_id: str, now: datetime) -> "Dispute":
        """One that a notification has just told of: it is read before anything is made of it."""
        return cls(dispute_id=dispute_id, reported_at=now, look_at=now).read_now(now)

    @property
    def next_command(self) -> Command | None:
        """It is read; None where nothing happens before Amazon tells."""
        if self.look_at is None:
            return None
        why = f"dispute {self.dispute_id}: {self.why}"
        return ReadDispute(dispute_id=self.dispute_id, at=self.look_at, at_once=self.at_once, why=why)

    def read_now(self, now: datetime) -> "Dispute":
        """It is read again."""
        return self.but(look_at=now, at_once=True, why="a notification about it")

    def answered(self, answer: DisputeAnswer, period: int | None, now: datetime) -> "Dispute":
        """As it was read; one that Amazon does not show is looked at again slowly."""
        if answer.refused is not None:
            why = f"{answer.refused}: Amazon does not show it"
            return self.but(look_at=now + LOOK_AGAIN_AFTER, at_once=False, why=why)
        return self.but(seen=answer, period=period, look_at=None, at_once=False)


class Disputes(Value):
    """The latest disputes, oldest first."""

    latest: tuple[Dispute, ...] = ()

    def find(self, dispute_id: str) -> Dispute | None:
        """The dispute with an id of Amazon's; None where it was forgotten for newer ones."""
        return next((each for each in self.latest if each.dispute_id == dispute_id), None)

    def reported(self, dispute_id: str, now: datetime) -> "Disputes":
        """Amazon says that a charge is disputed, or that something about it has changed: it is read."""
        known = self.find(dispute_id)
        if known is not None:
            return self.with_(known.read_now(now))
        return Disputes(latest=(*self.latest, Dispute.reported(dispute_id, now))[-KEPT:])

    def with_(self, dispute: Dispute) -> "Disputes":
        """One of them as it is now."""
        return Disputes(
            latest=tuple(dispute if each.dispute_id == dispute.dispute_id else each for each in self.latest)
        )

    def at_rest(self) -> "Disputes":
        """None of them is read any more."""
        return Disputes(latest=tuple(each.but(look_at=None) for each in self.latest))
