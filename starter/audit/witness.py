"""Who has books of its own, beside Amazon, which lists nothing: the simulator has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from perennial_billing.billing.protocol.answers import PermissionAnswer
from perennial_billing.starter.audit.case import Booked


@dataclass(frozen=True, slots=True)
class Testimony:
    """What a witness says of one charge permission; the fields are those of `Case`."""

    permission: PermissionAnswer | None
    charges: Sequence[Booked]


class Witness(Protocol):
    """Knows every charge, so that nothing has to be asked one by one."""

    def testimony(self, charge_permission_id: str, named: frozenset[str], now: datetime) -> Testimony:
        """What happened under a charge permission, and to the charges that are named, at an instant (UTC)."""
        ...

    @property
    def charge_permission_ids(self) -> Sequence[str]:
        """Every charge permission that buyers gave."""
        ...
