"""What the client sends again when a caller wants it to, and what it never sends again, over a real socket.

A wait is never measured: the tests take the place of the sleep and look at what was asked of it.
"""

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import AmazonPayClient, Region, Retry, TimeLimits
from amazon_pay_client.errors import (
    AmazonPayError,
    BadRequestError,
    DeclinedError,
    InvalidAnswerError,
    ThrottledError,
    TransportError,
    UnavailableError,
)
from amazon_pay_client.models import (
    CompleteCheckoutSessionRequest,
    CreateCheckoutSessionRequest,
    UpdateChargePermissionRequest,
    WebCheckoutDetails,
)
from tests.client.answers import SESSION
from tests.client.examples import CHARGE, CLOSE, CREATE, PERMISSION
from tests.client.loopback import KEY_ID, NO_TLS, Loopback, answer
from tests.client.operations import TEN
from tests.client.test_client import KEY_HEADER, holds

COMPLETE: Final = CompleteCheckoutSessionRequest(charge_amount=TEN)
CUT: Final = b"HTTP/1.1 200 OK\r\ncontent-le"


def error(status: int, reason_code: str = "Whatever", retry_after: str | None = None) -> bytes:
    body = json.dumps({"reasonCode": reason_code, "message": "no luck"}).encode()
    return answer(status, body, {"retry-after": retry_after} if retry_after else None)


class Sleeper:
    """Takes the place of the sleep between two attempts."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)


@pytest.fixture
def sleeper() -> Sleeper:
    return Sleeper()


Make = Callable[..., Any]
UNHURRIED: Final = TimeLimits(read_seconds=60.0, payment_seconds=60.0)


@pytest.fixture
def retrying(private_key: RSAPrivateKey, sleeper: Sleeper) -> Make:
    """Makes clients that repeat."""

    @asynccontextmanager
    async def make(origin: str, limits: TimeLimits = UNHURRIED, **options: Any) -> AsyncIterator[AmazonPayClient]:
        async with AmazonPayClient(
            public_key_id=KEY_ID,
            private_key=private_key,
            region=Region.NA,
            origin=origin,
            verify=NO_TLS,
            retry=Retry(sleep=sleeper, **options),
            time_limits=limits,
        ) as client:
            yield client

    return make


@pytest.fixture
async def repeating(retrying: Make, server: Loopback) -> AsyncIterator[AmazonPayClient]:
    async with retrying(server.origin) as client:
        yield client


@pytest.mark.parametrize(
    "failure",
    [
        *(error(status) for status in (408, 425, 429, 500, 502, 503, 504, 507, 599)),
        answer(502, b"<html>Bad Gateway</html>"),
        answer(201, b"<html>Welcome to the hotel's network</html>"),
        answer(201, b'{"chargeId":'),
        CUT,
    ],
    ids=["408", "425", "429", "500", "502", "503", "504", "507", "599", "page", "other page", "cut JSON", "cut"],
)
async def test_a_charge_is_sent_again_with_the_same_key_and_the_same_bytes_until_it_is_answered(
    failure: bytes, repeating: AmazonPayClient, server: Loopback, private_key: RSAPrivateKey, sleeper: Sleeper
) -> None:
    server.answers(CHARGE, 201)
    server.first_answers = [failure, failure]

    charge = await repeating.charges.create(CREATE, idempotency_key="p7-a1")

    assert charge.charge_id == CHARGE["chargeId"]
    assert len({(sent.method, sent.target, sent.body) for sent in server.received}) == 1
    assert [sent.values(KEY_HEADER) for sent in server.received] == [["p7-a1"]] * 3
    assert all(holds(sent, private_key) for sent in server.received)
    assert len(sleeper.asked) == 2


async def test_a_silent_server_is_asked_again_after_each_time_limit(retrying: Make, server: Loopback) -> None:
    server.answer = None

    async with retrying(server.origin, TimeLimits(payment_seconds=0.2)) as client:
        with pytest.raises(TransportError, match="no answer within"):
            await client.charges.create(CREATE, idempotency_key="p7-a1")

    assert len(server.received) == 4


async def test_the_last_error_comes_out_as_it_came_when_the_attempts_are_used_up(
    retrying: Make, server: Loopback
) -> None:
    server.first_answers = [error(503), error(429), error(500, "InternalServerError")]

    async with retrying(server.origin, attempts=3) as client:
        with pytest.raises(UnavailableError) as caught:
            await client.charges.create(CREATE, idempotency_key="p7-a1")

    assert (caught.value.status, caught.value.reason_code) == (500, "InternalServerError")
    assert len(server.received) == 3


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (error(422, "SoftDeclined"), DeclinedError),
        (error(500, "ProcessingFailure"), DeclinedError),
        (error(400, "InvalidRequest"), BadRequestError),
        (error(400, "DuplicateIdempotencyKey"), BadRequestError),
    ],
)
async def test_a_known_outcome_is_never_asked_for_again(
    failure: bytes, kind: type[AmazonPayError], repeating: AmazonPayClient, server: Loopback
) -> None:
    server.answer = failure

    with pytest.raises(kind):
        await repeating.charges.create(CREATE, idempotency_key="p7-a1")

    assert len(server.received) == 1


Call = Callable[[AmazonPayClient], Awaitable[Any]]
REPEATABLE: Final[dict[str, tuple[Call, dict[str, Any]]]] = {
    "GET": (lambda client: client.charges.get("S03-1"), CHARGE),
    "PATCH": (lambda client: client.charge_permissions.update("C01-1", UpdateChargePermissionRequest()), PERMISSION),
    "DELETE": (lambda client: client.charge_permissions.close("C01-1", CLOSE), PERMISSION),
    "POST with a key": (
        lambda client: client.checkout_sessions.complete("a-session", COMPLETE, idempotency_key="k"),
        SESSION,
    ),
    "POST with a key among the headers": (
        lambda client: client.checkout_sessions.complete("a-session", COMPLETE, headers={KEY_HEADER: "k"}),
        SESSION,
    ),
}


@pytest.mark.parametrize("failure", [error(500), error(429), CUT], ids=["500", "429", "cut"])
@pytest.mark.parametrize(("call", "body"), REPEATABLE.values(), ids=REPEATABLE.keys())
async def test_what_does_the_same_however_often_it_arrives_is_sent_again(
    call: Call, body: dict[str, Any], failure: bytes, repeating: AmazonPayClient, server: Loopback
) -> None:
    server.answers(body)
    server.first_answers = [failure]

    await call(repeating)

    assert len(server.received) == 2
    assert len({sent.body for sent in server.received}) == 1


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (error(500), UnavailableError),
        (error(503), UnavailableError),
        (error(408), UnavailableError),
        (answer(502, b"<html>Bad Gateway</html>"), InvalidAnswerError),
        (CUT, TransportError),
    ],
    ids=["500", "503", "408", "page", "cut"],
)
async def test_a_post_without_a_key_is_not_sent_again_after_it_may_have_been_processed(
    failure: bytes, kind: type[AmazonPayError], repeating: AmazonPayClient, server: Loopback
) -> None:
    server.answer = failure

    with pytest.raises(kind):
        await repeating.checkout_sessions.complete("a-session", COMPLETE)

    assert len(server.received) == 1


async def test_a_post_without_a_key_is_sent_again_after_it_was_turned_away(
    repeating: AmazonPayClient, server: Loopback
) -> None:
    server.answers(SESSION)
    server.first_answers = [error(429, "TooManyRequests")]

    await repeating.checkout_sessions.complete("a-session", COMPLETE)

    assert len(server.received) == 2


async def test_a_post_without_a_key_is_sent_again_where_no_connection_came_about(
    retrying: Make, sleeper: Sleeper
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port meanwhile
        async with retrying(f"http://127.0.0.1:{held.getsockname()[1]}") as client:
            with pytest.raises(TransportError) as caught:
                await client.checkout_sessions.complete("a-session", COMPLETE)

    assert caught.value.never_sent
    assert len(sleeper.asked) == 3


async def test_the_waits_grow_and_have_a_cap(retrying: Make, server: Loopback, sleeper: Sleeper) -> None:
    server.answer = error(503)

    async with retrying(server.origin, attempts=6, first_wait_seconds=1.0, longest_wait_seconds=9.0) as client:
        with pytest.raises(UnavailableError):
            await client.charges.get("S03-1")

    doubled = [1.0, 2.0, 4.0, 8.0, 9.0]
    assert [min(max(wait, least), least + 1.0, 9.0) for wait, least in zip(sleeper.asked, doubled, strict=True)] == (
        sleeper.asked
    )


async def test_the_waits_of_two_clients_differ(retrying: Make, server: Loopback, sleeper: Sleeper) -> None:
    server.answer = error(503)

    for _ in range(2):
        async with retrying(server.origin) as client:
            with pytest.raises(UnavailableError):
                await client.charges.get("S03-1")

    assert sleeper.asked[:3] != sleeper.asked[3:]


@pytest.mark.parametrize(
    ("status", "retry_after", "least", "most"),
    [
        (429, "7", 7.0, 7.0),
        (503, "7", 7.0, 7.0),
        (429, "86400", 20.0, 20.0),
        (429, "0", 1.0, 2.0),
        (429, "soon", 1.0, 2.0),
        (429, None, 1.0, 2.0),
    ],
)
async def test_the_wait_that_amazon_asks_for_is_kept_up_to_the_cap(
    status: int,
    retry_after: str | None,
    least: float,
    most: float,
    retrying: Make,
    server: Loopback,
    sleeper: Sleeper,
) -> None:
    server.answers(CHARGE)
    server.first_answers = [error(status, retry_after=retry_after)]

    async with retrying(server.origin, longest_wait_seconds=20.0) as client:
        await client.charges.get("S03-1")

    (asked,) = sleeper.asked
    assert least <= asked <= most


async def test_the_wait_that_a_proxys_page_asks_for_is_kept_too(
    repeating: AmazonPayClient, server: Loopback, sleeper: Sleeper
) -> None:
    server.answers(CHARGE)
    server.first_answers = [answer(503, b"<html>down</html>", {"retry-after": "9"})]

    await repeating.charges.get("S03-1")

    assert sleeper.asked == [9.0]


async def test_one_attempt_is_no_repetition(retrying: Make, server: Loopback, sleeper: Sleeper) -> None:
    server.answer = error(429)

    async with retrying(server.origin, attempts=1) as client:
        with pytest.raises(ThrottledError):
            await client.charges.get("S03-1")

    assert (len(server.received), sleeper.asked) == (1, [])


async def test_a_request_that_is_refused_here_is_not_even_sent_once(
    repeating: AmazonPayClient, server: Loopback
) -> None:
    with pytest.raises(ValueError, match="idempotency key"):
        await repeating.charges.create(CREATE, idempotency_key="not one")

    assert server.received == []


@pytest.mark.parametrize(
    ("option", "value"),
    [("attempts", 0), ("first_wait_seconds", -1.0), ("longest_wait_seconds", float("inf"))],
)
def test_a_retry_that_makes_no_sense_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{option}: "):
        Retry(**{option: value})


async def test_sessions_are_created_once_however_often_the_answer_is_lost(
    repeating: AmazonPayClient, server: Loopback
) -> None:
    request = CreateCheckoutSessionRequest(web_checkout_details=WebCheckoutDetails(), store_id="store")
    server.answers(SESSION, 201)
    server.first_answers = [CUT, CUT, CUT]

    await repeating.checkout_sessions.create(request, idempotency_key="s-1")

    assert [sent.values(KEY_HEADER) for sent in server.received] == [["s-1"]] * 4
    assert len({sent.body for sent in server.received}) == 1
