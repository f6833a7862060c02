"""That the ledger knows more of a subscription than the subscription itself does.

So it is after Temporal's database was restored from a copy, or a workflow was reset to an earlier moment: what happened
since stands in the ledger alone. Nothing is done on what was forgotten, as it may be wrong by now: a period that was
paid since, a pause, a refund. It goes on with what the ledger has kept; see `billing.lives`.
"""

from typing import Final

from pydantic import AwareDatetime

from perennial_billing.billing.protocol.events import CancelAsked, Event, Refresh
from perennial_billing.billing.values import Value

LEDGER_AHEAD: Final = "LedgerAhead"
"""Our own reason beside Amazon's codes: the ledger knows more than the subscription."""

MOST_HEARD: Final = 100
"""Of what is said meanwhile; the charge permission is read anew in any case."""


class Divergence(Value):
    """What is known of it.

    Attributes:
        told: the number of the last notice that the ledger knows.
        since: when that was found (UTC).
        heard: what was said since, in that order; it is taken when both agree again.
    """

    told: int
    since: AwareDatetime
    heard: tuple[Refresh | CancelAsked, ...] = ()

    def hearing(self, event: Event) -> "Divergence":
        """With what somebody says; whatever else happens was done on what is not so any more."""
        said = isinstance(event, Refresh | CancelAsked)
        if not said or event in self.heard or (isinstance(event, Refresh) and len(self.heard) >= MOST_HEARD):
            return self
        return self.but(heard=(*self.heard, event))
