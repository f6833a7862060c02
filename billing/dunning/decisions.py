"""What the rules of dunning can decide: each a value, to be carried out by the collection that asked."""

from dataclasses import dataclass

from perennial_billing.billing.dunning.reasons import Meaning
from perennial_billing.billing.money import Money


@dataclass(frozen=True, slots=True)
class Keep:
    """What was decided before is still right."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Amazon has not decided on the charge: it is read until it has."""

    charge_id: str | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """The charge that was pending is authorized: its money is taken."""

    charge_id: str | None = None


@dataclass(frozen=True, slots=True)
class PendingUnreadable:
    """Amazon does not show the pending charge: the operator looks, and it is read again slowly."""

    code: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """The request, the key or the account is in the way: held for the operator, the same attempt is sent slowly."""

    code: str


@dataclass(frozen=True, slots=True)
class LeaveToMerchant:
    """A final answer that nobody knows how to go on from: nothing is done before the merchant says so.

    Attributes:
        code: Amazon's, or our own.
        why: in words, where that tells more.
    """

    code: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class AskLimit:
    """Amazon's monthly limit is in the way; whether of this month or of all, the charge permission says."""


@dataclass(frozen=True, slots=True)
class NextMonth:
    """Amazon's monthly limit is used up: the next calendar month, and no attempt is spent.

    Attributes:
        left: what Amazon says may still be charged in this one.
    """

    left: Money | None = None


@dataclass(frozen=True, slots=True)
class AskPermission:
    """The charge failed; whether it may be tried again, the charge permission says."""

    code: str
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class LosePermission:
    """Nothing can be charged under the charge permission any more."""

    why: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Another attempt, when the schedules say."""


@dataclass(frozen=True, slots=True)
class ChargeAtOnce:
    """The buyer has mended the payment method: somebody waits for it."""


@dataclass(frozen=True, slots=True)
class AwaitBuyer:
    """Only the buyer can mend it.

    Attributes:
        code: the permission's own reason, where that tells more than the charge's.
    """

    code: str | None = None


@dataclass(frozen=True, slots=True)
class LookAgain:
    """The charge permission is busy, or behind: it is read again in a while."""


@dataclass(frozen=True, slots=True)
class HoldPermission:
    """The charge permission says what only an operator can mend, or says nothing."""

    code: str


AfterCharge = (
    Pending | Capture | PendingUnreadable | Repeat | LeaveToMerchant | AskLimit | AskPermission | LosePermission
)
AfterLimit = NextMonth | LeaveToMerchant
AfterPermission = Keep | Retry | ChargeAtOnce | AwaitBuyer | LookAgain | HoldPermission | LosePermission
