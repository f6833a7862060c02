"""The control API: how a test or a person plays the buyer and Amazon, and how it says no."""

from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from amazon_pay_client.models import ChargeState, Currency
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.books import ScriptedAnswer
from tests.simulator.merchant import Merchant, charge_of, new_key
from tests.simulator.witness import calls_of, charges_of, permission_of


async def refusal_of(simulator: SimulatorHandle, method: str, path: str, body: object = None) -> tuple[int, str]:
    """The control API's answer as status and text."""
    async with httpx.AsyncClient(base_url=f"{simulator.origin}/simulator") as http:
        answer = await http.request(method, path, json=body)
    return answer.status_code, answer.text


async def test_a_buyer_approves_a_permission_in_any_currency_of_amazons(simulator: SimulatorHandle) -> None:
    for currency in Currency:
        permission = await simulator.open_permission(currency)

        assert permission.limits is not None
        assert permission.limits.amount_limit is not None
        assert permission.limits.amount_limit.currency_code == currency
        assert await permission_of(simulator, permission.charge_permission_id) == permission


async def test_the_books_show_what_was_called_and_what_was_charged(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, ["SoftDeclined"])
    keys = [new_key(), new_key()]
    for key in (*keys, keys[1]):
        await merchant.create_charge(charge_of(permission), key)

    (charge,) = await charges_of(simulator, permission)
    calls = await calls_of(simulator, permission)
    assert [(call.idempotency_key, call.status, call.reason_code, call.charge_id, call.replayed) for call in calls] == [
        (keys[0], 422, "SoftDeclined", None, False),
        (keys[1], 201, None, charge.charge_id, False),
        (keys[1], 201, None, None, True),
    ]


async def test_a_new_script_replaces_the_old_one_and_an_empty_one_ends_it(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, ["SoftDeclined", "SoftDeclined"])
    await simulator.script(permission, ["TransactionTimedOut", "SoftDeclined"])
    _, answer = await merchant.create_charge(charge_of(permission), new_key())
    assert answer["reasonCode"] == "TransactionTimedOut"

    await simulator.script(permission, [])

    status, _ = await merchant.create_charge(charge_of(permission), new_key())
    assert status == 201


async def test_a_script_is_for_one_permission_only(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    other = (await simulator.open_permission()).charge_permission_id
    await simulator.script(other, ["SoftDeclined"])

    status, _ = await merchant.create_charge(charge_of(permission), new_key())

    assert status == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/charge-permissions/C01-0-0/script", []),
        ("POST", "/charge-permissions/C01-0-0/mend-payment-method", None),
        ("POST", "/charge-permissions/C01-0-0/break-payment-method", None),
        ("POST", "/charge-permissions/C01-0-0/close-by-buyer", None),
        ("POST", "/charges/S01-0-0-C000000/decide", None),
    ],
)
async def test_nothing_can_be_done_to_what_does_not_exist(
    simulator: SimulatorHandle, method: str, path: str, body: object
) -> None:
    status, text = await refusal_of(simulator, method, path, body)

    assert status == 404
    assert "ResourceNotFound" in text
    assert path.split("/")[2] in text


@pytest.mark.parametrize(
    ("method", "path", "body", "named"),
    [
        ("POST", "/charge-permissions", {"currency": "XXX"}, "currency"),
        ("PUT", "/charge-permissions/{}/script", [{"code": "SoftDeclined", "delay": 1}], "delay"),
        ("PUT", "/charge-permissions/{}/script", [{"delay_seconds": -1}], "delay_seconds"),
        ("PUT", "/charge-permissions/{}/script", [{"delay_seconds": 601}], "delay_seconds"),
        ("PUT", "/charge-permissions/{}/script", "SoftDeclined", "body"),
    ],
)
async def test_a_wrong_value_is_refused_by_the_name_of_its_field(
    simulator: SimulatorHandle, permission: str, method: str, path: str, body: object, named: str
) -> None:
    status, text = await refusal_of(simulator, method, path.format(permission), body)

    assert status == 422
    assert named in text


async def test_the_handle_raises_where_the_simulator_refuses(simulator: SimulatorHandle) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        await simulator.script("C01-0-0", [ScriptedAnswer()])


async def test_the_control_api_documents_itself_and_nothing_of_amazons(simulator: SimulatorHandle) -> None:
    async with httpx.AsyncClient(base_url=simulator.origin) as http:
        document = (await http.get("/openapi.json")).json()
        page = await http.get("/docs")

    assert page.status_code == 200
    assert len(document["paths"]) > 10
    assert all(path.startswith("/simulator/") for path in document["paths"])
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(operation["description"] for operation in operations)


async def test_the_simulator_says_that_it_serves(simulator: SimulatorHandle) -> None:
    assert await refusal_of(simulator, "GET", "/health") == (200, '{"status":"ok"}')


async def test_the_books_say_something_else_of_a_charge_where_somebody_wants_that(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await merchant.create_charge(charge_of(permission), new_key())
    (charge,) = await charges_of(simulator, permission)
    assert charge.charge_amount is not None
    created = datetime(2027, 11, 3, 4, 5, 6, tzinfo=UTC)

    await simulator.falsify_charge(charge.charge_id, captured=Decimal("81.25"), created=created)
    await simulator.falsify_charge(charge.charge_id, refunded=Decimal("3.10"), state=ChargeState.AUTHORIZED)

    (false,) = await charges_of(simulator, permission)
    assert false.charge_amount == charge.charge_amount
    assert (str(false.capture_amount), str(false.refunded_amount)) == (
        str(charge.charge_amount.model_copy(update={"amount": Decimal("81.25")})),
        str(charge.charge_amount.model_copy(update={"amount": Decimal("3.10")})),
    )
    assert (false.status_details.state, false.creation_timestamp) == (ChargeState.AUTHORIZED, created)
    status, said = await refusal_of(simulator, "POST", "/charges/S01-1-1-C1/falsify", {"captured": "1.00"})
    assert (status, "S01-1-1-C1" in said) == (404, True)
    status, said = await refusal_of(simulator, "POST", f"/charges/{charge.charge_id}/falsify", {"capture": "1.00"})
    assert (status // 100, "capture" in said) == (4, True)
