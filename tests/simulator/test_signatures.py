"""Which requests the simulator takes for the merchant's: what any SDK sends, and nothing else.

A simulator that checks less than Amazon lets a client pass that Amazon turns away; one that checks more turns away
SDKs that Amazon serves.
"""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.merchant import (
    COMMONLY_SIGNED,
    COMPACT_DATE,
    DASHED_DATE,
    V1,
    V2,
    Merchant,
    Wanted,
    charge_of,
    headers_of,
    new_key,
)

MINIMAL = ("accept", "x-amz-pay-date")
EVERY_HEADER = (*COMMONLY_SIGNED, "user-agent", "x-amz-pay-idempotency-key", "x-amz-pay-simulation-code", "x-note")


def written(date_format: str, ago: timedelta = timedelta(0)) -> str:
    return (datetime.now(UTC) - ago).strftime(date_format)


def refused_with(answer: httpx.Response, reason_code: str) -> None:
    """The answer is Amazon's refusal and nothing else."""
    assert (answer.status_code, answer.json()["reasonCode"]) == (403, reason_code), answer.text
    assert list(answer.json()) == ["reasonCode", "message"]
    assert answer.json()["message"]
    assert answer.headers["x-amz-pay-request-id"]
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("date_format", [COMPACT_DATE, DASHED_DATE])
@pytest.mark.parametrize("algorithm", [V1, V2])
async def test_both_algorithms_and_both_forms_of_the_date_are_accepted(
    merchant: Merchant, permission: str, algorithm: str, date_format: str
) -> None:
    answer = await merchant.send(
        Wanted("GET", f"/v2/chargePermissions/{permission}", algorithm=algorithm, date=written(date_format))
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["chargePermissionId"] == permission
    assert answer.headers["x-amz-pay-request-id"]


@pytest.mark.parametrize(("algorithm", "salt_bytes"), [(V1, 32), (V2, 20)])
async def test_the_salt_of_the_other_algorithm_does_not_verify(
    merchant: Merchant, permission: str, algorithm: str, salt_bytes: int
) -> None:
    path = f"/v2/chargePermissions/{permission}"

    answer = await merchant.send(Wanted("GET", path, algorithm=algorithm, salt_bytes=salt_bytes))

    refused_with(answer, "InvalidRequestSignature")


async def test_a_read_may_sign_only_accept_and_date_as_the_smallest_known_client_does(
    merchant: Merchant, permission: str
) -> None:
    answer = await merchant.send(Wanted("GET", f"/v2/chargePermissions/{permission}", signed=MINIMAL))

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "signed",
    [
        (*MINIMAL, "content-type"),
        (*MINIMAL, "content-type", "x-amz-pay-idempotency-key"),
        (*COMMONLY_SIGNED, "x-amz-pay-idempotency-key"),
        EVERY_HEADER,
        tuple(reversed(EVERY_HEADER)),
    ],
    ids=["smallest", "smallest with key", "php", "node", "in another order"],
)
async def test_a_charge_is_accepted_whichever_headers_its_client_signs(
    merchant: Merchant, permission: str, signed: tuple[str, ...]
) -> None:
    body = json.dumps(charge_of(permission)).encode()
    headers = {
        "x-amz-pay-idempotency-key": new_key(),
        "x-amz-pay-simulation-code": "CaptureInitiated",
        "x-note": "a b",
    }

    answer = await merchant.send(Wanted("POST", "/v2/charges", body, headers, signed=signed))

    assert answer.status_code == 201, answer.text
    assert answer.json()["statusDetails"]["state"] == "CaptureInitiated", "the code works signed and unsigned"


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("prefix", ["/v2", "/sandbox/v2", "/live/v2"])
async def test_every_operation_is_served_under_the_three_prefixes_with_and_without_a_slash_at_the_end(
    merchant: Merchant, permission: str, prefix: str, slash: str
) -> None:
    body = json.dumps(charge_of(permission)).encode()
    key = {"x-amz-pay-idempotency-key": new_key()}

    created = await merchant.send(Wanted("POST", f"{prefix}/charges{slash}", body, key))
    charge = await merchant.send(Wanted("GET", f"{prefix}/charges/{created.json()['chargeId']}{slash}"))
    read = await merchant.send(Wanted("GET", f"{prefix}/chargePermissions/{permission}{slash}"))
    closed = await merchant.send(
        Wanted("DELETE", f"{prefix}/chargePermissions/{permission}/close{slash}", b'{"closureReason":"over"}')
    )

    assert [answer.status_code for answer in (created, charge, read, closed)] == [201, 200, 200, 200]


async def test_a_query_is_part_of_what_is_signed(merchant: Merchant, permission: str) -> None:
    path, date = f"/v2/chargePermissions/{permission}", written(COMPACT_DATE)
    signed = Wanted("GET", path, query="b=2&a=1", date=date)
    changed = Wanted("GET", path, query="b=2&a=2", date=date, authorization=merchant.authorization(signed))

    answer = await merchant.send(signed)

    assert answer.status_code == 200, answer.text
    refused_with(await merchant.send(changed), "InvalidRequestSignature")


async def test_a_signed_header_that_is_sent_twice_counts_with_both_values(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    wanted = Wanted(
        "GET", f"/v2/chargePermissions/{permission}", headers={"x-note": "one,two"}, signed=(*MINIMAL, "x-note")
    )
    sent = headers_of(wanted) | {"x-note": "one", "authorization": merchant.authorization(wanted)}

    async with httpx.AsyncClient(base_url=simulator.origin) as http:
        answer = await http.get(wanted.path, headers=[*sent.items(), ("x-note", "two")])

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("ago", [timedelta(minutes=14), timedelta(minutes=-14)], ids=["late", "early"])
async def test_a_clock_that_is_a_little_wrong_is_accepted(merchant: Merchant, permission: str, ago: timedelta) -> None:
    path = f"/v2/chargePermissions/{permission}"

    answer = await merchant.send(Wanted("GET", path, date=written(COMPACT_DATE, ago)))

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "date",
    [written(COMPACT_DATE, timedelta(minutes=16)), written(DASHED_DATE, timedelta(hours=-1)), "today", "20260101"],
    ids=["too old", "too early", "a word", "no time"],
)
async def test_a_date_that_is_far_off_or_none_is_refused(merchant: Merchant, permission: str, date: str) -> None:
    refused_with(
        await merchant.send(Wanted("GET", f"/v2/chargePermissions/{permission}", date=date)), "InvalidRequestSignature"
    )


async def test_the_signature_of_another_key_is_refused(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    async with httpx.AsyncClient(base_url=simulator.origin) as http:
        stranger = Merchant(http, rsa.generate_private_key(public_exponent=65537, key_size=2048))
        answer = await stranger.send(Wanted("GET", f"/v2/chargePermissions/{permission}"))

    refused_with(answer, "InvalidRequestSignature")


async def test_an_unknown_key_id_is_refused_by_name(merchant: Merchant, permission: str) -> None:
    answer = await merchant.send(Wanted("GET", f"/v2/chargePermissions/{permission}", key_id="SANDBOX-STRANGER"))

    refused_with(answer, "InvalidAuthentication")
    assert "SANDBOX-STRANGER" in answer.json()["message"]


@pytest.mark.parametrize("missing", ["accept", "x-amz-pay-date", "content-type"])
async def test_a_charge_that_leaves_a_needed_header_unsigned_is_refused_by_name(
    merchant: Merchant, permission: str, missing: str
) -> None:
    signed = [name for name in COMMONLY_SIGNED if name != missing]
    body = json.dumps(charge_of(permission)).encode()

    answer = await merchant.send(
        Wanted("POST", "/v2/charges", body, {"x-amz-pay-idempotency-key": new_key()}, signed=signed)
    )

    refused_with(answer, "InvalidRequestSignature")
    assert missing in answer.json()["message"]


async def test_a_header_that_is_said_to_be_signed_and_was_not_sent_is_refused(
    merchant: Merchant, permission: str
) -> None:
    signed = (*COMMONLY_SIGNED, "x-amz-pay-authtoken")

    answer = await merchant.send(Wanted("GET", f"/v2/chargePermissions/{permission}", signed=signed))

    refused_with(answer, "InvalidRequestSignature")
