"""The console over the house, on loopback, behind what a merchant's proxy would say."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest_asyncio
from fastapi import FastAPI
from pydantic import SecretStr

from perennial_billing.ledger.api_keys import Scope
from perennial_billing.ledger.finding import latest_told
from perennial_billing.runtime.http import bind, origin_of, serving
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.console.app import by_proxy, create_console
from perennial_billing.starter.console.people import PROXY_SECRET_HEADER
from tests.api.conftest import PLAN, Api
from tests.api.conftest import api as api  # noqa: PLC0414 - a fixture: pytest finds it by its name here
from tests.api.test_subscriptions import charged

SECRET: Final = "a proxy says so: 5f0d"
EVERYTHING: Final = ",".join(f"perennial-{scope}" for scope in Scope)
KNOWN_WITHIN_SECONDS: Final = 30.0
_TOKEN: Final = re.compile(r'name="csrf" value="([^"]+)"')
_REQUEST_ID: Final = re.compile(r'name="request_id" value="([^"]+)"')


def said_of(name: str, roles: str = EVERYTHING, secret: str = SECRET) -> dict[str, str]:
    """What the proxy says of somebody."""
    return {"X-Forwarded-User": name, "X-Forwarded-Groups": roles, PROXY_SECRET_HEADER: secret}


@dataclass
class Console:
    """A running console.

    Attributes:
        app: the application.
        origin: where it is served.
        http: somebody's browser, with a session of its own.
        api: the API beside it, by which subscriptions are begun.
        house: what both work on.
    """

    app: FastAPI
    origin: str
    http: httpx.AsyncClient
    api: Api
    house: Stage

    def browser(self, headers: Mapping[str, str]) -> httpx.AsyncClient:
        """Another browser."""
        return httpx.AsyncClient(base_url=self.origin, headers=headers, timeout=60.0)

    async def form_of(self, way: str, permission: str) -> str:
        """A form, as HTML."""
        return (await self.http.get(f"/subscriptions/{permission}/{way}")).text

    async def started(self, **fields: Any) -> str:
        """A subscription that runs; its charge permission."""
        return await self.api.started(plan=PLAN, **fields)

    async def charged(self, **fields: Any) -> str:
        """One whose first period was charged, which the ledger knows."""
        permission = await self.started(**fields)
        await charged(self.api, permission)
        async with asyncio.timeout(KNOWN_WITHIN_SECONDS):
            while not await latest_told(self.house.ledger, permission):
                await asyncio.sleep(0.02)
        return permission

    async def tried(self, permission: str, way: str, **fields: str) -> httpx.Response:
        """A form that was filled in and previewed."""
        form = await self.form_of(way, permission)
        path = f"/subscriptions/{permission}/{way}/preview"
        return await self.http.post(path, data={"csrf": token_of(form), "because": "a test", **fields})

    async def done(self, permission: str, way: str, **fields: str) -> httpx.Response:
        """The same, and confirmed."""
        tried = await self.tried(permission, way, **fields)
        assert tried.status_code == 200, tried.text
        sent = {"csrf": token_of(tried.text), "because": "a test", "request_id": request_id_of(tried.text), **fields}
        return await self.http.post(f"/subscriptions/{permission}/{way}", data=sent)


def token_of(html: str) -> str:
    found = _TOKEN.search(html)
    assert found is not None, html
    return found[1]


def request_id_of(html: str) -> str:
    found = _REQUEST_ID.search(html)
    assert found is not None, html
    return found[1]


@pytest_asyncio.fixture(scope="session")
async def console(api: Api) -> AsyncIterator[Console]:
    services = api.app.state.services
    settings = services.settings.model_copy(update={"console_proxy_secret": SecretStr(SECRET)})
    with bind("127.0.0.1", 0) as listener:
        app = create_console(services, by_proxy(settings), origin_of(listener))
        async with (
            serving(app, listener, believes_proxies=False) as origin,
            httpx.AsyncClient(base_url=origin, headers=said_of("ines"), timeout=60.0) as http,
        ):
            yield Console(app, origin, http, api, api.house)


def reference() -> str:
    """A merchant reference that nobody else has."""
    return f"customer-{uuid4().hex[:12]}"
