"""The example shops, each in its language: the same page, and the same story told to the API."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api.conftest import Api
from tests.api.shops import FOLDER, LANGUAGES, shop
from tests.api.test_checkout import pressed
from tests.api.test_subscriptions import charged


async def approved(browser: httpx.AsyncClient, page: str, decision: str = "approve") -> str:
    """Where Amazon leads the buyer to."""
    answer = await browser.post(page, data={"decision": decision})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def subscription_in(browser: httpx.AsyncClient) -> Any:
    answer = await browser.get("/subscription")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    return answer.json()["subscription"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_shop_sells_a_subscription_and_shows_how_it_stands(api: Api, language: str) -> None:
    async with shop(api, language) as address, httpx.AsyncClient(base_url=address, timeout=60.0) as browser:
        assert (await browser.get("/")).text == (FOLDER / "index.html").read_text()
        assert await subscription_in(browser) is None
        made = (await browser.get("/button")).json()
        assert made["checkout_amount"] == {"amount": "12.50", "currency": "USD"}

        back = await approved(browser, await pressed(api, made))
        thanked, again = [await browser.get(back) for _ in range(2)]

        assert urlsplit(back).netloc == urlsplit(address).netloc
        assert [(each.status_code, each.headers["location"]) for each in (thanked, again)] == [(303, "/")] * 2
        bought = await subscription_in(browser)
        permission = bought["payment_method"]["charge_permission_id"]
        await charged(api, permission)
        shown = await subscription_in(browser)
        assert (shown["status"], shown["periods_paid"]) == ("active", 1)
        assert shown["payment_method"]["update_url"].endswith(f"/jr/your-account/ba/{permission}")
        assert [each.charge_amount.amount for each in await charges_of(api, permission)] == [12.50]
        async with httpx.AsyncClient(base_url=address) as somebody_else:
            assert await subscription_in(somebody_else) is None


async def charges_of(api: Api, permission: str) -> list[Any]:
    books = await api.house.simulator.books()
    return [charge for charge in books.charges if charge.charge_permission_id == permission]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_buyer_who_gives_up_is_told_that_nothing_was_charged(api: Api, language: str) -> None:
    async with shop(api, language) as address, httpx.AsyncClient(base_url=address, timeout=60.0) as browser:
        made = (await browser.get("/button")).json()

        thanked = await browser.get(await approved(browser, await pressed(api, made), "cancel"))

        assert (thanked.status_code, thanked.headers["location"]) == (303, "/?canceled")
        assert await subscription_in(browser) is None


@pytest.mark.parametrize("language", LANGUAGES)
async def test_no_shop_gives_its_key_away(api: Api, language: str) -> None:
    async with shop(api, language) as address, httpx.AsyncClient(base_url=address) as browser:
        answers = [await browser.get(path) for path in ("/", "/button", "/subscription", "/thanks", "/plan", "/.env")]

    for answer in answers:
        assert "perennial_" not in answer.text
        assert "perennial_" not in str(answer.headers)


def test_the_shops_have_one_page_and_one_plan() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {"index.html", "plan.json", "shop.mjs", "shop.php", "shop.py"}
