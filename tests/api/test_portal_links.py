"""Links to the buyer's page, for a shop that has signed the buyer in."""

import re
from dataclasses import replace
from typing import Final

import httpx
from pydantic import SecretStr

from perennial_billing.ledger.api_keys import Scope, make
from perennial_billing.starter.api.app import create_app
from perennial_billing.starter.api.services import Services
from perennial_billing.starter.portal.links import PATH
from perennial_billing.starter.portal.purposes import Purpose
from perennial_billing.starter.portal.sealing import Link, Seal
from tests.api.conftest import Api

SECRET: Final = "YSBzZWNyZXQgb2YgdGhlIHNob3AgZm9yIDMyIGJ5dGU="


async def test_the_api_makes_links_for_its_own_accounts(api: Api) -> None:
    permission = await api.started()
    path = f"/v1/subscriptions/{permission}/portal-links"
    services: Services = api.app.state.services
    without = create_app(replace(services, settings=services.settings.model_copy(update={"portal_secrets": None})))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(without), base_url="http://api", headers=api.http.headers
    ) as http:
        assert (await http.post(path, json={})).json()["type"].endswith("no-portal")

    more = {"portal_secrets": SecretStr(SECRET), "portal_url": "https://billing.shop.example"}
    app = create_app(replace(services, settings=services.settings.model_copy(update=more)))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=api.http.headers) as http:
        made = await http.post(path, json={"purpose": "pause", "valid": "PT30M", "language": "it"})
        wrong = await http.post(path, json={"purpose": "refund", "valid": "P31D", "for": "cancel"})
        missing = await http.post("/v1/subscriptions/C01-9-9/portal-links", json={})
        statuses = []
        for scopes, accounts in (([Scope.READ], ()), ([Scope.ACT], ("shop-eu",)), ([Scope.ACT], ("default",))):
            key = await make(api.house.ledger, "till", scopes, accounts)
            headers = {"Authorization": f"Bearer {key.token}"}
            statuses.append((await http.post(path, json={}, headers=headers)).status_code)

    assert made.status_code == 201, made.text
    token = re.fullmatch(rf"https://billing\.shop\.example{PATH}([\w=-]+)\?lang=it", made.json()["url"])
    assert token is not None
    link = Seal([SECRET]).open(token[1], Link)
    assert (link.charge_permission_id, link.purpose) == (permission, Purpose.PAUSE)
    assert (wrong.status_code, {each["field"] for each in wrong.json()["errors"]}) == (422, {"purpose", "valid", "for"})
    assert missing.status_code == 404
    assert statuses == [403, 404, 201]
