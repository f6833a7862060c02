"""The console in a real browser: by keyboard alone, without JavaScript, at three widths, and as axe-core judges it."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from perennial_billing.billing.status import Status
from tests.console.conftest import Console, reference, said_of
from tests.interop.node_sdk import _UNREACHABLE
from tests.interop.programs import absent, needed, run

LONGEST_WAIT_MILLISECONDS: Final = 20_000
WIDTHS: Final = (380, 1024, 1600)

_HERE: Final = Path(__file__).parent


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


async def context(browser: Browser, console: Console, **options: Any) -> BrowserContext:
    """Somebody's browser, behind the proxy."""
    made = await browser.new_context(base_url=console.origin, extra_http_headers=said_of("ines"), **options)
    made.set_default_timeout(LONGEST_WAIT_MILLISECONDS)
    return made


def watched(page: Page) -> list[str]:
    """What goes wrong on a page, also what its policy forbids."""
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda told: troubles.append(told.text) if "Content Security Policy" in told.text else None)
    return troubles


async def pressed_until(page: Page, key: str, is_there: str) -> None:
    """Presses a key until the focus is where it is wanted, as somebody without a mouse does."""
    for _ in range(80):
        await page.keyboard.press(key)
        if await page.evaluate(f"document.activeElement.matches({is_there!r})"):
            return
    raise AssertionError(f"{is_there} is not reached by {key}")


async def test_a_subscription_is_found_and_paused_by_the_keyboard_alone(console: Console, browser: Browser) -> None:
    mine = reference()
    permission = await console.charged(merchant_reference=mine)
    page = await (await context(browser, console)).new_page()
    troubles = watched(page)

    await page.goto("/subscriptions")
    assert await page.evaluate("document.activeElement.id") == "q", "one types at once"
    await page.keyboard.type(mine)
    await page.wait_for_selector(f"#results a[href='/subscriptions/{permission}']")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("text=What happened")
    await pressed_until(page, "Tab", f"a[href='/subscriptions/{permission}/pause']")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#because")
    await pressed_until(page, "Tab", "#because")
    await page.keyboard.type("on holiday")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#preview")
    assert page.url.endswith("/pause"), "the preview came into the page"
    assert await page.evaluate("document.activeElement.id") == "preview", "a reader of the screen hears it next"
    await pressed_until(page, "Tab", "form[action$='/pause'] button")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("[role=status]")

    assert "Pause: done" in await page.inner_text("[role=status]")
    assert (await console.house.subscriptions.status(permission)).status is Status.PAUSED
    assert troubles == []


async def test_without_javascript_forms_and_links_do_the_same(console: Console, browser: Browser) -> None:
    mine = reference()
    permission = await console.charged(merchant_reference=mine)
    page = await (await context(browser, console, java_script_enabled=False)).new_page()

    await page.goto("/")
    await page.fill("#top-q", mine)
    await page.press("#top-q", "Enter")
    await page.click("text=Cancel")
    await page.select_option("#when", "now")
    await page.fill("#because", "does not like tea")
    await page.click("text=Preview")
    await page.click("button.grave")

    assert "Cancel: done" in await page.inner_text("[role=status]")
    assert (await console.house.subscriptions.status(permission)).ending is not None
    await page.goto("/")
    await page.click("text=Look at ledger, Temporal, workers and Amazon")
    assert "Amazon Pay" in await page.inner_text("#checks")


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_no_page_is_wider_than_its_window_and_axe_finds_nothing(
    console: Console, browser: Browser, tmp_path: Path
) -> None:
    axe = await axe_of(tmp_path)
    permission = await told_of(console)
    pages = (
        *("/", "/checks", "/recovered", "/none", "/subscriptions", f"/subscriptions/{permission}"),
        *(f"/subscriptions/{permission}/{way}" for way in ("cancel", "refunds?period=0")),
        *("/many", "/many/pause", "/many/cancel"),
        *(f"/reports{name}" for name in ("", "/revenue", "/recovery", "/aging", "/forecast")),
    )
    found: list[str] = []
    for scheme in ("light", "dark"):
        for width in WIDTHS:
            # The policy forbids what axe-core is put in as, and is tested elsewhere.
            shown = await context(
                browser, console, viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
            )
            page = await shown.new_page()
            for path in pages:
                await page.goto(path, wait_until="networkidle")
                about = f"{path} at {width} px, {scheme}"
                wider = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                found += [f"{about}: {wider} px wider than the window"] if wider > 0 else []
                await page.add_script_tag(path=axe)
                judged = await page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
                assert judged["passes"], about
                for each in judged["violations"]:
                    where = ", ".join(node["html"][:120] for node in each["nodes"][:3])
                    found.append(f"{about}: {each['id']}: {where}")
            await shown.close()

    assert found == []


async def told_of(console: Console) -> str:
    """One to which much has happened."""
    permission = await console.charged(merchant_reference=reference(), zone="Europe/Berlin")
    await console.done(permission, "items", amount="4.50", what="a filter", because="asked for on the telephone")
    await console.done(permission, "refunds", period="0", amount="2.00", because="a bag was torn")
    await console.done(permission, "pause", because="on holiday")
    return permission


async def axe_of(folder: Path) -> Path:
    """axe-core, of npm."""
    needed("npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_HERE / name, folder)
    install = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1")
    installed = await run(folder, 90.0, {}, *install)
    if unreachable := _UNREACHABLE.search(installed.err):
        pytest.skip(f"the npm registry cannot be reached ({unreachable[0]})")
    assert installed.code == 0, installed.err
    return folder / "node_modules" / "axe-core" / "axe.min.js"
