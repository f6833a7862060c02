"""Declines: their status and reasonCode, what each does to the charge permission, and who chooses them."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from amazon_pay_client.models import Currency
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.books import ScriptedAnswer
from tests.simulator.merchant import Merchant, charge_of, new_key
from tests.simulator.witness import calls_of, charges_of, state_of

JANUARY = datetime(datetime.now(UTC).year + 1, 1, 31, 23, 59, 59, tzinfo=UTC)
FEBRUARY = JANUARY + timedelta(seconds=1)

DECLINES = [
    ("SoftDeclined", 422, ("Chargeable", [])),
    ("HardDeclined", 422, ("NonChargeable", ["PaymentMethodInvalid"])),
    ("AmazonRejected", 422, ("Closed", ["AmazonClosed"])),
    ("TransactionTimedOut", 422, ("Chargeable", [])),
    ("ProcessingFailure", 500, ("Chargeable", [])),
    ("PaymentMethodNotAllowed", 422, ("Chargeable", [])),
    ("MFANotCompleted", 422, ("Chargeable", [])),
    ("PeriodicAmountExceeded", 400, ("Chargeable", [])),
]


@pytest.mark.parametrize("chosen_by", ["script", "header"])
@pytest.mark.parametrize(("code", "status", "state"), DECLINES, ids=[code for code, _, _ in DECLINES])
async def test_each_decline_has_its_status_and_leaves_the_permission_as_amazon_does(
    merchant: Merchant,
    simulator: SimulatorHandle,
    permission: str,
    code: str,
    status: int,
    state: tuple[str, list[str]],
    chosen_by: str,
) -> None:
    if chosen_by == "script":
        await simulator.script(permission, [code])

    answered, answer = await merchant.create_charge(
        charge_of(permission), new_key(), simulate=code if chosen_by == "header" else None
    )

    assert (answered, answer["reasonCode"]) == (status, code)
    assert list(answer) == ["reasonCode", "message"], "a synchronous decline has no charge id"
    assert await charges_of(simulator, permission) == []
    assert await state_of(simulator, permission) == state
    booked = [(call.status, call.reason_code, call.charge_id) for call in await calls_of(simulator, permission)]
    assert booked == [(status, code, None)]


async def test_a_code_that_cannot_be_simulated_is_refused_and_its_key_stays_free(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    key = new_key()

    status, answer = await merchant.create_charge(charge_of(permission), key, simulate="BuyerIsAsleep")

    assert (status, answer["reasonCode"]) == (400, "InvalidSandboxSimulationSpecified")
    assert "BuyerIsAsleep" in answer["message"]
    assert await state_of(simulator, permission) == ("Chargeable", [])
    assert (await merchant.create_charge(charge_of(permission), key))[0] == 201


async def test_a_script_is_played_in_order_and_charges_succeed_after_its_end(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, ["SoftDeclined", None, ScriptedAnswer(code="TransactionTimedOut")])

    answers = [await merchant.create_charge(charge_of(permission), new_key()) for _ in range(5)]

    assert [answer.get("reasonCode") for _, answer in answers] == [
        "SoftDeclined",
        None,
        "TransactionTimedOut",
        None,
        None,
    ]
    assert len(await charges_of(simulator, permission)) == 3


async def test_the_header_goes_before_the_script_and_uses_nothing_of_it_up(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, ["SoftDeclined"])

    _, first = await merchant.create_charge(charge_of(permission), new_key(), simulate="TransactionTimedOut")
    _, second = await merchant.create_charge(charge_of(permission), new_key())

    assert (first["reasonCode"], second["reasonCode"]) == ("TransactionTimedOut", "SoftDeclined")


async def test_a_delayed_answer_is_in_the_books_before_it_leaves(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.script(permission, [ScriptedAnswer(delay_seconds=0.5)])
    started = time.monotonic()

    charging = asyncio.create_task(merchant.create_charge(charge_of(permission), new_key()))
    while not await charges_of(simulator, permission):
        await asyncio.sleep(0.01)
    assert not charging.done(), "the charge is made and its answer is on its way"
    status, _ = await charging

    assert status == 201
    assert time.monotonic() - started >= 0.5


@pytest.mark.parametrize(("currency", "limit"), [("USD", 1_000), ("JPY", 100_000)])
async def test_the_charges_of_a_calendar_month_together_stay_within_the_permissions_limit(
    merchant: Merchant, simulator: SimulatorHandle, currency: str, limit: int
) -> None:
    permission = (await simulator.open_permission(Currency(currency), JANUARY)).charge_permission_id

    async def charged(amount: int, at: datetime) -> tuple[int, str | None]:
        body = charge_of(permission, str(amount), currency)
        status, answer = await merchant.create_charge(body, new_key(), at)
        return status, answer.get("reasonCode")

    assert await charged(limit + 1, JANUARY) == (400, "PeriodicAmountExceeded")
    assert await charged(limit - 100, JANUARY) == (201, None)
    assert await charged(101, JANUARY) == (400, "PeriodicAmountExceeded")
    assert await charged(100, JANUARY) == (201, None)
    assert await charged(1, JANUARY) == (400, "PeriodicAmountExceeded")
    assert await charged(limit, FEBRUARY) == (201, None), "a new calendar month begins"


async def test_a_decline_takes_nothing_from_the_limit_and_a_pending_charge_does_until_it_is_declined(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    all_of_it = charge_of(permission, "1000")
    await simulator.script(permission, ["SoftDeclined", "CaptureInitiated"])

    declined, _ = await merchant.create_charge(all_of_it, new_key())
    pending, charge = await merchant.create_charge(all_of_it, new_key())
    meanwhile, refusal = await merchant.create_charge(all_of_it, new_key())
    await simulator.decide_charge(charge["chargeId"], "SoftDeclined")
    afterwards, _ = await merchant.create_charge(all_of_it, new_key())

    assert (declined, pending, meanwhile, afterwards) == (422, 201, 400, 201)
    assert refusal["reasonCode"] == "PeriodicAmountExceeded"


async def test_each_permission_has_a_limit_of_its_own(merchant: Merchant, simulator: SimulatorHandle) -> None:
    for _ in range(2):
        permission = (await simulator.open_permission()).charge_permission_id
        status, answer = await merchant.create_charge(charge_of(permission, "1000"), new_key())
        assert status == 201, answer
