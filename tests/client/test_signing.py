"""A signature that Amazon would refuse looks like any other until it is sent, so each part is checked by itself.

Signatures are randomised: they are verified here, with `cryptography` directly, and never compared.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import Algorithm, Region, SignatureAuth
from amazon_pay_client.signing import DATE_FORMAT, canonical_path, canonical_request, sign, string_to_sign, verify
from tests.client.loopback import KEY_ID, Authorization
from tests.client.signing_vectors import HASH_OF_NOTHING, HEADERS, TAIL, VECTORS, Query

SALTS: Final = {Algorithm.V2: 32, Algorithm.V1: 20}
BODY: Final = b'{"chargeAmount":{"amount":"9.99","currencyCode":"EUR"}}'


def pss(salt_length: int) -> padding.PSS:
    return padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=salt_length)


@pytest.mark.parametrize(("method", "path", "query", "its_path", "its_query", "its_hash"), VECTORS)
def test_each_official_vector_gives_its_canonical_request_and_string_to_sign(
    method: str, path: str, query: Query, its_path: str, its_query: str, its_hash: str
) -> None:
    canonical = canonical_request(method, path, query, HEADERS, list(HEADERS), b"")

    assert canonical == f"{method}\n{its_path}\n{its_query}\n{TAIL}"
    assert hashlib.sha256(canonical.encode()).hexdigest() == its_hash
    assert string_to_sign(Algorithm.V2, canonical) == f"AMZN-PAY-RSASSA-PSS-V2\n{its_hash}"
    assert string_to_sign(Algorithm.V1, canonical) == f"AMZN-PAY-RSASSA-PSS\n{its_hash}"


def test_only_the_named_headers_are_in_the_canonical_request_sorted_and_trimmed() -> None:
    headers = HEADERS | {"x-amz-pay-date": "  20180524T223710Z ", "accept": "text/plain,\t  */*"}

    canonical = canonical_request("GET", "/", [], headers, ["x-amz-pay-date", "accept"], b"")

    assert canonical == (
        f"GET\n/\n\naccept:text/plain, */*\nx-amz-pay-date:20180524T223710Z\n\naccept;x-amz-pay-date\n{HASH_OF_NOTHING}"
    )


def test_a_named_header_that_did_not_come_is_an_error_and_not_an_empty_value() -> None:
    with pytest.raises(KeyError, match="x-amz-pay-region"):
        canonical_request("GET", "/", [], {"accept": "*/*"}, ["accept", "x-amz-pay-region"], b"")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/charges", "/v2/charges"),
        ("//v2///charges//", "/v2/charges/"),
        ("/v2/a b", "/v2/a%20b"),
        ("/v2/a%20b", "/v2/a%20b"),
        ("/v2/\u00fc:@", "/v2/%C3%BC%3A%40"),
        ("/v2/%7e%7E~", "/v2/~~~"),
        ("/v2/%2520", "/v2/%2520"),
    ],
)
def test_a_path_is_signed_collapsed_and_encoded_once_however_it_was_sent(path: str, expected: str) -> None:
    assert canonical_path(path) == expected


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_signature_verifies_with_the_salt_of_its_algorithm_and_with_no_other(
    algorithm: Algorithm, private_key: RSAPrivateKey
) -> None:
    (other,) = set(Algorithm) - {algorithm}
    signature = sign(private_key, algorithm, "canonical")
    text = string_to_sign(algorithm, "canonical").encode()
    public_key = private_key.public_key()

    public_key.verify(base64.b64decode(signature), text, pss(SALTS[algorithm]), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        public_key.verify(base64.b64decode(signature), text, pss(SALTS[other]), hashes.SHA256())
    assert verify(public_key, algorithm, "canonical", signature)
    assert not verify(public_key, other, "canonical", signature)
    # The salt alone must be enough to tell them apart, whatever the name in the text.
    foreign = base64.b64encode(private_key.sign(text, pss(SALTS[other]), hashes.SHA256())).decode()
    assert not verify(public_key, algorithm, "canonical", foreign)


@pytest.mark.parametrize("signature", ["", "not base64!", "AAAA", "\u00e4"])
def test_what_is_no_signature_does_not_verify_and_does_not_raise(signature: str, private_key: RSAPrivateKey) -> None:
    assert not verify(private_key.public_key(), Algorithm.V2, "canonical", signature)


def test_a_signature_of_another_key_does_not_verify(private_key: RSAPrivateKey) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    assert not verify(private_key.public_key(), Algorithm.V2, "canonical", sign(other, Algorithm.V2, "canonical"))


def signed(private_key: RSAPrivateKey, algorithm: Algorithm = Algorithm.V2, **changes: Any) -> httpx.Request:
    """A request as `SignatureAuth` hands it to the transport."""
    parts: dict[str, Any] = {
        "method": "POST",
        "url": "https://pay-api.amazon.eu//v2///charges?b=2&a=z&a=A&c&d=1+1",
        "content": BODY,
        "headers": {
            "x-amz-pay-idempotency-key": "period-7-attempt-1",
            "X-Amz-Pay-Simulation-Code": "SoftDeclined",
            "user-agent": "somebody",
        },
    }
    flow = SignatureAuth(KEY_ID, private_key, Region.EU, algorithm).sync_auth_flow(httpx.Request(**parts | changes))
    request = next(flow)
    flow.close()
    return request


@pytest.mark.parametrize("algorithm", Algorithm)
def test_the_auth_signs_exactly_what_is_sent(algorithm: Algorithm, private_key: RSAPrivateKey) -> None:
    request = signed(private_key, algorithm)

    date = request.headers["x-amz-pay-date"]
    names = (
        "accept;content-type;x-amz-pay-date;x-amz-pay-host;x-amz-pay-idempotency-key;x-amz-pay-region;"
        "x-amz-pay-simulation-code"
    )
    canonical = (
        "POST\n/v2/charges\na=A&a=z&b=2&c=&d=1%201\naccept:application/json\ncontent-type:application/json\n"
        f"x-amz-pay-date:{date}\nx-amz-pay-host:pay-api.amazon.eu\nx-amz-pay-idempotency-key:period-7-attempt-1\n"
        f"x-amz-pay-region:eu\nx-amz-pay-simulation-code:SoftDeclined\n\n{names}\n{hashlib.sha256(BODY).hexdigest()}"
    )
    text = f"{algorithm.wire_name}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode()
    authorization = Authorization.parse(request.headers["authorization"])
    assert request.url.raw_path == b"//v2///charges?b=2&a=z&a=A&c&d=1+1"
    assert authorization.algorithm == algorithm.wire_name
    assert authorization.public_key_id == KEY_ID
    assert ";".join(authorization.signed_headers) == names
    signature = base64.b64decode(authorization.signature)
    private_key.public_key().verify(signature, text, pss(SALTS[algorithm]), hashes.SHA256())


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is far from UTC."""
    with monkeypatch.context() as environment:
        environment.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_the_date_is_the_wall_clock_in_utc_wherever_the_machine_stands(private_key: RSAPrivateKey) -> None:
    assert datetime.now(UTC).astimezone().utcoffset() == timedelta(hours=9)

    written = signed(private_key).headers["x-amz-pay-date"]

    read = datetime.strptime(written, DATE_FORMAT).replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - read) < timedelta(seconds=5)
    assert read.strftime("%Y%m%dT%H%M%SZ") == written


def test_a_caller_keeps_its_own_accept_and_content_type_and_a_port_is_part_of_the_host(
    private_key: RSAPrivateKey,
) -> None:
    headers = {"accept": "application/json; v=2", "content-type": "text/plain"}
    request = signed(private_key, url="http://127.0.0.1:8600/v2/charges", headers=headers)

    assert (request.headers["accept"], request.headers["content-type"]) == ("application/json; v=2", "text/plain")
    assert request.headers["x-amz-pay-host"] == "127.0.0.1:8600"


def holds(request: httpx.Request, private_key: RSAPrivateKey) -> bool:
    """What a receiver concludes from a request, over the headers that the request declares as signed."""
    authorization = Authorization.parse(request.headers["authorization"])
    path, _, query = request.url.raw_path.decode().partition("?")
    canonical = canonical_request(
        request.method,
        path,
        parse_qsl(query, keep_blank_values=True),
        {name: ",".join(request.headers.get_list(name)) for name in request.headers},
        authorization.signed_headers,
        request.content,
    )
    return verify(private_key.public_key(), Algorithm.V2, canonical, authorization.signature)


def changed(request: httpx.Request, *, headers: Mapping[str, str] | None = None, **changes: Any) -> httpx.Request:
    parts: dict[str, Any] = {"method": request.method, "url": request.url, "content": request.content}
    return httpx.Request(**parts | changes, headers={**request.headers, **(headers or {})})


@pytest.mark.parametrize(
    "tamper",
    [
        lambda it: changed(it, content=it.content.replace(b"9.99", b"0.99")),
        lambda it: changed(it, content=b" " + it.content),
        lambda it: changed(it, headers={"x-amz-pay-idempotency-key": "period-7-attempt-2"}),
        lambda it: changed(it, headers={"x-amz-pay-simulation-code": "HardDeclined"}),
        lambda it: changed(it, headers={"x-amz-pay-date": "20200101T000000Z"}),
        lambda it: changed(it, headers={"x-amz-pay-host": "pay-api.amazon.jp"}),
        lambda it: changed(it, url=it.url.copy_with(path="/v2/refunds")),
        lambda it: changed(it, url=it.url.copy_with(query=b"b=3&a=z&a=A&c&d=1+1")),
        lambda it: changed(it, method="PATCH"),
    ],
    ids=["amount", "space", "idempotency key", "simulation", "date", "host", "path", "query", "method"],
)
def test_whatever_is_changed_on_the_way_the_signature_no_longer_holds(
    tamper: Callable[[httpx.Request], httpx.Request], private_key: RSAPrivateKey
) -> None:
    request = signed(private_key)

    assert holds(changed(request), private_key)
    assert not holds(tamper(request), private_key)


def test_a_header_that_is_sent_twice_is_signed_with_its_values_joined_by_a_comma_alone(
    private_key: RSAPrivateKey,
) -> None:
    request = signed(private_key, headers=[("x-amz-pay-note", "one"), ("x-amz-pay-note", "two")])

    assert holds(request, private_key)
