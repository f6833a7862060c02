"""A request that was changed on its way, or whose authorization is not one, charges nobody."""

import json
from datetime import UTC, datetime

import pytest

from amazon_pay_simulator import SimulatorHandle
from tests.simulator.merchant import COMPACT_DATE, KEY_HEADER, KEY_ID, V2, Merchant, Wanted, charge_of, new_key
from tests.simulator.test_signatures import refused_with
from tests.simulator.witness import calls_of, charges_of, state_of

KEY = {KEY_HEADER: new_key()}


def body_of(permission: str, amount: str = "9.99") -> bytes:
    return json.dumps(charge_of(permission, amount)).encode()


async def test_another_amount_than_the_signed_one_is_refused_and_charges_nobody(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    wanted = Wanted("POST", "/v2/charges", body_of(permission), KEY, sent_body=body_of(permission, "99.9"))

    refused_with(await merchant.send(wanted), "InvalidRequestSignature")

    assert await charges_of(simulator, permission) == []
    assert await calls_of(simulator, permission) == []


async def test_a_body_written_anew_with_the_same_values_is_refused_because_the_bytes_are_signed(
    merchant: Merchant, permission: str
) -> None:
    written_anew = json.dumps(charge_of(permission), indent=1).encode()

    answer = await merchant.send(Wanted("POST", "/v2/charges", body_of(permission), KEY, sent_body=written_anew))

    refused_with(answer, "InvalidRequestSignature")


async def test_another_idempotency_key_than_the_signed_one_is_refused(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    wanted = Wanted("POST", "/v2/charges", body_of(permission), KEY, sent_headers={KEY_HEADER: new_key()})

    refused_with(await merchant.send(wanted), "InvalidRequestSignature")

    assert await charges_of(simulator, permission) == []


async def test_a_signature_for_another_object_or_another_method_is_refused(
    merchant: Merchant, simulator: SimulatorHandle, permission: str
) -> None:
    other = (await simulator.open_permission()).charge_permission_id
    path, close_body = f"/v2/chargePermissions/{permission}", b'{"closureReason":"over"}'
    date = datetime.now(UTC).strftime(COMPACT_DATE)
    of_a_read = merchant.authorization(Wanted("GET", f"{path}/close", close_body, date=date))

    for wanted in (
        Wanted("GET", path, sent_path=f"/v2/chargePermissions/{other}"),
        Wanted("DELETE", f"{path}/close", close_body, date=date, authorization=of_a_read),
    ):
        refused_with(await merchant.send(wanted), "InvalidRequestSignature")

    assert await state_of(simulator, permission) == ("Chargeable", [])


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer token",
        f"{V2} PublicKeyId={KEY_ID}, SignedHeaders=accept;x-amz-pay-date",
        f"{V2} SignedHeaders=accept;x-amz-pay-date, Signature=AAAA",
        f"{V2} PublicKeyId={KEY_ID}, Signature=AAAA",
        f"AMZN-PAY-RSASSA-PSS-V3 PublicKeyId={KEY_ID}, SignedHeaders=accept;x-amz-pay-date, Signature=AAAA",
        f"PublicKeyId={KEY_ID}, SignedHeaders=accept;x-amz-pay-date, Signature=AAAA",
    ],
    ids=["none", "bearer", "no signature", "no key id", "no header list", "unknown algorithm", "no algorithm"],
)
async def test_a_malformed_authorization_is_refused(merchant: Merchant, permission: str, authorization: str) -> None:
    wanted = Wanted("GET", f"/v2/chargePermissions/{permission}", authorization=authorization)

    refused_with(await merchant.send(wanted), "InvalidAuthentication")


@pytest.mark.parametrize("signature", ["AAAA", "not*base64", "%%%"])
async def test_a_signature_that_is_none_is_refused(merchant: Merchant, permission: str, signature: str) -> None:
    authorization = f"{V2} PublicKeyId={KEY_ID}, SignedHeaders=accept;x-amz-pay-date, Signature={signature}"
    wanted = Wanted("GET", f"/v2/chargePermissions/{permission}", authorization=authorization)

    refused_with(await merchant.send(wanted), "InvalidRequestSignature")


async def test_the_same_requests_are_accepted_untouched(merchant: Merchant, permission: str) -> None:
    answer = await merchant.send(Wanted("POST", "/v2/charges", body_of(permission), KEY))

    assert answer.status_code == 201, answer.text
