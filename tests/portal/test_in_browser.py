"""The page in a real browser: on a phone and on a desk, light and dark, by keyboard, and held to WCAG by axe-core."""

import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page

from perennial_billing.starter.portal.languages import LANGUAGES
from perennial_billing.starter.portal.purposes import Purpose
from tests.interop.node_sdk import _UNREACHABLE
from tests.interop.programs import needed, run
from tests.portal.conftest import PortalHouse

LONGEST_WAIT_MILLISECONDS: Final = 20_000
PHONE, DESK = 380, 1024
PICTURES: Final = os.environ.get("PERENNIAL_TEST_PICTURES")
"""A folder for the pictures of docs/images; none are made when it is not set."""

_PICTURED: Final = {f"{PHONE}-light-overview": "buyers-page"}

_HERE: Final = Path(__file__).parent
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@asynccontextmanager
async def opened(browser: Browser, house: PortalHouse, width: int, **options: Any) -> AsyncIterator[Page]:
    """A window in which nothing of the page is missing or blocked; Amazon's may lack what it likes."""
    context = await browser.new_context(
        viewport={"width": width, "height": 800}, java_script_enabled=options.pop("script", True), **options
    )
    page = await context.new_page()
    page.set_default_timeout(LONGEST_WAIT_MILLISECONDS)
    troubles: list[str] = []

    def note(said: ConsoleMessage) -> None:
        if said.type == "error" and not said.location["url"].startswith(house.house.simulator.origin):
            troubles.append(said.text)

    page.on("console", note)
    page.on("requestfailed", lambda request: troubles.append(request.url))
    yield page
    assert troubles == []
    await context.close()


async def picture(page: Page, name: str) -> None:
    if PICTURES is not None:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


async def fits(page: Page) -> bool:
    """Whether nothing is wider than the window. Needs scripts, which the page itself does not."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


async def test_on_a_phone_without_scripts_and_by_keyboard_a_buyer_cancels(page: PortalHouse, browser: Browser) -> None:
    subscriber = await page.subscribed()
    async with opened(browser, page, PHONE, script=False, locale="en-US") as tab:
        await tab.goto(page.origin + page.link(subscriber.charge_permission_id))
        assert await tab.inner_text("h1") == "Your subscription"
        assert "€17.40 every month" in await tab.inner_text("main")
        await tab.focus("text=Cancel subscription")
        await tab.keyboard.press("Enter")
        await tab.wait_for_selector("text=What will happen")
        await picture(tab, "buyers-page-cancel")
        for _ in range(8):
            await tab.keyboard.press("Tab")
            if await tab.locator("button.main:focus").count():
                break
        await tab.keyboard.press("Enter")
        await tab.wait_for_selector("text=Your subscription has been cancelled.")
        await tab.click("text=Back")
        await tab.wait_for_selector("text=Keep subscription")
        await tab.click("text=Change payment method")
        await tab.wait_for_url(f"{page.house.simulator.origin}/**")

    assert (await subscriber.status()).planned_end is not None


@pytest.mark.long
async def test_every_page_keeps_to_wcag_and_to_the_width_of_a_phone(
    page: PortalHouse, browser: Browser, tmp_path: Path
) -> None:
    axe = await _axe(tmp_path)
    subscriber = await page.subscribed(paid=3)
    permission = subscriber.charge_permission_id
    await page.house.simulator.script(permission, ["HardDeclined"])
    await subscriber.until_due(3)
    used = page.link(permission, Purpose.OVERVIEW)
    found = []
    for width in (PHONE, DESK):
        for scheme in ("light", "dark"):
            async with opened(browser, page, width, locale="de-DE", color_scheme=scheme) as tab:
                name = f"{width}-{scheme}"
                await tab.goto(page.origin + used)
                found += await _looked_at(tab, axe, f"{name}-overview")
                await tab.click("button:has-text('kündigen')")
                found += await _looked_at(tab, axe, f"{name}-cancel")
                await tab.goto(page.origin + page.link(permission, Purpose.PAYMENT_METHOD))
                found += await _looked_at(tab, axe, f"{name}-method")
    assert found == []


@pytest.mark.long
async def test_pauses_and_what_is_said_keep_to_wcag_in_every_language(
    page: PortalHouse, browser: Browser, tmp_path: Path
) -> None:
    axe = await _axe(tmp_path)
    subscriber = await page.subscribed(paid=2)
    found = []
    for language in LANGUAGES:
        async with opened(browser, page, PHONE, locale=language) as tab:
            await tab.goto(page.origin + page.link(subscriber.charge_permission_id) + f"?lang={language}")
            assert await tab.get_attribute("html", "lang") == language
            found += await _looked_at(tab, axe, f"{language}-overview")
            await tab.click("form:has(input[value=pause]) button")
            await tab.wait_for_selector("#until")
            found += await _looked_at(tab, axe, f"{language}-pause")
            await tab.fill("#until", await tab.get_attribute("#until", "max") or "")
            await tab.click("button.main")
            await tab.wait_for_selector("form[action='/do']")
            found += await _looked_at(tab, axe, f"{language}-confirm")
    async with opened(browser, page, PHONE, locale="ja") as tab:
        await tab.goto(page.origin + page.link(subscriber.charge_permission_id, Purpose.CANCEL))
        await tab.click("button.main")
        await tab.wait_for_selector(".told")
        found += await _looked_at(tab, axe, "ja-done")
    assert found == []


async def _looked_at(tab: Page, axe: str, name: str) -> list[str]:
    """What is wrong with what is shown."""
    await tab.wait_for_load_state()
    if name in _PICTURED:
        await picture(tab, _PICTURED[name])
    await tab.evaluate(axe)
    report = await tab.evaluate(f"axe.run({{runOnly: {json.dumps(_RULES)}}})")
    assert report["passes"], "rules were held against it"
    wrong = [f"{name}: {each['id']}: {each['nodes'][0]['html']}" for each in report["violations"]]
    return wrong if await fits(tab) else [*wrong, f"{name}: wider than the window"]


async def _axe(folder: Path) -> str:
    """The source of axe-core, from npm."""
    needed("node", "npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_HERE / name, folder)
    install = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1")
    installed = await run(folder, 90.0, {}, *install)
    if unreachable := _UNREACHABLE.search(installed.err):
        pytest.skip(f"the npm registry cannot be reached ({unreachable[0]})")
    assert installed.code == 0, installed.err
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
