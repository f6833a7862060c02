"""HTTP/1.1 whatever the server offers, one connection for requests that follow each other, over real TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import AmazonPayClient, Region, TimeLimits
from amazon_pay_client.errors import TransportError
from tests.client.examples import CHARGE, CREATE, CREATE_BODY
from tests.client.loopback import KEY_ID
from tests.client.test_client import KEY_HEADER, holds
from tests.client.tls_loopback import HTTP_1_1, HTTP_2, TlsLoopback, server_context


@asynccontextmanager
async def tls(
    folder: Path, private_key: RSAPrivateKey, offers: Sequence[str]
) -> AsyncIterator[tuple[TlsLoopback, AmazonPayClient]]:
    context = server_context(folder, private_key, offers)
    async with TlsLoopback(context) as server:
        server.body = CHARGE
        async with AmazonPayClient(
            public_key_id=KEY_ID,
            private_key=private_key,
            region=Region.NA,
            origin=server.origin,
            verify=ssl.create_default_context(cafile=folder / "ca.pem"),
            time_limits=TimeLimits(read_seconds=5.0),
        ) as client:
            yield server, client


@pytest.mark.parametrize(
    ("offers", "spoken"),
    [((HTTP_2, HTTP_1_1), HTTP_1_1), ((HTTP_1_1,), HTTP_1_1), ((), None)],
    ids=["both", "only 1.1", "nothing"],
)
async def test_the_client_speaks_http_1_1_whatever_is_offered(
    offers: Sequence[str], spoken: str | None, tmp_path: Path, private_key: RSAPrivateKey
) -> None:
    """Of HTTP/2, a silence leaves streams behind until no call is left (httpcore issue 1022)."""
    async with tls(tmp_path, private_key, offers) as (server, client):
        charge = await client.charges.create(CREATE, idempotency_key="p7-a1")

    (received,) = server.received
    assert server.protocols == [spoken]
    assert charge.charge_id == CHARGE["chargeId"]
    assert (received.method, received.target, received.body) == ("POST", "/v2/charges", CREATE_BODY)
    assert received.values(KEY_HEADER) == ["p7-a1"]
    assert received.values("x-amz-pay-host") == [server.origin.removeprefix("https://")]
    assert holds(received, private_key)


async def test_requests_one_after_another_share_one_connection(tmp_path: Path, private_key: RSAPrivateKey) -> None:
    async with tls(tmp_path, private_key, (HTTP_1_1,)) as (server, client):
        for number in range(20):
            await client.charges.get(f"S03-{number}")

    assert [received.target for received in server.received] == [f"/v2/charges/S03-{number}" for number in range(20)]
    assert server.connections == 1


async def test_requests_at_the_same_time_have_a_connection_each_and_leave_them_for_the_next(
    tmp_path: Path, private_key: RSAPrivateKey
) -> None:
    async with tls(tmp_path, private_key, (HTTP_1_1,)) as (server, client):
        for _ in range(3):
            await asyncio.gather(*(client.charges.get(f"S03-{number}") for number in range(10)))

    assert len(server.received) == 30
    assert server.connections == 10


async def test_a_certificate_of_nobody_known_is_refused_before_anything_is_sent(
    tmp_path: Path, private_key: RSAPrivateKey
) -> None:
    context = server_context(tmp_path, private_key, (HTTP_1_1,))
    async with (
        TlsLoopback(context) as server,
        AmazonPayClient(
            public_key_id=KEY_ID, private_key=private_key, region=Region.NA, origin=server.origin
        ) as client,
    ):
        with pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            await client.charges.get("S03-1")

    assert caught.value.never_sent
    assert server.received == []
