"""The simulator's books as the auditor's witness: who has them needs to ask nobody else."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from amazon_pay_client.models import ChargePermission, ChargeState, Limits, Price
from amazon_pay_simulator.books import ExportedBooks
from amazon_pay_simulator.objects import Charge
from perennial_billing.activities.answers import charge_as_read, permission_answer
from perennial_billing.billing.keys import owner_of_key, period_of_key
from perennial_billing.starter.audit.case import Booked
from perennial_billing.starter.audit.witness import Testimony

_COUNTS_NOTHING = frozenset({ChargeState.DECLINED, ChargeState.CANCELED})


class BooksWitness:
    """The simulator's books: every charge, and the key that it was made with."""

    def __init__(self, books: ExportedBooks) -> None:
        self._permissions = {permission.charge_permission_id: permission for permission in books.permissions}
        self._charges = {charge.charge_id: charge for charge in books.charges}
        self._charges_of: defaultdict[str, list[Charge]] = defaultdict(list)
        for charge in books.charges:
            self._charges_of[charge.charge_permission_id].append(charge)
        self._keys = {call.charge_id: call.idempotency_key for call in books.calls if call.charge_id is not None}

    @property
    def charge_permission_ids(self) -> Sequence[str]:
        """See `Witness.charge_permission_ids`."""
        return tuple(self._permissions)

    def testimony(self, charge_permission_id: str, named: frozenset[str], now: datetime) -> Testimony:
        """See `Witness.testimony`. Charges that are named may be of the charge permission that was before."""
        own = self._charges_of[charge_permission_id]
        others = [self._charges[each] for each in named if each in self._charges]
        charges = {charge.charge_id: charge for charge in (*own, *others)}
        permission = self._permissions.get(charge_permission_id)
        return Testimony(
            permission=permission_answer(_as_read(permission, own, now)) if permission else None,
            charges=[
                Booked(charge_as_read(charge), period_of_key(key), owner_of_key(key))
                for charge_id, charge in charges.items()
                for key in (self._keys.get(charge_id, ""),)
            ],
        )


def _as_read(permission: ChargePermission, charges: Sequence[Charge], now: datetime) -> ChargePermission:
    """With what is left of the limit in the calendar month, of UTC."""
    limit = permission.limits.amount_limit if permission.limits else None
    if limit is None:
        return permission
    month = now.astimezone(UTC).strftime("%Y-%m")
    used = sum((_counted(charge) for charge in charges if _month_of(charge) == month), Decimal(0))
    left = Price.model_validate({"amount": max(limit.amount - used, Decimal(0)), "currency_code": limit.currency_code})
    return permission.model_copy(update={"limits": Limits(amount_limit=limit, amount_balance=left)})


def _counted(charge: Charge) -> Decimal:
    if charge.status_details.state in _COUNTS_NOTHING:
        return Decimal(0)
    return (charge.capture_amount or charge.charge_amount).amount


def _month_of(charge: Charge) -> str:
    created = charge.creation_timestamp
    return created.astimezone(UTC).strftime("%Y-%m") if created is not None else ""
