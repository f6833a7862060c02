"""Charges that the buyer's bank takes back, or that the buyer complains about at Amazon.

Amazon tells of one by a CHARGEBACK notification. It is read, written down, and told; contesting it is the merchant's,
in Seller Central, before a deadline. What was paid stays paid in the account: the bank's decision is not ours to guess.

One that Amazon does not show is told all the same, with what is known, as its deadline runs; it is read ever more
seldom then, and after some weeks no more, unless Amazon tells of it again.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import AwareDatetime

from perennial_billing.billing.parts.stages import LOOK_AGAIN_AFTER
from perennial_billing.billing.protocol.answers import DisputeAnswer
from perennial_billing.billing.protocol.commands import Command, ReadDispute
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.values import Value

KEPT: Final = 24
"""Disputes kept in the state, the latest ones."""


MOST_SELDOM: Final = timedelta(days=7)
"""How seldom one is read that Amazon does not show: first after an hour, then after twice as long each time."""

MOST_READINGS: Final = 13
"""Readings in vain before it is given up: within 38 days, when the time to contest (11 days) is long over."""


News = tuple[NoticeType, dict[str, Any]]  # Any: the fields of a notice


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
        is_told: the merchant knows of it.
        unreadable: the reasonCode with which Amazon did not show it when it was last to be read.
        in_vain: how often it was read in vain since Amazon last told of it.
    """

    dispute_id: str
    reported_at: AwareDatetime
    period: int | None = None
    seen: DisputeAnswer | None = None
    is_told: bool = False
    unreadable: str | None = None
    in_vain: int = 0
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
        """It is read again, as Amazon says that something has changed."""
        return self.but(look_at=now, at_once=True, why="a notification about it", in_vain=0)

    def answered(self, answer: DisputeAnswer, period: int | None, now: datetime) -> "Dispute":
        """As it was read; one that Amazon does not show is read again ever more seldom, and at last no more."""
        if answer.refused is None:
            return self.but(seen=answer, period=period, look_at=None, at_once=False, unreadable=None, in_vain=0)
        in_vain, why = self.in_vain + 1, f"{answer.refused}: Amazon does not show it"
        again = now + min(LOOK_AGAIN_AFTER * 2**self.in_vain, MOST_SELDOM)
        look_at = again if in_vain < MOST_READINGS else None
        return self.but(look_at=look_at, at_once=False, why=why, unreadable=answer.refused, in_vain=in_vain)

    @property
    def is_given_up(self) -> bool:
        """Whether it is read no more although Amazon has not shown it."""
        return self.unreadable is not None and self.look_at is None

    @property
    def is_unheard(self) -> bool:
        """Whether nobody was told of it yet."""
        return not self.is_told and self.seen is None


def news_of(before: Dispute, after: Dispute, answer: DisputeAnswer) -> News | None:
    """What is told of a dispute that was read: the kind of notice and its fields; None where it is no news.

    That Amazon does not show it is told at the first sign, as the time to contest runs, and once more when it is given
    up.

    Args:
        before: as it stood.
        after: as it stands now.
        answer: what made the one of the other.
    """
    kind = NoticeType.DISPUTE_OPENED if before.is_unheard else NoticeType.DISPUTE_CHANGED
    about = {"period": after.period, "dispute_id": after.dispute_id}
    if answer.refused is None:
        if answer == before.seen:
            return None
        read = {"amount": answer.amount, "charge_id": answer.charge_id, "reason_code": answer.reason_code}
        return kind, {**about, **read, "status": answer.resolution or answer.state, "deadline": answer.deadline}
    if not before.is_unheard and not after.is_given_up:
        return None
    why = f"its details cannot be read: {answer.refused}; look in Seller Central"
    if after.is_given_up:
        why += f". It was read {MOST_READINGS} times in vain, and is not any more before Amazon tells of it again"
    return kind, {**about, "reason_code": answer.refused, "reason": why}


class Disputes(Value):
    """The latest disputes.

    Attributes:
        latest: oldest first.
        stops: the dispute for which what is owed is not to be tried any more, until that has come about.
    """

    latest: tuple[Dispute, ...] = ()
    stops: str | None = None

    @property
    def are_unheard(self) -> bool:
        """Whether one is yet to be read, or told."""
        return any(each.is_unheard for each in self.latest)

    @property
    def are_unreadable(self) -> bool:
        """Whether Amazon does not show one, and it is still to be read."""
        return any(each.unreadable is not None and not each.is_given_up for each in self.latest)

    @property
    def last_reason(self) -> str | None:
        """Why Amazon does not show one that is still to be read."""
        return next((each.unreadable for each in self.latest if each.unreadable and not each.is_given_up), None)

    def find(self, dispute_id: str) -> Dispute | None:
        """The dispute with an id of Amazon's; None where it was forgotten for newer ones."""
        return next((each for each in self.latest if each.dispute_id == dispute_id), None)

    def reported(self, dispute_id: str, now: datetime) -> "Disputes":
        """Amazon says that a charge is disputed, or that something about it has changed: it is read."""
        known = self.find(dispute_id)
        if known is not None:
            return self.with_(known.read_now(now))
        return self.but(latest=(*self.latest, Dispute.reported(dispute_id, now))[-KEPT:])

    def with_(self, dispute: Dispute) -> "Disputes":
        """One of them as it is now."""
        return self.but(
            latest=tuple(dispute if each.dispute_id == dispute.dispute_id else each for each in self.latest)
        )

    def at_rest(self) -> "Disputes":
        """None of them is read any more."""
        return self.but(latest=tuple(each.but(look_at=None) for each in self.latest), stops=None)
