"""Saved Wallet: a payment method is saved with a purchase or without one, and is charged later."""

from typing import Any

import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import RESULT_URL, approved, opened, session_of
from tests.simulator.merchant import Merchant, charge_of, new_key, price
from tests.simulator.witness import charges_of

ONLY_SET_UP: dict[str, Any] = {
    "webCheckoutDetails": {"checkoutResultReturnUrl": RESULT_URL},
    "storeId": "amzn1.application-oa2-client.000000",
    "chargePermissionType": "PaymentMethodOnFile",
    "paymentMethodOnFileMetadata": {"setupOnly": True},
    "paymentDetails": {"paymentIntent": "Confirm"},
}


async def set_up(merchant: Merchant, simulator: SimulatorHandle, **details: str) -> dict[str, Any]:
    """The permission of a wallet that was set up without a purchase."""
    body = ONLY_SET_UP | {"paymentDetails": ONLY_SET_UP["paymentDetails"] | details}
    session_id = await approved(merchant, simulator, body)
    status, session = await merchant.call("POST", f"/checkoutSessions/{session_id}/complete", {})
    assert (status, session["chargeId"]) == (200, None), session
    return (await merchant.permission(session["chargePermissionId"]))[1]


async def test_a_wallet_is_set_up_without_any_amount(merchant: Merchant, simulator: SimulatorHandle) -> None:
    _, session = await merchant.session(await opened(merchant, ONLY_SET_UP))
    assert [lacking["constraintId"] for lacking in session["constraints"]] == ["BuyerNotAssociated"]

    permission = await set_up(merchant, simulator)

    assert permission["chargePermissionType"] == "PaymentMethodOnFile"
    assert permission["paymentMethodOnFileMetadata"] == {"setupOnly": True}
    assert (permission["buyer"]["name"], permission["expirationTimestamp"]) == ("Sim Buyer", None)
    assert permission["limits"]["amountLimit"] == price("15000.00")
    assert await charges_of(simulator, permission["chargePermissionId"]) == []


async def test_its_limit_is_in_the_currency_that_the_buyer_was_shown(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    permission = await set_up(merchant, simulator, presentmentCurrency="JPY")

    assert permission["limits"]["amountLimit"] == price("2000000", "JPY")


async def test_it_is_charged_when_the_buyer_is_not_there(merchant: Merchant, simulator: SimulatorHandle) -> None:
    permission = (await set_up(merchant, simulator))["chargePermissionId"]
    body = charge_of(permission, "42.00", chargeInitiator="MITU", channel="Phone")

    status, charge = await merchant.create_charge(body, new_key())

    assert (status, charge["chargeInitiator"], charge["channel"]) == (201, "MITU", "Phone")
    assert not charge["chargeId"].startswith(permission), "it has an order number of its own"


async def test_a_wallet_that_is_saved_with_a_purchase_needs_its_amount(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    body = session_of(chargePermissionType="PaymentMethodOnFile", paymentMethodOnFileMetadata={"setupOnly": False})
    session_id = await approved(merchant, simulator, body)

    without = await merchant.call("POST", f"/checkoutSessions/{session_id}/complete", {})
    _, session = await merchant.complete_session(session_id, price("9.99"))

    assert (without[0], without[1]["reasonCode"]) == (400, "MissingParameterValue")
    (charge,) = await charges_of(simulator, session["chargePermissionId"])
    assert str(charge.capture_amount and charge.capture_amount.amount) == "9.99"


@pytest.mark.parametrize("intent", ["Authorize", "AuthorizeWithCapture"])
async def test_where_nothing_is_bought_nothing_is_authorized(merchant: Merchant, intent: str) -> None:
    body = ONLY_SET_UP | {"paymentDetails": {"paymentIntent": intent, "chargeAmount": price("9.99")}}

    status, answer = await merchant.create_session(body, new_key())

    assert (status, answer["reasonCode"]) == (400, "InvalidParameterCombination")
    assert answer["message"].startswith("paymentDetails.paymentIntent")
