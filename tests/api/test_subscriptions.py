"""A shop in any language: it starts, looks, changes, gives back and cancels, over HTTP alone."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from perennial_billing.sandbox.subscriber import Subscriber
from tests.api.conftest import PLAN, Api
from tests.scenarios.test_ledger import away


async def charged(api: Api, permission: str) -> Subscriber:
    """The first charge has been made."""
    view = (await api.http.get(f"/v1/subscriptions/{permission}")).json()
    assert view["terms"]["charge_permission_id"] == permission
    terms = (await api.house.subscriptions.status(permission)).terms
    subscriber = Subscriber(api.house, terms)
    await subscriber.until_due(0)
    return subscriber


async def test_the_life_of_a_subscription_over_http(api: Api) -> None:
    reference = f"order-{uuid4().hex[:8]}"
    permission = await api.started(merchant_reference=reference, zone="Europe/Berlin")
    subscriber = await charged(api, permission)

    view = (await api.http.get(f"/v1/subscriptions/{permission}")).json()
    assert (view["status"], view["periods_paid"]) == ("active", 1)
    upcoming = (await api.http.get(f"/v1/subscriptions/{permission}/upcoming", params={"count": 3})).json()
    assert [each["amount"]["amount"] for each in upcoming] == ["8.45"] * 3
    tried = await api.http.post(
        f"/v1/subscriptions/{permission}/change-plan/dry-run", json={"quantity": 2, "when": "now"}
    )
    assert tried.status_code == 200
    assert tried.json()["charged_now"][0]["period"] == 1

    changed = await api.post(f"/v1/subscriptions/{permission}/change-plan", {"quantity": 2, "because": "a flat mate"})
    refund = await api.post(
        f"/v1/subscriptions/{permission}/refunds",
        {"period": 0, "amount": {"amount": "1.20", "currency": "USD"}, "because": "torn bag"},
    )
    await subscriber.after(timedelta(hours=2))
    cancel = await api.post(f"/v1/subscriptions/{permission}/cancel", {"when": "renewal", "because": "moving"})

    assert (changed.status_code, refund.status_code, cancel.status_code) == (200, 200, 200)
    assert refund.json()["state"] in {"pending", "refunded"}
    assert (await subscriber.until_due(1)).has_ended
    record = (await api.http.get(f"/v1/subscriptions/{permission}/record")).json()
    assert (record["status"], record["refunded"]["amount"]) == ("canceled", "1.20")
    page = (await api.http.get("/v1/subscriptions", params={"reference": reference})).json()
    assert [each["charge_permission_id"] for each in page["data"]] == [permission]
    notices = [each["notice"] for each in await timeline_of(api, permission)]
    by = {notice["type"]: (notice.get("actor"), notice.get("because")) for notice in notices}
    assert by["plan.changed"] == ("shop", "a flat mate")
    assert by["subscription.changed"] == ("shop", "moving")
    assert by["period.paid"] == (None, None)


async def timeline_of(api: Api, permission: str) -> list[dict[str, Any]]:
    """All of it, page by page."""
    entries, cursor = [], "0"
    while cursor is not None:
        answer = await api.http.get(f"/v1/subscriptions/{permission}/timeline", params={"cursor": cursor, "limit": 2})
        page = answer.json()
        entries += page["data"]
        cursor = page.get("next_cursor")
    return entries


async def test_a_start_that_is_sent_a_thousand_times_at_once_starts_one(api: Api) -> None:
    permission, key = await api.permission(), uuid4().hex
    body = {"charge_permission_id": permission, "plan": PLAN}

    answers = await asyncio.gather(*(api.post("/v1/subscriptions", body, once=key) for _ in range(200)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1


async def test_a_refund_that_is_sent_many_times_at_once_is_given_once(api: Api) -> None:
    permission = await api.started()
    subscriber = await charged(api, permission)
    path, key = f"/v1/subscriptions/{permission}/refunds", uuid4().hex
    body = {"period": 0, "amount": {"amount": "2.35", "currency": "USD"}}

    answers = await asyncio.gather(*(api.post(path, body, once=key) for _ in range(40)))

    assert {answer.status_code for answer in answers} == {200}, answers[0].text
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    (refund,) = (await subscriber.quiet()).refunds
    books = await api.house.simulator.books()
    made = [each for each in books.refunds if each.charge_id == refund.charge_id]
    assert [str(each.refund_amount.amount) for each in made] == ["2.35"]


async def test_a_cancellation_that_is_sent_many_times_at_once_ends_it_once(api: Api) -> None:
    permission = await api.started()
    subscriber = await charged(api, permission)
    path, key = f"/v1/subscriptions/{permission}/cancel", uuid4().hex
    body = {"when": "now", "because": "moved to Bremen"}

    answers = await asyncio.gather(*(api.post(path, body, once=key) for _ in range(40)))

    assert {answer.status_code for answer in answers} == {200}, answers[0].text
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert (await subscriber.quiet()).has_ended
    told = [each["notice"]["type"] for each in await timeline_of(api, permission)]
    assert told.count("subscription.ended") == 1


async def test_a_refund_whose_answer_was_lost_is_given_once_and_answered_the_same(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between Amazon's answer and its own: nothing was kept, and all was done."""
    permission = await api.started()
    subscriber = await charged(api, permission)
    path, body, key = f"/v1/subscriptions/{permission}/refunds", {"period": 0}, uuid4().hex
    async with away_answers(api):
        lost = await api.post(path, body, once=key)
    again = await api.post(path, body, once=key)
    once_more = await api.post(path, body, once=key)

    assert lost.status_code == 503
    assert lost.headers["retry-after"] == "5"
    assert (again.status_code, once_more.status_code) == (200, 200)
    assert once_more.headers["idempotency-replayed"] == "true"
    assert once_more.text == again.text
    assert len((await subscriber.quiet()).refunds) == 1


def away_answers(api: Api) -> Any:
    """Nothing that is answered can be kept."""
    from contextlib import asynccontextmanager

    from sqlalchemy import text

    @asynccontextmanager
    async def gone() -> Any:
        trigger = (
            "CREATE TRIGGER lost BEFORE INSERT ON api_answers BEGIN SELECT RAISE(FAIL, 'the process has died'); END"
        )
        async with api.house.ledger.engine.begin() as connection:
            await connection.execute(text(trigger))
        try:
            yield
        finally:
            async with api.house.ledger.engine.begin() as connection:
                await connection.execute(text("DROP TRIGGER lost"))

    return gone()


async def test_a_key_of_another_request_is_refused(api: Api) -> None:
    permission, key = await api.started(), uuid4().hex
    first = await api.post(f"/v1/subscriptions/{permission}/skip", once=key)
    other = await api.post(f"/v1/subscriptions/{permission}/skip", {"undo": True}, once=key)

    assert first.status_code == 200
    assert (other.status_code, other.json()["type"]) == (409, "urn:perennial:problem:key-in-use")


async def test_what_is_wrong_is_said_by_field_with_what_is_accepted(api: Api) -> None:
    permission = await api.permission()
    plan = PLAN | {"amount": {"amount": "8.455", "currency": "USD"}}

    answer = await api.post(
        "/v1/subscriptions", {"charge_permission_id": permission, "plan": plan, "quantity": 0, "zonne": "UTC"}
    )

    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    fields = {each["field"]: each["accepted"] for each in problem["errors"]}
    assert fields["zonne"] == "there is no such field"
    assert any("decimals are" in accepted for accepted in fields.values())
    assert problem["request_id"] == answer.headers["x-request-id"]
    neither = await api.post("/v1/subscriptions", {"plan": PLAN})
    assert neither.json()["errors"][0]["accepted"] == "one is: a charge permission, or a checkout session"
    zero = await api.post("/v1/subscriptions", {"charge_permission_id": permission, "plan": PLAN, "quantity": 0})
    assert (zero.status_code, zero.json()["errors"][0]["field"]) == (422, "quantity")


@pytest.mark.parametrize("body", [b"\x1b\xfd tea", b'{"quantity": 2', b""])
async def test_a_body_that_cannot_be_read_is_not_accepted(api: Api, body: bytes) -> None:
    answer = await api.http.post(
        "/v1/subscriptions/C01-1234567-7654321/change-plan/dry-run",
        content=body,
        headers={"Content-Type": "application/json"},
    )

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:perennial:problem:not-accepted"), answer.text


async def test_what_is_not_there_not_possible_or_not_answered_is_a_problem(api: Api) -> None:
    nowhere = await api.http.get("/v1/subscriptions/C01-0000000-0000000")
    unheard = await api.http.get("/v1/subscriptions/C01-0000000-0000000/record")
    no_address = await api.http.get("/v1/orders")
    no_method = await api.http.delete("/v1/subscriptions")
    permission = await api.started()
    not_now = await api.post(f"/v1/subscriptions/{permission}/retry")
    no_key = await api.http.post(f"/v1/subscriptions/{permission}/retry", json={})
    large = await api.http.post(
        "/v1/plans/preview", content=b" " * 300_000, headers={"Content-Type": "application/json"}
    )
    async with away(api.house.ledger):
        ledger = await api.http.get(f"/v1/subscriptions/{permission}/timeline")

    answers = {
        "nowhere": (nowhere, 404, "not-found"),
        "unheard": (unheard, 404, "not-found"),
        "no address": (no_address, 404, "no-such-address"),
        "no method": (no_method, 405, "no-such-method"),
        "not now": (not_now, 409, "not-now"),
        "no key": (no_key, 422, "not-accepted"),
        "large": (large, 413, "too-large"),
        "ledger": (ledger, 503, "ledger-unavailable"),
    }
    for name, (answer, status, kind) in answers.items():
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:perennial:problem:{kind}"), name
        assert answer.headers["content-type"] == "application/problem+json", name


async def test_a_request_keeps_its_own_id_and_one_that_is_none_gets_another(api: Api) -> None:
    named = await api.http.get("/v1/subscriptions", headers={"X-Request-Id": "shop-42"})
    unnamed = await api.http.get("/v1/subscriptions", headers={"X-Request-Id": "<script>"})

    assert named.headers["x-request-id"] == "shop-42"
    assert unnamed.headers["x-request-id"].isalnum()


async def test_a_plan_is_explained_and_previewed(api: Api) -> None:
    explained = await api.http.post("/v1/plans/explain", json={"plan": PLAN})
    preview = await api.http.post("/v1/plans/preview", json={"plan": PLAN, "quantity": 3}, params={"count": 2})

    assert explained.json()["recurring_metadata"]["frequency"] == {"unit": "Month", "value": "1"}
    assert "HardDeclined" in explained.json()["failures"]
    assert [each["amount"]["amount"] for each in preview.json()] == ["25.35", "25.35"]
    assert datetime.fromisoformat(preview.json()[0]["due"]).tzinfo is not None


async def test_pages_follow_each_other_to_the_end(api: Api) -> None:
    plan = PLAN | {"plan_id": f"pages-{uuid4().hex[:6]}"}
    permissions = sorted([await api.started(plan=plan) for _ in range(5)])
    for permission in permissions:
        await charged(api, permission)

    found, cursor = [], ""
    while cursor is not None:
        page = (
            await api.http.get("/v1/subscriptions", params={"plan": plan["plan_id"], "limit": 2, "cursor": cursor})
        ).json()
        found += [each["charge_permission_id"] for each in page["data"]]
        cursor = page.get("next_cursor")

    assert found == permissions


async def test_the_documentation_needs_no_other_host(api: Api) -> None:
    schema = (await api.http.get("/openapi.json")).json()
    page = (await api.http.get("/docs")).text

    assert schema["openapi"].startswith("3.1")
    assert "cdn" not in page
    assert "https://" not in page
