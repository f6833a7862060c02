"""What the buyer reads reaches Amazon as it stands in the activity's input, and no longer than Amazon takes it."""

from typing import Final

import pytest
from pydantic import BaseModel

from amazon_pay_client.models import CreateChargeRequest, CreateRefundRequest, MerchantMetadata
from amazon_pay_client.models.charges import CaptureChargeRequest
from amazon_pay_simulator import SimulatorHandle
from perennial_billing.activities.amazon_pay import AmazonPayCalls
from perennial_billing.activities.signatures import CreateCharge
from perennial_billing.billing.plan.texts import LIMITS, LONGEST_MERCHANT_REFERENCE, ChargeTexts
from perennial_billing.billing.protocol.answers import ChargeOutcome
from perennial_billing.runtime.payloads import JsonPayloads
from tests.activities.requests import capture, create, refund, run
from tests.activities.test_unknown_outcomes import error
from tests.client.loopback import Loopback
from tests.simulator.witness import calls_of, charges_of

TEXTS: Final = ChargeTexts(
    soft_descriptor="COFFEE 2026-01",
    note_to_buyer="Kaffee für Jänner",
    merchant_store_name="The Coffee Club",
    custom_information='{"period": 1}',
)


async def test_a_charge_carries_the_texts_and_its_repetition_the_same(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    request = create(permission, texts=TEXTS)
    recorded = JsonPayloads().from_payload(JsonPayloads().to_payload(request), CreateCharge)

    answers = [await run(calls.create_charge, each) for each in (request, recorded)]

    assert [answer.outcome for answer in answers] == [ChargeOutcome.CAPTURED] * 2
    assert [call.replayed for call in await calls_of(simulator, permission)] == [False, True]
    (charge,) = await charges_of(simulator, permission)
    assert charge.soft_descriptor == "COFFEE 2026-01"
    assert charge.merchant_metadata is not None
    assert charge.merchant_metadata.model_dump() == {
        "merchant_reference_id": "order-1",
        "merchant_store_name": "The Coffee Club",
        "note_to_buyer": "Kaffee für Jänner",
        "custom_information": '{"period": 1}',
    }


def test_where_nothing_is_to_be_said_not_a_byte_of_it_is_recorded() -> None:
    for request in (create(), capture("S01-1-2-C3"), refund("S01-1-2-C3")):
        recorded = JsonPayloads().to_payload(request).data
        assert b"texts" not in recorded
        assert b"descriptor" not in recorded


async def test_a_capture_and_a_refund_carry_a_descriptor(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    created = await run(calls.create_charge, create(permission, capture_now=False, texts=TEXTS.until_captured))
    assert created.charge_id is not None
    authorized = (await charges_of(simulator, permission))[0].soft_descriptor

    await run(calls.capture_charge, capture(created.charge_id, descriptor="COFFEE 2026-01"))
    await run(calls.create_refund, refund(created.charge_id, "1.00 USD", descriptor="COFFEE BACK"))

    assert authorized is None
    assert (await charges_of(simulator, permission))[0].soft_descriptor == "COFFEE 2026-01"
    refunds = [each for each in (await simulator.books()).refunds if each.charge_id == created.charge_id]
    assert [each.soft_descriptor for each in refunds] == ["COFFEE BACK"]


@pytest.mark.parametrize("field", LIMITS)
def test_the_plans_limits_are_those_of_the_client(field: str) -> None:
    of_money: list[type[BaseModel]] = [CreateChargeRequest, CaptureChargeRequest, CreateRefundRequest]
    models = of_money if field == "soft_descriptor" else [MerchantMetadata]

    for model in models:
        (text, _) = model.model_json_schema(by_alias=False)["properties"][field]["anyOf"]
        assert text == {"type": "string", "maxLength": LIMITS[field]}


async def test_a_charge_without_texts_is_sent_byte_for_byte_as_before(
    calls_by_wire: AmazonPayCalls, wire: Loopback
) -> None:
    """One that was recorded by an older release is repeated by this one under the same key."""
    wire.answer = error(422, "SoftDeclined")

    await run(calls_by_wire.create_charge, create("C01-1-2", merchant_reference="order-1"))
    await run(calls_by_wire.create_charge, create("C01-1-2", merchant_reference=""))
    await run(calls_by_wire.capture_charge, capture("S01-1-2-C3"))
    await run(calls_by_wire.create_refund, refund("S01-1-2-C3"))

    price = b'{"amount":"9.99","currencyCode":"USD"}'
    before = b'{"chargePermissionId":"C01-1-2","chargeAmount":' + price
    before += b',"captureNow":true,"canHandlePendingAuthorization":false,"merchantMetadata":'
    assert [request.body for request in wire.received] == [
        before + b'{"merchantReferenceId":"order-1"}}',
        before + b"{}}",
        b'{"captureAmount":' + price + b"}",
        b'{"chargeId":"S01-1-2-C3","refundAmount":' + price + b"}",
    ]


async def test_a_merchant_reference_goes_whole_beside_the_texts_and_is_none_of_them(
    calls: AmazonPayCalls, simulator: SimulatorHandle, permission: str
) -> None:
    longest = "r" * LONGEST_MERCHANT_REFERENCE

    await run(calls.create_charge, create(permission, merchant_reference=longest, texts=TEXTS))

    (charge,) = await charges_of(simulator, permission)
    assert charge.merchant_metadata is not None
    assert charge.merchant_metadata.merchant_reference_id == longest
