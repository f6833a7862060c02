"""Looking up in the ledger what a subscription does not remember, or what nobody does as it has ended."""

from temporalio import activity

from perennial_billing.activities.agreement import Agreement
from perennial_billing.activities.signatures import KeptState, LedgerActivities, Standing
from perennial_billing.billing.protocol.recollection import Recalled, Recollection
from perennial_billing.ledger.kept import kept_of
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.recalling import recall


class Recollections(LedgerActivities):
    """The activities over a real ledger.

    Args:
        ledger: where all that was told is recorded.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._agreement = Agreement(ledger)

    @activity.defn
    async def recall(self, wanted: Recollection) -> Recalled:
        """See `LedgerActivities.recall`.

        Raises:
            LedgerError: it cannot be looked up now.
        """
        return await recall(self._ledger, wanted)

    @activity.defn
    async def check_agreement(self, standing: Standing) -> None:
        """See `LedgerActivities.check_agreement`.

        Raises:
            ApplicationError: of type `LedgerAhead`.
        """
        await self._agreement.check(standing)

    @activity.defn
    async def kept_state(self, standing: Standing) -> KeptState:
        """See `LedgerActivities.kept_state`.

        Raises:
            LedgerError: it cannot be looked up now.
        """
        kept = await kept_of(self._ledger, standing.charge_permission_id)
        return KeptState(told=kept.told, last=kept.last, subscription=kept.subscription)
