"""Charge permissions end by themselves: a recurring one thirteen months after its last charge."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import approved, completed, opened, pending_of, recurring_of, session_of
from tests.simulator.merchant import Merchant, charge_of, new_key, price
from tests.simulator.receiver import Receiver
from tests.simulator.witness import charges_of, state_of

YEAR = datetime.now(UTC).year + 1
JANUARY = datetime(YEAR, 1, 31, 9, 30, tzinfo=UTC)
THIRTEEN_MONTHS_LATER = datetime(YEAR + 1, 2, 28, 9, 30, tzinfo=UTC)
if THIRTEEN_MONTHS_LATER.year % 4 == 0:
    THIRTEEN_MONTHS_LATER += timedelta(days=1)
SECOND = timedelta(seconds=1)


def written(instant: datetime) -> str:
    return f"{instant:%Y%m%dT%H%M%SZ}"


@pytest.fixture
async def old(simulator: SimulatorHandle) -> str:
    """A recurring permission of the 31st of January."""
    return (await simulator.open_permission(at=JANUARY)).charge_permission_id


async def test_a_permission_that_is_never_charged_closes_after_thirteen_months(
    merchant: Merchant, simulator: SimulatorHandle, old: str
) -> None:
    _, before = await merchant.permission(old, THIRTEEN_MONTHS_LATER - SECOND)
    status, answer = await merchant.create_charge(charge_of(old), new_key(), THIRTEEN_MONTHS_LATER)

    assert before["statusDetails"]["state"] == "Chargeable"
    assert before["expirationTimestamp"] == written(THIRTEEN_MONTHS_LATER), "the month's last day where it is shorter"
    assert (status, answer["reasonCode"]) == (422, "InvalidChargePermissionStatus")
    assert await state_of(simulator, old) == ("Closed", ["Expired"])
    _, expired = await merchant.permission(old, THIRTEEN_MONTHS_LATER + timedelta(days=99))
    assert expired["statusDetails"]["lastUpdatedTimestamp"] == written(THIRTEEN_MONTHS_LATER)


async def test_a_charge_lets_the_permission_live_on_from_then(
    merchant: Merchant, simulator: SimulatorHandle, old: str
) -> None:
    last_second = THIRTEEN_MONTHS_LATER - SECOND
    status, _ = await merchant.create_charge(charge_of(old), new_key(), last_second)

    assert status == 201
    _, permission = await merchant.permission(old, THIRTEEN_MONTHS_LATER)
    assert permission["statusDetails"]["state"] == "Chargeable"
    assert permission["expirationTimestamp"] > written(THIRTEEN_MONTHS_LATER + timedelta(days=390))


async def test_a_declined_charge_does_not_let_it_live_on(merchant: Merchant, old: str) -> None:
    await merchant.create_charge(charge_of(old), new_key(), JANUARY + timedelta(days=90), simulate="SoftDeclined")

    _, permission = await merchant.permission(old, JANUARY + timedelta(days=91))

    assert permission["expirationTimestamp"] == written(THIRTEEN_MONTHS_LATER)


async def test_a_permission_that_was_closed_before_keeps_its_reason(simulator: SimulatorHandle, old: str) -> None:
    await simulator.close_by_buyer(old, JANUARY + SECOND)

    with pytest.raises(httpx.HTTPStatusError, match="422"):
        await simulator.mend_payment_method(old, THIRTEEN_MONTHS_LATER)

    assert await state_of(simulator, old) == ("Closed", ["BuyerClosed"])


async def test_an_expired_permission_is_neither_mended_nor_changed_nor_closed(
    merchant: Merchant, simulator: SimulatorHandle, old: str
) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        await simulator.mend_payment_method(old, THIRTEEN_MONTHS_LATER)
    update = await merchant.update_permission(old, {"merchantMetadata": {"noteToBuyer": "Hi"}}, THIRTEEN_MONTHS_LATER)
    close = await merchant.close(old, {"closureReason": "over"}, THIRTEEN_MONTHS_LATER)

    assert (update[0], update[1]["reasonCode"]) == (422, "ChargePermissionNotModifiable")
    assert (close[0], close[1]["reasonCode"]) == (422, "InvalidChargePermissionStatus")
    assert await state_of(simulator, old) == ("Closed", ["Expired"])


@pytest.mark.parametrize("extended", [True, False])
async def test_a_permission_for_one_time_lives_for_180_days_or_extended_for_thirteen_months(
    merchant: Merchant, simulator: SimulatorHandle, *, extended: bool
) -> None:
    body = session_of("Confirm")
    body["paymentDetails"] |= {"extendExpiration": extended}
    _, session = await completed(merchant, simulator, body)

    _, permission = await merchant.permission(session["chargePermissionId"])

    created, expires = (
        datetime.strptime(permission[f"{name}Timestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        for name in ("creation", "expiration")
    )
    assert (390 < (expires - created).days < 400) if extended else (expires - created == timedelta(days=180))


async def test_a_saved_wallet_never_expires(merchant: Merchant, simulator: SimulatorHandle) -> None:
    body = session_of("Confirm", chargePermissionType="PaymentMethodOnFile")

    _, session = await completed(merchant, simulator, body)

    _, permission = await merchant.permission(session["chargePermissionId"], JANUARY + timedelta(days=3650))
    assert (permission["expirationTimestamp"], permission["statusDetails"]["state"]) == (None, "Chargeable")


async def test_the_merchant_is_told_once_when_the_simulators_clock_passes_the_end(
    shop: Merchant, amazon: SimulatorHandle, receiver: Receiver
) -> None:
    _, session = await completed(shop, amazon, recurring_of("Confirm"))
    identifier = session["chargePermissionId"]

    await amazon.advance_clock(timedelta(days=390))
    assert await state_of(amazon, identifier) == ("Chargeable", [])
    await amazon.advance_clock(timedelta(days=10))
    await amazon.advance_clock(timedelta(days=10))
    await amazon.deliver_notifications()

    assert await state_of(amazon, identifier) == ("Closed", ["Expired"])
    assert [(told.object_type, told.object_id) for told in receiver.notifications] == [
        ("CHARGE_PERMISSION", identifier)
    ]


async def test_in_the_time_of_a_caller_it_ends_with_the_first_request_that_is_later_whatever_that_asks_for(
    shop: Merchant, amazon: SimulatorHandle, receiver: Receiver
) -> None:
    permission = (await amazon.open_permission(at=JANUARY)).charge_permission_id
    _, charge = await shop.create_charge(charge_of(permission), new_key(), JANUARY)

    await shop.charge(charge["chargeId"], THIRTEEN_MONTHS_LATER)
    await amazon.deliver_notifications()

    assert await state_of(amazon, permission) == ("Closed", ["Expired"])
    assert [told.object_type for told in receiver.notifications] == ["CHARGE", "CHARGE_PERMISSION"]


async def test_a_charge_on_the_way_moves_the_end_and_the_clock_finds_the_new_one(
    shop: Merchant, amazon: SimulatorHandle, receiver: Receiver
) -> None:
    _, session = await completed(shop, amazon, recurring_of("Confirm"))
    identifier = session["chargePermissionId"]

    await amazon.advance_clock(timedelta(days=200))
    await shop.create_charge(charge_of(identifier), new_key())
    await amazon.advance_clock(timedelta(days=300))
    assert await state_of(amazon, identifier) == ("Chargeable", [])
    await amazon.advance_clock(timedelta(days=100))
    await amazon.deliver_notifications()

    assert await state_of(amazon, identifier) == ("Closed", ["Expired"])
    assert [told.object_type for told in receiver.notifications] == ["CHARGE", "CHARGE_PERMISSION"]


async def test_an_open_session_is_canceled_when_the_clock_passes_its_end_and_nobody_is_told(
    shop: Merchant, amazon: SimulatorHandle, receiver: Receiver
) -> None:
    await opened(shop)
    await approved(shop, amazon)
    await completed(shop, amazon, recurring_of("Confirm"))

    await amazon.advance_clock(timedelta(hours=24))
    await amazon.deliver_notifications()

    sessions = (await amazon.books()).sessions
    states = [(str(each.status_details.state), each.status_details.reason_code) for each in sessions]
    assert states == [("Canceled", "Expired"), ("Canceled", "Expired"), ("Completed", None)]
    assert receiver.notifications == [], "Amazon has no notification for sessions"


async def test_what_was_to_happen_on_the_way_happens_in_its_order_and_so_does_what_comes_of_it(
    shop: Merchant, amazon: SimulatorHandle, receiver: Receiver
) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    _, unused = await shop.create_charge(charge_of(permission, captureNow=False), new_key())
    _, charge = await shop.create_charge(charge_of(permission), new_key())
    _, refund = await shop.refund(charge["chargeId"], price("1"), new_key())
    _, session = await completed(shop, amazon, pending_of(), card="0701")
    await amazon.deliver_notifications()
    receiver.posted.clear()

    await amazon.advance_clock(timedelta(days=31))
    await amazon.deliver_notifications()

    told = [notification.object_id for notification in receiver.notifications]
    assert set(told[:2]) == {refund["refundId"], session["chargeId"]}, "after half a minute: refunded, authorized"
    assert told[2:] == [unused["chargeId"], session["chargeId"]], "after thirty days: both expired unused"
    (pending,) = await charges_of(amazon, session["chargePermissionId"])
    assert pending.status_details.reason_code == "ExpiredUnused"
