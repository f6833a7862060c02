"""What is wrong with a body has a code of Amazon's, for every operation that takes one, and the field is named."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from amazon_pay_client.models import Currency
from amazon_pay_simulator import SimulatorHandle
from tests.simulator.checkout import MONTHLY, recurring_of, session_of
from tests.simulator.merchant import Merchant, charge_of, new_key, price
from tests.simulator.witness import charges_of

Body = dict[str, Any]
"""Any: also wrong values."""

DISPUTE: Body = {
    "chargeId": "S01-0-0-C000000",
    "providerMetadata": {"providerDisputeId": "case-7"},
    "disputeAmount": price("5"),
    "filingReason": "ProductNotReceived",
    "statusDetails": {"state": "ActionRequired"},
    "filingTimestamp": 1_800_000_000,
}

RIGHT: dict[tuple[str, str], tuple[Body, str]] = {
    ("POST", "/checkoutSessions"): (session_of(), "storeId"),
    ("POST", "/checkoutSessions/none/finalize"): ({"paymentIntent": "Confirm"}, "paymentIntent"),
    ("DELETE", "/chargePermissions/none/close"): ({"closureReason": "over"}, "closureReason"),
    ("POST", "/charges"): (charge_of("C01-0-0"), "chargePermissionId"),
    ("PATCH", "/charges/none"): ({"statusDetails": {"state": "Declined"}}, "statusDetails"),
    ("POST", "/charges/none/capture"): ({"captureAmount": price("5")}, "captureAmount"),
    ("DELETE", "/charges/none/cancel"): ({"cancellationReason": "no"}, "cancellationReason"),
    ("POST", "/refunds"): ({"chargeId": "none", "refundAmount": price("5")}, "refundAmount"),
    ("POST", "/disputes"): (DISPUTE, "disputeAmount"),
    ("PATCH", "/disputes/none"): ({"statusDetails": {"state": "Closed"}}, "statusDetails"),
    ("POST", "/disputes/none/contest"): (
        {"merchantEvidences": [{"evidenceType": "Receipt", "evidenceText": "paid"}]},
        "merchantEvidences",
    ),
    ("POST", "/files"): ({"type": "png"}, "type"),
}
"""A body that is right, and a field that it cannot do without."""

NOTHING_REQUIRED: dict[tuple[str, str], Body] = {
    ("PATCH", "/checkoutSessions/none"): {"platformId": "A1PLATFORM"},
    ("POST", "/checkoutSessions/none/complete"): {"chargeAmount": price("9.99")},
    ("PATCH", "/chargePermissions/none"): {"merchantMetadata": {"noteToBuyer": "Hi"}},
}
BODIES = {operation: body for operation, (body, _) in RIGHT.items()} | NOTHING_REQUIRED


def named(operation: tuple[str, str]) -> str:
    return " ".join(operation)


async def refused(merchant: Merchant, operation: tuple[str, str], body: Body | bytes) -> tuple[int, str, str]:
    """Status, code and message of the answer."""
    status, answer = await merchant.call(*operation, body, new_key())
    assert list(answer) == ["reasonCode", "message"], answer
    return status, answer["reasonCode"], answer["message"]


@pytest.mark.parametrize("operation", BODIES, ids=named)
async def test_a_body_that_is_right_is_read(merchant: Merchant, operation: tuple[str, str]) -> None:
    status, answer = await merchant.call(*operation, BODIES[operation], new_key())

    assert status in {201, 404}, answer


@pytest.mark.parametrize("operation", BODIES, ids=named)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b'{"a": NaN}', b"\xff{}", b"[" * 100_000],
    ids=lambda body: str(body[:9]),
)
async def test_a_body_that_is_no_json_object_has_no_format(
    merchant: Merchant, operation: tuple[str, str], body: bytes
) -> None:
    status, code, message = await refused(merchant, operation, body)

    assert (status, code) == (400, "InvalidRequestFormat")
    assert "a JSON object is expected" in message


@pytest.mark.parametrize("operation", BODIES, ids=named)
async def test_a_field_that_the_operation_does_not_have_is_not_recognized(
    merchant: Merchant, operation: tuple[str, str]
) -> None:
    status, code, message = await refused(merchant, operation, BODIES[operation] | {"colour": "red"})

    assert (status, code) == (400, "UnrecognizedField")
    assert "colour" in message


@pytest.mark.parametrize("operation", RIGHT, ids=named)
@pytest.mark.parametrize("leave_out", [True, False], ids=["left out", "null"])
async def test_a_field_that_is_needed_is_missing_whether_it_is_left_out_or_null(
    merchant: Merchant, operation: tuple[str, str], *, leave_out: bool
) -> None:
    body, needed = RIGHT[operation]
    incomplete = {name: value for name, value in body.items() if name != needed}

    status, code, message = await refused(merchant, operation, incomplete if leave_out else body | {needed: None})

    assert (status, code) == (400, "MissingParameterValue")
    assert message.startswith(f"{needed}: ")


WRONG_CHARGES: list[tuple[Body, str, str]] = [
    ({"chargeAmount": {"amount": "9.99"}}, "MissingParameterValue", "chargeAmount.currencyCode"),
    ({"chargeAmount": {"currencyCode": "USD"}}, "MissingParameterValue", "chargeAmount.amount"),
    ({"chargeAmount": price("9.99") | {"tax": "1"}}, "UnrecognizedField", "chargeAmount.tax"),
    ({"chargeAmount": price("9.99", "usd")}, "InvalidParameterValue", "chargeAmount.currencyCode"),
    ({"chargeAmount": price("nine")}, "InvalidParameterValue", "chargeAmount.amount"),
    ({"chargeAmount": price("1e2")}, "InvalidParameterValue", "chargeAmount.amount"),
    ({"chargeAmount": price(" 5")}, "InvalidParameterValue", "chargeAmount.amount"),
    ({"chargeAmount": price("9.999")}, "InvalidParameterValue", "chargeAmount"),
    ({"chargeAmount": price([])}, "InvalidParameterValue", "chargeAmount.amount"),
    ({"chargeAmount": "9.99 USD"}, "InvalidParameterValue", "chargeAmount"),
    ({"chargeInitiator": "NOBODY"}, "InvalidParameterValue", "chargeInitiator"),
    ({"channel": "Pigeon"}, "InvalidParameterValue", "channel"),
    ({"captureNow": "perhaps"}, "InvalidParameterValue", "captureNow"),
    ({"softDescriptor": "seventeen letters"}, "InvalidParameterValue", "softDescriptor"),
    ({"merchantMetadata": {"colour": "red"}}, "UnrecognizedField", "merchantMetadata.colour"),
    ({"merchantMetadata": {"merchantStoreName": "x" * 51}}, "InvalidParameterValue", "merchantMetadata.merchantStore"),
    ({"webCheckoutDetails": {"page": "x"}}, "UnrecognizedField", "webCheckoutDetails.page"),
    ({"captureNow": False, "softDescriptor": "Coffee"}, "InvalidParameterCombination", "softDescriptor"),
]


@pytest.mark.parametrize(("change", "code", "field"), WRONG_CHARGES, ids=str)
async def test_each_mistake_in_a_charge_has_its_code_and_names_its_field(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, change: Body, code: str, field: str
) -> None:
    answer = await refused(merchant, ("POST", "/charges"), charge_of(permission) | change)

    assert answer[:2] == (400, code)
    assert answer[2].startswith(field)
    assert "\n" not in answer[2]
    assert await charges_of(simulator, permission) == []


TOO_LONG: list[tuple[tuple[str, str], Body, str]] = [
    (("DELETE", "/chargePermissions/none/close"), {"closureReason": "x" * 256}, "closureReason"),
    (("DELETE", "/charges/none/cancel"), {"cancellationReason": "x" * 256}, "cancellationReason"),
    (("DELETE", "/charges/none/cancel"), {"cancellationReason": ""}, "cancellationReason"),
    (("POST", "/charges/none/capture"), {"softDescriptor": "x" * 17}, "softDescriptor"),
    (("POST", "/refunds"), {"softDescriptor": "x" * 17}, "softDescriptor"),
    (("POST", "/charges"), {"providerMetadata": {"providerReferenceId": "x" * 257}}, "providerMetadata.provider"),
    (("POST", "/checkoutSessions"), {"merchantMetadata": {"noteToBuyer": "x" * 256}}, "merchantMetadata.noteToBuyer"),
    (("PATCH", "/checkoutSessions/none"), {"paymentDetails": {"softDescriptor": "x" * 17}}, "paymentDetails.soft"),
    (
        ("PATCH", "/chargePermissions/none"),
        {"merchantMetadata": {"customInformation": "x" * 4097}},
        "merchantMetadata.customInformation",
    ),
]


@pytest.mark.parametrize(("operation", "change", "field"), TOO_LONG, ids=lambda value: str(value)[:50])
async def test_a_text_of_a_length_that_amazon_does_not_take_is_refused(
    merchant: Merchant, operation: tuple[str, str], change: Body, field: str
) -> None:
    status, code, message = await refused(merchant, operation, BODIES[operation] | change)

    assert (status, code) == (400, "InvalidParameterValue")
    assert message.startswith(field)
    assert "x" * 17 not in message, "what was sent may be somebody's"


async def test_what_is_kept_open_may_not_be_endlessly_deep(merchant: Merchant) -> None:
    body = json.dumps(session_of()).encode()
    for depth in (500, 900, 950, 990):
        cart = b'{"cartDetails": ' + b'{"a":' * depth + b"1" + b"}" * depth + b", "

        status, answer = await merchant.call("POST", "/checkoutSessions", cart + body[1:], new_key())

        assert (status, answer.get("reasonCode")) in {(201, None), (400, "InvalidRequestFormat")}, depth


async def test_the_names_of_python_are_not_those_of_the_wire(merchant: Merchant, permission: str) -> None:
    body = {"charge_permission_id": permission, "chargeAmount": price("5"), "captureNow": True}

    _, code, message = await refused(merchant, ("POST", "/charges"), body)

    assert code == "UnrecognizedField"
    assert message.startswith("charge_permission_id")


async def test_of_several_mistakes_the_one_that_hides_most_is_told_and_every_field_of_its_kind(
    merchant: Merchant,
) -> None:
    body = {"chargeAmount": price("nine"), "colour": "red", "shape": "round"}

    _, first, message = await refused(merchant, ("POST", "/charges"), body)
    _, second, _ = await refused(merchant, ("POST", "/charges"), {"chargeAmount": price("nine")})

    assert (first, second) == ("UnrecognizedField", "MissingParameterValue")
    assert "colour" in message
    assert "shape" in message


def prices_in_yen(amount: object) -> Iterator[tuple[tuple[str, str], Body, str]]:
    """Every place of a request that holds an amount."""
    yen = price(amount, "JPY")
    session = {"paymentDetails": {"paymentIntent": "Confirm", "chargeAmount": yen}}
    yield ("POST", "/charges"), charge_of("C01-0-0") | {"chargeAmount": yen}, "chargeAmount.amount"
    yield ("POST", "/charges/none/capture"), {"captureAmount": yen}, "captureAmount.amount"
    yield ("POST", "/refunds"), {"chargeId": "none", "refundAmount": yen}, "refundAmount.amount"
    yield ("POST", "/checkoutSessions"), session_of() | session, "paymentDetails.chargeAmount.amount"
    yield ("PATCH", "/checkoutSessions/none"), session, "paymentDetails.chargeAmount.amount"
    yield ("POST", "/checkoutSessions/none/complete"), {"chargeAmount": yen}, "chargeAmount.amount"
    recurring = {"recurringMetadata": MONTHLY | {"amount": yen}}
    yield ("POST", "/checkoutSessions"), recurring_of() | recurring, "recurringMetadata.amount.amount"


@pytest.mark.parametrize("amount", ["500.00", "500.0", 500.0, "500.5", 500.5], ids=json.dumps)
async def test_yen_with_decimals_are_refused_even_where_these_are_zeros(merchant: Merchant, amount: object) -> None:
    for operation, body, field in prices_in_yen(amount):
        status, code, message = await refused(merchant, operation, body)

        assert (status, code) == (400, "InvalidParameterValue"), operation
        assert message.startswith(field.removesuffix(".amount")), message


async def test_whole_yen_are_charged(merchant: Merchant, simulator: SimulatorHandle) -> None:
    permission = (await simulator.open_permission(Currency.JPY)).charge_permission_id

    for amount in ("500", 500):
        status, charge = await merchant.create_charge(charge_of(permission, amount, "JPY"), new_key())
        assert (status, charge["captureAmount"]) == (201, {"amount": "500", "currencyCode": "JPY"})
