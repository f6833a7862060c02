"""The example shop in a real browser: from the button to the first charge, a declined card, and the changed one."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from perennial_billing.billing.status import Status
from perennial_billing.sandbox.subscriber import Subscriber
from tests.api.conftest import Api
from tests.api.shops import shop
from tests.api.test_shops import charges_of
from tests.api.test_subscriptions import charged
from tests.endpoint import Endpoint
from tests.interop.programs import absent

LONGEST_WAIT_MILLISECONDS: Final = 20_000
PICTURES: Final = os.environ.get("PERENNIAL_TEST_PICTURES")
"""A folder for the pictures of docs/images; none are made when it is not set."""


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium; nothing is downloaded."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        absent("chromium is not installed")
    async with async_playwright() as playwright:
        # Whoever is root, as in a container, has no sandbox; all that is opened here is our own.
        opened = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--no-proxy-server"])
        yield opened
        await opened.close()


async def picture(page: Page, name: str) -> None:
    if PICTURES is not None:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


async def test_a_buyer_subscribes_is_declined_changes_the_card_and_is_charged(
    api: Api, browser: Browser, notices: Endpoint
) -> None:
    async with shop(api, "python") as address:
        page = await browser.new_page(viewport={"width": 640, "height": 560})
        page.set_default_timeout(LONGEST_WAIT_MILLISECONDS)
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))

        subscriber = await _subscribed(api, page, address)
        permission = subscriber.charge_permission_id
        await page.reload()
        await page.wait_for_selector("#subscription", state="visible")
        assert await page.inner_text("#status") == "active"
        assert await page.inner_text("#paid") == "1 month"
        assert not await page.is_visible("#needed")
        await picture(page, "shop-subscribed")

        await api.house.simulator.script(permission, ["HardDeclined"])
        await subscriber.until_due(1)
        told = await notices.told(permission, (await subscriber.status()).notices_told)
        (needed,) = [each["data"] for each in told if each["type"] == "payment_method.needed"]
        await page.reload()
        await page.wait_for_selector("#needed", state="visible")
        assert await page.get_attribute("#card", "href") == needed["update_url"]
        await picture(page, "shop-declined")

        await page.click("#card")
        assert page.url == needed["update_url"]
        assert "NonChargeable (PaymentMethodInvalid)" in await page.inner_text("dl")
        await picture(page, "amazon-agreement")
        await page.check("input[value='4444']")
        await page.click("button[value=change]")
        await page.wait_for_selector("text=MasterCard ****4444")
        mended = await subscriber.quiet()

        assert (mended.status, mended.periods_paid) == (Status.ACTIVE, 2)
        await page.goto(address)
        await page.wait_for_selector("text=2 months")
        assert not await page.is_visible("#needed")
        assert [str(each.charge_amount.amount) for each in await charges_of(api, permission)] == ["12.50", "12.50"]
        assert troubles == []


async def _subscribed(api: Api, page: Page, address: str) -> Subscriber:
    """The buyer presses the button and approves at Amazon's page; the first charge has been made."""
    await page.goto(address)
    await page.wait_for_selector("#AmazonPayButton button")
    await picture(page, "shop-button")
    await page.click("#AmazonPayButton button")
    await page.wait_for_selector("text=Simulated Amazon Pay checkout")
    facts = await page.inner_text("dl")
    assert all(said in facts for said in ("The Coffee Club", "12.50 USD", "every month"))
    await picture(page, "amazon-checkout")
    await page.click("button[value=approve]")
    await page.wait_for_selector("#subscription", state="visible")
    assert page.url == f"{address}/"
    update_url = await page.get_attribute("#card", "href")
    assert update_url is not None
    return await charged(api, update_url.rpartition("/")[2])


async def test_a_buyer_who_gives_up_is_back_in_the_shop_and_may_begin_again(api: Api, browser: Browser) -> None:
    async with shop(api, "python") as address:
        page = await browser.new_page()
        page.set_default_timeout(LONGEST_WAIT_MILLISECONDS)
        await page.goto(address)
        await page.click("#AmazonPayButton button")

        await page.click("button[value=cancel]")

        await page.wait_for_selector("#canceled", state="visible")
        assert page.url == f"{address}/?canceled"
        await page.click("#AmazonPayButton button")
        await page.wait_for_selector("text=Simulated Amazon Pay checkout")
