"""Whether a subscription and the ledger agree: nothing is done on what a subscription has forgotten.

A workflow stands at an earlier moment after Temporal's database was restored, or after it was reset. The ledger has
then heard of more than it. So whatever changes something at Amazon's looks there first. It is one read by a key; where
the ledger cannot be read just now, no charge waits for it.
"""

import asyncio
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from perennial_billing.activities.signatures import LEDGER_AHEAD, Acting, Standing
from perennial_billing.ledger.errors import LedgerError
from perennial_billing.ledger.ledger import Ledger

SECONDS: Final = 2.0
"""How long the ledger may take; a charge is not held up by it for longer."""

NOT_COMPARED: Final = "perennial_ledger_not_compared"
"""The metric that counts what was done without, as the ledger could not be read."""


class Agreement:
    """Compares subscriptions with the ledger.

    Args:
        ledger: which has heard of all that was told.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def check(self, asked: Acting | Standing) -> None:
        """Looks whether the ledger knows more.

        Raises:
            ApplicationError: of type `LedgerAhead`; so nothing is to be done.
        """
        if asked.charge_permission_id is None or asked.told is None:
            return
        try:
            async with asyncio.timeout(SECONDS):
                moment = asked.moment if isinstance(asked, Standing) else None
                told = await self._ledger.last_told(asked.charge_permission_id, moment)
        except (LedgerError, TimeoutError) as error:
            activity.logger.warning("the ledger could not be compared", extra={"why": str(error)})
            activity.metric_meter().create_counter(NOT_COMPARED, "Calls made without comparing the ledger.").add(1)
            return
        if told > asked.told:
            raise ledger_ahead(told)


def ledger_ahead(told: int) -> ApplicationError:
    """What is raised where the ledger knows more.

    Args:
        told: the number of the last notice that it knows.
    """
    return ApplicationError(
        f"the ledger knows {told} notices of it, more than its workflow: nothing was done",
        told,
        type=LEDGER_AHEAD,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )
