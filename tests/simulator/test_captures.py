"""Authorized charges: captured in full or in part, at once or late; canceled; expired; told by a provider."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import state_and_reason
from tests.simulator.merchant import Answer, Merchant, charge_of, new_key, price
from tests.simulator.receiver import Receiver
from tests.simulator.witness import charges_of, state_of

JANUARY = datetime(datetime.now(UTC).year + 1, 1, 15, 9, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
AUTHORIZED, CAPTURED = ("Authorized", None), ("Captured", None)


async def authorized(
    merchant: Merchant, permission: str, at: datetime | None = JANUARY, *, simulate: str | None = None
) -> str:
    """The id of a charge of 9.99 USD that is not captured."""
    body = charge_of(permission, captureNow=False, canHandlePendingAuthorization=simulate is not None)
    _, charge = await merchant.create_charge(body, new_key(), at, simulate=simulate)
    charge_id: str = charge["chargeId"]
    return charge_id


def refusal(answer: Answer) -> tuple[int, str]:
    status, body = answer
    assert list(body) == ["reasonCode", "message"]
    return status, body["reasonCode"]


@pytest.mark.parametrize("amount", ["9.99", "4.50"])
async def test_all_of_an_authorization_or_a_part_is_captured(merchant: Merchant, permission: str, amount: str) -> None:
    charge_id = await authorized(merchant, permission)

    status, charge = await merchant.capture(charge_id, price(amount), new_key(), JANUARY + DAY, softDescriptor="Tea")

    assert (status, state_and_reason(charge)) == (200, CAPTURED)
    assert (charge["captureAmount"], charge["chargeAmount"]) == (price(amount), price("9.99"))
    assert charge["refundedAmount"] == price("0.00")
    assert charge["softDescriptor"] == "Tea"
    assert charge["statusDetails"]["lastUpdatedTimestamp"] == f"{JANUARY + DAY:%Y%m%dT%H%M%SZ}"
    assert await merchant.charge(charge_id) == (200, charge)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (price("10.00"), "TransactionAmountExceeded"),
        (price("9.99", "EUR"), "CurrencyMismatch"),
        (price("0"), "InvalidParameterValue"),
    ],
)
async def test_what_was_not_authorized_is_not_captured(
    merchant: Merchant, permission: str, wrong: dict[str, Any], code: str
) -> None:
    charge_id = await authorized(merchant, permission)

    assert refusal(await merchant.capture(charge_id, wrong, new_key(), JANUARY)) == (400, code)

    assert state_and_reason((await merchant.charge(charge_id, JANUARY))[1]) == AUTHORIZED


async def test_what_is_not_authorized_any_more_or_not_yet_is_not_captured(merchant: Merchant, permission: str) -> None:
    captured, canceled = await authorized(merchant, permission), await authorized(merchant, permission)
    pending = await authorized(merchant, permission, simulate="AuthorizationInitiated")
    await merchant.capture(captured, price("9.99"), new_key(), JANUARY)
    await merchant.cancel(canceled, JANUARY)

    for charge_id in (captured, canceled, pending):
        again = await merchant.capture(charge_id, price("9.99"), new_key(), JANUARY)
        assert refusal(again) == (422, "InvalidChargeStatus")
    assert refusal(await merchant.capture("none", price("9.99"), new_key())) == (404, "ResourceNotFound")


async def test_a_capture_under_the_same_key_is_answered_as_before(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    charge_id, key = await authorized(merchant, permission), new_key()
    first = await merchant.capture(charge_id, price("5"), key, JANUARY)

    assert await merchant.capture(charge_id, price("5.00"), key, JANUARY + DAY) == first
    assert refusal(await merchant.capture(charge_id, price("6"), key)) == (400, "DuplicateIdempotencyKey")
    assert refusal(await merchant.capture(charge_id, price("5"), None)) == (400, "MissingHeader")
    (charge,) = await charges_of(simulator, permission)
    assert charge.capture_amount is not None
    assert str(charge.capture_amount.amount) == "5.00"


async def test_a_capture_within_a_week_is_at_once_and_later_it_is_initiated_first(
    merchant: Merchant, permission: str
) -> None:
    on_time, late = await authorized(merchant, permission), await authorized(merchant, permission)
    week = JANUARY + 7 * DAY

    _, at_once = await merchant.capture(on_time, price("9.99"), new_key(), week)
    status, initiated = await merchant.capture(late, price("4.50"), new_key(), week + SECOND, softDescriptor="Tea")
    _, waiting = await merchant.charge(late, week + 30 * SECOND)
    _, captured = await merchant.charge(late, week + 31 * SECOND)

    assert state_and_reason(at_once) == CAPTURED
    assert (status, state_and_reason(initiated)) == (200, ("CaptureInitiated", None))
    assert (initiated["captureAmount"], initiated["refundedAmount"]) == (None, None)
    assert waiting == initiated
    assert state_and_reason(captured) == CAPTURED
    assert (captured["captureAmount"], captured["softDescriptor"]) == (price("4.50"), "Tea")
    assert captured["statusDetails"]["lastUpdatedTimestamp"] == f"{week + 31 * SECOND:%Y%m%dT%H%M%SZ}"


async def test_the_week_counts_from_the_authorization_not_from_the_request_for_it(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    charge_id = await authorized(merchant, permission, simulate="AuthorizationInitiated")
    await simulator.decide_charge(charge_id, at=JANUARY + DAY)

    _, charge = await merchant.capture(charge_id, price("9.99"), new_key(), JANUARY + 8 * DAY)

    assert state_and_reason(charge) == CAPTURED


@pytest.mark.parametrize("code", [None, "AmazonCanceled", "ExpiredUnused"])
async def test_an_authorization_is_canceled_by_the_merchant_and_takes_nothing_from_the_limit(
    merchant: Merchant, permission: str, code: str | None
) -> None:
    charge_id = await authorized(merchant, permission)

    status, charge = await merchant.cancel(charge_id, JANUARY, simulate=code)

    assert (status, state_and_reason(charge)) == (200, ("Canceled", code or "MerchantCanceled"))
    _, balance = await merchant.permission(permission, JANUARY)
    assert balance["limits"]["amountBalance"] == price("1000.00")
    assert refusal(await merchant.cancel(charge_id, JANUARY)) == (422, "InvalidChargeStatus")
    _, later = await merchant.charge(charge_id, JANUARY + 31 * DAY)
    assert state_and_reason(later) == state_and_reason(charge), "it does not expire as well"


async def test_a_pending_authorization_can_be_canceled_and_a_captured_charge_cannot(
    merchant: Merchant, permission: str
) -> None:
    pending = await authorized(merchant, permission, simulate="AuthorizationInitiated")
    captured = await authorized(merchant, permission)
    await merchant.capture(captured, price("9.99"), new_key(), JANUARY)

    assert (await merchant.cancel(pending, JANUARY))[0] == 200
    assert refusal(await merchant.cancel(captured, JANUARY)) == (422, "InvalidChargeStatus")


async def test_an_authorization_that_nobody_captures_expires_at_its_expiration_timestamp(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    charge_id = await authorized(merchant, permission, simulate="AuthorizationInitiated")
    await simulator.decide_charge(charge_id, at=JANUARY + DAY / 2)
    _, charge = await merchant.charge(charge_id, JANUARY + 30 * DAY - SECOND)
    assert state_and_reason(charge) == AUTHORIZED
    assert charge["expirationTimestamp"] == f"{JANUARY + 30 * DAY:%Y%m%dT%H%M%SZ}"

    capture = await merchant.capture(charge_id, price("9.99"), new_key(), JANUARY + 30 * DAY)

    assert refusal(capture) == (422, "InvalidChargeStatus")
    _, expired = await merchant.charge(charge_id)
    assert state_and_reason(expired) == ("Canceled", "ExpiredUnused")
    assert expired["statusDetails"]["lastUpdatedTimestamp"] == charge["expirationTimestamp"]


async def test_the_merchant_is_told_that_an_authorization_expired(
    shop: Merchant, amazon: SimulatorHandle, receiver: Receiver
) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    charge_id = await authorized(shop, permission, None)
    captured = await authorized(shop, permission, None)
    await shop.capture(captured, price("9.99"), new_key())
    await amazon.deliver_notifications()
    receiver.posted.clear()

    await amazon.advance_clock(30 * DAY)
    await amazon.deliver_notifications()

    (told,) = receiver.notifications
    assert (told.object_type, told.object_id, told.charge_permission_id) == ("CHARGE", charge_id, permission)
    states = [charge.status_details.state for charge in await charges_of(amazon, permission)]
    assert states == ["Canceled", "Captured"]


@pytest.mark.parametrize(
    ("code", "status", "state"),
    [("AmazonRejected", 422, ("Closed", ["AmazonClosed"])), ("ProcessingFailure", 500, ("Chargeable", []))],
)
async def test_a_capture_that_is_declined_declines_the_charge(
    merchant: Merchant,
    simulator: SimulatorHandle,
    permission: str,
    code: str,
    status: int,
    state: tuple[str, list[str]],
) -> None:
    charge_id, key = await authorized(merchant, permission), new_key()

    first = await merchant.capture(charge_id, price("9.99"), key, JANUARY, simulate=code)
    again = await merchant.capture(charge_id, price("9.99"), key, JANUARY)

    assert refusal(first) == (status, code)
    assert again == first
    _, charge = await merchant.charge(charge_id)
    assert (state_and_reason(charge), charge["captureAmount"]) == (("Declined", code), None)
    assert await state_of(simulator, permission) == state


async def test_a_capture_can_be_simulated_to_be_slow_until_amazon_decides(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    charge_id = await authorized(merchant, permission)
    wrong = await merchant.capture(charge_id, price("5"), new_key(), JANUARY, simulate="SoftDeclined")
    assert refusal(wrong) == (400, "InvalidSandboxSimulationSpecified")

    _, initiated = await merchant.capture(charge_id, price("5"), new_key(), JANUARY, simulate="CaptureInitiated")
    _, later = await merchant.charge(charge_id, JANUARY + 40 * DAY)
    decided = await simulator.decide_charge(charge_id, at=JANUARY + 40 * DAY)

    assert state_and_reason(initiated) == state_and_reason(later) == ("CaptureInitiated", None)
    assert decided.capture_amount is not None
    assert (decided.status_details.state, str(decided.capture_amount.amount)) == ("Captured", "5.00")


@pytest.mark.parametrize(("state", "reason"), [("Authorized", None), ("Captured", None), ("Declined", "SoftDeclined")])
async def test_a_payment_service_provider_tells_how_a_pending_charge_went(
    merchant: Merchant, permission: str, state: str, reason: str | None
) -> None:
    charge_id = await authorized(merchant, permission, simulate="AuthorizationInitiated")

    status, charge = await merchant.update_charge(charge_id, state, reason)

    assert (status, state_and_reason(charge)) == (200, (state, reason))
    assert charge["captureAmount"] == (price("9.99") if state == "Captured" else None)


async def test_a_provider_tells_nothing_that_amazon_does_not_know_nor_of_a_charge_that_is_over(
    merchant: Merchant, permission: str
) -> None:
    charge_id = await authorized(merchant, permission, simulate="AuthorizationInitiated")

    assert refusal(await merchant.update_charge(charge_id, "Forgotten")) == (400, "InvalidParameterValue")
    await merchant.update_charge(charge_id, "Captured")
    assert refusal(await merchant.update_charge(charge_id, "Declined")) == (422, "InvalidChargeStatus")
