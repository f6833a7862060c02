"""What only the ledger still knows of subscriptions that Temporal has forgotten."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from perennial_billing.starter.errors import SubscriptionNotFoundError

if TYPE_CHECKING:
    from perennial_billing.ledger.ledger import Ledger
    from perennial_billing.ledger.lives import EarlierLife

OpensLedger = Callable[[], AbstractAsyncContextManager["Ledger"]]


class Recalling:
    """Looks into the ledger, which is opened where there is something to look for.

    Args:
        opens: the ledger; without one, nothing is known.
    """

    def __init__(self, opens: OpensLedger | None) -> None:
        self._opens = opens

    async def owner_of(self, charge_id: str) -> str:
        """See `Subscriptions.owner_of`."""
        owner = None
        if self._opens is not None:
            from perennial_billing.ledger.recalling import owner_of

            async with self._opens() as ledger:
                owner = await owner_of(ledger, charge_id)
        if owner is None:
            raise SubscriptionNotFoundError(f"charge {charge_id}: no entry of the ledger says that it was captured")
        return owner

    async def successor_of(self, charge_permission_id: str) -> str | None:
        """The charge permission under which a subscription went on, if it did."""
        if self._opens is None:
            return None
        from perennial_billing.ledger.recalling import successor_of

        async with self._opens() as ledger:
            return await successor_of(ledger, charge_permission_id)

    async def earlier_life(self, charge_permission_id: str) -> "EarlierLife | None":
        """The subscription that has lived under a charge permission before, if there was one."""
        if self._opens is None:
            return None
        from perennial_billing.ledger.lives import earlier_life

        async with self._opens() as ledger:
            return await earlier_life(ledger, charge_permission_id)

    async def is_known(self, charge_permission_id: str) -> bool:
        """Whether there ever was a subscription."""
        if self._opens is None:
            return False
        from perennial_billing.ledger.recalling import is_known

        async with self._opens() as ledger:
            return await is_known(ledger, charge_permission_id)
