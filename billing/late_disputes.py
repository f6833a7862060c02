"""A dispute of which Amazon tells when the subscription has ended: nobody is there any more to read and tell it.

It is read and told by itself, by the rules of every dispute. Nothing else follows: what has ended is neither paused nor
stopped. Told by `workflows.late_disputes`; what one ends with is what the next notification about it begins with.
"""

from datetime import datetime

from pydantic import Field

from perennial_billing.billing.parts.disputes import Dispute, news_of
from perennial_billing.billing.parts.outbox import Outbox
from perennial_billing.billing.protocol.answers import DisputeAnswer
from perennial_billing.billing.protocol.commands import Command
from perennial_billing.billing.values import Value


class LateDispute(Value):
    """One dispute of a subscription that has ended, or is not known any more.

    Attributes:
        charge_permission_id: whose charge it is about.
        dispute_id: Amazon's.
        merchant_reference: the merchant's own, where the subscription is still known.
        plan_id: the plan's, as far.
        merchant_account: the account that Amazon is asked for.
        periods: the periods of charges, by their ids, as far.
        dispute: as it stands; None before it was looked at.
        outbox: what the merchant is to be told of it; its numbers follow the subscription's own.
    """

    charge_permission_id: str
    dispute_id: str
    merchant_reference: str = ""
    plan_id: str = ""
    merchant_account: str = "default"
    periods: dict[str, int] = Field(default_factory=dict)
    dispute: Dispute | None = None
    outbox: Outbox = Outbox()

    def reported(self, now: datetime) -> "LateDispute":
        """Amazon tells of it: it is read at once."""
        known = self.dispute.read_now(now) if self.dispute else Dispute.reported(self.dispute_id, now)
        return self.but(dispute=known)

    @property
    def next_command(self) -> Command | None:
        """It is read; None where nothing is left to do before Amazon tells of it again."""
        return self.dispute.next_command if self.dispute else None

    def answered(self, answer: DisputeAnswer, now: datetime) -> "LateDispute":
        """As it was read; what is news is told."""
        before = self.dispute or Dispute.reported(self.dispute_id, now)
        after = before.answered(answer, self.periods.get(answer.charge_id or "", before.period), now)
        news, known = news_of(before, after, answer), self.but(dispute=after.but(is_told=True))
        if news is None:
            return known
        kind, about = news
        return known.but(outbox=self.outbox.telling(kind, now, **about))
