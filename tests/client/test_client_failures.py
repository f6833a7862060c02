"""Everything that can go wrong on a wire, on a real one: only the documented errors may come out.

A caller who is billing decides by them whether a buyer may have been charged; any other exception would be a guess.
"""

import json
import socket
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import AmazonPayClient, Region, TimeLimits
from amazon_pay_client.errors import (
    AmazonPayError,
    ApiError,
    BadRequestError,
    DeclinedError,
    IncompleteAnswerError,
    InvalidAnswerError,
    ThrottledError,
    TransportError,
    UnavailableError,
)
from tests.client.examples import CHARGE, CREATE
from tests.client.loopback import KEY_ID, Loopback, answer


async def failure_of(client: AmazonPayClient) -> AmazonPayError:
    with pytest.raises(AmazonPayError) as caught:
        await client.charges.create(CREATE, idempotency_key="p7-a1")
    return caught.value


def error_body(reason_code: Any = "SoftDeclined", message: Any = "no luck") -> bytes:
    return json.dumps({"reasonCode": reason_code, "message": message}).encode()


async def test_an_error_answer_keeps_status_code_text_request_id_and_wait(
    client: AmazonPayClient, server: Loopback
) -> None:
    headers = {"x-amz-pay-request-id": "request-1", "retry-after": "7"}
    server.answer = answer(429, error_body("TooManyRequests", "slow down"), headers)

    error = await failure_of(client)

    assert isinstance(error, ThrottledError)
    assert (error.status, error.reason_code, error.message) == (429, "TooManyRequests", "slow down")
    assert (error.request_id, error.retry_after_seconds) == ("request-1", 7.0)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("9" * 400, None),
    ],
    ids=["none", "two minutes", "date", "negative", "fraction", "word", "empty", "endless"],
)
async def test_a_wait_is_read_in_seconds_and_anything_else_counts_as_absent(
    retry_after: str, seconds: float | None, client: AmazonPayClient, server: Loopback
) -> None:
    server.answer = answer(503, error_body("ServiceUnavailable"), {"retry-after": retry_after})

    error = await failure_of(client)

    assert isinstance(error, UnavailableError)
    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("status", "reason_code", "kind"),
    [(422, "SoftDeclined", DeclinedError), (500, "ProcessingFailure", DeclinedError), (400, "New", BadRequestError)],
)
async def test_an_error_answer_without_its_headers_is_classed_all_the_same(
    status: int, reason_code: str, kind: type[ApiError], client: AmazonPayClient, server: Loopback
) -> None:
    server.answer = answer(status, error_body(reason_code, message=None))

    error = await failure_of(client)

    assert type(error) is kind
    assert isinstance(error, ApiError)
    assert (error.message, error.request_id, error.retry_after_seconds) == ("", None, None)


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_the_client_never_repeats_a_request_by_itself(
    status: int, client: AmazonPayClient, server: Loopback
) -> None:
    server.answer = answer(status, error_body("InternalServerError"))

    error = await failure_of(client)

    assert error.is_retryable
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b"<html>Bad Gateway</html>"),
        (403, b""),
        (500, b"\xff\xfe\x00"),
        (500, b"[]"),
        (500, b"null"),
        (500, b'{"message":"no reason"}'),
        (500, error_body(reason_code=7)),
        (500, b"[" * 100_000),
        (407, b"proxy"),
    ],
)
async def test_an_error_page_that_is_not_amazons_leaves_the_outcome_open(
    status: int, body: bytes, client: AmazonPayClient, server: Loopback
) -> None:
    server.answer = answer(status, body)

    error = await failure_of(client)

    assert type(error) is InvalidAnswerError
    assert error.status == status
    assert str(status) in str(error)
    assert error.is_retryable


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (201, b""),
        (204, b""),
        (200, b"<html>Welcome to the hotel's network</html>"),
        (201, b"[]"),
        (201, b"null"),
        (201, b"\xff"),
    ],
)
async def test_a_success_that_is_not_amazons_leaves_the_outcome_open(
    status: int, body: bytes, client: AmazonPayClient, server: Loopback
) -> None:
    server.answer = answer(status, body)

    error = await failure_of(client)

    assert type(error) is InvalidAnswerError
    assert error.status == status
    assert error.is_retryable


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, ("chargeId", "statusDetails")),
        (CHARGE | {"chargeId": None}, ("chargeId",)),
        (CHARGE | {"chargeId": ["S01"]}, ("chargeId",)),
        (CHARGE | {"statusDetails": None}, ("statusDetails",)),
        (CHARGE | {"statusDetails": {"reasonCode": "x"}}, ("statusDetails.state",)),
        (CHARGE | {"statusDetails": {"state": {"is": "Captured"}}, "channel": {}}, ("statusDetails.state",)),
    ],
    ids=["nothing", "null id", "list of ids", "null status", "no state", "state of another form"],
)
async def test_a_success_without_id_or_state_leaves_the_outcome_open_and_says_what_is_missing(
    body: dict[str, Any], missing: tuple[str, ...], client: AmazonPayClient, server: Loopback
) -> None:
    server.answer = answer(201, json.dumps(body).encode(), {"x-amz-pay-request-id": "request-1"})

    error = await failure_of(client)

    assert type(error) is IncompleteAnswerError
    assert (error.status, error.missing, error.request_id) == (201, missing, "request-1")
    assert str(error) == (
        f"status 201: Amazon Pay's answer is no whole Charge: {', '.join(missing)} missing or unreadable "
        "(request id request-1)"
    )
    assert error.is_retryable


async def test_an_incomplete_answer_names_the_fields_that_decide_and_no_values(
    client: AmazonPayClient, server: Loopback
) -> None:
    answer_body = CHARGE | {"chargeId": {"of": "private words"}, "merchantMetadata": {"noteToBuyer": ["private words"]}}
    server.answer = answer(201, json.dumps(answer_body).encode())

    error = await failure_of(client)

    assert "no whole Charge: chargeId missing or unreadable" in str(error)
    assert "private words" not in f"{error!r}{error.__cause__!r}"


async def test_a_redirect_is_not_followed_because_the_signature_is_for_one_address(
    client: AmazonPayClient, server: Loopback
) -> None:
    server.answer = answer(307, b"", {"location": f"{server.origin}/elsewhere"})

    error = await failure_of(client)

    assert type(error) is InvalidAnswerError
    assert error.status == 307
    assert [received.target for received in server.received] == ["/v2/charges"]


async def test_a_closed_port_is_a_transport_error(private_key: RSAPrivateKey) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port meanwhile
        origin = f"http://127.0.0.1:{held.getsockname()[1]}"
        async with AmazonPayClient(
            public_key_id=KEY_ID, private_key=private_key, region=Region.NA, origin=origin
        ) as client:
            error = await failure_of(client)

    assert type(error) is TransportError
    assert "POST charges: no answer (ConnectError" in str(error)
    assert error.is_retryable
    assert error.never_sent


async def test_a_silent_server_is_a_transport_error_after_the_time_limit(
    server: Loopback, private_key: RSAPrivateKey
) -> None:
    server.answer = None

    async with AmazonPayClient(
        public_key_id=KEY_ID,
        private_key=private_key,
        region=Region.NA,
        origin=server.origin,
        time_limits=TimeLimits(payment_seconds=0.1),
    ) as client:
        error = await failure_of(client)

    assert type(error) is TransportError
    assert str(error) == "POST charges: no answer within 0.1 s"
    assert not error.never_sent
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        b"HTTP/1.1 201 Cre",
        b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n",
        answer(201, json.dumps(CHARGE).encode())[:-1],
        b'HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"cha\r\n',
        answer(201, b"no gzip at all", {"content-encoding": "gzip"}),
        b"220 mail.example ESMTP\r\n",
    ],
    ids=["at once", "status", "headers", "body", "chunk", "encoding", "protocol"],
)
async def test_a_connection_cut_in_mid_answer_leaves_the_outcome_open(
    cut: bytes, client: AmazonPayClient, server: Loopback
) -> None:
    server.answer = cut

    error = await failure_of(client)

    assert isinstance(error, TransportError)
    assert error.is_retryable
    assert not error.never_sent
    assert len(server.received) == 1
