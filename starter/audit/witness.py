"""Who says what really happened: the simulator's books, or Amazon itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from amazon_pay import AmazonPayClient
from amazon_pay.models import ChargePermissionState
from billing.identity import period_of_key
from billing.subscription import Subscription
from simulator.books import ExportedBooks
from starter.audit.case import Booked


@dataclass(frozen=True, slots=True)
class Testimony:
    """What a witness says of one charge permission; the fields are those of `Case`."""

    permission: ChargePermissionState | str
    charges: Sequence[Booked]
    all_charges: bool


class Witness(Protocol):
    """Knows what was charged."""

    async def testify(self, subscription: Subscription) -> Testimony:
        """What happened under a subscription's charge permission."""
        ...


class BooksWitness:
    """The simulator's books: every charge, and the key that it was made with."""

    def __init__(self, books: ExportedBooks) -> None:
        self._permissions = {permission.charge_permission_id: permission for permission in books.permissions}
        self._charges = books.charges
        self._keys = {call.charge_id: call.idempotency_key for call in books.calls if call.charge_id is not None}

    async def testify(self, subscription: Subscription) -> Testimony:
        """See `Witness.testify`."""
        return self.testimony(subscription)

    def testimony(self, subscription: Subscription) -> Testimony:
        """What the books say about a subscription's charge permission."""
        identifier = subscription.terms.charge_permission_id
        permission = self._permissions.get(identifier)
        return Testimony(
            permission=permission.status_details.state if permission else "unknown",
            charges=[
                Booked(charge, period_of_key(self._keys.get(charge.charge_id, "")))
                for charge in self._charges
                if charge.charge_permission_id == identifier
            ],
            all_charges=True,
        )


class AmazonWitness:
    """Amazon Pay. It lists no charges, so only those that the account names can be asked for."""

    def __init__(self, client: AmazonPayClient) -> None:
        self._client = client

    async def testify(self, subscription: Subscription) -> Testimony:
        """See `Witness.testify`.

        Raises:
            AmazonPayError: Amazon did not answer.
        """
        permission = await self._client.charge_permissions.get(subscription.terms.charge_permission_id)
        named = [record.charge_id for record in subscription.ledger if record.charge_id is not None]
        return Testimony(
            permission=permission.status_details.state,
            charges=[Booked(await self._client.charges.get(charge_id)) for charge_id in named],
            all_charges=False,
        )
