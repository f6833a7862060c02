"""One idempotency key, one charge: what Amazon promises, and what the whole product stands on."""

import asyncio
import json

import pytest

from amazon_pay_client.models import Currency
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.books import ScriptedAnswer
from tests.simulator.checkout import session_of
from tests.simulator.merchant import Merchant, charge_of, new_key, price
from tests.simulator.witness import calls_of, charges_of


async def test_the_same_request_again_is_answered_as_before_and_charges_once(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    key = new_key()

    first = await merchant.create_charge(charge_of(permission), key)
    again = await merchant.create_charge(charge_of(permission), key)

    assert first[0] == 201
    assert again == first
    assert [charge.charge_id for charge in await charges_of(simulator, permission)] == [first[1]["chargeId"]]
    assert [call.replayed for call in await calls_of(simulator, permission)] == [False, True]


async def test_a_decline_is_answered_again_under_its_key_and_a_new_key_is_a_new_attempt(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, ["SoftDeclined"])
    key = new_key()

    declined = await merchant.create_charge(charge_of(permission), key)
    again = await merchant.create_charge(charge_of(permission), key)
    status, _ = await merchant.create_charge(charge_of(permission), new_key())

    assert (declined[0], declined[1]["reasonCode"]) == (422, "SoftDeclined")
    assert again == declined
    assert status == 201


async def test_a_saved_answer_is_given_even_when_the_permission_has_been_closed_since(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    key = new_key()
    first = await merchant.create_charge(charge_of(permission), key)
    await simulator.close_by_buyer(permission)

    assert await merchant.create_charge(charge_of(permission), key) == first


@pytest.mark.parametrize("change", ["amount", "permission", "field"])
async def test_the_same_key_with_other_values_is_refused_and_charges_nobody(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, change: str
) -> None:
    key = new_key()
    other = (await simulator.open_permission()).charge_permission_id
    bodies = {
        "amount": charge_of(permission, "9.98"),
        "permission": charge_of(other),
        "field": charge_of(permission, captureNow=False),
    }
    await merchant.create_charge(charge_of(permission), key)

    status, answer = await merchant.create_charge(bodies[change], key)

    assert (status, answer["reasonCode"]) == (400, "DuplicateIdempotencyKey")
    assert len(await charges_of(simulator, permission)) == 1
    assert await charges_of(simulator, other) == []


async def test_a_key_that_was_used_for_another_operation_or_path_is_refused_and_does_nothing(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    first, second = [
        (await merchant.create_charge(charge_of(permission, captureNow=False), new_key()))[1]["chargeId"]
        for _ in range(2)
    ]
    key = new_key()
    await merchant.capture(first, price("9.99"), key)

    for status, answer in (
        await merchant.capture(second, price("9.99"), key),
        await merchant.create_charge(charge_of(permission), key),
        await merchant.refund(first, price("9.99"), key),
        await merchant.create_session(session_of(), key),
        await merchant.call("POST", "/files", {"type": "pdf"}, key),
    ):
        assert (status, answer["reasonCode"]) == (400, "DuplicateIdempotencyKey")
    states = [charge.status_details.state for charge in await charges_of(simulator, permission)]
    assert states == ["Captured", "Authorized"]


async def test_a_key_where_amazon_honours_none_has_no_effect(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    key = new_key()
    await merchant.create_charge(charge_of(permission), key)

    read = await merchant.call("GET", f"/chargePermissions/{permission}", key=key)
    updated = await merchant.call("PATCH", f"/chargePermissions/{permission}", {}, "a key that is none")

    assert (read[0], updated[0]) == (200, 200)


async def test_the_same_values_written_in_another_order_are_the_same_request(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    key, body = new_key(), charge_of(permission)
    first = await merchant.create_charge(body, key)

    again = await merchant.create_charge(json.dumps(dict(reversed(body.items())), indent=1).encode(), key)

    assert again == first


async def test_many_at_once_with_one_key_make_one_charge_and_get_one_answer(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    key = new_key()
    await simulator.script(permission, [ScriptedAnswer(delay_seconds=0.1)])

    answers = await asyncio.gather(*(merchant.create_charge(charge_of(permission), key) for _ in range(8)))

    assert answers == [answers[0]] * 8
    assert len(await charges_of(simulator, permission)) == 1


async def test_a_repetition_takes_nothing_from_the_script(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, [None, "SoftDeclined"])
    key = new_key()
    for _ in range(3):
        await merchant.create_charge(charge_of(permission), key)

    status, answer = await merchant.create_charge(charge_of(permission), new_key())

    assert (status, answer["reasonCode"]) == (422, "SoftDeclined")


async def test_a_request_that_was_not_processed_leaves_its_key_free(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    permission = (await simulator.open_permission(Currency.EUR)).charge_permission_id
    key = new_key()
    status, _ = await merchant.create_charge(charge_of(permission), key)
    assert status == 400

    status, answer = await merchant.create_charge(charge_of(permission, currency="EUR"), key)

    assert status == 201, answer


async def test_a_charge_without_a_key_is_refused(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    status, answer = await merchant.create_charge(charge_of(permission), None)

    assert (status, answer["reasonCode"]) == (400, "MissingHeader")
    assert "x-amz-pay-idempotency-key" in answer["message"]
    assert await charges_of(simulator, permission) == []


@pytest.mark.parametrize("key", ["x" * 33, "with space", "d8a2e5f0-1c1b-4f0e-9a51-6b1f2d3c4e5f", "dot.ted", "a/b"])
async def test_a_key_that_amazon_would_not_take_is_refused(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, key: str
) -> None:
    status, answer = await merchant.create_charge(charge_of(permission), key)

    assert (status, answer["reasonCode"]) == (400, "InvalidHeaderValue")
    assert await charges_of(simulator, permission) == []


async def test_a_key_without_a_character_is_a_header_without_a_value(merchant: Merchant, permission: str) -> None:
    status, answer = await merchant.create_charge(charge_of(permission), "")

    assert (status, answer["reasonCode"]) == (400, "MissingHeaderValue")


@pytest.mark.parametrize("key", ["x", "A-Z_a-z_0-9", "longest"])
async def test_a_key_of_one_to_thirty_two_allowed_characters_is_taken(
    merchant: Merchant, permission: str, key: str
) -> None:
    key = new_key() if key == "longest" else key
    status, answer = await merchant.create_charge(charge_of(permission), key)

    assert status == 201, answer
