"""One client wherever it is called: in one event loop after another, in several threads at once, in a forked process.

Every call that was charged at Amazon is reported as charged: what the simulator booked is the witness.
"""

import asyncio
import gc
import json
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from amazon_pay_client import AmazonPayClient, ClientUnusableError, Region, SyncAmazonPayClient, TransportError
from amazon_pay_client.models import Charge, ChargeState, CreateChargeRequest, Currency, Price
from amazon_pay_client.outbound.transport import BoundedTransport
from amazon_pay_simulator import SimulatorHandle
from tests.client.examples import CHARGE, CREATE
from tests.client.loopback import Loopback, answer
from tests.hostile import Hostile, Manner
from tests.simulator.merchant import KEY_ID

Charging = Callable[[str], Coroutine[Any, Any, Charge]]
CALLS = 20


@pytest.fixture
def amazon_pay(books: SimulatorHandle, private_key: RSAPrivateKey) -> AmazonPayClient:
    """Left open: it is the server of a web framework that keeps one, and never closes it."""
    return AmazonPayClient(public_key_id=KEY_ID, private_key=private_key, region="us", origin=books.origin)


@pytest.fixture
async def charge(amazon_pay: AmazonPayClient, books: SimulatorHandle) -> Charging:
    permission = (await books.open_permission()).charge_permission_id
    request = CreateChargeRequest(
        charge_permission_id=permission,
        charge_amount=Price(amount=Decimal("3.50"), currency_code=Currency.USD),
        capture_now=True,
    )

    async def create(key: str) -> Charge:
        return await amazon_pay.charges.create(request, idempotency_key=key)

    return create


def open_in(amazon_pay: AmazonPayClient) -> int:
    """In how many event loops the client has something open."""
    transport = amazon_pay._transport._http._transport
    assert isinstance(transport, BoundedTransport)
    return len(transport._in)


async def assert_reported_as_booked(charges: list[Charge], books: SimulatorHandle) -> None:
    booked = (await books.books()).charges
    assert {charge.charge_id for charge in charges} == {charge.charge_id for charge in booked}
    assert len(booked) == len(charges) > 0
    assert {charge.status_details.state for charge in charges} == {ChargeState.CAPTURED}


async def test_each_call_in_an_event_loop_of_its_own_is_reported_as_it_was_charged(
    amazon_pay: AmazonPayClient, charge: Charging, books: SimulatorHandle
) -> None:
    charges = await asyncio.to_thread(lambda: [asyncio.run(charge(f"loop-{number}")) for number in range(CALLS)])

    await assert_reported_as_booked(charges, books)
    assert open_in(amazon_pay) == 0


async def test_a_loop_that_is_closed_without_a_word_is_forgotten_by_the_next(
    amazon_pay: AmazonPayClient, charge: Charging, books: SimulatorHandle
) -> None:
    def in_a_loop(number: int) -> Charge:
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(charge(f"brutal-{number}"))
        finally:
            # Only the generators are not ended: its sockets would be reported as never closed, by whoever closed it so.
            connections = amazon_pay._transport._http._transport._in[loop]  # type: ignore[attr-defined]
            for place in connections._shelf.clear():
                loop.run_until_complete(place.aclose())
            loop.close()

    charges = await asyncio.to_thread(lambda: [in_a_loop(number) for number in range(3)])

    assert open_in(amazon_pay) == 1
    charges.append(await charge("brutal-after"))
    await assert_reported_as_booked(charges, books)
    assert open_in(amazon_pay) == 1
    await amazon_pay.aclose()


async def test_what_a_closed_loop_left_of_a_call_holds_up_no_other(private_key: RSAPrivateKey) -> None:
    asked, released = [0], asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked[0] += 1
        if asked[0] == 1:
            await released.wait()
        else:
            writer.write(answer(200, json.dumps(CHARGE).encode()))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        origin = "http://{}:{}".format(*server.sockets[0].getsockname())
        amazon_pay = AmazonPayClient(
            public_key_id=KEY_ID, private_key=private_key, region="na", origin=origin, at_once=1
        )
        left: list[asyncio.Task[Charge]] = []

        async def begin() -> None:
            left.append(asyncio.create_task(amazon_pay.charges.get("S01-1")))
            while not asked[0]:
                await asyncio.sleep(0.01)

        def leave_it_under_way() -> None:
            loop = asyncio.new_event_loop()
            loop.run_until_complete(begin())
            loop.close()

        await asyncio.to_thread(leave_it_under_way)

        assert (await amazon_pay.charges.get("S01-2")).charge_id == CHARGE["chargeId"]
        await amazon_pay.aclose()
        released.set()
        with warnings.catch_warnings():
            # Of the socket and the task that were left, as of every loop that is closed so.
            warnings.simplefilter("ignore", ResourceWarning)
            left.clear()
            gc.collect()


async def test_several_threads_with_a_loop_each_call_at_once(
    amazon_pay: AmazonPayClient, charge: Charging, books: SimulatorHandle
) -> None:
    async def several(name: str) -> list[Charge]:
        return await asyncio.gather(*(charge(f"{name}-{number}") for number in range(5)))

    of_threads = await asyncio.gather(
        *(asyncio.to_thread(asyncio.run, several(name)) for name in "abcd"), several("here")
    )

    await assert_reported_as_booked([each for of_thread in of_threads for each in of_thread], books)
    await amazon_pay.aclose()


async def test_threads_share_one_client_that_blocks(
    books: SimulatorHandle, private_key: RSAPrivateKey, charge: Charging
) -> None:
    permission = (await books.open_permission()).charge_permission_id
    request = {
        "chargePermissionId": permission,
        "chargeAmount": {"amount": "4.25", "currencyCode": "USD"},
        "captureNow": True,
    }
    with SyncAmazonPayClient(
        public_key_id=KEY_ID, private_key=private_key, region="us", origin=books.origin
    ) as blocking:
        charges = await asyncio.gather(
            *(
                asyncio.to_thread(blocking.charges.create, request, idempotency_key=f"thread-{number}")
                for number in range(CALLS)
            )
        )

    await assert_reported_as_booked(list(charges), books)


async def test_calls_of_all_loops_and_threads_wait_for_their_turn_together(private_key: RSAPrivateKey) -> None:
    async with Hostile(Manner.SILENT, CHARGE).serving() as server:
        amazon_pay = AmazonPayClient(
            public_key_id=KEY_ID, private_key=private_key, region="na", origin=server.origin, at_once=1
        )
        first = asyncio.create_task(amazon_pay.charges.get("S01-1"))
        while not server.asked:
            await asyncio.sleep(0.01)
        server.manner = Manner.ANSWERS
        second = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(amazon_pay.charges.get("S01-2"))))
        await asyncio.sleep(0.2)
        assert server.asked == 1
        first.cancel()

        assert (await second).charge_id == CHARGE["chargeId"]
        assert server.asked == 2
        await amazon_pay.aclose()


async def test_a_client_that_is_closed_elsewhere_is_closed_in_every_loop(
    amazon_pay: AmazonPayClient, charge: Charging, books: SimulatorHandle
) -> None:
    called, closed = threading.Event(), threading.Event()
    first: list[Charge] = []

    async def call_twice() -> None:
        first.append(await charge("closed-1"))
        called.set()
        await asyncio.to_thread(closed.wait)
        await charge("closed-2")

    other = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(call_twice())))
    await asyncio.to_thread(called.wait)
    await amazon_pay.aclose()
    closed.set()

    with pytest.raises(ClientUnusableError, match="not sent: the client is closed"):
        await other
    await assert_reported_as_booked(first, books)


async def test_without_an_event_loop_nothing_is_sent(amazon_pay: AmazonPayClient, books: SimulatorHandle) -> None:
    def by_hand() -> None:
        amazon_pay.charges.create(CREATE, idempotency_key="by-hand").send(None)

    with pytest.raises(ClientUnusableError, match="no event loop of asyncio runs here") as caught:
        await asyncio.to_thread(by_hand)

    assert caught.value.never_sent
    assert (await books.books()).charges == []


@pytest.mark.parametrize(
    "thrown",
    [RuntimeError("Event loop is closed"), OSError(9, "Bad file descriptor"), KeyError("stream"), MemoryError()],
)
async def test_whatever_is_thrown_beneath_leaves_the_outcome_open(
    thrown: Exception,
    amazon_pay: AmazonPayClient,
    charge: Charging,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*given: object) -> None:
        raise thrown

    monkeypatch.setattr("amazon_pay_client.outbound.place.Place.send", fail)

    with pytest.raises(TransportError, match=f"POST charges: no answer \\({type(thrown).__name__}") as caught:
        await charge("thrown-1")

    assert not caught.value.never_sent
    assert caught.value.is_retryable
    assert caught.value.__cause__ is thrown
    await amazon_pay.aclose()


FORKING = """
import asyncio, os, sys
from amazon_pay_client import AmazonPayClient, SyncAmazonPayClient

origin, key_file, permission = sys.argv[1:]
options = {"public_key_id": "SANDBOX-MERCHANT", "private_key": key_file, "region": "us", "origin": origin}
blocking, awaited = SyncAmazonPayClient(**options), AmazonPayClient(**options)
request = {
    "chargePermissionId": permission,
    "chargeAmount": {"amount": "2.75", "currencyCode": "USD"},
    "captureNow": True,
}

def charge(who):
    blocking.charges.create(request, idempotency_key=f"{who}-blocking")
    asyncio.run(awaited.charges.create(request, idempotency_key=f"{who}-awaited"))

charge("parent")
children = []
for number in range(3):
    child = os.fork()
    if not child:
        charge(f"child-{number}")
        os._exit(0)
    children.append(child)
charge("parent-again")
assert {os.waitpid(child, 0)[1] for child in children} == {0}
blocking.close()
"""


async def test_a_forked_process_has_connections_of_its_own(
    books: SimulatorHandle, private_key: RSAPrivateKey, tmp_path: Any
) -> None:
    permission = (await books.open_permission()).charge_permission_id
    key_file = tmp_path / "key.pem"
    key_file.write_bytes(private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key_file.chmod(0o600)

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FORKING, books.origin, str(key_file), permission, stderr=subprocess.PIPE
    )
    _, said = await process.communicate()

    assert (process.returncode, said.decode()) == (0, "")
    assert len((await books.books()).charges) == 10


async def test_a_connection_is_kept_within_a_loop_and_ends_with_it(
    server: Loopback, private_key: RSAPrivateKey
) -> None:
    async with Hostile(Manner.ANSWERS, CHARGE).serving() as hostile:
        amazon_pay = AmazonPayClient(
            public_key_id=KEY_ID, private_key=private_key, region=Region.JP, origin=hostile.origin
        )

        async def three_calls() -> int:
            for number in range(3):
                await amazon_pay.charges.get(f"S03-{number}")
            return open_in(amazon_pay)

        assert await asyncio.to_thread(lambda: asyncio.run(three_calls())) == 1
        assert open_in(amazon_pay) == 0
        assert hostile.asked == 3
