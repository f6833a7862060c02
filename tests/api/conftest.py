"""The API over the house, on loopback, with keys of every scope."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest_asyncio
from cryptography.fernet import Fernet
from fastapi import FastAPI
from pydantic import SecretStr

from perennial_billing.activities.accounts import OneAccount
from perennial_billing.ledger.api_keys import NewKey, Scope, make
from perennial_billing.runtime.http import bind, serving
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.amazon_pay import AmazonPayReader
from perennial_billing.starter.api.app import create_app
from perennial_billing.starter.api.services import Services
from perennial_billing.starter.cli.processes import reach_of
from perennial_billing.starter.cli.reports import quota_of
from perennial_billing.starter.client import Subscriptions
from perennial_billing.worker.wiring import amazon_pay_client

PORTAL_SECRET: Final = Fernet.generate_key().decode()

PLAN: Final[dict[str, Any]] = {
    "plan_id": "tea-monthly",
    "amount": {"amount": "8.45", "currency": "USD"},
    "interval": {"unit": "month", "count": 1},
}


@dataclass
class Api:
    """A running API.

    Attributes:
        app: the application.
        origin: where it is served.
        key: of every scope.
        http: sends that key.
        house: what it works on.
    """

    app: FastAPI
    origin: str
    key: NewKey
    http: httpx.AsyncClient
    house: Stage

    async def post(self, path: str, body: dict[str, Any] | None = None, *, once: str | None = None) -> httpx.Response:
        """Posts, under an idempotency key."""
        return await self.http.post(path, json=body or {}, headers={"Idempotency-Key": once or uuid4().hex})

    async def permission(self) -> str:
        """A charge permission that a buyer has approved."""
        return (await self.house.simulator.open_permission()).charge_permission_id

    async def started(self, **fields: Any) -> str:
        """A subscription that was started through the API; its charge permission."""
        permission = await self.permission()
        answer = await self.post("/v1/subscriptions", {"charge_permission_id": permission, "plan": PLAN} | fields)
        assert answer.status_code == 201, answer.text
        return permission


@pytest_asyncio.fixture(scope="session")
async def api(house: Stage) -> AsyncIterator[Api]:
    settings = house.settings.model_copy(
        update={"api_requests_per_minute": 1_000_000, "portal_secrets": SecretStr(PORTAL_SECRET)}
    )
    async with amazon_pay_client(settings) as amazon_pay:
        subscriptions = Subscriptions(
            house.client,
            settings.task_queue,
            ledger=lambda: nullcontext(house.ledger),
            amazon=lambda _: nullcontext(AmazonPayReader(amazon_pay)),
        )
        app = create_app(
            Services(
                subscriptions,
                house.ledger,
                settings,
                quota_of(settings),
                reach_of(house.client, house.ledger, settings),
                OneAccount(amazon_pay, merchant_id=settings.merchant_id),
            )
        )
        key = await make(house.ledger, "shop", list(Scope))
        async with (
            serving(app, bind("127.0.0.1", 0)) as origin,
            httpx.AsyncClient(base_url=origin, headers={"Authorization": f"Bearer {key.token}"}, timeout=60.0) as http,
        ):
            yield Api(app, origin, key, http, house)
