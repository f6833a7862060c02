"""How a merchant comes by a link: the command as it is typed, and the process that serves the page."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from perennial_billing.starter.portal.links import PATH
from perennial_billing.starter.portal.purposes import Purpose
from perennial_billing.starter.portal.sealing import Link, Seal
from tests.portal.conftest import SECRET, PortalHouse
from tests.starter.command_line import joined_to, typed
from tests.worker.processes import finished, perennial

SEALED = {"PERENNIAL_PORTAL_SECRETS": SECRET, "PERENNIAL_PORTAL_URL": "https://billing.teehaus.example/mein/"}


def opened(url: str) -> Link:
    token = re.fullmatch(rf"https://billing\.teehaus\.example/mein{PATH}([\w=-]+)(\?lang=\w\w)?", url)
    assert token is not None, url
    return Seal([SECRET]).open(token[1], Link)


async def test_a_link_is_typed(page: PortalHouse) -> None:
    permission = (await page.subscribed(paid=0)).charge_permission_id
    environment = joined_to(page.house) | SEALED

    said = await typed("portal", "link", permission, "--for", "cancel", "--valid", "2d", "--lang", "ja", **environment)
    plain = await typed("portal", "link", permission, "--json", **environment)

    assert (said.code, said.err, plain.code) == (0, "", 0)
    link = opened(said.out.strip().replace("\n", ""))
    assert (link.charge_permission_id, link.purpose) == (permission, Purpose.CANCEL)
    left = link.expires_at - datetime.now(UTC)
    assert timedelta(days=1, hours=23) < left <= timedelta(days=2)
    assert said.out.strip().endswith("?lang=ja")
    assert plain.data["purpose"] == "overview"
    assert opened(plain.data["url"]).expires_at == datetime.fromisoformat(plain.data["expires_at"])


@pytest.mark.parametrize(
    ("options", "environment", "code", "named"),
    [
        (("--for", "refund"), SEALED, 2, "--for: 'refund' is none; overview, cancel"),
        (("--valid", "1 hour"), SEALED, 2, "--valid: '1 hour' is not accepted; minutes"),
        (("--valid", "31d"), SEALED, 2, "--valid: '31d' is not accepted; from 0:01:00 to 30 days are"),
        (("--lang", "pt"), SEALED, 2, "--lang: 'pt' is none of the page's"),
        ((), {"PERENNIAL_PORTAL_SECRETS": ""}, 2, "PERENNIAL_PORTAL_SECRETS: is not set"),
        ((), SEALED, 1, "C01-0000000-0000000: there is no subscription, so no link either"),
    ],
)
async def test_a_link_that_cannot_be_is_refused_in_a_line(
    page: PortalHouse, options: tuple[str, ...], environment: dict[str, str], code: int, named: str
) -> None:
    said = await typed("portal", "link", "C01-0000000-0000000", *options, **(joined_to(page.house) | environment))

    assert (said.code, said.out) == (code, "")
    assert named in said.err.replace("\n", " ")
    assert SECRET not in said.err


async def test_the_page_is_served_by_a_process_of_its_own_that_has_no_key_of_amazons(page: PortalHouse) -> None:
    permission = (await page.subscribed(paid=0)).charge_permission_id
    environment = {name: value for name, value in joined_to(page.house).items() if "KEY" not in name} | SEALED
    token = page.link(permission).removeprefix(PATH)
    async with perennial("portal", "serve", "--port", "0", environment=environment) as running:
        assert running.stdout is not None
        async with asyncio.timeout(60):
            line = (await running.stdout.readline()).decode()
        told = re.fullmatch(r"Buyer's page at (\S+), for buyers at https://billing\.teehaus\.example/mein\n", line)
        assert told is not None, line
        async with httpx.AsyncClient(base_url=told[1], timeout=60.0) as http:
            shown = await http.get(f"{PATH}{token}")
            api = await http.get("/v1/subscriptions")
        running.terminate()
        code, _, err = await finished(running)

    assert (shown.status_code, api.status_code) == (200, 404)
    assert 'action="/mein/ask"' in shown.text
    assert "Change payment method" in shown.text
    assert (code, token[:30] in err, permission in err) == (0, False, False)


async def test_a_page_without_a_secret_is_not_served(page: PortalHouse) -> None:
    said = await typed("portal", "serve", "--port", "0", **joined_to(page.house))

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: PERENNIAL_PORTAL_SECRETS: is not set")
