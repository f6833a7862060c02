"""What can be said to a running subscription, and what it answers."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from perennial_billing.billing.changes import AnyRequest
from perennial_billing.billing.contract.terms import ChargePermissionId
from perennial_billing.billing.forecast.preview import DryRun
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.protocol.commands import Next
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.requests import NOBODY, Asker
from perennial_billing.billing.values import Value
from perennial_billing.billing.view import RefundView


class CancelRequest(Value):
    """A request to cancel. The reason is told to Amazon as the closure reason, at most 255 characters of it."""

    reason: str = "Canceled by the merchant"


class Wish(Value):
    """One request. Its id is that of the update which carries it: asking again with it gives the first answer.

    Attributes:
        request: what is wanted.
        asker: who asks, and why.
    """

    request: AnyRequest
    asker: Asker = NOBODY


class Question(Value):
    """What a request would come to.

    Attributes:
        request: what would be asked for.
        at: when (UTC), as whoever asks has it.
    """

    request: AnyRequest
    at: AwareDatetime


class Refusal(Value):
    """A rule said no, and nothing was changed; see `billing.refusals.Refused`."""

    kind: Literal["refused"] = "refused"
    field: str
    value: str
    accepted: str
    refusal: Kind

    @classmethod
    def of(cls, refused: Refused) -> "Refusal":
        """A refusal in the form that travels."""
        return cls(field=refused.field, value=refused.value, accepted=refused.accepted, refusal=refused.kind)

    @property
    def refused(self) -> Refused:
        """The refusal again."""
        return Refused(self.field, self.value, self.accepted, self.refusal)


class Changed(Value):
    """A change was made.

    Attributes:
        effective_at: when it takes effect (UTC).
        agreed: what is charged then, in words: the plan, and how many units, where those were not named too.
        next: what is done next, beside telling Amazon of another plan.
        refunding: how much is going back, where it was canceled.
    """

    kind: Literal["changed"] = "changed"
    effective_at: AwareDatetime
    agreed: str | None = None
    next: Next | None = None
    refunding: Money | None = None


class Retried(Value):
    """What is owed is tried again."""

    kind: Literal["retried"] = "retried"


class Resolved(Value):
    """A held attempt, or an owed period, was settled by hand.

    Attributes:
        charge_id: the charge that was counted; None where none was named.
    """

    kind: Literal["resolved"] = "resolved"
    charge_id: str | None = None


class Refunding(Value):
    """A refund as Amazon has taken it, or has not; how a pending one ends is told later."""

    kind: Literal["refunding"] = "refunding"
    refund: RefundView


class CaptureResult(Value):
    """What became of a capture.

    Attributes:
        charge_id: Amazon's.
        outcome: captured, still authorized because the capture was declined, or lost for good.
        reason_code: Amazon's, where it was not captured.
    """

    kind: Literal["captured"] = "captured"
    charge_id: str
    outcome: PeriodOutcome
    reason_code: str | None = None


class Replaced(Value):
    """It goes on under another charge permission, as another workflow."""

    kind: Literal["replaced"] = "replaced"
    charge_permission_id: ChargePermissionId


class Underway(Value):
    """The request was accepted, and what became of it is not known yet: ask for it again."""

    kind: Literal["underway"] = "underway"


class Unknown(Value):
    """No request is known by that id; it was never accepted, or long ago."""

    kind: Literal["unknown"] = "unknown"


Outcome = Annotated[
    Changed | Retried | Resolved | Refunding | CaptureResult | Replaced | Underway | Unknown | Refusal,
    Field(discriminator="kind"),
]
"""What became of a request, as far as that is known."""


class Answer(Value):
    """An outcome, in the form that travels.

    Attributes:
        outcome: what became of it.
        wish: recognises what was asked for under the id, so that another request under it is noticed.
    """

    outcome: Outcome
    wish: str = ""


class DryRunAnswer(Value):
    """What a request would come to, or why it would be refused."""

    dry_run: DryRun | None = None
    refusal: Refusal | None = None


class NotificationSignal(Value):
    """One of Amazon's notifications, handed on. It says which object to look at, and never how it stands."""

    notification_id: str
    object_type: str
    object_id: str


def changed_at(result: object) -> datetime:
    """When a change takes effect, of what it came to."""
    if not isinstance(result, datetime):
        raise AssertionError(f"a change came to {result!r}")
    return result
