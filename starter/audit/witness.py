"""Who says what really happened: Amazon itself, or whoever else keeps books of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from amazon_pay_client import AmazonPayClient
from amazon_pay_client.models import ChargePermissionState
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.starter.audit.case import Booked


@dataclass(frozen=True, slots=True)
class Testimony:
    """What a witness says of one charge permission; the fields are those of `Case`."""

    permission: ChargePermissionState | str
    charges: Sequence[Booked]
    all_charges: bool


class Witness(Protocol):
    """Knows what was charged."""

    async def testify(self, subscription: SubscriptionView) -> Testimony:
        """What happened under a subscription's charge permission."""
        ...


class AmazonWitness:
    """Amazon Pay. It lists no charges, so only those that the account names can be asked for."""

    def __init__(self, client: AmazonPayClient) -> None:
        self._client = client

    async def testify(self, subscription: SubscriptionView) -> Testimony:
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
