"""The client that blocks does on the wire what the awaited one does, and says the same of what comes back."""

import asyncio
import inspect
import json
import socket
import ssl
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_type_hints

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from amazon_pay_client import (
    AmazonPayClient,
    AmazonPayError,
    ClientUnusableError,
    DeclinedError,
    InvalidAnswerError,
    Region,
    Retry,
    SyncAmazonPayClient,
    ThrottledError,
    TimeLimits,
    TransportError,
)
from tests.client import sync_resources
from tests.client.examples import CHARGE, CREATE, CREATE_BODY
from tests.client.loopback import KEY_ID, NO_TLS, Loopback, answer
from tests.client.operations import OPERATIONS, Operation
from tests.client.test_client import KEY_HEADER, holds
from tests.client.tls_loopback import HTTP_1_1, TlsLoopback, server_context
from tests.hostile import ENDS_BY_ITSELF, ENDS_BY_TIME, Hostile, Manner

CHANGING: Final = {"x-amz-pay-date", "authorization"}
"""Headers that differ from one sending to the next."""


def groups_of(client: type) -> dict[str, type]:
    """The groups of operations by their names."""
    hints = get_type_hints(client)
    return {name: group for name, group in hints.items() if "resources" in group.__module__}


def surface_of(group: type) -> dict[str, inspect.Signature]:
    """The operations with all their types."""
    methods = inspect.getmembers(group, inspect.isfunction)
    return {name: inspect.signature(method, eval_str=True) for name, method in methods if not name.startswith("_")}


def test_both_clients_have_the_same_operations_with_the_same_types() -> None:
    awaited, blocking = groups_of(AmazonPayClient), groups_of(SyncAmazonPayClient)

    assert len(awaited) == 16
    assert {name: f"Sync{group.__name__}" for name, group in awaited.items()} == {
        name: group.__name__ for name, group in blocking.items()
    }
    for name, group in awaited.items():
        assert surface_of(group) == surface_of(blocking[name])
    assert inspect.signature(AmazonPayClient) == inspect.signature(SyncAmazonPayClient)
    assert inspect.signature(AmazonPayClient.request) == inspect.signature(SyncAmazonPayClient.request)
    own = [
        {name for name in dir(client) if not name.startswith("_")} for client in (AmazonPayClient, SyncAmazonPayClient)
    ]
    assert own[0] ^ own[1] == {"aclose", "close"}


@pytest.mark.parametrize("source", sync_resources.sources(), ids=lambda path: path.stem)
def test_what_blocks_is_made_of_what_is_awaited(source: Path) -> None:
    assert (sync_resources.SYNC / source.name).read_text() == sync_resources.sync_of(source)


def test_nothing_else_lies_among_what_is_made() -> None:
    made = {path.name for path in sync_resources.SYNC.glob("*.py")}

    assert made == {source.name for source in sync_resources.sources()} | {"__init__.py"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_each_operation_sends_and_reads_what_the_awaited_one_does(
    operation: Operation,
    client: AmazonPayClient,
    sync_client: SyncAmazonPayClient,
    server: Loopback,
    private_key: RSAPrivateKey,
) -> None:
    server.answers(operation.answer, operation.status, dict(operation.headers))
    call: Callable[[Any], Any] = operation.call

    awaited = await call(client)
    blocking = await asyncio.to_thread(call, sync_client)

    assert blocking == awaited
    first, second = server.received
    assert (first.method, first.target, first.body) == (second.method, second.target, second.body)
    headers = [
        {name: value for name, value in each.headers if name.lower() not in CHANGING} for each in server.received
    ]
    assert headers[0] == headers[1]
    assert holds(second, private_key)


async def failure_of(client: SyncAmazonPayClient) -> AmazonPayError:
    with pytest.raises(AmazonPayError) as caught:
        await asyncio.to_thread(client.charges.create, CREATE, idempotency_key="p7-a1")
    return caught.value


@pytest.mark.parametrize(
    ("answered", "kind"),
    [
        (answer(422, b'{"reasonCode":"HardDeclined","message":"no"}'), DeclinedError),
        (answer(429, b'{"reasonCode":"TooManyRequests","message":"slow"}', {"retry-after": "3"}), ThrottledError),
        (answer(200, b"<html>Welcome to the hotel's network</html>"), InvalidAnswerError),
        (answer(201, b""), InvalidAnswerError),
        (b"", TransportError),
        (b"HTTP/1.1 201 Cre", TransportError),
        (answer(201, json.dumps(CHARGE).encode())[:-1], TransportError),
        (b"220 mail.example ESMTP\r\n", TransportError),
    ],
)
async def test_an_error_is_of_the_same_class(
    answered: bytes, kind: type[AmazonPayError], sync_client: SyncAmazonPayClient, server: Loopback
) -> None:
    server.answer = answered

    failure = await failure_of(sync_client)

    assert type(failure) is kind
    assert len(server.received) == 1
    if isinstance(failure, TransportError):
        assert not failure.never_sent


async def test_a_closed_port_was_never_sent_to(private_key: RSAPrivateKey) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{held.getsockname()[1]}"
        with SyncAmazonPayClient(public_key_id=KEY_ID, private_key=private_key, region="eu", origin=origin) as client:
            failure = await failure_of(client)

    assert isinstance(failure, TransportError)
    assert failure.never_sent


def test_after_it_was_closed_nothing_is_sent(private_key: RSAPrivateKey) -> None:
    with SyncAmazonPayClient(public_key_id=KEY_ID, private_key=private_key, region="eu") as client:
        pass

    with pytest.raises(ClientUnusableError, match=r"^GET refunds/\{refund_id\}: not sent: the client is closed$"):
        client.refunds.get("S02-1-R2")


LIMITS: Final = TimeLimits(read_seconds=0.3, write_seconds=60.0, payment_seconds=60.0)


@pytest.mark.parametrize("manner", ENDS_BY_TIME)
async def test_a_server_that_takes_its_time_is_left_when_the_time_is_up(
    manner: Manner, private_key: RSAPrivateKey
) -> None:
    async with Hostile(manner, CHARGE).serving() as server:
        with SyncAmazonPayClient(
            public_key_id=KEY_ID, private_key=private_key, region="na", origin=server.origin, time_limits=LIMITS
        ) as client:
            with pytest.raises(TransportError, match=r"no answer within 0\.3 s"):
                await asyncio.to_thread(client.charges.get, "S01-1")
            server.manner = Manner.ANSWERS

            assert (await asyncio.to_thread(client.charges.get, "S01-1")).charge_id == CHARGE["chargeId"]


@pytest.mark.parametrize("manner", ENDS_BY_ITSELF)
async def test_an_answer_that_is_none_leaves_the_outcome_open_and_the_client_as_it_was(
    manner: Manner, private_key: RSAPrivateKey
) -> None:
    async with Hostile(manner, CHARGE).serving() as server:
        with SyncAmazonPayClient(
            public_key_id=KEY_ID, private_key=private_key, region="na", origin=server.origin
        ) as client:
            failure = await failure_of(client)
            server.manner = Manner.ANSWERS
            charge = await asyncio.to_thread(client.charges.create, CREATE, idempotency_key="p7-a1")

    assert isinstance(failure, TransportError)
    assert not failure.never_sent
    assert charge.charge_id == CHARGE["chargeId"]


async def test_a_call_that_no_turn_comes_for_was_never_sent(private_key: RSAPrivateKey) -> None:
    async with Hostile(Manner.SILENT, CHARGE).serving() as server:
        with SyncAmazonPayClient(
            public_key_id=KEY_ID,
            private_key=private_key,
            region="na",
            origin=server.origin,
            at_once=1,
            time_limits=TimeLimits(read_seconds=0.3, payment_seconds=1.0),
        ) as client:
            first = asyncio.create_task(failure_of(client))
            while not server.asked:
                await asyncio.sleep(0.01)
            with pytest.raises(TransportError, match="PoolTimeout") as caught:
                await asyncio.to_thread(client.charges.get, "S01-1")

            assert caught.value.never_sent
            assert server.asked == 1
            await first


SIGNALLED: Final = """
import signal, sys
from amazon_pay_client import SyncAmazonPayClient, TransportError

class TimeIsUp(Exception):
    pass

def throw(*_given):
    raise TimeIsUp

signal.signal(signal.SIGALRM, throw)
client = SyncAmazonPayClient(
    public_key_id="SANDBOX-LOOPBACKKEY", private_key=sys.stdin.read(), region="na", origin=sys.argv[1]
)
signal.setitimer(signal.ITIMER_REAL, 0.3)
try:
    client.charges.create({"chargePermissionId": "C01-1-2", "chargeAmount": {"amount": "1.00", "currencyCode": "USD"}},
                          idempotency_key="a")
except TransportError as error:
    print(type(error.__cause__).__name__, error.never_sent)
"""


async def test_what_a_signal_throws_in_a_call_leaves_the_outcome_open(private_key: RSAPrivateKey) -> None:
    """As Celery's soft time limit does."""
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    async with Hostile(Manner.SILENT, CHARGE).serving() as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SIGNALLED, server.origin, stdin=PIPE, stdout=PIPE
        )
        said, _ = await process.communicate(pem)

    assert said.decode().split() == ["TimeIsUp", "False"]


async def test_calls_one_after_another_share_one_connection_over_tls(
    tmp_path: Path, private_key: RSAPrivateKey
) -> None:
    context = server_context(tmp_path, private_key, (HTTP_1_1,))
    async with TlsLoopback(context) as server:
        server.body = CHARGE
        with SyncAmazonPayClient(
            public_key_id=KEY_ID,
            private_key=private_key,
            region=Region.NA,
            origin=server.origin,
            verify=ssl.create_default_context(cafile=tmp_path / "ca.pem"),
        ) as client:
            for _ in range(5):
                await asyncio.to_thread(client.charges.create, CREATE, idempotency_key="p7-a1")

    assert [received.body for received in server.received] == [CREATE_BODY] * 5
    assert server.connections == 1


async def test_it_sends_again_with_the_same_key_and_the_same_bytes(
    server: Loopback, private_key: RSAPrivateKey
) -> None:
    asked: list[float] = []
    server.answers(CHARGE, 201)
    server.first_answers = [answer(503, b'{"reasonCode":"ServiceUnavailable"}', {"retry-after": "4"}), b""]

    with SyncAmazonPayClient(
        public_key_id=KEY_ID,
        private_key=private_key,
        region="na",
        origin=server.origin,
        verify=NO_TLS,
        retry=Retry(blocking_sleep=asked.append),
    ) as client:
        charge = await asyncio.to_thread(client.charges.create, CREATE, idempotency_key="p7-a1")

    assert charge.charge_id == CHARGE["chargeId"]
    assert [sent.values(KEY_HEADER) for sent in server.received] == [["p7-a1"]] * 3
    assert len({sent.body for sent in server.received}) == 1
    assert asked[0] == 4.0
    assert len(asked) == 2
