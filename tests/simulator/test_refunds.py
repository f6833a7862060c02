"""Refunds: begun by the merchant, decided by Amazon half a minute later, and never much more than was captured."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from amazon_pay_client.models import Currency
from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import state_and_reason
from tests.simulator.merchant import Merchant, charge_of, new_key, price
from tests.simulator.receiver import Receiver

JANUARY = datetime(datetime.now(UTC).year + 1, 1, 15, 9, 30, tzinfo=UTC)
DECIDED = JANUARY + timedelta(seconds=30)
JUST_BEFORE = DECIDED - timedelta(seconds=1)


async def captured(merchant: Merchant, permission: str, amount: str = "9.99", currency: str = "USD") -> str:
    """The id of a captured charge."""
    _, charge = await merchant.create_charge(charge_of(permission, amount, currency), new_key(), JANUARY)
    charge_id: str = charge["chargeId"]
    return charge_id


async def test_a_refund_is_initiated_and_thirty_seconds_later_refunded(merchant: Merchant, permission: str) -> None:
    charge_id = await captured(merchant, permission)

    status, refund = await merchant.refund(charge_id, price("4.50"), new_key(), JANUARY)

    assert status == 201
    assert refund == {
        "refundId": refund["refundId"],
        "chargeId": charge_id,
        "creationTimestamp": f"{JANUARY:%Y%m%dT%H%M%SZ}",
        "refundAmount": price("4.50"),
        "statusDetails": {
            "state": "RefundInitiated",
            "reasonCode": None,
            "reasonDescription": None,
            "lastUpdatedTimestamp": f"{JANUARY:%Y%m%dT%H%M%SZ}",
        },
        "softDescriptor": None,
        "releaseEnvironment": "Sandbox",
    }
    assert await merchant.read_refund(refund["refundId"], JUST_BEFORE) == (200, refund)
    _, decided = await merchant.read_refund(refund["refundId"], DECIDED)
    assert state_and_reason(decided) == ("Refunded", None)
    assert decided["statusDetails"]["lastUpdatedTimestamp"] == f"{DECIDED:%Y%m%dT%H%M%SZ}"


async def test_a_charge_says_how_much_of_it_was_refunded_once_it_was(merchant: Merchant, permission: str) -> None:
    charge_id = await captured(merchant, permission)
    for amount in ("4.50", "2.00"):
        await merchant.refund(charge_id, price(amount), new_key(), JANUARY)

    _, before = await merchant.charge(charge_id, JUST_BEFORE)
    _, after = await merchant.charge(charge_id, DECIDED)

    assert (before["refundedAmount"], after["refundedAmount"]) == (price("0.00"), price("6.50"))
    assert state_and_reason(after) == ("Captured", None)


@pytest.mark.parametrize("code", ["AmazonRejected", "ProcessingFailure"])
async def test_a_refund_that_amazon_declines_gives_nothing_back_and_may_be_tried_again(
    merchant: Merchant, permission: str, code: str
) -> None:
    charge_id = await captured(merchant, permission)

    status, refund = await merchant.refund(charge_id, price("9.99"), new_key(), JANUARY, simulate=code)
    _, declined = await merchant.read_refund(refund["refundId"], DECIDED)
    _, charge = await merchant.charge(charge_id, DECIDED)
    again, _ = await merchant.refund(charge_id, price("9.99"), new_key(), DECIDED)

    assert (status, state_and_reason(refund)) == (201, ("RefundInitiated", None)), "it is declined later"
    assert state_and_reason(declined) == ("Declined", code)
    assert (charge["refundedAmount"], again) == (price("0.00"), 201)


@pytest.mark.parametrize(
    ("currency", "amount", "most", "too_much"),
    [
        ("USD", "100.00", "115.00", "115.01"),
        ("USD", "1000.00", "1075.00", "1075.01"),
        ("JPY", "1000", "1150", "1151"),
        ("JPY", "100000", "108400", "108401"),
    ],
)
async def test_a_little_more_than_was_captured_may_be_refunded(
    merchant: Merchant, simulator: SimulatorHandle, currency: str, amount: str, most: str, too_much: str
) -> None:
    permission = (await simulator.open_permission(Currency(currency), JANUARY)).charge_permission_id
    charge_id = await captured(merchant, permission, amount, currency)

    refused, answer = await merchant.refund(charge_id, price(too_much, currency), new_key(), JANUARY)
    status, _ = await merchant.refund(charge_id, price(most, currency), new_key(), JANUARY)
    one_more, _ = await merchant.refund(charge_id, price("1", currency), new_key(), JANUARY)

    assert (refused, answer["reasonCode"]) == (400, "TransactionAmountExceeded")
    assert (status, one_more) == (201, 400)


async def test_refunds_that_are_not_decided_on_yet_count_against_what_may_be_refunded(
    merchant: Merchant, permission: str
) -> None:
    charge_id = await captured(merchant, permission, "10.00")
    await merchant.refund(charge_id, price("6"), new_key(), JANUARY)

    status, answer = await merchant.refund(charge_id, price("6"), new_key(), JANUARY)

    assert (status, answer["reasonCode"]) == (400, "TransactionAmountExceeded")


async def test_a_part_that_was_captured_is_what_counts(merchant: Merchant, permission: str) -> None:
    _, charge = await merchant.create_charge(charge_of(permission, "100", captureNow=False), new_key(), JANUARY)
    early, refusal = await merchant.refund(charge["chargeId"], price("1"), new_key(), JANUARY)
    await merchant.capture(charge["chargeId"], price("10"), new_key(), JANUARY)

    too_much, _ = await merchant.refund(charge["chargeId"], price("11.51"), new_key(), JANUARY)
    status, _ = await merchant.refund(charge["chargeId"], price("11.50"), new_key(), JANUARY)

    assert (early, refusal["reasonCode"]) == (422, "InvalidChargeStatus")
    assert (too_much, status) == (400, 201)


async def test_a_refund_under_the_same_key_is_one_refund(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    charge_id, key = await captured(merchant, permission), new_key()

    first = await merchant.refund(charge_id, price("5"), key, JANUARY)
    again = await merchant.refund(charge_id, price("5.00"), key, DECIDED)
    other = await merchant.refund(charge_id, price("6"), key, DECIDED)
    without = await merchant.refund(charge_id, price("5"), None, DECIDED)

    assert again == first
    assert [(status, answer["reasonCode"]) for status, answer in (other, without)] == [
        (400, "DuplicateIdempotencyKey"),
        (400, "MissingHeader"),
    ]
    assert len([refund for refund in (await simulator.books()).refunds if refund.charge_id == charge_id]) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"refundAmount": price("1", "EUR")}, 400, "CurrencyMismatch"),
        ({"refundAmount": price("0")}, 400, "InvalidParameterValue"),
        ({"refundAmount": price("-1")}, 400, "InvalidParameterValue"),
        ({"refundAmount": None}, 400, "MissingParameterValue"),
        ({"chargeId": "none"}, 404, "ResourceNotFound"),
        ({"reason": "kindness"}, 400, "UnrecognizedField"),
    ],
    ids=str,
)
async def test_a_wrong_refund_is_refused(
    merchant: Merchant, permission: str, body: dict[str, Any], status: int, code: str
) -> None:
    charge_id = await captured(merchant, permission)
    right = {"chargeId": charge_id, "refundAmount": price("1")}

    answered, answer = await merchant.call("POST", "/refunds", right | body, new_key(), JANUARY)

    assert (answered, answer["reasonCode"]) == (status, code)


async def test_an_unknown_refund_and_an_unknown_simulation_are_refused(merchant: Merchant, permission: str) -> None:
    unknown = await merchant.read_refund("none")
    wrong = await merchant.refund("none", price("1"), new_key(), simulate="SoftDeclined")

    assert (unknown[0], unknown[1]["reasonCode"]) == (404, "ResourceNotFound")
    assert (wrong[0], wrong[1]["reasonCode"]) == (400, "InvalidSandboxSimulationSpecified")


async def test_the_merchant_is_told_of_a_refunds_beginning_and_end(
    shop: Merchant, amazon: SimulatorHandle, receiver: Receiver
) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    _, charge = await shop.create_charge(charge_of(permission), new_key())
    _, refund = await shop.refund(charge["chargeId"], price("9.99"), new_key())

    await amazon.advance_clock(timedelta(seconds=30))
    await amazon.deliver_notifications()

    told = [(notification.object_type, notification.object_id) for notification in receiver.notifications]
    of_refund = ("REFUND", refund["refundId"])
    assert told == [("CHARGE", charge["chargeId"]), of_refund, of_refund]
    assert {notification.charge_permission_id for notification in receiver.notifications} == {permission}
