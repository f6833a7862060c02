"""Charges that Amazon has not decided on: they are pending until the control call says how they end."""

from datetime import timedelta

import httpx
import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import completed, pending_of, state_and_reason
from tests.simulator.merchant import Merchant, charge_of, new_key
from tests.simulator.witness import charges_of, state_of

PENDING = ["AuthorizationInitiated", "CaptureInitiated"]


async def pending_charge(merchant: Merchant, permission: str, state: str = "CaptureInitiated") -> str:
    body = charge_of(permission, canHandlePendingAuthorization=True)
    status, charge = await merchant.create_charge(body, new_key(), simulate=state)
    assert status == 201, charge
    charge_id: str = charge["chargeId"]
    return charge_id


@pytest.mark.parametrize("state", PENDING)
async def test_a_pending_charge_is_created_and_has_captured_nothing(
    merchant: Merchant, permission: str, state: str
) -> None:
    _, charge = await merchant.charge(await pending_charge(merchant, permission, state))

    assert (charge["statusDetails"]["state"], charge["statusDetails"]["reasonCode"]) == (state, None)
    assert (charge["captureAmount"], charge["refundedAmount"]) == (None, None)


@pytest.mark.parametrize("state", PENDING)
async def test_a_pending_charge_that_amazon_accepts_is_captured_in_full(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, state: str
) -> None:
    charge_id = await pending_charge(merchant, permission, state)

    decided = await simulator.decide_charge(charge_id)

    _, charge = await merchant.charge(charge_id)
    assert decided.status_details.state == charge["statusDetails"]["state"] == "Captured"
    assert charge["captureAmount"] == charge["chargeAmount"]
    assert charge["refundedAmount"] == {"amount": "0.00", "currencyCode": "USD"}, "as for one captured at once"


async def test_a_pending_charge_that_amazon_declines_says_why_and_captures_nothing(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    charge_id = await pending_charge(merchant, permission)

    await simulator.decide_charge(charge_id, "SoftDeclined")

    status, charge = await merchant.charge(charge_id)
    assert status == 200, "an asynchronous decline is a state, not an error"
    assert (charge["statusDetails"]["state"], charge["statusDetails"]["reasonCode"]) == ("Declined", "SoftDeclined")
    assert charge["captureAmount"] is None
    assert await state_of(simulator, permission) == ("Chargeable", [])


async def test_a_decline_may_be_taken_back_and_then_the_money_was_taken(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    charge_id = await pending_charge(merchant, permission)
    await simulator.decide_charge(charge_id, "SoftDeclined")

    decided = await simulator.decide_charge(charge_id)

    assert (decided.status_details.state, decided.status_details.reason_code) == ("Captured", None)
    assert decided.capture_amount == decided.charge_amount


@pytest.mark.parametrize(
    ("reason_code", "state"),
    [
        ("HardDeclined", ("NonChargeable", ["PaymentMethodInvalid"])),
        ("AmazonRejected", ("Closed", ["AmazonClosed"])),
    ],
)
async def test_a_late_decline_does_to_the_permission_what_the_same_decline_does_at_once(
    merchant: Merchant,
    simulator: SimulatorHandle,
    permission: str,
    reason_code: str,
    state: tuple[str, list[str]],
) -> None:
    await simulator.decide_charge(await pending_charge(merchant, permission), reason_code)

    assert await state_of(simulator, permission) == state


async def test_an_authorization_pends_only_where_the_merchant_can_handle_it(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    status, answer = await merchant.create_charge(charge_of(permission), new_key(), simulate="AuthorizationInitiated")

    assert (status, answer["reasonCode"]) == (400, "InvalidSandboxSimulationSpecified")
    assert "canHandlePendingAuthorization=true" in answer["message"]
    assert await charges_of(simulator, permission) == []


async def test_a_script_may_do_what_amazon_would_not(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, ["AuthorizationInitiated"])

    status, charge = await merchant.create_charge(charge_of(permission), new_key())

    assert (status, charge["statusDetails"]["state"]) == (201, "AuthorizationInitiated")


async def test_a_pending_authorization_that_is_canceled_is_decided_on_no_more(
    shop: Merchant, amazon: SimulatorHandle
) -> None:
    _, session = await completed(shop, amazon, pending_of(), card="0701")

    status, charge = await shop.cancel(session["chargeId"])
    await amazon.advance_clock(timedelta(minutes=1))
    _, later = await shop.charge(session["chargeId"])

    assert (status, state_and_reason(charge)) == (200, ("Canceled", "MerchantCanceled"))
    assert later == charge
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        await amazon.decide_charge(session["chargeId"])


async def test_an_authorization_that_was_not_to_be_captured_is_authorized_when_amazon_accepts_it(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    _, pending = await merchant.create_charge(
        charge_of(permission, captureNow=False, canHandlePendingAuthorization=True),
        new_key(),
        simulate="AuthorizationInitiated",
    )

    await simulator.decide_charge(pending["chargeId"])

    _, charge = await merchant.charge(pending["chargeId"])
    assert (charge["statusDetails"]["state"], charge["captureAmount"]) == ("Authorized", None)


async def test_a_charge_is_decided_on_once(merchant: Merchant, simulator: SimulatorHandle, permission: str) -> None:
    charge_id = await pending_charge(merchant, permission)
    await simulator.decide_charge(charge_id)

    with pytest.raises(httpx.HTTPStatusError) as caught:
        await simulator.decide_charge(charge_id, "SoftDeclined")

    assert caught.value.response.status_code == 422
    assert [str(charge.status_details.state) for charge in await charges_of(simulator, permission)] == ["Captured"]


async def test_only_a_charge_that_exists_can_be_decided_on(simulator: SimulatorHandle) -> None:
    with pytest.raises(httpx.HTTPStatusError) as caught:
        await simulator.decide_charge("S01-0-0-C000000")

    assert caught.value.response.status_code == 404
