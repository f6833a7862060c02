"""HTTP/2 where the server offers it, HTTP/1.1 otherwise, and one connection for many requests, over real TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amazon_pay import AmazonPayClient, Region, TimeLimits
from amazon_pay.errors import TransportError
from tests.amazon_pay.examples import CHARGE, CREATE, CREATE_BODY
from tests.amazon_pay.loopback import KEY_ID
from tests.amazon_pay.test_client import KEY_HEADER, holds
from tests.amazon_pay.tls_loopback import HTTP_1_1, HTTP_2, TlsLoopback, server_context


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
    [((HTTP_2, HTTP_1_1), HTTP_2), ((HTTP_2,), HTTP_2), ((HTTP_1_1,), HTTP_1_1), ((), HTTP_1_1)],
    ids=["both", "only 2", "only 1.1", "nothing"],
)
async def test_the_client_speaks_http_2_where_it_is_offered_and_1_1_otherwise(
    offers: Sequence[str], spoken: str, tmp_path: Path, private_key: RSAPrivateKey
) -> None:
    async with tls(tmp_path, private_key, offers) as (server, client):
        charge = await client.charges.create(CREATE, idempotency_key="p7-a1")

    (received,) = server.received
    assert server.protocols == [spoken]
    assert charge.charge_id == CHARGE["chargeId"]
    assert (received.method, received.target, received.body) == ("POST", "/v2/charges", CREATE_BODY)
    assert received.values(KEY_HEADER) == ["p7-a1"]
    assert received.values("x-amz-pay-host") == [server.origin.removeprefix("https://")]
    assert holds(received, private_key)


async def test_requests_at_the_same_time_share_one_connection(tmp_path: Path, private_key: RSAPrivateKey) -> None:
    async with tls(tmp_path, private_key, (HTTP_2,)) as (server, client):
        await client.charges.get("S03-0")
        charges = await asyncio.gather(*(client.charges.get(f"S03-{number}") for number in range(1, 21)))

    assert len(charges) == 20
    assert {received.target for received in server.received} == {f"/v2/charges/S03-{number}" for number in range(21)}
    assert server.connections == 1


async def test_a_certificate_of_nobody_known_is_refused_before_anything_is_sent(
    tmp_path: Path, private_key: RSAPrivateKey
) -> None:
    context = server_context(tmp_path, private_key, (HTTP_2,))
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


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """One HTTP/2 frame of any kind for any stream, with a payload that need not make sense."""
    payload = draw(st.binary(max_size=24))
    kind, flags, stream = draw(st.integers(0, 10)), draw(st.integers(0, 255)), draw(st.sampled_from([0, 1, 2, 3, 99]))
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


@given(noise=st.binary(max_size=60) | st.lists(frames(), min_size=1, max_size=4).map(b"".join))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_noise_within_http_2_is_a_transport_error(
    noise: bytes, tmp_path: Path, private_key: RSAPrivateKey
) -> None:
    async with tls(tmp_path, private_key, (HTTP_2,)) as (server, client):
        server.noise = noise

        with pytest.raises(TransportError):
            await client.charges.get("S03-1")

    assert len(server.received) == 1
