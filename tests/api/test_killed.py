"""The API is killed while it works, and what it was asked for is asked again: one effect, and one answer.

As a process of its own, killed with SIGKILL as soon as Amazon's books show what was asked for.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from temporalio.service import RPCError, RPCStatusCode

from amazon_pay_client import AmazonPayClient
from amazon_pay_client.models import Currency
from amazon_pay_simulator import SimulatorHandle
from perennial_billing.worker.wiring import amazon_pay_client
from perennial_billing.workflows.names import workflow_id
from tests.api.conftest import PLAN, Api
from tests.api.test_subscriptions import charged, timeline_of
from tests.simulator.checkout import recurring_of
from tests.worker.processes import perennial

Happened = Callable[[], Awaitable[bool]]


@asynccontextmanager
async def process(api: Api) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    """`perennial api` on a free port."""
    environment = api.house.worker_environment() | {"PERENNIAL_LOG_LEVEL": "ERROR"}
    async with perennial("api", "--port", "0", environment=environment) as running:
        assert running.stdout is not None
        async with asyncio.timeout(60):
            line = (await running.stdout.readline()).decode()
        origin = line.split()[3].removesuffix("/v1,")
        headers = {"Authorization": f"Bearer {api.key.token}"}
        async with httpx.AsyncClient(base_url=origin, headers=headers, timeout=60.0) as http:
            yield running, http


async def killed_and_asked_again(api: Api, path: str, body: dict[str, Any], happened: Happened) -> httpx.Response:
    """Asks, kills the process once it has happened, and asks another process the same."""
    headers = {"Idempotency-Key": uuid4().hex}
    async with process(api) as (running, http):
        asking = asyncio.create_task(http.post(path, json=body, headers=headers))
        async with asyncio.timeout(60):
            while not await happened():
                await asyncio.sleep(0.002)
        running.kill()
        with suppress(httpx.HTTPError):
            await asking
    async with process(api) as (_, http):
        first, second = [await http.post(path, json=body, headers=headers) for _ in range(2)]
    assert (first.status_code, first.text) == (second.status_code, second.text)
    return first


async def test_a_refund_goes_back_once(api: Api) -> None:
    permission = await api.started()
    await charged(api, permission)

    async def is_booked() -> bool:
        return bool(await refunds_of(api, permission))

    answer = await killed_and_asked_again(api, f"/v1/subscriptions/{permission}/refunds", {"period": 0}, is_booked)

    assert answer.status_code == 200, answer.text
    assert await refunds_of(api, permission) == [answer.json()["refund_id"]]


@pytest.mark.long
async def test_a_start_begins_one_subscription(api: Api) -> None:
    permission = await api.permission()

    async def is_begun() -> bool:
        try:
            await api.house.client.get_workflow_handle(workflow_id(permission)).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True

    body = {"charge_permission_id": permission, "plan": PLAN, "merchant_reference": "order-5113"}
    answer = await killed_and_asked_again(api, "/v1/subscriptions", body, is_begun)
    await charged(api, permission)

    assert (answer.status_code, answer.json()["charge_permission_id"]) == (201, permission), answer.text
    books = await api.house.simulator.books()
    assert len([charge for charge in books.charges if charge.charge_permission_id == permission]) == 1
    told = [each["notice"]["type"] for each in await timeline_of(api, permission)]
    assert told.count("subscription.started") == 1


@pytest.mark.long
async def test_a_cancellation_ends_it_once_and_gives_back_once(api: Api) -> None:
    permission = await api.started()
    subscriber = await charged(api, permission)

    async def is_booked() -> bool:
        return bool(await refunds_of(api, permission))

    body = {"when": "now", "refund": "all", "because": "moved abroad"}
    answer = await killed_and_asked_again(api, f"/v1/subscriptions/{permission}/cancel", body, is_booked)

    assert answer.status_code == 200, answer.text
    assert len(await refunds_of(api, permission)) == 1
    assert (await subscriber.after(timedelta(hours=2))).has_ended
    books = await api.house.simulator.books()
    assert len([charge for charge in books.charges if charge.charge_permission_id == permission]) == 1


async def refunds_of(api: Api, permission: str) -> list[str]:
    books = await api.house.simulator.books()
    charges = {charge.charge_id for charge in books.charges if charge.charge_permission_id == permission}
    return [refund.refund_id for refund in books.refunds if refund.charge_id in charges]


async def approved(shop: AmazonPayClient, simulator: SimulatorHandle, *, leaves: bool = False) -> str:
    """A checkout session without a charge of its own, that the buyer has approved, or left."""
    body = recurring_of("Confirm", "10.00")
    session = (await shop.checkout_sessions.create(body, idempotency_key=uuid4().hex)).checkout_session_id
    await (simulator.decline_session(session) if leaves else simulator.approve_session(session))
    return session


@pytest.mark.long  # in the suite: a refund
async def test_a_checkout_is_completed_once_and_its_subscription_starts(api: Api) -> None:
    async with amazon_pay_client(api.house.settings) as shop:
        session = await approved(shop, api.house.simulator)

        async def is_completed() -> bool:
            state = (await shop.checkout_sessions.get(session)).status_details.state
            return str(state) == "Completed"

        body = {
            "checkout_session_id": session,
            "checkout_amount": {"amount": "10.00", "currency": str(Currency.USD)},
            "plan": PLAN,
        }
        answer = await killed_and_asked_again(api, "/v1/subscriptions", body, is_completed)
        made = (await shop.checkout_sessions.get(session)).charge_permission_id

    assert answer.status_code == 201, answer.text
    assert answer.json()["charge_permission_id"] == made
    assert (await api.http.get(f"/v1/subscriptions/{made}")).json()["status"] == "active"


@pytest.mark.parametrize(
    ("fields", "status", "kind"),
    [
        ({"checkout_session_id": "none"}, 422, "not-accepted"),
        (
            {"checkout_session_id": "none", "checkout_amount": {"amount": "10.00", "currency": "USD"}},
            502,
            "amazon-refused",
        ),
    ],
    ids=["no amount", "no session"],
)
async def test_a_checkout_that_is_none_is_refused(api: Api, fields: dict[str, Any], status: int, kind: str) -> None:
    answer = await api.post("/v1/subscriptions", {"plan": PLAN} | fields)

    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:perennial:problem:{kind}")


async def test_a_checkout_that_the_buyer_has_left_is_no_subscription(api: Api) -> None:
    async with amazon_pay_client(api.house.settings) as shop:
        session = await approved(shop, api.house.simulator, leaves=True)
    amount = {"amount": "10.00", "currency": "USD"}
    body = {"plan": PLAN, "checkout_session_id": session, "checkout_amount": amount}

    answer = await api.post("/v1/subscriptions", body)

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:perennial:problem:not-now")


async def test_a_checkout_that_charges_pays_the_first_period_and_nobody_is_charged_twice(api: Api) -> None:
    async with amazon_pay_client(api.house.settings) as shop:
        body = recurring_of("AuthorizeWithCapture", "8.45")
        session = (await shop.checkout_sessions.create(body, idempotency_key=uuid4().hex)).checkout_session_id
        await api.house.simulator.approve_session(session)
    amount = {"amount": "8.45", "currency": "USD"}
    wanted = {"plan": PLAN, "checkout_session_id": session, "checkout_amount": amount}

    began = await api.post("/v1/subscriptions", wanted)

    assert began.status_code == 201, began.text
    permission = began.json()["charge_permission_id"]
    view = (await api.http.get(f"/v1/subscriptions/{permission}")).json()
    assert view["periods_paid"] == 1
    books = await api.house.simulator.books()
    (charge,) = [each for each in books.charges if each.charge_permission_id == permission]
    assert view["ledger"][0]["charge_id"] == charge.charge_id


async def test_what_cannot_be_charged_is_not_started(api: Api) -> None:
    permission = await api.permission()
    await api.house.simulator.close_by_buyer(permission)

    closed = await api.post("/v1/subscriptions", {"plan": PLAN, "charge_permission_id": permission})
    unchecked = await api.post(
        "/v1/subscriptions", {"plan": PLAN, "charge_permission_id": permission, "unchecked": True}
    )

    assert closed.status_code in {409, 422}, closed.text
    assert unchecked.status_code == 201
