"""A silence of Amazon's, however long, ends with Amazon's silence: the same client goes on."""

import asyncio
import ssl
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import AmazonPayClient, Region, TimeLimits
from amazon_pay_client.errors import TransportError
from tests.client.examples import CHARGE, CREATE
from tests.client.loopback import KEY_ID
from tests.client.tls_loopback import HTTP_1_1, HTTP_2, server_context
from tests.hostile import ENDS_BY_ITSELF, Hostile, Manner

LIMITS: Final = TimeLimits(read_seconds=0.3, write_seconds=60.0, payment_seconds=60.0)


def client(server: Hostile, private_key: RSAPrivateKey, verify: ssl.SSLContext | None = None) -> AmazonPayClient:
    return AmazonPayClient(
        public_key_id=KEY_ID,
        private_key=private_key,
        region=Region.NA,
        origin=server.origin,
        time_limits=LIMITS,
        verify=verify,
    )


async def unanswered(amazon_pay: AmazonPayClient) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await amazon_pay.charges.get("S03-1")
    return caught.value


async def test_two_hundred_calls_that_run_into_their_limit_together_leave_the_client_as_it_was(
    private_key: RSAPrivateKey,
) -> None:
    async with Hostile(Manner.SILENT, CHARGE).serving() as server, client(server, private_key) as amazon_pay:
        await asyncio.gather(*(unanswered(amazon_pay) for _ in range(200)))
        server.manner = Manner.ANSWERS

        charges = await asyncio.gather(*(amazon_pay.charges.create(CREATE, idempotency_key="a") for _ in range(20)))
    assert len(charges) == 20


async def test_a_long_silence_of_a_server_that_offers_http_2_ends_with_it(
    private_key: RSAPrivateKey, tmp_path: Path
) -> None:
    """More calls than an HTTP/2 connection has streams."""
    context = server_context(tmp_path, private_key, (HTTP_2, HTTP_1_1))
    trust = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    async with Hostile(Manner.SILENT, CHARGE).serving(context) as server, client(server, private_key, trust) as amazon:
        failures = [
            failure for _ in range(6) for failure in await asyncio.gather(*(unanswered(amazon) for _ in range(20)))
        ]
        server.manner = Manner.ANSWERS

        assert (await amazon.charges.create(CREATE, idempotency_key="a")).charge_id == CHARGE["chargeId"]
    assert not any("LocalProtocolError" in str(failure) for failure in failures)


@pytest.mark.parametrize("manner", ENDS_BY_ITSELF)
async def test_an_answer_that_is_none_leaves_the_outcome_unknown(manner: Manner, private_key: RSAPrivateKey) -> None:
    async with Hostile(manner, CHARGE).serving() as server, client(server, private_key) as amazon_pay:
        with pytest.raises(TransportError) as caught:
            await amazon_pay.charges.create(CREATE, idempotency_key="p7-a1")

    assert not caught.value.never_sent


async def test_a_call_that_no_turn_comes_for_was_never_sent(private_key: RSAPrivateKey) -> None:
    async with (
        Hostile(Manner.SILENT, CHARGE).serving() as server,
        AmazonPayClient(
            public_key_id=KEY_ID,
            private_key=private_key,
            region=Region.NA,
            origin=server.origin,
            time_limits=LIMITS,
            at_once=1,
        ) as amazon_pay,
    ):
        under_way = asyncio.create_task(amazon_pay.charges.create(CREATE, idempotency_key="a"))
        while not server.asked:
            await asyncio.sleep(0.01)

        assert (await unanswered(amazon_pay)).never_sent
        assert server.asked == 1
        under_way.cancel()
