"""A key that is limited to merchant accounts: what is of others is not there for it, whichever way it looks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import pytest

from perennial_billing.ledger.api_keys import Scope, make
from tests.api.conftest import PLAN, Api
from tests.api.test_access import addresses, filled
from tests.ledger.told import notice, summary, told

ACTS: Final = [Scope.READ, Scope.ACT, Scope.REFUND]
MINE: Final = "C01-3311441-0000001"
THEIRS: Final = "C01-3311441-0000002"

BY_ACCOUNT: Final = {
    "listSubscriptions": "finds those of its accounts alone",
    "startSubscription": "begins them for its accounts alone",
    "makeCheckoutButton": "signs for its accounts alone",
    "getCheckoutSession": "asks Amazon for its accounts alone",
    "reportRecovery": "makes figures of one of its accounts",
    "reportRevenue": "makes figures of one of its accounts",
    "reportAging": "makes figures of one of its accounts",
    "reportForecast": "makes figures of one of its accounts",
    "listDeliveries": "shows those of its accounts alone",
}
"""Operations without a charge permission in their address, and how each is limited: a new one is added here."""

OF_NOBODY: Final = {"explainPlan", "previewPlan", "getNoticeSchema", "getNoticeExample"}
"""They tell nothing of any account."""

FOR_ALL: Final = {
    *("changeMany", "advanceMany", "listEndpoints", "addEndpoint", "removeEndpoint", "enableEndpoint"),
    *("disableEndpoint", "addSecret", "retireSecret", "resendDeliveries", "testEndpoint", "tryTestEndpoint"),
}
"""They concern all accounts, and need the scope that no limited key has."""


@asynccontextmanager
async def holding(api: Api, *accounts: str, scopes: list[Scope] = ACTS) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever has a key for these accounts."""
    made = await make(api.house.ledger, f"of {' and '.join(accounts)}", scopes, accounts)
    headers = {"Authorization": f"Bearer {made.token}"}
    async with httpx.AsyncClient(base_url=api.origin, headers=headers, timeout=60.0) as http:
        yield http


@pytest.fixture(scope="module", autouse=True)
async def _two_shops(api: Api) -> None:
    """One subscription of each, as the ledger has them."""
    for permission, account in ((MINE, "harbour"), (THEIRS, "station")):
        stands = summary(merchant_account=account)
        await api.house.ledger.record(told(notice(1), permission=permission, merchant_account=account, summary=stands))


def operation_of(api: Api, method: str, path: str) -> str:
    return str(api.app.openapi()["paths"][path][method.lower()]["operationId"])


async def test_every_address_is_limited_in_a_way_that_somebody_has_thought_of(api: Api) -> None:
    known = BY_ACCOUNT.keys() | OF_NOBODY | FOR_ALL

    without = {operation_of(api, method, path) for method, path in addresses(api) if "charge_permission_id" not in path}

    assert without == known


async def test_what_is_anothers_is_not_there_at_any_address_and_looks_like_what_does_not_exist(api: Api) -> None:
    async with holding(api, "harbour") as mine:
        for method, path in addresses(api):
            if "{charge_permission_id}" not in path:
                continue
            said = []
            for permission in (THEIRS, "C01-3311441-0000009"):
                address = filled(path.replace("{charge_permission_id}", permission))
                answer = await mine.request(method, address, headers={"Idempotency-Key": "x"}, json={})
                assert answer.status_code == 404, f"{method} {path}: {answer.text}"
                said.append(answer.json()["detail"].replace(permission, "-"))
            assert said[0] == said[1], "nobody learns that there is one of another account"


async def test_what_is_its_own_is_there(api: Api) -> None:
    async with holding(api, "harbour") as mine:
        assert (await mine.get(f"/v1/subscriptions/{MINE}/record")).json()["charge_permission_id"] == MINE
        assert len((await mine.get(f"/v1/subscriptions/{MINE}/timeline")).json()["data"]) == 1


async def test_lists_show_its_own_and_both_where_it_has_both(api: Api) -> None:
    async def listed(http: httpx.AsyncClient, **query: str) -> list[str]:
        answer = await http.get("/v1/subscriptions", params={"limit": "1000"} | query)
        return [each["charge_permission_id"] for each in answer.json()["data"]]

    async with holding(api, "harbour") as mine, holding(api, "harbour", "station") as both:
        assert await listed(mine) == [MINE]
        assert await listed(mine, account="station") == []
        assert await listed(both) == [MINE, THEIRS]
        assert await listed(both, account="station") == [THEIRS]


async def test_figures_are_of_its_account_and_of_none_that_is_not_named_where_it_has_several(api: Api) -> None:
    async with holding(api, "harbour") as mine, holding(api, "harbour", "station") as both:
        for kind in ("aging", "forecast", "recovery"):
            assert (await mine.get(f"/v1/reports/{kind}")).status_code == 200
            assert (await mine.get(f"/v1/reports/{kind}", params={"account": "station"})).status_code == 403
            assert (await both.get(f"/v1/reports/{kind}", params={"account": "station"})).status_code == 200
            unnamed = await both.get(f"/v1/reports/{kind}")
            assert unnamed.status_code == 422
            assert "harbour, station" in unnamed.text


async def test_nothing_is_begun_or_signed_for_another_account(api: Api) -> None:
    body: dict[str, Any] = {"charge_permission_id": "C01-3311441-0000003", "plan": PLAN, "merchant_account": "station"}
    button = {"plan": PLAN, "store_id": "s", "result_return_url": "http://shop.example/", "merchant_account": "station"}
    async with holding(api, "harbour") as mine:
        begun = await mine.post("/v1/subscriptions", json=body, headers={"Idempotency-Key": "b1"})
        signed = await mine.post("/v1/checkout/button", json=button)
        session = await mine.get("/v1/checkout/sessions/s-1", params={"merchant_account": "station"})

    assert [answer.status_code for answer in (begun, signed, session)] == [403, 403, 403]
    assert "is for account harbour alone" in begun.json()["detail"]


async def test_a_limited_key_never_gets_at_what_concerns_all(api: Api) -> None:
    async with holding(api, "harbour", scopes=list(Scope)) as mine:
        for method, path in addresses(api):
            if operation_of(api, method, path) in FOR_ALL:
                answer = await mine.request(method, filled(path), headers={"Idempotency-Key": "x"}, json={})
                assert answer.status_code == 403, f"{method} {path}"
                assert "concerns all accounts" in answer.json()["detail"]


async def test_a_subscription_that_has_told_nothing_yet_is_known_by_temporal(api: Api) -> None:
    permission = await api.started()
    async with holding(api, "harbour") as mine, holding(api, "default") as owner:
        assert (await mine.get(f"/v1/subscriptions/{permission}")).status_code == 404
        assert (await owner.get(f"/v1/subscriptions/{permission}")).status_code == 200
