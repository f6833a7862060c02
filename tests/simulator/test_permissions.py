"""Charge permissions: how they are read and closed, and what buyers do to them at Amazon."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from amazon_pay_client.models import Currency
from amazon_pay_simulator import SimulatorHandle
from tests.simulator.merchant import Merchant, charge_of, new_key
from tests.simulator.witness import charges_of, state_of

JANUARY = datetime(datetime.now(UTC).year + 1, 1, 15, 9, 30, tzinfo=UTC)
"""To come: what a buyer approved too long ago is over."""


async def test_a_permission_is_answered_with_amazons_names_forms_and_nulls(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    identifier = (await simulator.open_permission(Currency.JPY, JANUARY)).charge_permission_id

    status, permission = await merchant.permission(identifier, JANUARY)

    assert status == 200
    assert permission == {
        "chargePermissionId": identifier,
        "chargePermissionType": "Recurring",
        "statusDetails": {"state": "Chargeable", "reasons": None, "lastUpdatedTimestamp": f"{JANUARY:%Y%m%dT%H%M%SZ}"},
        "recurringMetadata": None,
        "limits": {
            "amountLimit": {"amount": "100000", "currencyCode": "JPY"},
            "amountBalance": {"amount": "100000", "currencyCode": "JPY"},
        },
        "creationTimestamp": f"{JANUARY:%Y%m%dT%H%M%SZ}",
        "expirationTimestamp": f"{JANUARY.replace(year=JANUARY.year + 1, month=2):%Y%m%dT%H%M%SZ}",
        "merchantMetadata": None,
        "releaseEnvironment": "Sandbox",
    } | {name: permission[name] for name in permission if name in WITHOUT_A_MODEL}


WITHOUT_A_MODEL = {
    "chargePermissionReferenceId",
    "platformId",
    "buyer",
    "shippingAddress",
    "billingAddress",
    "paymentPreferences",
    "paymentMethodOnFileMetadata",
    "presentmentCurrency",
}
"""Fields of Amazon's that this project reads nothing from; present or not, they are null here."""


async def test_a_permission_carries_every_field_that_amazon_sends_and_null_where_nothing_is_known(
    merchant: Merchant, permission: str
) -> None:
    _, answer = await merchant.permission(permission)

    assert answer.keys() >= WITHOUT_A_MODEL, f"not sent: {sorted(WITHOUT_A_MODEL - answer.keys())}"
    assert {answer[name] for name in WITHOUT_A_MODEL} == {None}


async def test_the_balance_is_what_is_left_of_the_calendar_months_limit(
    merchant: Merchant, simulator: SimulatorHandle
) -> None:
    identifier = (await simulator.open_permission(Currency.USD, JANUARY)).charge_permission_id
    await merchant.create_charge(charge_of(identifier, "250.50"), new_key(), JANUARY)

    _, in_january = await merchant.permission(identifier, JANUARY)
    _, in_february = await merchant.permission(identifier, JANUARY + timedelta(days=31))

    assert in_january["limits"]["amountLimit"] == {"amount": "1000.00", "currencyCode": "USD"}
    assert in_january["limits"]["amountBalance"] == {"amount": "749.50", "currencyCode": "USD"}
    assert in_february["limits"]["amountBalance"] == {"amount": "1000.00", "currencyCode": "USD"}


async def test_permissions_have_ids_of_their_own(simulator: SimulatorHandle) -> None:
    ids = [(await simulator.open_permission()).charge_permission_id for _ in range(5)]

    assert len(set(ids)) == 5


async def test_a_closed_permission_says_that_the_merchant_closed_it(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    status, closed = await merchant.close(permission, {"closureReason": "subscription ended"})

    assert (status, closed["statusDetails"]["state"]) == (200, "Closed")
    assert closed["statusDetails"]["reasons"] == [
        {"reasonCode": "MerchantClosed", "reasonDescription": "subscription ended"}
    ]
    assert await merchant.permission(permission) == (200, closed)
    assert await state_of(simulator, permission) == ("Closed", ["MerchantClosed"])


async def test_a_permission_that_cannot_be_charged_can_still_be_closed(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.break_payment_method(permission)

    status, _ = await merchant.close(permission, {"closureReason": "over"})

    assert status == 200
    assert await state_of(simulator, permission) == ("Closed", ["MerchantClosed"])


async def test_a_closed_permission_is_not_closed_again_and_keeps_its_reason(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.close_by_buyer(permission)

    status, answer = await merchant.close(permission, {"closureReason": "over"})

    assert (status, answer["reasonCode"]) == (422, "InvalidChargePermissionStatus")
    assert await state_of(simulator, permission) == ("Closed", ["BuyerClosed"])


@pytest.mark.parametrize("cancels", [True, False])
async def test_pending_charges_are_canceled_with_the_permission_only_when_that_was_asked_for(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, *, cancels: bool
) -> None:
    for code in ("AuthorizationInitiated", "CaptureInitiated", None):
        body = charge_of(permission, canHandlePendingAuthorization=True)
        await merchant.create_charge(body, new_key(), simulate=code)
    await merchant.create_charge(charge_of(permission, captureNow=False), new_key())

    status, _ = await merchant.close(permission, {"closureReason": "over", "cancelPendingCharges": cancels})

    assert status == 200
    details = [charge.status_details for charge in await charges_of(simulator, permission)]
    canceled = ("Canceled", "ChargePermissionCanceled")
    assert [(str(detail.state), detail.reason_code) for detail in details] == [
        canceled if cancels else ("AuthorizationInitiated", None),
        ("CaptureInitiated", None),
        ("Captured", None),
        canceled if cancels else ("Authorized", None),
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "MissingParameterValue"),
        ({"closureReason": ""}, "InvalidParameterValue"),
        ({"closureReason": "x" * 256}, "InvalidParameterValue"),
        ({"closureReason": "over", "why": "?"}, "UnrecognizedField"),
        (b"", "InvalidRequestFormat"),
        (b"[]", "InvalidRequestFormat"),
    ],
)
async def test_a_wrong_request_to_close_is_refused_and_closes_nothing(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, body: dict[str, str] | bytes, code: str
) -> None:
    status, answer = await merchant.close(permission, body)

    assert (status, answer["reasonCode"]) == (400, code)
    assert await state_of(simulator, permission) == ("Chargeable", [])


async def test_a_buyer_breaks_the_payment_method_and_mends_it(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.break_payment_method(permission, at=JANUARY)
    assert await state_of(simulator, permission) == ("NonChargeable", ["PaymentMethodExpired"])
    await simulator.break_payment_method(permission, "PaymentMethodDeleted")
    assert await state_of(simulator, permission) == ("NonChargeable", ["PaymentMethodDeleted"])

    await simulator.mend_payment_method(permission, JANUARY + timedelta(days=3))

    _, mended = await merchant.permission(permission)
    assert mended["statusDetails"] == {
        "state": "Chargeable",
        "reasons": None,
        "lastUpdatedTimestamp": f"{JANUARY + timedelta(days=3):%Y%m%dT%H%M%SZ}",
    }
    status, _ = await merchant.create_charge(charge_of(permission), new_key())
    assert status == 201


async def test_a_permission_that_the_buyer_closed_stays_closed(simulator: SimulatorHandle, permission: str) -> None:
    await simulator.close_by_buyer(permission)

    for attempt in (simulator.close_by_buyer, simulator.mend_payment_method, simulator.break_payment_method):
        with pytest.raises(httpx.HTTPStatusError) as caught:
            await attempt(permission)
        assert caught.value.response.status_code == 422
    assert await state_of(simulator, permission) == ("Closed", ["BuyerClosed"])


@pytest.mark.parametrize("what", ["mend-payment-method", "break-payment-method", "close-by-buyer"])
async def test_what_a_buyer_does_without_a_time_of_its_own_comes_after_what_happened_last(
    simulator: SimulatorHandle, permission: str, what: str
) -> None:
    """Whoever has moved a subscription into the next year would take anything dated today for an older reading."""
    ahead = JANUARY.replace(month=5)
    await simulator.break_payment_method(permission, "PaymentMethodInvalid", ahead)

    async with httpx.AsyncClient(base_url=simulator.origin) as http:
        answer = await http.post(f"/simulator/charge-permissions/{permission}/{what}")

    assert answer.json()["statusDetails"]["lastUpdatedTimestamp"] == f"{ahead + timedelta(seconds=1):%Y%m%dT%H%M%SZ}"
