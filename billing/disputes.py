"""Charges that the buyer's bank takes back, or that the buyer complains about at Amazon.

Amazon tells of one by a CHARGEBACK notification. It is read, written down, and told; contesting it is the merchant's,
in Seller Central, before a deadline. What was paid stays paid in the account: the bank's decision is not ours to guess.
"""

from datetime import datetime
from typing import Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from billing.collection import LOOK_AGAIN_AFTER, Action, Step
from billing.money import Money

KEPT: Final = 24
"""Disputes kept in the state, the latest ones."""


class DisputeAnswer(BaseModel):
    """A dispute as it was read.

    Attributes:
        charge_id: Amazon's, of the charge that it is about; None where it could not be read.
        amount: how much.
        state: Amazon's; an open set.
        reason_code: Amazon's; an open set.
        resolution: in whose favour it ended; an open set.
        deadline: until when the merchant may contest it (UTC).
        refused: the reasonCode where Amazon did not show it.
    """

    model_config = ConfigDict(frozen=True)

    charge_id: str | None = None
    amount: Money | None = None
    state: str | None = None
    reason_code: str | None = None
    resolution: str | None = None
    deadline: AwareDatetime | None = None
    refused: str | None = None


class Dispute(BaseModel):
    """One dispute.

    Attributes:
        dispute_id: Amazon's.
        reported_at: when it was first heard of (UTC).
        period: the period whose charge it is about, as far as the account reaches back.
        seen: as it was last read; None before.
        step: what happens next to it; None where nothing does before Amazon tells.
    """

    model_config = ConfigDict(frozen=True)

    dispute_id: str
    reported_at: AwareDatetime
    period: int | None = None
    seen: DisputeAnswer | None = None
    step: Step | None

    @classmethod
    def reported(cls, dispute_id: str, now: datetime) -> Self:
        """One that a notification has just told of: it is read before anything is made of it."""
        return cls(dispute_id=dispute_id, reported_at=now, step=_look(dispute_id, now, "a notification about it"))

    def looked_at(self, now: datetime) -> Self:
        """It is read again."""
        return self.model_copy(update={"step": _look(self.dispute_id, now, "a notification about it")})

    def read(self, answer: DisputeAnswer, period: int | None, now: datetime) -> Self:
        """As it was read; one that Amazon does not show is looked at again slowly."""
        if answer.refused is not None:
            why = f"{answer.refused}: Amazon does not show it"
            return self.model_copy(update={"step": _look(self.dispute_id, now + LOOK_AGAIN_AFTER, why)})
        return self.model_copy(update={"seen": answer, "period": period, "step": None})


def _look(dispute_id: str, at: datetime, why: str) -> Step:
    return Step(action=Action.READ_DISPUTE, at=at, why=f"dispute {dispute_id}: {why}", dispute_id=dispute_id)
