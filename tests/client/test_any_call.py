"""The call of what no model knows: signed as all others, with their errors and repetition, on both clients."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import (
    AmazonPayClient,
    DeclinedError,
    InvalidAnswerError,
    JsonAnswer,
    NotFoundError,
    Retry,
    SyncAmazonPayClient,
    TransportError,
)
from tests.client.examples import CREATE, CREATE_BODY
from tests.client.loopback import KEY_ID, NO_TLS, Loopback, answer
from tests.client.test_client import KEY_HEADER, holds


@pytest.fixture(params=["awaited", "blocking"])
def request_by(request: pytest.FixtureRequest, client: AmazonPayClient, sync_client: SyncAmazonPayClient) -> Any:
    """The method of either client, awaited."""
    if request.param == "awaited":
        return client.request

    async def blocking(*given: Any, **named: Any) -> JsonAnswer:
        return await asyncio.to_thread(sync_client.request, *given, **named)

    return blocking


async def test_a_dict_is_sent_as_json_and_the_answer_read_as_json(
    request_by: Any, server: Loopback, private_key: RSAPrivateKey
) -> None:
    server.answer = answer(201, b'{"newThingId":"T-1","rate":1.10,"left":null}', {"x-amz-pay-request-id": "r-7"})

    read = await request_by(
        "post",
        "newThings/T%2F1/start",
        query={"kind": "a b", "after": "2026-11-01"},
        body={"amount": Decimal("12.50"), "note": "für Sie"},
        idempotency_key="thing-1",
        headers={"x-amz-pay-simulation-code": "SoftDeclined"},
    )

    (received,) = server.received
    assert received.method == "POST"
    assert received.target == "/v2/newThings/T%2F1/start?after=2026-11-01&kind=a%20b"
    assert received.body == '{"amount":"12.50","note":"für Sie"}'.encode()
    assert received.values(KEY_HEADER) == ["thing-1"]
    assert holds(received, private_key)
    assert (read.status, read.request_id) == (201, "r-7")
    assert read.body == {"newThingId": "T-1", "rate": Decimal("1.10"), "left": None}


async def test_a_model_or_the_exact_bytes_are_sent_as_they_are(request_by: Any, server: Loopback) -> None:
    server.answers({})

    await request_by("POST", "/charges", body=CREATE, idempotency_key="p7-a1")
    await request_by("PATCH", "charges/S01-1", body=b'{ "a":1 }')
    await request_by("GET", "charges/S01-1")

    assert [received.body for received in server.received] == [CREATE_BODY, b'{ "a":1 }', b""]


async def test_an_answer_without_a_body_and_a_redirection_are_answers(request_by: Any, server: Loopback) -> None:
    server.answer = answer(303, b"", {"location": "https://sellers.example/claim"})

    read = await request_by("POST", "merchantAccounts/A1/claim", body={"uniqueReferenceId": "u-1"})

    assert (read.status, read.body, read.headers["location"]) == (303, None, "https://sellers.example/claim")


@pytest.mark.parametrize(
    ("answered", "kind"),
    [
        (answer(422, b'{"reasonCode":"AmazonRejected","message":"no"}'), DeclinedError),
        (answer(404, b'{"reasonCode":"ResourceNotFound","message":"no"}'), NotFoundError),
        (answer(200, b"<html>"), InvalidAnswerError),
        (answer(502, b"<html>"), InvalidAnswerError),
        (b"", TransportError),
    ],
)
async def test_its_errors_are_those_of_all_calls(
    answered: bytes, kind: type[Exception], request_by: Any, server: Loopback
) -> None:
    server.answer = answered

    with pytest.raises(kind) as caught:
        await request_by("POST", "newThings/secret-1", body={})

    assert type(caught.value) is kind
    assert "secret-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (("FETCH", "charges"), r"^method: 'FETCH' .*accepted are DELETE, GET, PATCH, POST, PUT$"),
        (("GET", ""), r"^path: it is not a path below the API's version"),
        (("GET", "charges//S01"), r"^path: it is not a path"),
        (("GET", "charges/../refunds"), r"^path: it is not a path"),
        (("GET", "charges?a=b"), r"^path: .*a query is given as `query`"),
        (("GET", "https://elsewhere.example/charges"), r"^path: it is not a path"),
        (("GET", "charges/a b"), r"^path: it is not a path"),
        (("GET", "v2/charges"), r"^path: it begins with 'v2', which the client adds"),
        (("GET", "/sandbox/v2/charges"), r"^path: it begins with 'sandbox'"),
    ],
)
async def test_what_is_no_call_is_refused_in_one_line(
    given: tuple[str, str], reason: str, request_by: Any, server: Loopback
) -> None:
    with pytest.raises(ValueError, match=reason):
        await request_by(*given)

    assert server.received == []


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
async def test_a_body_that_is_no_json_is_refused(value: object, request_by: Any, server: Loopback) -> None:
    with pytest.raises(ValueError, match=r"^body: it cannot be written as JSON"):
        await request_by("POST", "newThings", body={"value": value})

    assert server.received == []


@pytest.mark.parametrize(("key", "sent"), [("thing-1", 3), (None, 1)])
async def test_with_a_key_it_is_sent_again_and_without_one_it_is_not_after_a_lost_answer(
    key: str | None, sent: int, server: Loopback, private_key: RSAPrivateKey
) -> None:
    async def no_wait(_seconds: float) -> None:
        return None

    server.answer = b""
    async with AmazonPayClient(
        public_key_id=KEY_ID,
        private_key=private_key,
        region="na",
        origin=server.origin,
        verify=NO_TLS,
        retry=Retry(attempts=3, sleep=no_wait),
    ) as client:
        with pytest.raises(TransportError):
            await client.request("POST", "newThings", body={"a": 1}, idempotency_key=key)

    assert len(server.received) == sent
    assert {json.dumps(json.loads(received.body)) for received in server.received} == {'{"a": 1}'}


async def test_a_body_of_another_kind_is_refused(request_by: Any, server: Loopback) -> None:
    with pytest.raises(ValueError, match=r"^body: a list was given; a dict, a model or bytes are accepted$"):
        await request_by("POST", "newThings", body=[("a", 1)])

    assert server.received == []
