"""Scripts beyond declines: any error of Amazon's, errors that nobody knows, and a call that goes wrong on the wire."""

import httpx
import pytest
from pydantic import ValidationError

from amazon_pay_simulator import SimulatorHandle, wire
from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.faults import Fault
from amazon_pay_simulator.refusals import STATUS_OF
from amazon_pay_simulator.simulations import DECLINES
from tests.simulator.merchant import Merchant, charge_of, new_key, price
from tests.simulator.witness import calls_of, charges_of, state_of


@pytest.mark.parametrize("code", sorted(STATUS_OF.keys() - DECLINES.keys()))
async def test_any_error_of_amazons_can_be_scripted_and_does_nothing_else(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, code: str
) -> None:
    await simulator.script(permission, [code])

    status, answer = await merchant.create_charge(charge_of(permission), new_key())

    assert (status, answer["reasonCode"]) == (STATUS_OF[code], code)
    assert list(answer) == ["reasonCode", "message"]
    _, untouched = await merchant.permission(permission)
    assert (untouched["statusDetails"]["state"], untouched["limits"]["amountBalance"]) == (
        "Chargeable",
        price("1000.00"),
    )
    booked = [(call.status, call.reason_code, call.charge_id) for call in await calls_of(simulator, permission)]
    assert booked == [(status, code, None)]
    assert (await merchant.create_charge(charge_of(permission), new_key()))[0] == 201


@pytest.mark.parametrize("status", [400, 422, 500, 599])
async def test_a_code_that_nobody_knows_can_be_scripted_with_its_status(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, status: int
) -> None:
    await simulator.script(permission, [ScriptedAnswer(code="InventedTomorrow", status=status)])

    answered, answer = await merchant.create_charge(charge_of(permission), new_key())

    assert (answered, answer["reasonCode"]) == (status, "InventedTomorrow")
    assert await charges_of(simulator, permission) == []


async def test_a_known_decline_with_another_status_is_answered_so_and_leaves_the_permission_alone(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, [ScriptedAnswer(code="HardDeclined", status=400)])

    status, answer = await merchant.create_charge(charge_of(permission), new_key())

    assert (status, answer["reasonCode"]) == (400, "HardDeclined")
    assert await state_of(simulator, permission) == ("Chargeable", [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "X", "status": 200},
        {"code": "X", "status": 600},
        {"status": 500},
        {"fault": "fire"},
        {"fault": "Reset"},
    ],
    ids=str,
)
def test_an_answer_that_cannot_be_is_refused_by_the_name_of_its_field(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=list(wrong)[-1]):
        ScriptedAnswer.model_validate(wrong)


async def test_a_scripted_loss_of_the_answer_charges_and_the_same_key_finds_the_charge(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, [ScriptedAnswer(fault=Fault.LOST_ANSWER)])
    key = new_key()

    with pytest.raises(httpx.RemoteProtocolError):
        await merchant.create_charge(charge_of(permission), key)
    status, charge = await merchant.create_charge(charge_of(permission), key)

    assert status == 201
    assert [made.charge_id for made in await charges_of(simulator, permission)] == [charge["chargeId"]]


async def test_the_answer_that_is_lost_may_be_a_decline(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, [ScriptedAnswer(code="HardDeclined", fault=Fault.LOST_ANSWER)])
    key = new_key()

    with pytest.raises(httpx.RemoteProtocolError):
        await merchant.create_charge(charge_of(permission), key)

    assert await state_of(simulator, permission) == ("NonChargeable", ["PaymentMethodInvalid"])
    assert (await merchant.create_charge(charge_of(permission), key))[1]["reasonCode"] == "HardDeclined"


async def test_a_scripted_reset_comes_before_amazon_has_done_anything(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, [ScriptedAnswer(code="HardDeclined", fault=Fault.RESET)])
    key = new_key()

    with pytest.raises(httpx.ReadError):
        await merchant.create_charge(charge_of(permission), key)

    assert await calls_of(simulator, permission) == []
    assert (await merchant.create_charge(charge_of(permission), key))[0] == 201


@pytest.mark.parametrize(
    ("fault", "status"), [(Fault.INTERNAL_ERROR, 500), (Fault.UNAVAILABLE, 503), (Fault.THROTTLED, 429)]
)
async def test_a_scripted_server_error_comes_before_amazon_has_done_anything(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, fault: Fault, status: int
) -> None:
    await simulator.script(permission, [ScriptedAnswer(fault=fault)])
    key = new_key()

    refused, _ = await merchant.create_charge(charge_of(permission), key)

    assert (refused, await calls_of(simulator, permission)) == (status, [])
    assert (await merchant.create_charge(charge_of(permission), key))[0] == 201


async def test_a_scripted_slow_body_is_the_whole_answer_in_the_end(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "SLOW_BODY_SECONDS", 0.0)
    await simulator.script(permission, [ScriptedAnswer(fault=Fault.SLOW_BODY)])
    key = new_key()

    slow = await merchant.create_charge(charge_of(permission), key)

    assert await merchant.create_charge(charge_of(permission), key) == slow


async def test_a_fault_is_for_one_call_and_the_script_goes_on(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, [ScriptedAnswer(fault=Fault.RESET), "SoftDeclined"])
    key = new_key()
    with pytest.raises(httpx.ReadError):
        await merchant.create_charge(charge_of(permission), key)

    assert (await merchant.create_charge(charge_of(permission), key))[1]["reasonCode"] == "SoftDeclined"
    assert (await merchant.create_charge(charge_of(permission), new_key()))[0] == 201
