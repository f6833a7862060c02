"""The peer's activity (see `peer_workflow`), and the models that the two share.

It makes the same signed call as a subscription of ours, and nothing is around it. They are in a file of their own, as
in Temporal's samples, so that the sandbox need not load them anew with each workflow.
"""

from collections.abc import Mapping
from datetime import UTC
from decimal import Decimal

from pydantic import BaseModel
from temporalio import activity

from amazon_pay_client import AmazonPayClient
from amazon_pay_client.models import CreateChargeRequest, Currency, MerchantMetadata, Price
from amazon_pay_client.models.wire import TIMESTAMP_FORMAT
from perennial_billing.worker.wiring import SIMULATOR_TIME_HEADER


class Customer(BaseModel):
    """Who is charged, and how much a month."""

    charge_permission_id: str
    amount: Decimal
    currency: str
    merchant_reference: str


class PeerStatus(BaseModel):
    """How the subscription stands."""

    customer: Customer
    months_charged: int = 0
    last_charge_id: str | None = None
    canceled: bool = False


class ChargeOrder(BaseModel):
    """What is charged once."""

    charge_permission_id: str
    amount: Decimal
    currency: str
    merchant_reference: str
    idempotency_key: str


class ChargeReceipt(BaseModel):
    """What Amazon answered."""

    charge_id: str
    state: str


class PeerActivities:
    """Calls Amazon Pay by a client that it is given."""

    def __init__(self, client: AmazonPayClient) -> None:
        self._client = client

    @activity.defn
    async def charge(self, order: ChargeOrder) -> ChargeReceipt:
        """Makes one signed Create Charge call; any error is Temporal's to repeat."""
        charge = await self._client.charges.create(
            CreateChargeRequest(
                charge_permission_id=order.charge_permission_id,
                charge_amount=Price(amount=order.amount, currency_code=Currency(order.currency)),
                capture_now=True,
                merchant_metadata=MerchantMetadata(merchant_reference_id=order.merchant_reference),
            ),
            idempotency_key=order.idempotency_key,
            headers=_virtual_time(),
        )
        return ChargeReceipt(charge_id=charge.charge_id, state=str(charge.status_details.state))


def _virtual_time() -> Mapping[str, str]:
    """The simulator dates its books by this header, in the peer's calls as in ours."""
    scheduled = activity.info().current_attempt_scheduled_time
    return {SIMULATOR_TIME_HEADER: scheduled.astimezone(UTC).strftime(TIMESTAMP_FORMAT)}
