"""The endpoints as a worker knows them: those of the ledger, and the one of its environment variables."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from perennial_billing.ledger.endpoints import Endpoint, Secret, all_endpoints, know_the_environments
from perennial_billing.ledger.errors import LedgerError
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import OF_THE_ENVIRONMENT

KNOWN_SECONDS: Final = 2.0
"""How long they are known before they are read again: so soon a worker learns of what was changed."""


@dataclass(frozen=True, slots=True)
class OwnEndpoint:
    """The one of the environment variables.

    Attributes:
        url: where it listens.
        secret: what is signed with, `whsec_` and base64.
    """

    url: str
    secret: str = field(repr=False)


class Endpoints:
    """Reads them from the ledger when they are needed, and not each time.

    Args:
        ledger: where they are kept, and how each stands.
        own: that of the environment variables, where there is one.
        seconds: how long they are known before they are read again.
    """

    def __init__(self, ledger: Ledger, own: OwnEndpoint | None, seconds: float = KNOWN_SECONDS) -> None:
        self._ledger = ledger
        self._own = own
        self._seconds = seconds
        self._known: Sequence[Endpoint] | None = None
        self._known_until = 0.0

    async def all(self) -> Sequence[Endpoint]:
        """Every one, as it stood a moment ago; as it was last known while the ledger cannot be read.

        Raises:
            LedgerError: it cannot be read, and never could be.
        """
        if self._known is None or not self._is_fresh(self._known):
            self._known_until = time.monotonic() + self._seconds  # whoever asks meanwhile need not read it, too
            try:
                self._known = await self._read()
            except LedgerError:
                if self._known is None:
                    raise
        return self._known

    async def of(self, endpoint_id: str) -> Endpoint | None:
        """One of them; None where it is known no more.

        Raises:
            LedgerError: the ledger cannot be read, and never could be.
        """
        try:
            known = await self.all()
        except LedgerError:
            if self._own is None or endpoint_id != OF_THE_ENVIRONMENT:
                raise
            known = [self._as_endpoint(self._own)]  # all but whether it was disabled stands in the environment
        found = next((each for each in known if each.id == endpoint_id), None)
        if found is None and self._known is not None:
            self.forget()
            found = next((each for each in await self.all() if each.id == endpoint_id), None)
        return found

    def forget(self) -> None:
        """One was changed: they are read again before they are used."""
        self._known_until = 0.0

    def _is_fresh(self, known: Sequence[Endpoint]) -> bool:
        """While one is disabled they are read each time: it may have been enabled a moment ago, and what is taken for
        disabled then would not be sent."""
        return time.monotonic() < self._known_until and all(each.is_enabled for each in known)

    async def _read(self) -> list[Endpoint]:
        found = await all_endpoints(self._ledger)
        others = [each for each in found if each.id != OF_THE_ENVIRONMENT]
        if self._own is None:
            return others
        row = next((each for each in found if each.id == OF_THE_ENVIRONMENT), None)
        if row is None or row.url != self._own.url:
            await know_the_environments(self._ledger, self._own.url)
            row = None
        return [self._as_endpoint(self._own, row), *others]

    def _as_endpoint(self, own: OwnEndpoint, row: Endpoint | None = None) -> Endpoint:
        now = self._ledger.now()
        stands = row or Endpoint(id=OF_THE_ENVIRONMENT, url=own.url, types=(), created_at=now)
        return replace(stands, secrets=(Secret(0, now, own.secret),))
