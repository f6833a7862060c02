"""What the auditor knows of one subscription: its own account, and what the witness says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.ledger.records import Record
from perennial_billing.starter.audit.account import Account
from perennial_billing.starter.hindered import Hindered
from perennial_billing.starter.stopped import Stopped


class Presence(StrEnum):
    """What Temporal says of a subscription's workflow."""

    RUNNING = "running"
    COMPLETED = "completed"
    """It came to its own end."""
    FAILED = "failed"
    TERMINATED = "terminated"
    TIMED_OUT = "timed out"
    CANCELED = "canceled"
    ABSENT = "not known to Temporal"
    """It never was, or it is over and not retained any more."""
    UNASKED = "unasked"


STOPPED: Final = frozenset({Presence.TERMINATED, Presence.FAILED, Presence.TIMED_OUT})
"""It was ended from outside, or by a fault."""


@dataclass(frozen=True, slots=True)
class Booked:
    """A charge as a witness has it, the period that its idempotency key named, and whose key that was, as
    `billing.keys.owner_of_key` tells; None where no key is known."""

    charge: ChargeAnswer
    period: int | None = None
    owner: str | None = None

    @property
    def charge_id(self) -> str:
        """Amazon's."""
        return self.charge.charge_id or ""

    @property
    def is_captured(self) -> bool:
        """Whether it took money."""
        return self.charge.outcome is ChargeOutcome.CAPTURED

    @property
    def taken(self) -> Money | None:
        """What it takes: what was captured, which may be a part, and all of it before that; None where the witness
        does not say so in a form that can be read."""
        return self.charge.captured or self.charge.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One subscription under audit.

    Attributes:
        charge_permission_id: who it is about.
        now: its time (UTC).
        account: which charges it names.
        record: all that the ledger has of it; None where the ledger does not know it, or is not asked.
        subscription: as it shows itself; None where it does not run, or was not asked.
        presence: what Temporal says of its workflow.
        began_at: when its workflow's run began (UTC), where Temporal says so.
        stopped: how its workflow was ended from outside, where it was.
        hindered: what keeps its workflow from going on, where anything does.
        is_busy: a call to Amazon or a task of the workflow is under way, so it may be behind for a good reason.
        permission: the charge permission, by the witness; None where it was not asked.
        charges: those that the witness was asked for, or has, by their ids.
        all_charges: whether these are all there are; Amazon itself lists none, it only answers for ids.
    """

    charge_permission_id: str
    now: datetime
    account: Account = field(default_factory=Account)
    record: Record | None = None
    subscription: SubscriptionView | None = None
    presence: Presence = Presence.UNASKED
    began_at: datetime | None = None
    stopped: Stopped | None = None
    hindered: Hindered | None = None
    is_busy: bool = False
    permission: PermissionAnswer | None = None
    charges: Mapping[str, Booked] = field(default_factory=dict)
    all_charges: bool = False

    @property
    def status(self) -> Status | None:
        """How it stands, by its own account or by what it told last."""
        if self.subscription is not None:
            return self.subscription.status
        return self.record.row.status if self.record is not None and self.record.row is not None else None

    @property
    def has_ended(self) -> bool:
        """Whether nothing will ever be charged again."""
        return self.status is not None and self.status.has_ended

    @property
    def is_stranger(self) -> bool:
        """Whether nobody here knows a subscription of that charge permission."""
        return self.record is None and self.subscription is None

    @property
    def captured(self) -> list[Booked]:
        """The charges of the witness that took money."""
        return [booked for booked in self.charges.values() if booked.is_captured]

    @property
    def own_charges(self) -> list[Booked]:
        """The charges of the witness under this charge permission."""
        return [
            booked
            for booked in self.charges.values()
            if booked.charge.charge_permission_id in {None, self.charge_permission_id}
        ]

    @property
    def predecessors_charges(self) -> frozenset[str]:
        """Charges that were named under the charge permission that it went on from."""
        before = self.record.predecessor if self.record is not None else None
        return before.charge_ids if before is not None else frozenset()
