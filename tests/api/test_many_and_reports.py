"""Many at once, and figures, over HTTP."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from perennial_billing.ledger.api_keys import Scope, make
from tests.api.conftest import PLAN, Api
from tests.api.test_subscriptions import charged


async def test_many_are_changed_once_each_and_one_that_refuses_stops_no_other(api: Api) -> None:
    plan = PLAN | {"plan_id": f"many-{uuid4().hex[:6]}"}
    permissions = [await api.started(plan=plan) for _ in range(3)]
    unknown = "C01-0000000-0000000"
    body = {
        "change": {"kind": "plan", "quantity": 4},
        "charge_permission_ids": [*permissions, unknown],
        "because": "a bigger tin",
    }
    key = uuid4().hex

    first = await api.post("/v1/bulk/changes", body, once=key)
    again = await api.post("/v1/bulk/changes", body, once=key)

    assert first.status_code == 200, first.text
    assert [each["outcome"] for each in first.json()["results"]] == ["done"] * 3 + ["refused"]
    assert "there is no subscription" in first.json()["results"][3]["why"]
    assert again.text == first.text
    for permission in permissions:
        view = (await api.http.get(f"/v1/subscriptions/{permission}")).json()
        assert len(view["changes"]) == 1 or view["agreed"]["quantity"] == 4
    twice = await api.post("/v1/bulk/changes", body | {"charge_permission_ids": [permissions[0]] * 2})
    assert twice.json()["errors"][0]["accepted"] == "each is named once"
    clerk = await make(api.house.ledger, "clerk", [Scope.READ, Scope.ACT, Scope.REFUND])
    headers = {"Authorization": f"Bearer {clerk.token}", "Idempotency-Key": uuid4().hex}
    assert (await api.http.post("/v1/bulk/changes", json=body, headers=headers)).status_code == 403


async def test_the_ledgers_figures_are_to_be_had(api: Api) -> None:
    permission = await api.started()
    await charged(api, permission)
    now = datetime.now(UTC)

    revenue = await api.http.get(
        "/v1/reports/revenue",
        params={"since": (now - timedelta(days=1)).isoformat(), "until": (now + timedelta(days=40)).isoformat()},
    )
    aging = await api.http.get("/v1/reports/aging")
    recovery = await api.http.get("/v1/reports/recovery")
    forecast = await api.http.get("/v1/reports/forecast", params={"days": 40, "zone": "Asia/Tokyo"})
    upside_down = await api.http.get(
        "/v1/reports/revenue", params={"since": now.isoformat(), "until": (now - timedelta(days=1)).isoformat()}
    )

    for answer in (revenue, aging, recovery, forecast):
        assert answer.status_code == 200, answer.text
    assert sum(line["charges"] for line in revenue.json()["taken"]) >= 1
    assert any(line["plan_id"] == "tea-monthly" for line in revenue.json()["taken"])
    assert (upside_down.status_code, upside_down.json()["errors"][0]["field"]) == (422, "until")
