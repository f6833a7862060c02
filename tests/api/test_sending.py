"""Notices sent again, samples, and secrets that change, over HTTP; the endpoint believes only true signatures."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete
from standardwebhooks import Webhook

from perennial_billing.activities.endpoints import KNOWN_SECONDS
from perennial_billing.ledger.api_keys import Scope, make
from perennial_billing.ledger.tables import api_answers
from tests.api.conftest import Api
from tests.api.test_subscriptions import charged
from tests.endpoint import SECRET
from tests.unreliable import Unreliable, unreliable


@pytest.fixture
async def listening() -> AsyncIterator[Unreliable]:
    async with unreliable() as endpoint:
        yield endpoint


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.02)


async def added(api: Api, url: str) -> str:
    """An endpoint with the secret that listeners here know; its id."""
    made = await api.post("/v1/endpoints", {"url": url, "secret": SECRET})
    assert made.status_code == 201, made.text
    return str(made.json()["endpoint"]["id"])


async def test_what_came_while_an_endpoint_was_disabled_is_sent_when_somebody_asks(
    api: Api, listening: Unreliable
) -> None:
    endpoint = await added(api, listening.url)
    try:
        await api.http.post(f"/v1/endpoints/{endpoint}/disable")
        await asyncio.sleep(KNOWN_SECONDS)  # for so long a worker may not know of an endpoint
        permission = await api.started()
        await charged(api, permission)
        undelivered: dict[str, str | bool] = {
            "undelivered": True,
            "endpoint": endpoint,
            "charge_permission_id": permission,
        }
        waiting: list[dict[str, Any]] = []
        async with asyncio.timeout(60):  # a notice is told before it is kept that it was not sent
            while not {each["type"] for each in waiting} >= {"subscription.started", "period.paid"}:
                waiting = (await api.http.get("/v1/deliveries", params=undelivered)).json()["data"]
        wanted = {"endpoint": endpoint, "charge_permission_id": permission}

        disabled = await api.post("/v1/deliveries/resend", wanted)
        await api.http.post(f"/v1/endpoints/{endpoint}/enable")
        key = uuid4().hex
        sent = await api.post("/v1/deliveries/resend", wanted, once=key)
        again = await api.post("/v1/deliveries/resend", wanted, once=key)
        await until(lambda: len(listening.numbers(permission)) == len(waiting))
        nothing = await api.post("/v1/deliveries/resend", wanted)
        first = await api.post("/v1/deliveries/resend", wanted | {"number": 1})

        assert [each["state"] for each in waiting] == ["not_sent"] * len(waiting)
        assert (disabled.json()["done"], sum(disabled.json()["refused"].values())) == (0, len(waiting))
        assert (sent.json()["done"], sent.json()["refused"]) == (len(waiting), {})
        assert (again.text, again.headers["idempotency-replayed"]) == (sent.text, "true")
        assert nothing.json()["done"] == 0
        assert first.json()["done"] == 1, "one that is named is sent, delivered or not"
        await until(lambda: max(listening.attempts.values()) == 2)
    finally:
        await api.http.delete(f"/v1/endpoints/{endpoint}")


async def test_a_notice_that_is_nobodys_is_not_sent(api: Api) -> None:
    nobody = await api.post("/v1/deliveries/resend", {"charge_permission_id": "C01-0000000-0000000", "number": 3})
    whose = await api.post("/v1/deliveries/resend", {"number": 3})

    assert (nobody.status_code, nobody.json()["type"]) == (404, "urn:perennial:problem:not-found")
    assert (whose.status_code, whose.json()["errors"][0]["field"]) == (422, "charge_permission_id")


async def test_a_sample_of_any_type_is_signed_and_sent_once(api: Api, listening: Unreliable) -> None:
    endpoint = await added(api, listening.url)
    try:
        key = uuid4().hex
        body = {"type": "payment_method.needed"}
        sent = await api.post(f"/v1/endpoints/{endpoint}/test", body, once=key)
        again = await api.post(f"/v1/endpoints/{endpoint}/test", body, once=key)
        signed = (await api.http.post(f"/v1/endpoints/{endpoint}/test/dry-run", json={"type": "period.paid"})).json()
        listening.gone = True
        refused = await api.post(f"/v1/endpoints/{endpoint}/test")

        assert (sent.json()["taken"], sent.json()["status"]) == (True, 204), sent.text
        assert again.text == sent.text
        ((webhook, event),) = listening.taken.items()
        assert (webhook, event["type"]) == (sent.json()["webhook_id"], "payment_method.needed")
        assert webhook.startswith("sample-")
        assert Webhook(SECRET).verify(signed["body"], signed["headers"])["type"] == "period.paid"
        assert (refused.json()["taken"], refused.json()["status"]) == (False, 410)
    finally:
        await api.http.delete(f"/v1/endpoints/{endpoint}")
    assert (await api.post(f"/v1/endpoints/{endpoint}/test")).status_code == 404


async def test_a_secret_is_added_once_whatever_becomes_of_the_answer_and_the_old_one_retires(api: Api) -> None:
    endpoint = await added(api, "http://127.0.0.1:9/tins")
    try:
        path, key = f"/v1/endpoints/{endpoint}/secrets", uuid4().hex
        made = await api.post(path, once=key)
        await lost(api, key)
        again = await api.post(path, once=key)
        newer, older = made.json()["endpoint"]["secret_ids"]
        retired = await api.http.delete(f"{path}/{older}")
        last = await api.http.delete(f"{path}/{newer}")

        assert (made.status_code, made.json()["secret_id"]) == (201, newer), made.text
        assert again.json() == made.json()
        assert retired.json()["secret_ids"] == [newer]
        assert (last.status_code, last.json()["type"]) == (409, "urn:perennial:problem:not-now")
    finally:
        await api.http.delete(f"/v1/endpoints/{endpoint}")


async def test_an_endpoint_is_added_once_whatever_becomes_of_the_answer(api: Api) -> None:
    body: dict[str, Any] = {"url": "http://127.0.0.1:9/kettle", "types": ["subscription.ended"]}
    key = uuid4().hex
    made = await api.post("/v1/endpoints", body, once=key)
    await lost(api, key)
    again = await api.post("/v1/endpoints", body, once=key)
    await api.http.delete(f"/v1/endpoints/{made.json()['endpoint']['id']}")

    assert json.loads(again.text) == made.json()


async def lost(api: Api, key: str) -> None:
    """An answer, as where the process died before it had kept it."""
    async with api.house.ledger.engine.begin() as connection:
        await connection.execute(delete(api_answers).where(api_answers.c.idempotency_key == key))


async def test_who_may_act_may_not_send(api: Api) -> None:
    desk = await make(api.house.ledger, "tea desk", [Scope.READ, Scope.ACT])
    headers = {"Authorization": f"Bearer {desk.token}", "Idempotency-Key": "tea-desk-1"}

    answer = await api.http.post("/v1/deliveries/resend", json={}, headers=headers)

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:perennial:problem:not-allowed")
