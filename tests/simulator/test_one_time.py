"""A one-time permission is for one order: its total is all that can be charged, and then it is over."""

from datetime import timedelta
from typing import Any

import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import approved, completed, session_of
from tests.simulator.merchant import Answer, Merchant, charge_of, new_key, price
from tests.simulator.receiver import Receiver
from tests.simulator.witness import permission_of, state_of


async def order(
    merchant: Merchant, simulator: SimulatorHandle, total: str, currency: str = "USD", **details: Any
) -> str:
    """The permission of an order of which nothing is charged yet. Any: as the fields of paymentDetails are."""
    body = session_of("Confirm", total)
    body["paymentDetails"] = {"paymentIntent": "Confirm", "chargeAmount": price(total, currency)} | details
    session_id = await approved(merchant, simulator, body)
    status, session = await merchant.complete_session(session_id, price(total, currency))
    assert status == 200, session
    permission: str = session["chargePermissionId"]
    return permission


async def charged(merchant: Merchant, permission: str, amount: str, **fields: Any) -> Answer:
    return await merchant.create_charge(charge_of(permission, amount, **fields), new_key())


async def left(merchant: Merchant, permission: str) -> str:
    """What may still be charged, as the merchant is told it."""
    _, answer = await merchant.permission(permission)
    balance: str = answer["limits"]["amountBalance"]["amount"]
    return balance


async def test_the_limit_is_the_order_and_is_no_months(merchant: Merchant, simulator: SimulatorHandle) -> None:
    permission = await order(merchant, simulator, "80.00")

    await charged(merchant, permission, "30.00")
    _, answer = await merchant.permission(permission)

    assert answer["limits"] == {"amountLimit": price("80.00"), "amountBalance": price("50.00")}
    created = (await permission_of(simulator, permission)).creation_timestamp
    assert created is not None
    _, next_month = await merchant.permission(permission, created + timedelta(days=40))
    assert next_month["limits"]["amountBalance"] == price("50.00")


async def test_more_than_the_order_is_refused_and_the_rest_of_it_is_not(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    permission = await order(merchant, simulator, "80.00")
    await charged(merchant, permission, "55.00")

    status, answer = await charged(merchant, permission, "25.01")

    assert (status, answer["reasonCode"]) == (400, "TransactionAmountExceeded")
    assert "25.00" in answer["message"]
    assert await state_of(simulator, permission) == ("Chargeable", [])
    assert (await charged(merchant, permission, "25.00"))[0] == 201


async def test_the_order_amount_may_be_more_than_the_first_charge(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    body = session_of("AuthorizeWithCapture", "20.00")
    body["paymentDetails"] |= {"totalOrderAmount": price("35.00")}
    session_id = await approved(merchant, simulator, body)
    confirmed = {"chargeAmount": price("20.00"), "totalOrderAmount": price("35.00")}

    _, session = await merchant.call("POST", f"/checkoutSessions/{session_id}/complete", confirmed)

    permission = session["chargePermissionId"]
    assert await state_of(simulator, permission) == ("Chargeable", [])
    assert await left(merchant, permission) == "15.00"


async def test_what_is_not_captured_or_is_canceled_may_be_charged_again(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    permission = await order(merchant, simulator, "80.00")
    _, partly = await charged(merchant, permission, "50.00", captureNow=False)
    _, unwanted = await charged(merchant, permission, "30.00", captureNow=False)
    assert await left(merchant, permission) == "0.00"

    await merchant.capture(partly["chargeId"], price("10.00"), new_key())
    await merchant.cancel(unwanted["chargeId"])

    assert await left(merchant, permission) == "70.00"


async def test_once_all_is_captured_it_is_closed_and_the_merchant_is_told(
    shop: Merchant, amazon: SimulatorHandle, receiver: Receiver
) -> None:
    permission = await order(shop, amazon, "80.00")
    _, first = await charged(shop, permission, "60.00")
    _, last = await charged(shop, permission, "20.00", captureNow=False)
    assert await state_of(amazon, permission) == ("Chargeable", [])

    await shop.capture(last["chargeId"], price("20.00"), new_key())
    await amazon.deliver_notifications()

    assert await state_of(amazon, permission) == ("Closed", ["AmazonClosed"])
    told = [(notification.object_type, notification.object_id) for notification in receiver.notifications]
    assert told[-2:] == [("CHARGE", last["chargeId"]), ("CHARGE_PERMISSION", permission)]
    assert (await charged(shop, permission, "0.01"))[1]["reasonCode"] == "InvalidChargePermissionStatus"
    assert (await shop.refund(first["chargeId"], price("60.00"), new_key()))[0] == 201, "refunds need no agreement"


@pytest.mark.parametrize(
    ("total", "currency", "limit"),
    [("80.00", "USD", "720.00"), ("10.00", "EUR", "500.00"), ("3000", "JPY", "70000"), ("9000", "JPY", "81000")],
)
async def test_an_overcharge_that_was_asked_for_has_a_limit_of_its_own(
    merchant: Merchant, simulator: SimulatorHandle, total: str, currency: str, limit: str
) -> None:
    permission = await order(merchant, simulator, total, currency, allowOvercharge=True)

    _, answer = await merchant.permission(permission)

    assert answer["limits"]["amountLimit"] == price(limit, currency)


async def test_a_recurring_permission_outlives_its_charges(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    for _ in range(2):
        await charged(merchant, permission, "500.00")

    assert await left(merchant, permission) == "0.00"
    assert await state_of(simulator, permission) == ("Chargeable", [])


async def test_the_buyers_details_are_gone_thirty_days_after_the_order(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    _, session = await completed(merchant, simulator, session_of("Confirm", productType="PayAndShip"))
    identifier = session["chargePermissionId"]
    created = (await permission_of(simulator, identifier)).creation_timestamp
    assert created is not None

    _, on_the_last_day = await merchant.permission(identifier, created + timedelta(days=30))
    _, afterwards = await merchant.permission(identifier, created + timedelta(days=30, seconds=1))

    assert on_the_last_day["buyer"]["email"] == "buyer@simulator.invalid"
    assert on_the_last_day["shippingAddress"]["city"] == "Seattle"
    assert (afterwards["buyer"], afterwards["shippingAddress"]) == (None, None)
    assert afterwards["paymentPreferences"] == on_the_last_day["paymentPreferences"]
