"""Asking the merchant what a period costs: over real HTTP, signed, and only what can be charged counts."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.exceptions import ApplicationError

from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from perennial_billing.activities.amounts import LONGEST_WHY, NO_AMOUNT, AmountHook
from perennial_billing.activities.signatures import AmountQuestion
from perennial_billing.activities.signed_posts import SignedPosts
from perennial_billing.billing.money import Money
from perennial_billing.runtime.http import bind, serving
from tests.activities.requests import run
from tests.endpoint import SECRET

QUESTION = AmountQuestion(
    charge_permission_id="C01-1",
    merchant_reference="order-1",
    plan_id="metered",
    quantity=1,
    period=3,
    due=datetime(2027, 1, 31, 9, tzinfo=UTC),
    until=datetime(2027, 2, 28, 9, tzinfo=UTC),
    at_most=Money.parse("50.00 USD"),
)

UNHURRIED_SECONDS = 60.0


@dataclass
class Amounts:
    """A merchant's endpoint that decides amounts; it believes only signed questions."""

    answer: bytes = b""
    status: int = 200
    silent: bool = False
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def decide(self, request: Request) -> Response:
        body = await request.body()
        self.asked.append((request.headers["webhook-id"], Webhook(SECRET).verify(body, dict(request.headers))))
        while self.silent:
            await asyncio.sleep(0.05)
        return Response(self.answer, self.status, {"content-type": "application/json"})


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[tuple[Amounts, str]]:
    """The endpoint, and where it listens."""
    merchant = Amounts()
    app = Starlette(routes=[Route("/amounts", merchant.decide, methods=["POST"])])
    async with serving(app, bind("127.0.0.1", 0)) as origin:
        yield merchant, f"{origin}/amounts"


@asynccontextmanager
async def asking(url: str, seconds: float = UNHURRIED_SECONDS) -> AsyncIterator[AmountHook]:
    """The activity, for an endpoint that may take so long."""
    async with bounded_client(at_once=5, bounds=Bounds(seconds=seconds)) as http:
        yield AmountHook(SignedPosts(url, [SECRET], http, timeout_seconds=seconds))


@pytest_asyncio.fixture
async def amounts(endpoint: tuple[Amounts, str]) -> AsyncIterator[tuple[Amounts, AmountHook]]:
    """The endpoint, and the activity that asks it."""
    merchant, url = endpoint
    async with asking(url) as hook:
        yield merchant, hook


def saying(amount: str, currency: str = "USD") -> bytes:
    return json.dumps({"amount": {"amount": amount, "currency": currency}}).encode()


@pytest.mark.parametrize("amount", ["12.34", "0.00", "50.00"])
async def test_what_the_merchant_says_is_what_the_period_costs(
    amounts: tuple[Amounts, AmountHook], amount: str
) -> None:
    merchant, hook = amounts
    merchant.answer = saying(amount)

    decided = [await run(hook.decide_amount, QUESTION) for _ in range(2)]

    assert decided == [Money.parse(f"{amount} USD")] * 2
    (first, event), (second, _) = merchant.asked
    assert first == second == "amount-C01-1-3"
    assert event["type"] == "amount.requested"
    assert event["data"]["due"] == "2027-01-31T09:00:00Z"
    assert event["data"]["at_most"] == {"amount": "50.00", "currency": "USD"}


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        (saying("50.01"), 200, "amount: 50.01 USD is not accepted; it is more than the plan allows, 50.00 USD"),
        (
            saying("12.34", "EUR"),
            200,
            "amount: 12.34 EUR is not accepted; it is in another currency than the plan, USD",
        ),
        (saying("-1"), 200, "amount: -1 is not accepted; zero to 10000000 is"),
        (
            saying("12.3456", "EUR"),
            200,
            "amount: 12.3456 is not accepted; 2 decimals are, as EUR has, such as 12.35",
        ),
        (saying("3.5", "JPY"), 200, "amount: 3.5 is not accepted; no decimals are, as JPY has, such as 4"),
        (saying("NaN"), 200, "amount: 'NaN' is not accepted; a finite number is"),
        (saying("7", "BTC"), 200, "currency: 'BTC' is not accepted; the currencies of Amazon Pay are AUD, CHF"),
        (
            b'{"amount": {"amount": 12.34, "currency": "USD"}}',
            200,
            "amount: 12.34 is not accepted; it is a float; an amount is given as a string such as '9.99'",
        ),
        (b'{"amount": 12.34}', 200, "amount: 12.34 is not accepted; a table of fields is"),
        (b'{"sum": "12.34"}', 200, "amount: "),
        (b"12.34", 200, "amount: 12.34 is not accepted; a table of fields is"),
        (
            b"<html><body>Bad gateway of a shop far away</body></html>",
            200,
            "amount: '<html><body>Bad gateway of a shop",
        ),
        (b"<html>", 200, "amount: '<html>' is not accepted; it is not JSON: "),
        (b"", 200, "amount: '' is not accepted; it is not JSON: "),
        (saying("9" * 5_000), 200, f"amount: {'9' * 40}... is not accepted; zero to 10000000 is"),
        (b" " * 70_000, 200, "the answer is larger than 65536 bytes"),
        (saying("1.00"), 500, "status 500"),
        (saying("1.00"), 302, "status 302"),
        (saying("1.00"), 401, "status 401"),
    ],
)
async def test_anything_but_an_amount_is_asked_for_again(
    amounts: tuple[Amounts, AmountHook], answer: bytes, status: int, why: str
) -> None:
    merchant, hook = amounts
    merchant.answer, merchant.status = answer, status

    with pytest.raises(ApplicationError, match=re.escape(f"your endpoint has not said what it costs: {why}")) as raised:
        await run(hook.decide_amount, QUESTION)
    assert len(raised.value.message) <= LONGEST_WHY
    assert (raised.value.type, raised.value.non_retryable) == (NO_AMOUNT, False)


async def test_a_silent_endpoint_and_nobody_there_are_asked_again(endpoint: tuple[Amounts, str]) -> None:
    merchant, url = endpoint
    merchant.silent = True
    async with asking(url, seconds=0.5) as hook:
        with pytest.raises(ApplicationError, match="no answer: ReadTimeout"):
            await run(hook.decide_amount, QUESTION)
    merchant.silent = False

    async with asking("http://127.0.0.1:9/amounts") as nobody:
        with pytest.raises(ApplicationError, match="no answer: ConnectError"):
            await run(nobody.decide_amount, QUESTION)
