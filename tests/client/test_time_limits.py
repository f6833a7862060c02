"""How long a sending may take: by the kind of operation, all in all, and as the caller says.

No time is measured: the limit under test is tiny, and the others are far longer than a test may last.
"""

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import AmazonPayClient, Region, TimeLimits
from amazon_pay_client.errors import AmazonPayError, TransportError
from amazon_pay_client.time_limits import OperationKind
from tests.client.loopback import KEY_ID, Loopback
from tests.client.operations import OPERATIONS, Operation

DAY = 86_400.0


@pytest.mark.parametrize("kind", OperationKind)
async def test_each_operation_has_the_limit_of_its_kind(
    kind: OperationKind, server: Loopback, private_key: RSAPrivateKey
) -> None:
    server.answer = None
    others: dict[str, float] = {other.value: DAY for other in OperationKind}
    limits = TimeLimits(**(others | {kind.value: 0.3}))
    operations = [operation for operation in OPERATIONS if operation.kind is kind]

    async def failure_of(client: AmazonPayClient, operation: Operation) -> AmazonPayError:
        with pytest.raises(TransportError) as caught:
            await operation.call(client)
        return caught.value

    async with AmazonPayClient(
        public_key_id=KEY_ID, private_key=private_key, region=Region.NA, origin=server.origin, time_limits=limits
    ) as client:
        failures = await asyncio.gather(*(failure_of(client, operation) for operation in operations))

    assert operations
    assert all("no answer within 0.3 s" in str(failure) for failure in failures)


async def test_a_limit_is_for_the_whole_answer_and_not_for_each_piece_of_it(
    private_key: RSAPrivateKey,
) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while not writer.is_closing() and not reader.at_eof():
            writer.write(b" ")
            await asyncio.sleep(0.02)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    origin = "http://{}:{}".format(*server.sockets[0].getsockname())
    limits = TimeLimits(read_seconds=0.3)
    async with (
        server,
        AmazonPayClient(
            public_key_id=KEY_ID, private_key=private_key, region=Region.NA, origin=origin, time_limits=limits
        ) as client,
    ):
        with pytest.raises(TransportError, match=r"no answer within 0\.3 s"):
            await client.charges.get("S03-1")


async def test_an_abandoned_request_leaves_the_client_usable(server: Loopback, private_key: RSAPrivateKey) -> None:
    server.answer = None
    async with AmazonPayClient(
        public_key_id=KEY_ID,
        private_key=private_key,
        region=Region.NA,
        origin=server.origin,
        time_limits=TimeLimits(read_seconds=0.1),
    ) as client:
        for _ in range(3):
            with pytest.raises(TransportError):
                await client.charges.get("S03-1")

    assert len(server.received) == 3


def test_a_charge_has_the_longest_limit_and_more_time_than_amazon_takes_for_it_in_japan() -> None:
    limits = TimeLimits()

    assert limits.of(OperationKind.PAYMENT) == 40.0
    assert limits.read_seconds < limits.write_seconds < limits.payment_seconds
    assert limits.payment_seconds > 30.0


@pytest.mark.parametrize("field", ["read_seconds", "write_seconds", "payment_seconds", "connect_seconds"])
@pytest.mark.parametrize("seconds", [0, -1.0, float("inf"), float("nan")])
def test_a_limit_that_is_none_is_refused_by_name(field: str, seconds: float) -> None:
    options: dict[str, Any] = {field: seconds}

    with pytest.raises(ValueError, match=f"^{field}: .* is not a limit"):
        TimeLimits(**options)
