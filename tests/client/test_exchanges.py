"""Who watches sees each request that goes out and what came back, by both clients, and nothing of what was said."""

import asyncio
from dataclasses import fields

import pytest

from amazon_pay_client import AmazonPayClient, SyncAmazonPayClient
from amazon_pay_client.errors import AmazonPayError, TransportError
from amazon_pay_client.exchanges import LONGEST_REQUEST_ID, Exchange, watching
from tests.client.examples import CHARGE, CREATE
from tests.client.loopback import Loopback
from tests.client.test_retry import error

SECRET_ID = "S01-5105180-3221187-C056351"


def seen(exchanges: list[Exchange]) -> list[tuple[str, str, int | None, str | None]]:
    return [(each.method, each.resource, each.status, each.request_id) for each in exchanges]


async def test_a_success_an_error_and_a_silence_are_told_with_amazons_own_id(
    server: Loopback, client: AmazonPayClient
) -> None:
    told: list[Exchange] = []
    named = {"x-amz-pay-request-id": "4a1c2b"}
    with watching(told.append):
        server.answers(CHARGE, 201, named)
        await client.charges.create(CREATE, idempotency_key="p3-a2")
        server.answer = error(429)
        with pytest.raises(AmazonPayError):
            await client.charges.get(SECRET_ID)
        server.answer = b""
        with pytest.raises(TransportError):
            await client.charges.get(SECRET_ID)
    server.answer = error(500)
    with pytest.raises(AmazonPayError):
        await client.charges.get(SECRET_ID)

    assert seen(told) == [
        ("POST", "charges", 201, "4a1c2b"),
        ("GET", "charges/{charge_id}", 429, None),
        ("GET", "charges/{charge_id}", None, None),
    ]
    assert all(each.seconds >= 0 for each in told)
    assert not any(SECRET_ID in str(getattr(each, field.name)) for each in told for field in fields(each))


async def test_a_thread_that_waits_is_told_as_well_and_a_long_id_is_cut(
    server: Loopback, sync_client: SyncAmazonPayClient
) -> None:
    told: list[Exchange] = []
    server.answers(CHARGE, headers={"x-amz-pay-request-id": "7" * 1_000})

    def ask() -> None:
        with watching(told.append):
            sync_client.charges.get(SECRET_ID)

    await asyncio.to_thread(ask)

    assert seen(told) == [("GET", "charges/{charge_id}", 200, "7" * LONGEST_REQUEST_ID)]


async def test_what_another_task_asks_is_not_told(server: Loopback, client: AmazonPayClient) -> None:
    told: list[Exchange] = []
    server.answers(CHARGE)
    other = asyncio.create_task(client.charges.get(SECRET_ID))
    with watching(told.append):
        await client.charges.get("S01-1")
    await other

    assert len(told) == 1
