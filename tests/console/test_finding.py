"""Finding: whatever a customer can tell leads to the subscription, and what was filtered is a link."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from perennial_billing.ledger.finding import Search, find
from tests.console.conftest import Console, reference


async def test_a_charge_s_id_a_reference_and_a_permission_s_id_lead_to_the_subscription(console: Console) -> None:
    mine = reference()
    permission = await console.charged(merchant_reference=mine)
    charge = await console.api.http.get(f"/v1/subscriptions/{permission}")
    (record,) = charge.json()["ledger"]

    for told in (permission, permission.lower(), f" {record['charge_id']} ", mine):
        answer = await console.http.get("/subscriptions", params={"q": told})
        assert answer.status_code == 303, told
        assert answer.headers["location"] == f"/subscriptions/{permission}"


async def test_what_is_found_while_somebody_types_is_shown_and_not_followed(console: Console) -> None:
    permission = await console.charged(merchant_reference=(mine := reference()))

    answer = await console.http.get("/subscriptions", params={"q": mine}, headers={"HX-Request": "true"})

    assert answer.status_code == 200
    assert f'href="/subscriptions/{permission}"' in answer.text


async def test_filters_hold_together_and_the_next_page_keeps_them(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perennial_billing.starter.console.routes.finding.ON_A_PAGE", 2)
    mine = reference()
    permissions = sorted([await console.charged(merchant_reference=mine) for _ in range(3)])
    query = {"q": mine, "plan": "tea-monthly", "status": "active", "amount": "8.45 USD", "past_due": ""}

    first = await console.http.get("/subscriptions", params=query)
    links = re.findall(r'href="(/subscriptions\?[^"]+)" rel="next"', first.text)
    second = await console.http.get(links[0].replace("&amp;", "&"))

    assert re.findall(r'scope="row"><a href="/subscriptions/([^"]+)"', first.text) == permissions[:2]
    assert re.findall(r'scope="row"><a href="/subscriptions/([^"]+)"', second.text) == permissions[2:]
    kept = parse_qs(urlsplit(links[0].replace("&amp;", "&")).query)
    assert kept == {name: [value] for name, value in query.items() if value} | {"cursor": [permissions[1]]}
    none = await console.http.get("/subscriptions", params=query | {"amount": "8.46 USD"})
    assert "Nothing was found" in none.text


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("amount", "8.45", "an amount and a currency are"),
        ("charged_before", "tomorrow", "a day is, such as 2026-12-24"),
        ("status", "asleep", "status"),
    ],
)
async def test_what_cannot_be_meant_is_told(console: Console, field: str, text: str, said: str) -> None:
    answer = await console.http.get("/subscriptions", params={field: text})

    assert answer.status_code == 422
    assert said in answer.text


async def test_a_price_is_found_by_the_unit_of_its_own_currency(console: Console) -> None:
    permission = await console.charged(merchant_reference=(mine := reference()))
    (found,) = await find(console.house.ledger, Search(merchant_reference=mine))

    assert found.price is not None
    for price, is_found in ((found.price, True), (found.price.but(currency="EUR"), False)):
        answer = await find(console.house.ledger, Search(merchant_reference=mine, price=price))
        assert [each.charge_permission_id for each in answer] == ([permission] if is_found else [])
