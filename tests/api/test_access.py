"""Who may do what: every address without a key, with too little, with enough; keys that are none; how often."""

from datetime import timedelta
from typing import Any, Final

import httpx
import pytest
from fastapi.routing import APIRoute

from perennial_billing.ledger.api_keys import Scope, listed, make, revoke
from perennial_billing.runtime.http import bind, serving
from perennial_billing.starter.api import access
from perennial_billing.starter.api.app import create_app
from tests.api.conftest import PLAN, Api

OPEN: Final = {"/health", "/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"}


def addresses(api: Api) -> list[tuple[str, str]]:
    """Every method and path that is not open to everybody."""
    schema = api.app.openapi()
    return [(method.upper(), path) for path, item in schema["paths"].items() for method in item]


def filled(path: str) -> str:
    for name, value in (
        ("charge_permission_id", "C01-0000000-0000000"),
        ("endpoint_id", "none"),
        ("secret_id", "1"),
        ("type", "period.paid"),
    ):
        path = path.replace(f"{{{name}}}", value)
    return path


async def test_no_address_is_left_out_of_the_description(api: Api) -> None:
    served = {route.path for route in api.app.routes if isinstance(route, APIRoute)}

    assert served - {path for _, path in addresses(api)} <= OPEN


async def test_without_a_key_nothing_is_to_be_had(api: Api) -> None:
    async with httpx.AsyncClient(base_url=api.origin) as stranger:
        for method, path in addresses(api):
            for headers in (
                {},
                {"Authorization": "Bearer perennial_none_none"},
                {"Authorization": "Basic Zm9vOmJhcg=="},
            ):
                answer = await stranger.request(
                    method, filled(path), headers={"Idempotency-Key": "x", **headers}, json={}
                )
                assert answer.status_code == 401, f"{method} {path}"
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_each_address_needs_its_scope_and_no_other_gives_it(api: Api) -> None:
    for scope in Scope:
        others = await make(api.house.ledger, f"all but {scope}", [each for each in Scope if each is not scope])
        alone = await make(api.house.ledger, f"only {scope}", [scope])
        async with httpx.AsyncClient(base_url=api.origin) as http:
            for method, path in addresses(api):
                allowed = {}
                for key in (others, alone):
                    answer = await http.request(
                        method,
                        filled(path),
                        headers={"Authorization": f"Bearer {key.token}", "Idempotency-Key": "x"},
                        json={},
                    )
                    assert answer.status_code != 401, f"{method} {path}"
                    allowed[key.key.name] = answer.status_code != 403
                assert sum(allowed.values()) == 1, f"{method} {path}: one scope is needed, and it alone: {allowed}"


async def test_a_key_is_kept_as_a_digest_and_revoked_it_opens_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "KNOWN_FOR_SECONDS", 0.0)
    made = await make(api.house.ledger, "till", [Scope.READ])
    async with httpx.AsyncClient(base_url=api.origin, headers={"Authorization": f"Bearer {made.token}"}) as till:
        assert (await till.get("/v1/subscriptions")).status_code == 200
        assert await revoke(api.house.ledger, made.key.id)
        assert not await revoke(api.house.ledger, made.key.id)
        assert (await till.get("/v1/subscriptions")).status_code == 401
        wrong = {"Authorization": f"Bearer {api.key.token[:-1]}{'A' if api.key.token[-1] != 'A' else 'B'}"}
        assert (await till.get("/v1/subscriptions", headers=wrong)).status_code == 401
    async with api.house.ledger.engine.connect() as connection:
        rows = (await connection.exec_driver_sql("SELECT * FROM api_keys")).all()
    assert made.token.rpartition("_")[2] not in str(rows)
    assert {key.name for key in await listed(api.house.ledger)} >= {"till", "shop"}


async def test_a_key_that_is_used_too_often_is_told_when_to_come_back(api: Api) -> None:
    services = api.app.state.services
    settings = services.settings.model_copy(update={"api_requests_per_minute": 3})
    few = create_app(type(services)(services.subscriptions, services.ledger, settings, services.quota, services.reach))
    async with (
        serving(few, bind("127.0.0.1", 0)) as origin,
        httpx.AsyncClient(base_url=origin, headers={"Authorization": f"Bearer {api.key.token}"}) as http,
    ):
        answers = [await http.get("/v1/subscriptions") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 30 < int(answers[-1].headers["retry-after"]) <= timedelta(minutes=1).total_seconds()
    assert answers[-1].json()["type"] == "urn:perennial:problem:too-often"


async def test_whoever_may_cancel_may_not_give_money_back_by_it(api: Api) -> None:
    permission = await api.started()
    desk = await make(api.house.ledger, "desk", [Scope.READ, Scope.ACT])
    headers = {"Authorization": f"Bearer {desk.token}", "Idempotency-Key": "desk-1"}
    body: dict[str, Any] = {"when": "now", "refund": "all"}

    refused = await api.http.post(f"/v1/subscriptions/{permission}/cancel", json=body, headers=headers)

    assert refused.status_code == 403
    assert "lacks the scope refund" in refused.json()["detail"]
    assert (await api.http.get(f"/v1/subscriptions/{permission}")).json()["status"] == "active"
    assert PLAN["plan_id"] == "tea-monthly"
