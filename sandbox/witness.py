"""The simulator's books as the auditor's witness: who has them needs to ask nobody else."""

from amazon_pay_simulator.books import ExportedBooks
from perennial_billing.billing.keys import period_of_key
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.starter.audit.case import Booked
from perennial_billing.starter.audit.witness import Testimony


class BooksWitness:
    """The simulator's books: every charge, and the key that it was made with."""

    def __init__(self, books: ExportedBooks) -> None:
        self._permissions = {permission.charge_permission_id: permission for permission in books.permissions}
        self._charges = books.charges
        self._keys = {call.charge_id: call.idempotency_key for call in books.calls if call.charge_id is not None}

    async def testify(self, subscription: SubscriptionView) -> Testimony:
        """See `Witness.testify`."""
        return self.testimony(subscription)

    def testimony(self, subscription: SubscriptionView) -> Testimony:
        """What the books say about a subscription's charge permission, and of charges that the account names.

        Those may be of the charge permission that this one took the place of.
        """
        identifier = subscription.terms.charge_permission_id
        named = {record.charge_id for record in subscription.ledger}
        permission = self._permissions.get(identifier)
        return Testimony(
            permission=permission.status_details.state if permission else "unknown",
            charges=[
                Booked(charge, period_of_key(self._keys.get(charge.charge_id, "")))
                for charge in self._charges
                if charge.charge_permission_id == identifier or charge.charge_id in named
            ],
            all_charges=True,
        )
