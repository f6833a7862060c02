"""What the auditor knows of one subscription: its own account, and what the witness says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from amazon_pay_client.models import Charge, ChargePermissionState, ChargeState, Price
from perennial_billing.billing.parts.ledger import PeriodOutcome, PeriodRecord
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import SubscriptionView


@dataclass(frozen=True, slots=True)
class Booked:
    """A charge as the witness has it, and the period that its idempotency key named; None where no key is known."""

    charge: Charge
    period: int | None = None

    @property
    def taken(self) -> Price | None:
        """What it takes: what was captured, which may be a part, and all of it before that; None where the witness
        does not say so in a form that can be read."""
        return self.charge.capture_amount or self.charge.charge_amount


@dataclass(frozen=True, slots=True)
class Case:
    """One subscription under audit.

    Attributes:
        subscription: its own account.
        now: its time (UTC).
        is_busy: a call to Amazon or a task of the workflow is under way, so it may be behind for a good reason.
        permission: the charge permission's state by the witness; a plain string where it is not known to us.
        charges: those that the witness has.
        all_charges: whether these are all there are; Amazon itself lists none, it only answers for ids.
    """

    subscription: SubscriptionView
    now: datetime
    is_busy: bool
    permission: ChargePermissionState | str
    charges: Sequence[Booked]
    all_charges: bool

    @property
    def charge_permission_id(self) -> str:
        """Who it is about."""
        return self.subscription.terms.charge_permission_id

    @property
    def captured(self) -> list[Booked]:
        """The charges that took money."""
        return [booked for booked in self.charges if booked.charge.status_details.state == ChargeState.CAPTURED]

    @property
    def paid(self) -> list[PeriodRecord]:
        """The periods that are paid by the subscription's own account, as far as it reaches back."""
        return [record for record in self.subscription.ledger if record.outcome is PeriodOutcome.PAID]

    @property
    def handed_over(self) -> list[PeriodRecord]:
        """The periods whose authorized charges went over to the charge permission that it goes on under."""
        replaced = self.subscription.status is Status.REPLACED
        return [each for each in self.subscription.ledger if replaced and each.outcome is PeriodOutcome.AUTHORIZED]
