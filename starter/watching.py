"""Follows one subscription: how it stands, and what it tells, as it happens."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from perennial_billing.billing.protocol.notices import Notice
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.ledger.finding import PAGE, timeline
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.errors import NoWorkerError

LOOKS_EVERY: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is new at one look.

    Attributes:
        view: how it stands.
        notices: what it told since the look before, oldest first.
        missing: how many notices are on their way by its own account, and not in the ledger that was looked at.
    """

    view: SubscriptionView
    notices: tuple[Notice, ...]
    missing: int


class Watcher:
    """Looks at one subscription again and again.

    Args:
        subscriptions: where it is.
        ledger: where its notices are recorded; the workers' own.
        charge_permission_id: which.
    """

    def __init__(self, subscriptions: Subscriptions, ledger: Ledger, charge_permission_id: str) -> None:
        self._subscriptions, self._ledger = subscriptions, ledger
        self._charge_permission_id = charge_permission_id
        self._last_entry, self._last_number = 0, 0

    async def look(self) -> Seen:
        """How it stands now, and what it told since the look before; everything, at the first one.

        Raises:
            SubscriptionNotFoundError: there is none.
            NoWorkerError: no worker answers.
            LedgerError: the ledger cannot be used now.
        """
        view = await self._subscriptions.status(self._charge_permission_id)
        notices: list[Notice] = []
        while True:
            page = await timeline(self._ledger, self._charge_permission_id, after=self._last_entry)
            notices += [entry.notice for entry in page]
            if page:
                self._last_entry = page[-1].id
            if len(page) < PAGE:
                break
        self._last_number = max((self._last_number, *(notice.number for notice in notices)))
        missing = max(view.notices_told - view.notices_waiting - self._last_number, 0)
        return Seen(view, tuple(notices), missing)

    async def until_it_ends(self, every: timedelta = LOOKS_EVERY) -> AsyncIterator[Seen | NoWorkerError]:
        """Each look, until it has ended and all that it told is recorded.

        Where no worker answers after the first look, that is given in a look's place: it is no end.

        Raises:
            SubscriptionNotFoundError: there is none.
            NoWorkerError: no worker answers at the first look.
            LedgerError: the ledger cannot be used now.
        """
        seen = await self.look()
        yield seen
        while not (seen.view.has_ended and seen.view.notices_waiting == 0):
            await asyncio.sleep(every.total_seconds())
            try:
                seen = await self.look()
            except NoWorkerError as error:
                yield error
            else:
                yield seen
