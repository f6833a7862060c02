"""What the client refuses before a byte leaves: a request that is surely wrong must not become a charge."""

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay import AmazonPayClient, Environment, Region
from tests.amazon_pay.examples import CHARGE, CLOSE, CREATE, PERMISSION
from tests.amazon_pay.loopback import KEY_ID, Loopback


def test_a_client_for_the_wrong_environment_cannot_be_made(private_key: RSAPrivateKey) -> None:
    with pytest.raises(ValueError, match="environment"):
        AmazonPayClient(public_key_id=KEY_ID, private_key=private_key, region=Region.NA, environment=Environment.LIVE)


@pytest.mark.parametrize("key", ["", "x" * 33, "0b3f4c1e-6a52-4b0e-9d57-0c6f1a1f2c3d", "a b", "a\n", "cl\u00e9", "a.b"])
async def test_a_bad_idempotency_key_is_refused_before_anything_is_sent(
    key: str, client: AmazonPayClient, server: Loopback
) -> None:
    with pytest.raises(ValueError, match=r"^idempotency key: .*1 to 32 characters"):
        await client.charges.create(CREATE, idempotency_key=key)

    assert server.received == []


@pytest.mark.parametrize("key", ["x", "x" * 32, "Period_7-attempt-1"])
async def test_a_good_idempotency_key_is_sent_as_it_is(key: str, client: AmazonPayClient, server: Loopback) -> None:
    server.answers(CHARGE, 201)

    await client.charges.create(CREATE, idempotency_key=key)

    assert server.received[0].values("x-amz-pay-idempotency-key") == [key]


@pytest.mark.parametrize("identifier", ["", ".", ".."])
async def test_an_id_that_would_address_another_resource_is_refused_before_anything_is_sent(
    identifier: str, client: AmazonPayClient, server: Loopback
) -> None:
    server.answers(PERMISSION)

    with pytest.raises(ValueError, match=r"^id: "):
        await client.charge_permissions.close(identifier, CLOSE)

    assert server.received == []


async def test_an_id_stays_one_segment_of_the_path_whatever_it_holds(client: AmazonPayClient, server: Loopback) -> None:
    server.answers(CHARGE)

    await client.charges.get("a/../b?c#d e%2F")

    assert server.received[0].target == "/v2/charges/a%2F..%2Fb%3Fc%23d%20e%252F"
