"""Charges one subscriber for one period, once, however often this is run.

    python examples/client/charge_a_subscriber.py C01-0000001-0007919 9.99 USD 2026-11

The idempotency key is made from the permission and the period. So a second run, after a crash or a lost answer, is
answered with the first run's charge and takes no money again.
"""

import asyncio
import hashlib
import sys
from decimal import Decimal

from account import client_from_environment

from amazon_pay_client.errors import DeclinedError
from amazon_pay_client.models import ChargePermissionState, ChargeState, CreateChargeRequest, Currency, Price


async def charge(charge_permission_id: str, amount: str, currency: str, period: str) -> str:
    """What came of it, in a sentence."""
    request = CreateChargeRequest(
        charge_permission_id=charge_permission_id,
        charge_amount=Price(amount=Decimal(amount), currency_code=Currency(currency)),
        capture_now=True,
    )
    key = hashlib.sha256(f"{charge_permission_id} {period}".encode()).hexdigest()[:32]
    async with client_from_environment() as client:
        permission = await client.charge_permissions.get(charge_permission_id)
        if permission.status_details.state is not ChargePermissionState.CHARGEABLE:
            return f"{charge_permission_id} cannot be charged: it is {permission.status_details.state}."
        try:
            charged = await client.charges.create(request, idempotency_key=key)
        except DeclinedError as error:
            return f"{charge_permission_id} was declined ({error.reason_code}); a new attempt needs a new key."
    if charged.status_details.state is ChargeState.CAPTURED:
        return f"{charged.charge_id}: {amount} {currency} captured for {period}."
    return f"{charged.charge_id} is {charged.status_details.state}: wait for its notification, or read it again."


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(charge(*sys.argv[1:5])) + "\n")
