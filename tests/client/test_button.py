"""A button's payload and signature, and headers for a request of the caller's own: what is handed on must verify."""

import json
import re
from typing import Any, Final

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amazon_pay_client import Algorithm, AmazonPayClient, Region, SignedPayload
from amazon_pay_client.models import SignInRequest, SignInScope
from amazon_pay_client.signing import verify
from tests.client.examples import CHARGE, CREATE, CREATE_BODY
from tests.client.loopback import KEY_ID, Loopback
from tests.client.operations import CREATE_SESSION, CREATE_SESSION_BODY, KEY
from tests.client.test_client import KEY_HEADER, holds

EXACT: Final = '{ "storeId": "amzn1.application-oa2-client.1",\n "webCheckoutDetails":{"a":"https:\\/\\/example.com"} }'


def verifies(signed: SignedPayload, private_key: RSAPrivateKey, algorithm: Algorithm) -> bool:
    return verify(private_key.public_key(), algorithm, signed.payload_json, signed.signature)


@pytest.mark.parametrize("algorithm", Algorithm)
async def test_the_payload_that_is_handed_on_is_the_one_that_is_signed(
    algorithm: Algorithm, private_key: RSAPrivateKey
) -> None:
    async with AmazonPayClient(
        public_key_id=KEY_ID, private_key=private_key, region=Region.EU, algorithm=algorithm
    ) as client:
        signed = client.button_signature(CREATE_SESSION)

    assert signed.payload_json.encode() == CREATE_SESSION_BODY
    assert (signed.algorithm, signed.public_key_id) == (algorithm.wire_name, KEY_ID)
    assert verifies(signed, private_key, algorithm)


def test_a_payload_given_as_text_is_not_written_anew(client: AmazonPayClient, private_key: RSAPrivateKey) -> None:
    signed = client.button_signature(EXACT)

    assert signed.payload_json == EXACT
    assert verifies(signed, private_key, Algorithm.V2)


def test_a_sign_in_button_has_a_payload_of_its_own(client: AmazonPayClient) -> None:
    request = SignInRequest(
        sign_in_return_url="https://example.com/in", store_id="store", sign_in_scopes=(SignInScope.EMAIL,)
    )

    assert json.loads(client.button_signature(request).payload_json) == {
        "signInReturnUrl": "https://example.com/in",
        "storeId": "store",
        "signInScopes": ["email"],
    }


@pytest.mark.parametrize("text", ["", "null", "[]", '"storeId"', "{", '{"a":"\ud800"}', "[" * 100_000])
def test_a_text_that_is_no_payload_is_not_signed(text: str, client: AmazonPayClient) -> None:
    with pytest.raises(ValueError, match=r"^payload: it is not a JSON object"):
        client.button_signature(text)


@given(
    note=st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(["</script><script>alert(1)</script>", "<!--", "a & b", "\u2028\u2029", '\\"', "\x00"])
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_page_carries_any_payload_unchanged_and_none_of_it_can_end_the_script(
    note: str, client: AmazonPayClient
) -> None:
    signed = client.button_signature(json.dumps({"merchantMetadata": {"noteToBuyer": note}}, ensure_ascii=False))

    in_page = signed.to_javascript()

    assert not re.search("[<>&\u2028\u2029]", in_page)
    assert json.loads(in_page) == {
        "payloadJSON": signed.payload_json,
        "signature": signed.signature,
        "algorithm": signed.algorithm,
        "publicKeyId": signed.public_key_id,
    }


@pytest.mark.parametrize("address", ["charges", "/charges", "ABSOLUTE"])
async def test_signed_headers_are_all_that_another_http_client_needs(
    address: str, client: AmazonPayClient, server: Loopback, private_key: RSAPrivateKey
) -> None:
    server.answers(CHARGE, 201)
    url = f"{server.origin}/v2/charges"

    headers = client.signed_headers(
        "post", url if address == "ABSOLUTE" else address, body=CREATE, headers={KEY_HEADER: KEY, "x-other": "1"}
    )
    async with httpx.AsyncClient() as http:
        await http.post(url, content=CREATE.to_json(), headers=headers)

    (received,) = server.received
    assert received.body == CREATE_BODY
    assert (received.values(KEY_HEADER), received.values("x-other")) == ([KEY], ["1"])
    assert KEY_HEADER in received.authorization.signed_headers
    assert holds(received, private_key)


async def test_signed_headers_cover_the_query_as_another_client_may_write_it(
    client: AmazonPayClient, server: Loopback, private_key: RSAPrivateKey
) -> None:
    server.answers({"reports": []})
    address = f"{server.origin}/v2/reports?nextToken=a%20b&createdSince=x"

    headers = client.signed_headers("GET", address)
    async with httpx.AsyncClient() as http:
        await http.get(f"{server.origin}/v2/reports", params={"createdSince": "x", "nextToken": "a b"}, headers=headers)

    assert holds(server.received[0], private_key)


async def test_signed_headers_send_nothing(client: AmazonPayClient, server: Loopback) -> None:
    headers = client.signed_headers("GET", "charges/S03-1")

    assert set(headers) == {
        "accept",
        "authorization",
        "content-type",
        "x-amz-pay-date",
        "x-amz-pay-host",
        "x-amz-pay-region",
    }
    assert server.received == []


@pytest.mark.parametrize(
    ("address", "headers", "reason"),
    [
        ("https://exa mple.com:x/", {}, "^url_or_path: "),
        ("https://example.com/" + "a" * 70_000, {}, "^url_or_path: "),
        ("charges", {KEY_HEADER: "not one"}, "^idempotency key: "),
        ("charges", {"x-a": "b\r\nx-c: d"}, "^headers: the value of x-a "),
    ],
)
def test_what_cannot_be_sent_is_not_signed(
    address: str, headers: dict[str, str], reason: str, client: AmazonPayClient
) -> None:
    options: dict[str, Any] = {"headers": headers}

    with pytest.raises(ValueError, match=reason):
        client.signed_headers("GET", address, **options)


def test_a_dict_is_a_payload_too(client: AmazonPayClient, private_key: RSAPrivateKey) -> None:
    signed = client.button_signature({"storeId": "store", "scopes": ["name"], "note": "für Sie"})

    assert signed.payload_json == '{"storeId":"store","scopes":["name"],"note":"für Sie"}'
    assert verify(private_key.public_key(), Algorithm.V2, signed.payload_json, signed.signature)


def test_the_headers_of_a_dict_are_not_signed_because_its_bytes_are_not_known(client: AmazonPayClient) -> None:
    body: Any = {"chargePermissionId": "C01-1-2"}

    with pytest.raises(ValueError, match=r"^body: a dict was given; the bytes that are sent are signed"):
        client.signed_headers("POST", "charges", body=body)
