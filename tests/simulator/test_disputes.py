"""Disputes: raised by the buyer's bank or reported by a provider, contested with evidence while there is time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from amazon_pay_client.models.disputes import Dispute, DisputeFilingReason
from amazon_pay_simulator import SimulatorHandle
from tests.simulator.merchant import Answer, Merchant, charge_of, new_key, price
from tests.simulator.receiver import Receiver

JANUARY = datetime(datetime.now(UTC).year + 1, 1, 15, 9, 30, tzinfo=UTC)
IN_ELEVEN_DAYS = JANUARY + timedelta(days=11)
EVIDENCE = {"merchantEvidences": [{"evidenceType": "Receipt", "evidenceText": "Delivered on Monday"}]}


async def charged(merchant: Merchant, permission: str, at: datetime | None = JANUARY, **fields: Any) -> str:
    _, charge = await merchant.create_charge(charge_of(permission, **fields), new_key(), at)
    charge_id: str = charge["chargeId"]
    return charge_id


async def disputed(merchant: Merchant, simulator: SimulatorHandle, permission: str) -> Dispute:
    charge_id = await charged(merchant, permission)
    return await simulator.dispute_charge(charge_id, DisputeFilingReason.SUBSCRIPTION_CANCELLED, JANUARY)


def refusal(answer: Answer) -> tuple[int, str]:
    return answer[0], answer[1]["reasonCode"]


async def contested(merchant: Merchant, dispute_id: str, at: datetime, body: dict[str, Any] | None = None) -> Answer:
    evidence = EVIDENCE if body is None else body
    return await merchant.call("POST", f"/disputes/{dispute_id}/contest", evidence, new_key(), at)


async def test_a_chargeback_awaits_the_merchant_for_eleven_days(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    raised = await disputed(merchant, simulator, permission)

    status, dispute = await merchant.call("GET", f"/disputes/{raised.dispute_id}")

    assert status == 200
    assert (dispute["chargeId"], dispute["chargePermissionId"]) == (raised.charge_id, permission)
    assert (dispute["disputeType"], dispute["filingReason"]) == ("Chargeback", "SubscriptionCancelled")
    assert dispute["disputeAmount"] == price("9.99")
    details = dispute["statusDetails"]
    assert (details["state"], details["reasonCode"]) == ("ActionRequired", "MerchantResponseRequired")
    assert dispute["creationTimestamp"] == JANUARY.timestamp(), "disputes carry Unix seconds"
    assert dispute["merchantResponseDeadline"] == IN_ELEVEN_DAYS.timestamp()
    assert re.fullmatch(r"S01-\d{7}-\d{7}-B\d{6}", raised.dispute_id)


async def test_no_more_is_disputed_than_was_captured_and_nothing_where_nothing_was(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    charge_id = await charged(merchant, permission, captureNow=False)

    with pytest.raises(httpx.HTTPStatusError, match="422"):
        await simulator.dispute_charge(charge_id)
    await merchant.capture(charge_id, price("4.50"), new_key(), JANUARY)
    dispute = await simulator.dispute_charge(charge_id)

    assert dispute.dispute_amount is not None
    assert str(dispute.dispute_amount.amount) == "4.50"
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        await simulator.dispute_charge("none")


async def test_a_contested_dispute_is_under_review_and_holds_the_evidence(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    dispute_id = (await disputed(merchant, simulator, permission)).dispute_id
    _, file = await merchant.call("POST", "/files", {"type": "pdf", "purpose": "disputeEvidence"}, new_key())
    receipt = {"evidenceType": "Receipt", "fileId": file["fileId"], "evidenceText": None}

    status, dispute = await contested(merchant, dispute_id, IN_ELEVEN_DAYS, {"merchantEvidences": [receipt]})
    twice = await contested(merchant, dispute_id, IN_ELEVEN_DAYS)

    assert (status, dispute["statusDetails"]["state"]) == (200, "UnderReview")
    assert dispute["merchantEvidences"] == [receipt]
    assert refusal(twice) == (400, "InvalidRequest")
    assert await merchant.call("GET", f"/disputes/{dispute_id}") == (200, dispute)


async def test_evidence_that_comes_too_late_is_refused_and_says_until_when_it_was_awaited(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    dispute_id = (await disputed(merchant, simulator, permission)).dispute_id

    late = await contested(merchant, dispute_id, IN_ELEVEN_DAYS + timedelta(seconds=1))

    assert refusal(late) == (400, "InvalidRequest")
    assert f"{IN_ELEVEN_DAYS:%Y-%m-%d}" in late[1]["message"]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "MissingParameterValue", "merchantEvidences"),
        ({"merchantEvidences": []}, "InvalidParameterValue", "merchantEvidences"),
        ({"merchantEvidences": [{"evidenceText": "?"}]}, "MissingParameterValue", "merchantEvidences.0.evidenceType"),
        ({"merchantEvidences": [{"evidenceType": "Rumour"}]}, "InvalidParameterValue", "merchantEvidences.0."),
        ({"merchantEvidences": [{"evidenceType": "Other", "x": 1}]}, "UnrecognizedField", "merchantEvidences.0.x"),
    ],
    ids=str,
)
async def test_a_contest_without_evidence_is_refused(
    merchant: Merchant, simulator: SimulatorHandle, permission: str, body: dict[str, Any], code: str, field: str
) -> None:
    dispute_id = (await disputed(merchant, simulator, permission)).dispute_id

    answer = await contested(merchant, dispute_id, JANUARY, body)

    assert refusal(answer) == (400, code)
    assert field in answer[1]["message"]


async def test_a_provider_reports_a_dispute_and_how_it_goes_on(merchant: Merchant, permission: str) -> None:
    charge_id, key = await charged(merchant, permission), new_key()
    body = {
        "chargeId": charge_id,
        "providerMetadata": {"providerDisputeId": "case-7"},
        "disputeAmount": price("5"),
        "filingReason": "ProductNotReceived",
        "statusDetails": {"state": "ActionRequired", "reasonCode": "MerchantResponseRequired"},
        "filingTimestamp": int(JANUARY.timestamp()),
    }

    status, dispute = await merchant.call("POST", "/disputes", body, key, JANUARY)
    again = await merchant.call("POST", "/disputes", body, key, JANUARY)
    path = f"/disputes/{dispute['disputeId']}"
    resolved = {"state": "Resolved", "reasonCode": "InvestigatorResolved", "resolution": "MerchantWon"}
    closed = int((JANUARY + timedelta(days=3)).timestamp())
    _, over = await merchant.call("PATCH", path, {"statusDetails": resolved, "closureTimestamp": closed})

    assert (status, again) == (201, (status, dispute))
    assert dispute["providerMetadata"] == {"providerDisputeId": "case-7"}
    assert (dispute["chargePermissionId"], dispute["filingTimestamp"]) == (permission, JANUARY.timestamp())
    assert over["closureTimestamp"] == closed
    assert {name: over["statusDetails"][name] for name in resolved} == resolved
    assert refusal(await contested(merchant, dispute["disputeId"], JANUARY)) == (400, "InvalidRequest")


async def test_a_file_is_announced_and_only_in_amazons_formats(merchant: Merchant) -> None:
    status, file = await merchant.call("POST", "/files", {"type": "png"}, new_key())
    wrong = await merchant.call("POST", "/files", {"type": "exe"}, new_key())

    assert (status, file["type"], file["purpose"]) == (201, "png", "disputeEvidence")
    assert file["url"].endswith(file["fileId"])
    assert refusal(wrong) == (400, "InvalidParameterValue")


async def test_what_is_unknown_is_not_found(merchant: Merchant) -> None:
    for answer in (
        await merchant.call("GET", "/disputes/none"),
        await merchant.call("PATCH", "/disputes/none", {"statusDetails": {"state": "Closed"}}),
        await contested(merchant, "none", JANUARY),
    ):
        assert refusal(answer) == (404, "ResourceNotFound")


async def test_the_merchant_is_told_of_a_dispute(shop: Merchant, amazon: SimulatorHandle, receiver: Receiver) -> None:
    permission = (await amazon.open_permission()).charge_permission_id
    dispute = await amazon.dispute_charge(await charged(shop, permission, None))
    await amazon.deliver_notifications()

    told = receiver.notifications[-1]
    assert (told.object_type, told.object_id) == ("CHARGEBACK", dispute.dispute_id)
    assert told.charge_permission_id == permission
