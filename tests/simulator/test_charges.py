"""Create Charge and Get Charge as Amazon answers them, and which requests are refused."""

import json
from typing import Any

import pytest

from amazon_pay_client.models import Currency
from amazon_pay_simulator import SimulatorHandle
from tests.simulator.merchant import Merchant, Wanted, charge_of, new_key
from tests.simulator.witness import calls_of, charges_of

TIMESTAMP = r"^\d{8}T\d{6}Z$"


async def test_a_captured_charge_is_answered_with_amazons_names_forms_and_nulls(
    merchant: Merchant, permission: str
) -> None:
    body = charge_of(permission, merchantMetadata={"merchantReferenceId": "order-1"}, softDescriptor="Coffee")

    status, charge = await merchant.create_charge(body, new_key())

    assert status == 201
    assert charge["chargeId"] not in (permission, "")
    assert charge["chargePermissionId"] == permission
    assert charge["chargeAmount"] == {"amount": "9.99", "currencyCode": "USD"}
    assert charge["captureAmount"] == {"amount": "9.99", "currencyCode": "USD"}
    assert charge["refundedAmount"] == {"amount": "0.00", "currencyCode": "USD"}
    assert charge["softDescriptor"] == "Coffee"
    created, expires = (charge.pop(name) for name in ("creationTimestamp", "expirationTimestamp"))
    assert (len(created), len(expires)) == (16, 16)
    assert charge["statusDetails"] == {
        "state": "Captured",
        "reasonCode": None,
        "reasonDescription": None,
        "lastUpdatedTimestamp": created,
    }
    assert charge["merchantMetadata"] == {
        "merchantReferenceId": "order-1",
        "merchantStoreName": None,
        "noteToBuyer": None,
        "customInformation": None,
    }
    assert charge["releaseEnvironment"] == "Sandbox"


async def test_a_charge_carries_every_field_that_amazon_sends_and_null_where_nothing_is_known(
    merchant: Merchant, permission: str
) -> None:
    _, charge = await merchant.create_charge(charge_of(permission), new_key())

    unset = {"softDescriptor", "providerMetadata", "convertedAmount", "conversionRate", "merchantMetadata"}
    unset |= {"channel", "chargeInitiator", "platformId", "webCheckoutDetails"}
    assert unset <= charge.keys(), f"not sent: {sorted(unset - charge.keys())}"
    assert [charge[name] for name in sorted(unset)] == [None] * len(unset)


async def test_an_authorization_is_not_captured_and_lives_for_thirty_days(merchant: Merchant, permission: str) -> None:
    status, charge = await merchant.create_charge(charge_of(permission, captureNow=False), new_key())

    assert (status, charge["statusDetails"]["state"]) == (201, "Authorized")
    assert (charge["captureAmount"], charge["refundedAmount"]) == (None, None)
    read, same = await merchant.charge(charge["chargeId"])
    assert (read, same) == (200, charge)


@pytest.mark.parametrize(
    ("currency", "given", "answered"),
    [("USD", "14", "14.00"), ("USD", 14, "14.00"), ("USD", 14.5, "14.50"), ("JPY", "500", "500"), ("JPY", 500, "500")],
)
async def test_an_amount_may_be_a_string_or_a_number_and_is_answered_as_a_string(
    merchant: Merchant, simulator: SimulatorHandle, currency: str, given: object, answered: str
) -> None:
    permission = (await simulator.open_permission(Currency(currency))).charge_permission_id

    status, charge = await merchant.create_charge(charge_of(permission, given, currency), new_key())

    assert (status, charge["chargeAmount"]) == (201, {"amount": answered, "currencyCode": currency})


async def test_every_request_field_that_amazon_documents_is_accepted(merchant: Merchant, permission: str) -> None:
    body = charge_of(
        permission,
        canHandlePendingAuthorization=False,
        platformId="A1PLATFORM",
        providerMetadata={"providerReferenceId": None},
        chargeInitiator="MITR",
        channel="Web",
    )

    status, answer = await merchant.create_charge(body, new_key())

    assert status == 201, answer


async def test_a_charge_has_an_id_of_its_own_and_can_be_read(merchant: Merchant, permission: str) -> None:
    _, first = await merchant.create_charge(charge_of(permission), new_key())
    _, second = await merchant.create_charge(charge_of(permission), new_key())

    assert first["chargeId"] != second["chargeId"]
    assert await merchant.charge(first["chargeId"]) == (200, first)
    assert await merchant.charge(second["chargeId"]) == (200, second)


async def test_what_is_unknown_is_not_found(merchant: Merchant) -> None:
    for status, answer in (
        await merchant.create_charge(charge_of("C01-0-0"), new_key()),
        await merchant.charge("S01-0-0-C000000"),
        await merchant.permission("C01-0-0"),
        await merchant.close("C01-0-0", {"closureReason": "over"}),
    ):
        assert (status, answer["reasonCode"]) == (404, "ResourceNotFound")
        assert list(answer) == ["reasonCode", "message"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v2/buyers/token", 404), ("DELETE", "/v2/charges", 405)]
)
async def test_an_operation_that_does_not_exist_is_refused_in_amazons_form(
    merchant: Merchant, method: str, path: str, status: int
) -> None:
    answer = await merchant.send(Wanted(method, path))

    assert answer.status_code == status
    assert list(json.loads(answer.content)) == ["reasonCode", "message"]


async def test_a_charge_on_a_permission_that_cannot_be_charged_is_refused(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    await simulator.break_payment_method(permission)
    broken = await merchant.create_charge(charge_of(permission), new_key())
    await simulator.close_by_buyer(permission)
    closed = await merchant.create_charge(charge_of(permission), new_key())

    for (status, answer), state in ((broken, "NonChargeable"), (closed, "Closed")):
        assert (status, answer["reasonCode"]) == (422, "InvalidChargePermissionStatus")
        assert state in answer["message"]
    assert await charges_of(simulator, permission) == []


async def test_another_currency_than_the_permissions_is_refused(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    for currency, code in (("EUR", "CurrencyMismatch"), ("XXX", "InvalidParameterValue")):
        status, answer = await merchant.create_charge(charge_of(permission, currency=currency), new_key())
        assert (status, answer["reasonCode"]) == (400, code)
        assert currency in answer["message"]

    assert await charges_of(simulator, permission) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"chargePermissionId": None}, "chargePermissionId"),
        ({"chargeAmount": None}, "chargeAmount"),
        ({"chargeAmount": {"amount": "9.999", "currencyCode": "USD"}}, "chargeAmount"),
        ({"chargeAmount": {"amount": "nine", "currencyCode": "USD"}}, "chargeAmount"),
        ({"chargeAmount": {"amount": "NaN", "currencyCode": "USD"}}, "chargeAmount"),
        ({"chargeAmount": {"amount": "-9.99", "currencyCode": "USD"}}, "chargeAmount"),
        ({"chargeAmount": {"amount": "0", "currencyCode": "USD"}}, "chargeAmount"),
        ({"chargeAmount": {"amount": "9.99"}}, "chargeAmount"),
        ({"captureNow": "perhaps"}, "captureNow"),
        ({"softDescriptor": "seventeen letters"}, "softDescriptor"),
        ({"merchantMetadata": {"merchantReferenceId": "x" * 257}}, "merchantReferenceId"),
        ({"merchantMetadata": {"merchantStoreName": "x" * 51}}, "merchantStoreName"),
        ({"merchantMetadata": {"noteToBuyer": "x" * 256}}, "noteToBuyer"),
        ({"merchantMetadata": {"customInformation": "x" * 4097}}, "customInformation"),
        ({"chargeAmounts": {}}, "chargeAmounts"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else "",
)
async def test_a_wrong_field_is_refused_by_name_and_nothing_is_booked(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, change: dict[str, Any], field: str
) -> None:
    status, answer = await merchant.create_charge(charge_of(permission) | change, new_key())

    assert status == 400, answer
    assert field in answer["message"]
    assert list(answer) == ["reasonCode", "message"]
    assert await charges_of(simulator, permission) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"chargeAmount=9.99", b"\xff"])
async def test_a_body_that_is_not_a_json_object_is_refused(merchant: Merchant, body: bytes) -> None:
    status, answer = await merchant.create_charge(body, new_key())

    assert (status, answer["reasonCode"]) == (400, "InvalidRequestFormat")
    assert list(answer) == ["reasonCode", "message"]


async def test_a_soft_descriptor_needs_a_capture(merchant: Merchant, permission: str) -> None:
    body = charge_of(permission, captureNow=False, softDescriptor="Coffee")

    status, answer = await merchant.create_charge(body, new_key())

    assert (status, answer["reasonCode"]) == (400, "InvalidParameterCombination")
    assert "only together with captureNow=true" in answer["message"]


async def test_what_the_buyer_reads_is_kept_as_it_was_sent(merchant: Merchant, permission: str) -> None:
    metadata = {
        "merchantReferenceId": "order-1",
        "merchantStoreName": "x" * 50,
        "noteToBuyer": "ü" * 255,
        "customInformation": "x" * 4096,
    }
    body = charge_of(permission, captureNow=True, softDescriptor="x" * 16, merchantMetadata=metadata)

    status, charge = await merchant.create_charge(body, new_key())

    assert status == 201
    assert (charge["softDescriptor"], charge["merchantMetadata"]) == ("x" * 16, metadata)


async def test_a_callers_time_that_is_none_is_refused(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    status, answer = await merchant.create_charge(
        charge_of(permission), new_key(), headers={"x-simulator-time": "2026-01-31"}
    )

    assert (status, answer["reasonCode"]) == (400, "InvalidHeaderValue")
    assert "2026-01-31" in answer["message"]
    assert await calls_of(simulator, permission) == []
