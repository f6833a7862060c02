"""A shop's checkout over HTTP: the button, the session that the buyer brings back, the subscription, the card."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest

from perennial_billing.activities.accounts import OneAccount
from perennial_billing.ledger.api_keys import Scope, make
from perennial_billing.starter.api.app import create_app
from perennial_billing.starter.api.services import Services
from tests.api.conftest import Api
from tests.api.test_subscriptions import charged

STORE = "amzn1.application-oa2-client.31"
PLAN: dict[str, Any] = {
    "plan_id": "oolong-monthly",
    "amount": {"amount": "14.35", "currency": "USD"},
    "interval": {"unit": "month", "count": 1},
    "texts": {"merchant_store_name": "The Oolong House"},
}
SHOP: dict[str, Any] = {"plan": PLAN, "store_id": STORE, "result_return_url": "http://shop.example/thanks"}


async def pressed(api: Api, made: dict[str, Any]) -> str:
    """The buyer is on Amazon's page; its address."""
    button = made["button"]
    form = button["createCheckoutSessionConfig"] | {"productType": button["productType"]}
    async with httpx.AsyncClient() as browser:
        answer = await browser.post(f"{api.house.simulator.origin}/checkout", data=form)
    assert answer.status_code == 303, answer.text
    return str(answer.url.join(answer.headers["location"]))


async def decided(page: str, decision: str) -> tuple[str, str]:
    """Where in the shop the buyer is led to, and with which session."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.post(page, data={"decision": decision})
    back = urlsplit(answer.headers["location"])
    return back.path, parse_qs(back.query)["amazonCheckoutSessionId"][0]


async def test_a_buyer_presses_the_button_and_is_charged_by_the_plan(api: Api) -> None:
    reference = f"cart-{uuid4().hex[:8]}"
    made = (await api.http.post("/v1/checkout/button", json=SHOP | {"merchant_reference": reference})).json()
    assert made["script"] == f"{api.house.simulator.origin}/checkout.js"
    button = made["button"]
    assert (button["merchantId"], button["ledgerCurrency"], button["sandbox"]) == ("A1SIMULATOR", "USD", True)
    assert button["publicKeyId"] == button["createCheckoutSessionConfig"]["publicKeyId"] == "SANDBOX-SIMULATOR"
    payload = json.loads(button["createCheckoutSessionConfig"]["payloadJSON"])
    assert payload["merchantMetadata"] == {
        "merchantReferenceId": reference,
        "merchantStoreName": "The Oolong House",
    }

    path, session = await decided(await pressed(api, made), "approve")
    start = {"plan": PLAN, "checkout_session_id": session, "checkout_amount": made["checkout_amount"]}
    begun = await api.post("/v1/subscriptions", start | {"merchant_reference": reference}, once=session)
    again = await api.post("/v1/subscriptions", start | {"merchant_reference": reference}, once=session)

    assert (path, begun.status_code, again.text) == ("/thanks", 201, begun.text)
    permission = begun.json()["charge_permission_id"]
    subscriber = await charged(api, permission)
    assert (await subscriber.status()).periods_paid == 1
    state = (await api.http.get(f"/v1/checkout/sessions/{session}")).json()
    assert (state["state"], state["charge_permission_id"]) == ("Completed", permission)


async def test_a_buyer_reviews_the_order_and_is_sent_on_to_pay(api: Api) -> None:
    review = {"review_return_url": "http://shop.example/review", "product_type": "PayAndShip"}
    made = (await api.http.post("/v1/checkout/button", json=SHOP | review)).json()

    path, session = await decided(await pressed(api, made), "sign_in")
    state = (await api.http.get(f"/v1/checkout/sessions/{session}")).json()

    assert (path, state["state"], state["lacks"]) == ("/review", "Open", [])
    assert await decided(state["pay_url"], "approve") == ("/thanks", session)


async def test_a_buyer_who_gives_up_leaves_a_session_that_starts_nothing(api: Api) -> None:
    made = (await api.http.post("/v1/checkout/button", json=SHOP)).json()

    _, session = await decided(await pressed(api, made), "cancel")
    begun = await api.post(
        "/v1/subscriptions",
        {"plan": PLAN, "checkout_session_id": session, "checkout_amount": made["checkout_amount"]},
    )

    state = (await api.http.get(f"/v1/checkout/sessions/{session}")).json()
    assert (state["state"], state["reason_code"]) == ("Canceled", "BuyerCanceled")
    assert (begun.status_code, begun.json()["type"]) == (409, "urn:perennial:problem:not-now")


async def test_a_session_that_amazon_does_not_know_is_told(api: Api) -> None:
    answer = await api.http.get("/v1/checkout/sessions/0b6f3a52")

    assert (answer.status_code, answer.json()["type"]) == (404, "urn:perennial:problem:not-found")
    assert "0b6f3a52" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"store_id": "my store"}, "store_id"),
        ({"result_return_url": "shop.example/thanks"}, "result_return_url"),
        ({"scopes": ["shoeSize"]}, "scopes.0"),
        ({"first_charge": "nobody"}, "first_charge"),
        ({"ledger_currency": "EUR"}, "ledger_currency"),
        ({"product_type": "PayAndShip"}, "review_return_url"),
        ({"plan": PLAN | {"texts": {"soft_descriptor": "far too long for a statement"}}}, "plan.texts.soft_descriptor"),
        ({"colour": "gold"}, "colour"),
    ],
    ids=str,
)
async def test_a_button_that_cannot_be_made_is_refused_by_its_field(
    api: Api, change: dict[str, Any], field: str
) -> None:
    answer = await api.http.post("/v1/checkout/button", json=SHOP | change)

    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [field]


async def test_the_page_to_change_the_card_is_there_at_any_time_and_says_when_it_is_needed(api: Api) -> None:
    permission = await api.permission()
    await api.house.simulator.script(permission, [None, "HardDeclined"])
    await api.post("/v1/subscriptions", {"charge_permission_id": permission, "plan": PLAN})
    subscriber = await charged(api, permission)

    before = (await api.http.get(f"/v1/subscriptions/{permission}/payment-method")).json()
    await subscriber.until_due(1)
    after = (await api.http.get(f"/v1/subscriptions/{permission}/payment-method")).json()

    page = f"{api.house.simulator.origin}/jr/your-account/ba/{permission}"
    assert before == {"charge_permission_id": permission, "update_url": page, "is_needed": False}
    assert after == before | {"is_needed": True}
    assert (await api.http.get("/v1/subscriptions/C01-7-7/payment-method")).status_code == 404


async def test_a_key_that_only_reads_makes_no_button(api: Api) -> None:
    key = await make(api.house.ledger, "onlooker", [Scope.READ])

    answer = await api.http.post("/v1/checkout/button", json=SHOP, headers={"Authorization": f"Bearer {key.token}"})

    assert answer.status_code == 403


@pytest.mark.parametrize("lacking", ["keys", "merchant id"])
async def test_an_api_without_amazon_pay_says_what_it_lacks(api: Api, lacking: str) -> None:
    services: Services = api.app.state.services
    accounts = services.accounts
    assert accounts is not None
    nameless = OneAccount((await accounts.of("default")).client)
    app = create_app(replace(services, accounts=None if lacking == "keys" else nameless))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=api.http.headers) as http:
        answer = await http.post("/v1/checkout/button", json=SHOP)

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:perennial:problem:no-amazon-pay")
    assert lacking.split(maxsplit=1)[0] in answer.json()["detail"]
