"""Takes the pictures of the documentation from a `perennial dev` that runs for them, in the system's Chromium:

    python -m tests.site.screenshots     # into docs/images

Three subscribers live on in virtual time meanwhile: one pays, one has a card that is declined, one is in a trial. The
pictures of the shop and of the buyer's page are taken by `tests/api/test_shop_in_browser.py` and
`tests/portal/test_in_browser.py` (its long ones, too), with `PERENNIAL_TEST_PICTURES=docs/images`.
"""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from playwright.async_api import FloatRect, Page, async_playwright

from amazon_pay_client.models import Currency
from tests.starter.test_demo import Server
from tests.starter.test_dev import Dev, running

ROOT: Final = Path(__file__).parents[2]
IMAGES: Final = ROOT / "docs" / "images"

_WIDTH: Final = 1360
_LONG: Final = 1500
_MENU: Final = 64
"""Pixels that the folded menu of the Web UI takes at the left."""

_SETTLES_MILLISECONDS: Final = 3_000
_COLUMNS: Final = ("SubscriptionStatus", "NextActionAt", "LastReason")
_NOT_SHOWN: Final = ("Run ID", "Type", "Start", "End")


async def main() -> None:
    """Takes all of them."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        async with running(Path(folder) / "kept", server) as dev, async_playwright() as playwright:
            _, declined, _ = await _subscribed(dev)
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--no-proxy-server"]
            )
            page = await browser.new_page(viewport={"width": _WIDTH, "height": _LONG}, timezone_id="UTC")
            await _web_ui(page, dev, declined)
            await _simulator(page, dev)
            await _api(page, dev)
            await browser.close()
            await dev.end()


async def _subscribed(dev: Dev) -> Sequence[str]:
    """Three subscriptions, by what becomes of them: paid, declined, in a trial."""
    async with dev.simulator as simulator:
        permissions = [(await simulator.open_permission(each)).charge_permission_id for each in _CURRENCIES]
        paid, declined, trial = permissions
        for number, (permission, plan) in enumerate(zip(permissions, _PLANS, strict=True), 4711):
            await _typed(
                dev,
                *("start", permission, "--plan", f"examples/plans/{plan}.toml"),
                *("--zone", "Europe/Berlin", "--reference", f"order-{number}"),
            )
        await _typed(dev, "advance", paid, "--by", "3 months")
        await _typed(dev, "advance", declined, "--by", "1 month")
        await simulator.script(declined, ["SoftDeclined", "HardDeclined"])
        await _typed(dev, "advance", declined, "--by", "36 days")
    return paid, declined, trial


_CURRENCIES: Final = (Currency.EUR, Currency.EUR, Currency.USD)
_PLANS: Final = ("coffee-monthly", "coffee-monthly", "magazine-with-trial")


async def _typed(dev: Dev, *arguments: str) -> None:
    said = await dev.typed(*arguments)
    if said.code != 0:
        raise RuntimeError(f"perennial {' '.join(arguments)}: {said.err}")


async def _web_ui(page: Page, dev: Dev, permission: str) -> None:
    workflows = dev.where["Temporal Web UI"]
    await _opened(page, workflows)
    await page.get_by_label("Collapse Navigation").or_(page.get_by_title("Collapse Navigation")).first.click()
    await page.get_by_test_id("workflows-summary-table-configuration-button").click()
    for name in _NOT_SHOWN:
        await page.get_by_test_id(f"orderable-list-item-{name}-remove-button").click()
    for name in _COLUMNS:
        await page.get_by_test_id(f"orderable-list-item-{name}-add-button").click()
    await page.get_by_test_id("drawer-close-button").click()
    await page.wait_for_timeout(_SETTLES_MILLISECONDS)
    await _taken(page, "web-ui-list", top=48, bottom=400)

    await _opened(page, f"{workflows}?query={saved_view('needs attention')}")
    await _taken(page, "web-ui-attention", top=48, bottom=400)

    await _opened(page, f"{workflows}/subscription-{permission}")
    run = page.url.removesuffix("/timeline")
    await _opened(page, f"{run}/user-metadata")
    await _taken(page, "web-ui-subscription", top=48, bottom=1130)
    await _opened(page, f"{run}/timeline")
    await _taken(page, "web-ui-timeline", top=690, bottom=1430)


def saved_view(name: str) -> str:
    """The query of a link in the documentation, as it stands there."""
    page = (IMAGES.parent / "operations" / "monitoring.md").read_text()
    found = re.search(rf"^\| \[{name}\]\(\S+\?query=(\S+?)\)", page, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"the documentation has no view {name}")
    return found[1]


async def _simulator(page: Page, dev: Dev) -> None:
    await page.set_viewport_size({"width": 1100, "height": 640})
    await page.goto(dev.where["Amazon Pay, simulated"].removesuffix("/docs") + "/simulator")
    await page.wait_for_timeout(_SETTLES_MILLISECONDS)
    await page.screenshot(path=IMAGES / "simulator-live.png")


async def _api(page: Page, dev: Dev) -> None:
    await page.set_viewport_size({"width": 1100, "height": 900})
    await _opened(page, dev.where["HTTP API, documentation"])
    await page.screenshot(path=IMAGES / "api-documentation.png")


async def _opened(page: Page, address: str) -> None:
    await page.goto(address)
    await page.wait_for_timeout(_SETTLES_MILLISECONDS)


async def _taken(page: Page, name: str, *, top: int, bottom: int) -> None:
    clip = FloatRect(x=_MENU, y=top, width=_WIDTH - _MENU, height=bottom - top)
    await page.screenshot(path=IMAGES / f"{name}.png", clip=clip)


if __name__ == "__main__":
    asyncio.run(main())
