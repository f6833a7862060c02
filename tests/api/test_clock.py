"""The test clock over HTTP: one subscription, a group, and where no time is moved."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import delete
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

from perennial_billing.ledger.tables import api_answers
from perennial_billing.runtime.http import bind, serving
from perennial_billing.runtime.settings import Environment
from perennial_billing.starter.api.app import create_app
from perennial_billing.starter.clock import SubscriptionClock
from tests.api.conftest import Api

WEEKLY: dict[str, Any] = {
    "plan_id": "sencha-weekly",
    "amount": {"amount": "6.15", "currency": "USD"},
    "interval": {"unit": "week", "count": 1},
}


async def test_a_subscription_is_moved_by_three_weeks_and_repeated_no_further(api: Api) -> None:
    permission = await api.started(plan=WEEKLY)
    path, body, key = f"/v1/subscriptions/{permission}/advance", {"by": "3 weeks"}, uuid4().hex

    moved = await api.post(path, body, once=key)
    again = await api.post(path, body, once=key)
    async with api.house.ledger.engine.begin() as connection:  # as where the process died before it had answered
        await connection.execute(delete(api_answers).where(api_answers.c.idempotency_key == key))
    after_a_crash = await api.post(path, body, once=key)

    assert moved.status_code == 200, moved.text
    arrived = moved.json()
    began, at = (datetime.fromisoformat(arrived[name]) for name in ("began_at", "arrived_at"))
    assert timedelta(weeks=3) <= at - began < timedelta(weeks=3, minutes=5)
    assert arrived["subscription"]["periods_paid"] == 4
    paid = [notice for notice in arrived["told"] if notice["type"] == "period.paid"]
    assert [notice["period"] for notice in paid] in (
        [0, 1, 2, 3],
        [1, 2, 3],
    )  # the first may be paid before it is moved
    assert again.text == moved.text
    assert "idempotency-replayed" not in after_a_crash.headers
    assert after_a_crash.json()["subscription"]["periods_paid"] == 4
    assert datetime.fromisoformat(after_a_crash.json()["arrived_at"]) < at + timedelta(minutes=5)


async def test_a_group_is_moved_by_its_reference_and_nobody_else(api: Api) -> None:
    reference = f"shelf-{uuid4().hex[:8]}"
    group = sorted([await api.started(plan=WEEKLY, merchant_reference=reference) for _ in range(2)])
    other = await api.started(plan=WEEKLY)

    moved = await api.post("/v1/bulk/advance", {"reference": reference, "by": "8 days"})

    assert moved.status_code == 200, moved.text
    assert [(each["charge_permission_id"], each["outcome"]) for each in moved.json()["results"]] == [
        (permission, "done") for permission in group
    ]
    for permission, paid in (*((each, 2) for each in group), (other, 1)):
        view = (await api.post(f"/v1/subscriptions/{permission}/advance", {"by": "minute"})).json()["subscription"]
        assert view["periods_paid"] == paid


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "to"),
        ({"by": "3 fortnights"}, "by"),
        ({"by": "2 years"}, "by"),
        ({"to": "2020-02-29T12:00:00Z"}, "to"),
        ({"to": "2031-02-28T12:00:00"}, "to"),
    ],
    ids=["neither", "no duration", "too far", "past", "no offset"],
)
async def test_where_it_cannot_go_is_said_by_field(api: Api, body: dict[str, str], field: str) -> None:
    permission = await api.started(plan=WEEKLY)

    answer = await api.post(f"/v1/subscriptions/{permission}/advance", body)

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:perennial:problem:not-accepted"), answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [field]


async def test_a_group_that_nobody_names_and_a_query_that_is_none_are_refused(api: Api) -> None:
    nobody = await api.post("/v1/bulk/advance", {"by": "day"})
    no_query = await api.post("/v1/bulk/advance", {"by": "day", "query": "Plan is coffee"})
    unknown = await api.post("/v1/subscriptions/C01-0000000-0000000/advance", {"by": "day"})

    assert (nobody.status_code, nobody.json()["errors"][0]["field"]) == (422, "query")
    assert (no_query.status_code, no_query.json()["type"]) == (400, "urn:perennial:problem:not-possible")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:perennial:problem:not-found")


async def test_no_time_is_skipped_in_live(api: Api) -> None:
    services = api.app.state.services
    settings = services.settings.model_copy(update={"environment": Environment.LIVE})
    live = create_app(type(services)(services.subscriptions, services.ledger, settings, services.quota, services.reach))
    permission = await api.started(plan=WEEKLY)
    headers = {"Authorization": f"Bearer {api.key.token}"}
    async with (
        serving(live, bind("127.0.0.1", 0)) as origin,
        httpx.AsyncClient(base_url=origin, headers=headers) as http,
    ):
        for path, body in (
            (f"/v1/subscriptions/{permission}/advance", {"by": "month"}),
            ("/v1/bulk/advance", {"by": "month", "query": "ExecutionStatus = 'Running'"}),
        ):
            answer = await http.post(path, json=body, headers={"Idempotency-Key": uuid4().hex})
            assert (answer.status_code, answer.json()["type"]) == (409, "urn:perennial:problem:no-test-clock")
            assert "live is not accepted" in answer.json()["detail"]
    assert datetime.now(UTC) - await _time_of(api, permission) < timedelta(hours=1)


async def _time_of(api: Api, permission: str) -> datetime:
    return await SubscriptionClock(api.house.client, api.house.subscriptions, Environment.SANDBOX).now(permission)


async def test_a_server_that_cannot_skip_time_is_said_to(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """As such a server answers it; `tests/starter/test_advancing.py` asks a real one."""

    async def cannot(*_: object) -> None:
        raise RPCError("unknown", RPCStatusCode.UNIMPLEMENTED, b"")

    permission = await api.started(plan=WEEKLY)
    monkeypatch.setattr(TimeSkipper, "get_current_time", cannot)

    answer = await api.post(f"/v1/subscriptions/{permission}/advance", {"by": "week"})

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:perennial:problem:no-test-clock")
    assert "this Temporal server cannot skip time (UNIMPLEMENTED)" in answer.json()["detail"]
