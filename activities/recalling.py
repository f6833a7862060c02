"""Looking up in the ledger what a subscription does not remember, or what nobody does as it has ended."""

from temporalio import activity

from perennial_billing.activities.signatures import LedgerActivities
from perennial_billing.billing.protocol.recollection import Recalled, Recollection
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.recalling import recall


class Recollections(LedgerActivities):
    """The activity over a real ledger.

    Args:
        ledger: where all that was told is recorded.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @activity.defn
    async def recall(self, wanted: Recollection) -> Recalled:
        """See `LedgerActivities.recall`.

        Raises:
            LedgerError: it cannot be looked up now.
        """
        return await recall(self._ledger, wanted)
