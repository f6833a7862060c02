"""What a workflow hears when the wire breaks, or when Amazon says something that nobody has heard before.

While it is unknown what Amazon did, an activity may only raise: an answer would be believed, and a period charged
twice or never.
"""

import asyncio
import json
import re
import socket
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import AmazonPayClient, Region, TimeLimits
from perennial_billing.activities.accounts import OneAccount
from perennial_billing.activities.amazon_pay import AmazonPayCalls
from perennial_billing.activities.signatures import ClosePermission, ReadCharge, ReadPermission
from perennial_billing.billing.protocol.answers import ChargeOutcome, PermissionState
from perennial_billing.workflows.performing import SEEN_AFTER
from tests.activities.requests import AGREEING, OPERATIONS, create, run, run_operation, unknown_outcome
from tests.client.examples import CHARGE, PERMISSION
from tests.client.loopback import Loopback, answer
from tests.simulator.merchant import KEY_ID

LONGEST_WAIT = timedelta(hours=1)
"""However long Amazon asks to wait: a longer pause is a period forgotten."""


def error(status: int, reason_code: str, **headers: str) -> bytes:
    body = json.dumps({"reasonCode": reason_code, "message": "trouble"}).encode()
    return answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("status", "reason_code"),
    [
        (408, "RequestTimeout"),
        (425, "TooEarly"),
        (429, "TooManyRequests"),
        (500, "InternalServerError"),
        (502, "BadGateway"),
        (503, "ServiceUnavailable"),
        (504, "GatewayTimeout"),
        (507, "SomethingNew"),
    ],
)
async def test_trouble_of_amazons_own_leaves_the_outcome_unknown(
    calls_by_wire: AmazonPayCalls, wire: Loopback, operation: str, status: int, reason_code: str
) -> None:
    wire.answer = error(status, reason_code)

    raised = await unknown_outcome(calls_by_wire, operation)

    assert f"{status} {reason_code}" in str(raised)
    assert raised.next_retry_delay is None
    assert len(wire.received) == 1, "Temporal repeats, the activity does not"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{",
        answer(201, b"<html>Welcome</html>"),
        answer(200, b"[]"),
        answer(403, b"<html>a proxy's page</html>"),
    ],
    ids=["closed", "cut", "page", "empty", "proxy"],
)
async def test_an_answer_that_is_lost_or_not_amazons_leaves_the_outcome_unknown(
    calls_by_wire: AmazonPayCalls, wire: Loopback, operation: str, broken: bytes
) -> None:
    wire.answer = broken

    raised = await unknown_outcome(calls_by_wire, operation)

    assert raised.next_retry_delay is None


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_answer_without_what_decides_is_asked_for_after_so_long_that_it_is_seen_first(
    calls_by_wire: AmazonPayCalls, wire: Loopback, operation: str
) -> None:
    wire.answer = answer(200, b'{"statusDetails": {}}', {"x-amz-pay-request-id": "request-1"})

    raised = await unknown_outcome(calls_by_wire, operation)

    assert re.search(
        r"no whole \w+: \w+Id, statusDetails.state missing or unreadable \(request id request-1\)", str(raised)
    )
    assert raised.next_retry_delay is not None
    assert raised.next_retry_delay >= SEEN_AFTER
    assert not raised.non_retryable


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_port_on_which_nobody_listens_leaves_the_outcome_unknown(
    private_key: RSAPrivateKey, operation: str
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port meanwhile
        origin = f"http://127.0.0.1:{held.getsockname()[1]}"
        async with AmazonPayClient(
            public_key_id=KEY_ID, private_key=private_key, region=Region.NA, origin=origin
        ) as client:
            await unknown_outcome(AmazonPayCalls(OneAccount(client), AGREEING), operation)


async def test_an_answer_that_does_not_come_in_time_leaves_the_outcome_unknown(
    wire: Loopback, private_key: RSAPrivateKey
) -> None:
    wire.answer = None
    async with AmazonPayClient(
        public_key_id=KEY_ID,
        private_key=private_key,
        region=Region.NA,
        origin=wire.origin,
        time_limits=TimeLimits(payment_seconds=0.1),
    ) as client:
        await unknown_outcome(AmazonPayCalls(OneAccount(client), AGREEING), "create_charge")

    assert len(wire.received) == 1


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_the_wait_that_amazon_asks_for_is_the_wait_before_the_next_try(
    calls_by_wire: AmazonPayCalls, wire: Loopback, operation: str
) -> None:
    wire.answer = error(429, "TooManyRequests", retry_after="7")

    assert (await unknown_outcome(calls_by_wire, operation)).next_retry_delay == timedelta(seconds=7)


@pytest.mark.parametrize("seconds", ["31536000", "9" * 40])
async def test_an_absurd_wait_is_not_obeyed(calls_by_wire: AmazonPayCalls, wire: Loopback, seconds: str) -> None:
    wire.answer = error(503, "ServiceUnavailable", retry_after=seconds)

    wait = (await unknown_outcome(calls_by_wire, "create_charge")).next_retry_delay

    assert wait is None or wait <= LONGEST_WAIT


async def test_a_processing_failure_is_a_decline_although_its_status_is_500(
    calls_by_wire: AmazonPayCalls, wire: Loopback
) -> None:
    wire.answer = error(500, "ProcessingFailure")

    charged = await run(calls_by_wire.create_charge, create())

    assert (charged.outcome, charged.reason_code) == (ChargeOutcome.DECLINED, "ProcessingFailure")


@pytest.mark.parametrize(
    ("status", "reason_code"),
    [
        (400, "SomethingNew"),
        (401, "UnauthorizedAccess"),
        (403, "InvalidAccountStatus"),
        (404, "ResourceNotFound"),
        (405, "UnsupportedOperation"),
        (422, "SomethingNewAboutTheState"),
        (426, "TLSVersionNotSupported"),
    ],
)
async def test_a_refusal_is_an_answer_whether_or_not_its_code_is_known(
    calls_by_wire: AmazonPayCalls, wire: Loopback, status: int, reason_code: str
) -> None:
    wire.answer = error(status, reason_code, x_amz_pay_request_id="request-1")

    charged = await run(calls_by_wire.create_charge, create())
    read = await run(calls_by_wire.read_charge, ReadCharge(charge_id="S01-1-1-C000001"))
    permission = await run(calls_by_wire.read_permission, ReadPermission(charge_permission_id="C01-1-1"))

    for charge in (charged, read):
        assert (charge.outcome, charge.reason_code, charge.message, charge.request_id) == (
            ChargeOutcome.REFUSED,
            reason_code,
            "trouble",
            "request-1",
        )
    assert (permission.state, permission.refused) == (PermissionState.UNKNOWN, reason_code)


@pytest.mark.parametrize("operation", ["create_charge", "read_charge"])
@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("Captured", ChargeOutcome.CAPTURED),
        ("Declined", ChargeOutcome.DECLINED),
        ("Canceled", ChargeOutcome.DECLINED),
        ("UnderReview", ChargeOutcome.PENDING),
    ],
)
async def test_a_charges_state_decides_and_one_that_nobody_knows_is_pending(
    calls_by_wire: AmazonPayCalls, wire: Loopback, operation: str, state: str, outcome: ChargeOutcome
) -> None:
    details = {"state": state, "reasonCode": "SomeReason", "reasonDescription": "some words"}
    wire.answers(CHARGE | {"statusDetails": details}, 201)

    charge = await run_operation(calls_by_wire, operation)

    assert (charge.outcome, charge.charge_id) == (outcome, CHARGE["chargeId"])
    assert (charge.reason_code, charge.message) == ("SomeReason", "some words")


@pytest.mark.parametrize("operation", ["read_permission", "update_permission", "close_permission"])
async def test_a_permissions_state_that_nobody_knows_is_neither_chargeable_nor_closed(
    calls_by_wire: AmazonPayCalls, wire: Loopback, operation: str
) -> None:
    details: dict[str, Any] = {"state": "Frozen", "reasons": [{"reasonCode": "New"}, {"reasonCode": "Newer"}]}
    wire.answers(PERMISSION | {"statusDetails": details})

    permission = await run_operation(calls_by_wire, operation)

    assert (permission.state, permission.refused) == (PermissionState.UNKNOWN, None)
    assert permission.reason_codes == ("New", "Newer")


@pytest.mark.parametrize(
    ("reason", "sent"),
    [("x" * 255, "x" * 255), ("x" * 256, "x" * 255), ("ü" * 400, "ü" * 255), ("", "Subscription ended")],
    ids=["255", "256", "400", "none"],
)
async def test_a_closure_reason_is_cut_at_255_characters_and_never_empty(
    calls_by_wire: AmazonPayCalls, wire: Loopback, reason: str, sent: str
) -> None:
    wire.answers(PERMISSION | {"statusDetails": {"state": "Closed"}})

    closed = await run(calls_by_wire.close_permission, ClosePermission(charge_permission_id="C01-1-1", reason=reason))

    assert closed.is_closed
    assert json.loads(wire.received[0].body)["closureReason"] == sent


async def test_a_call_that_is_interrupted_is_neither_answered_nor_held(
    calls_by_wire: AmazonPayCalls, wire: Loopback
) -> None:
    wire.answer = None
    running = asyncio.create_task(run(calls_by_wire.create_charge, create()))
    while not wire.received:
        await asyncio.sleep(0.01)

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running


HOSTILE = r"[/x]\u001b]0;owned\u0007\ud800\n" + "a" * 3000
"""As it stands in JSON."""


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_code_of_any_kind_is_a_known_answer_and_harmless(
    calls_by_wire: AmazonPayCalls, wire: Loopback, operation: str
) -> None:
    wire.answer = answer(422, f'{{"reasonCode":"{HOSTILE}","message":"{HOSTILE}"}}'.encode())

    answered = (await run_operation(calls_by_wire, operation)).model_dump_json()

    assert "??x???0?owned???" in answered
    assert len(answered) < 1_000


async def test_what_was_charged_is_known_whatever_text_stands_beside_it(
    calls_by_wire: AmazonPayCalls, wire: Loopback
) -> None:
    charge = json.dumps(CHARGE | {"statusDetails": {"state": "Captured", "reasonDescription": "@"}})
    wire.answer = answer(201, charge.replace("@", HOSTILE).encode())

    answered = await run(calls_by_wire.create_charge, create())

    assert answered.outcome is ChargeOutcome.CAPTURED
    assert answered.charge_id == CHARGE["chargeId"]
    assert answered.message is not None
    assert answered.message.isprintable()


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_is_told_of_an_unknown_outcome_can_be_written_down(
    calls_by_wire: AmazonPayCalls, wire: Loopback, operation: str
) -> None:
    wire.answer = answer(503, f'{{"reasonCode":"{HOSTILE}","message":"{HOSTILE}"}}'.encode())

    raised = await unknown_outcome(calls_by_wire, operation)

    assert str(raised).isprintable()
    assert len(str(raised)) < 400
    assert raised.__cause__ is None, "it would be written down as it came"


async def test_what_decides_nothing_and_cannot_be_read_is_logged_by_its_name_alone(
    calls_by_wire: AmazonPayCalls, wire: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    odd = {"statusDetails": {"state": "Captured"}, "convertedAmount": {"much": "private"}, "creationTimestamp": "today"}
    wire.answer = answer(201, json.dumps(CHARGE | odd).encode())

    said = await run(calls_by_wire.create_charge, create("C01-1"))

    assert (said.outcome, said.charge_id, said.created_at) == (ChargeOutcome.CAPTURED, CHARGE["chargeId"], None)
    (line,) = [record.getMessage() for record in caplog.records if "cannot be read" in record.getMessage()]
    assert line.startswith("fields of Amazon's Charge cannot be read: convertedAmount, creationTimestamp")
    assert "private" not in line
