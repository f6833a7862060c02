"""What a merchant changes about a charge permission, and the reasons that a close can be simulated with."""

from typing import Any

import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import MONTHLY, completed, recurring_of
from tests.simulator.merchant import Merchant, charge_of, new_key, price
from tests.simulator.witness import charges_of, state_of


def frequency(unit: str, value: object) -> dict[str, Any]:
    """Recurring metadata. Any: also wrong values."""
    return {"frequency": {"unit": unit, "value": value}}


YEARLY = {"frequency": {"unit": "Year", "value": "1"}, "amount": price("99.00")}


async def test_an_update_changes_what_it_names_and_nothing_else(merchant: Merchant, simulator: SimulatorHandle) -> None:
    _, session = await completed(merchant, simulator, recurring_of("Confirm"))
    identifier = session["chargePermissionId"]
    _, before = await merchant.permission(identifier)

    await merchant.update_permission(identifier, {"merchantMetadata": {"noteToBuyer": "Hi"}})
    status, named = await merchant.update_permission(identifier, {"merchantMetadata": {"merchantReferenceId": "7"}})
    _, changed = await merchant.update_permission(identifier, {"recurringMetadata": YEARLY})

    assert status == 200
    assert named["merchantMetadata"]["merchantReferenceId"] == "7"
    assert named["merchantMetadata"]["noteToBuyer"] == "Hi"
    assert named["recurringMetadata"] == MONTHLY
    assert changed == named | {"recurringMetadata": YEARLY}
    assert changed["statusDetails"] == before["statusDetails"], "it is no change of state"
    assert await merchant.permission(identifier) == (200, changed)


async def test_a_permission_that_cannot_be_charged_can_be_changed(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.break_payment_method(permission)

    status, _ = await merchant.update_permission(permission, {"recurringMetadata": YEARLY})

    assert status == 200
    assert await state_of(simulator, permission) == ("NonChargeable", ["PaymentMethodExpired"])


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"recurringMetadata": frequency("Month", 1.5)}, "InvalidParameterValue", "recurringMetadata.frequency.value"),
        ({"recurringMetadata": frequency("Month", "0")}, "InvalidParameterValue", "recurringMetadata.frequency.value"),
        ({"recurringMetadata": frequency("Month", "½")}, "InvalidParameterValue", "recurringMetadata.frequency.value"),
        ({"recurringMetadata": frequency("Variable", "1")}, "InvalidParameterValue", "frequency.value"),
        ({"recurringMetadata": frequency("Moon", "1")}, "InvalidParameterValue", "recurringMetadata.frequency.unit"),
        ({"recurringMetadata": {}}, "MissingParameterValue", "recurringMetadata.frequency"),
        ({"merchantMetadata": {"merchantReferenceId": "x" * 257}}, "InvalidParameterValue", "merchantReferenceId"),
        ({"merchantMetadata": {"colour": "red"}}, "UnrecognizedField", "merchantMetadata.colour"),
        ({"closureReason": "over"}, "UnrecognizedField", "closureReason"),
        (b"{", "InvalidRequestFormat", "JSON"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_wrong_update_is_refused_and_changes_nothing(
    merchant: Merchant, permission: str, body: dict[str, Any] | bytes, code: str, field: str
) -> None:
    before = await merchant.permission(permission)

    status, answer = await merchant.call("PATCH", f"/chargePermissions/{permission}", body)

    assert (status, answer["reasonCode"]) == (400, code)
    assert field in answer["message"]
    assert await merchant.permission(permission) == before


@pytest.mark.parametrize("code", ["AmazonClosed", "AmazonCanceled", "Expired"])
async def test_a_close_can_be_simulated_to_be_amazons(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, code: str
) -> None:
    status, _ = await merchant.close(permission, {"closureReason": "over"}, simulate=code)

    assert status == 200
    assert await state_of(simulator, permission) == ("Closed", [code])


async def test_another_code_cannot_be_simulated_on_a_close(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    status, answer = await merchant.close(permission, {"closureReason": "over"}, simulate="SoftDeclined")

    assert (status, answer["reasonCode"]) == (400, "InvalidSandboxSimulationSpecified")
    assert await state_of(simulator, permission) == ("Chargeable", [])


@pytest.mark.parametrize("code", ["HardDeclined", "AmazonRejected"])
async def test_a_late_decline_does_not_revive_a_permission_that_was_closed_meanwhile(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, code: str
) -> None:
    _, pending = await merchant.create_charge(charge_of(permission), new_key(), simulate="CaptureInitiated")
    await simulator.close_by_buyer(permission)

    await simulator.decide_charge(pending["chargeId"], code)

    assert await state_of(simulator, permission) == ("Closed", ["BuyerClosed"])
    (charge,) = await charges_of(simulator, permission)
    assert (charge.status_details.state, charge.status_details.reason_code) == ("Declined", code)
