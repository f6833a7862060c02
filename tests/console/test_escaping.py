"""What buyers, Amazon and merchants wrote is shown as they wrote it, and never a part of a page's own language."""

from collections.abc import AsyncIterator
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.starter.console.fields import ACTIONS, Kind
from tests.console.conftest import Console, token_of
from tests.console.test_access import addresses
from tests.ledger.told import BEGAN, notice, summary, told

PROBES: Final = (
    "\"><script>alert('a')</script>",
    "' onmouseover='alert(1)' x='",
    "</textarea><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
)
TEXTS: Final = ("reason_code", "reason", "status", "charge_id", "refund_id", "dispute_id", "successor", "predecessor")
OF_THE_ADDRESS: Final = (
    "q", "status", "plan", "amount", "account", "reason", "charged_before", "past_due_before", "ended_from",
    "ended_before", "cursor", "since", "until", "zone", "past_due", "needs_attention", "before",
)  # fmt: skip
PERMISSION: Final = "C01-6666666-6666666"


@pytest_asyncio.fixture
async def scribbled(console: Console, tmp_path: Path) -> AsyncIterator[Console]:
    """A ledger in which every text is hostile."""
    services = console.app.state.services
    async with Ledger.open(file_url(tmp_path / "ledger.db"), set_up=True) as ledger:
        number = 0
        for kind in NoticeType:
            for probe in PROBES:
                number += 1
                texts = dict.fromkeys(TEXTS, probe[:64])
                texts |= dict.fromkeys(("reference", "request", "actor", "because"), probe)
                said = notice(number, kind, **texts)
                stands = summary(status=Status.ON_HOLD, last_reason=probe, needs_attention=True, past_due_since=BEGAN)
                await ledger.record(
                    told(said, permission=PERMISSION, plan_id=probe, merchant_reference=probe, summary=stands)
                )
        console.app.state.services = replace(services, ledger=ledger)
        console.app.state.kept._made.clear()
        yield console
        console.app.state.services = services
        console.app.state.kept._made.clear()


def pages_of(permission: str) -> list[str]:
    """The address of every page, of a subscription."""
    pages = [path for method, path in addresses() if method == "GET"]
    return [path.replace("no_id", permission).replace("none", "aging") for path in pages]


def check(html: str, about: str) -> None:
    for probe in PROBES[:-1]:
        assert probe not in html, f"{about}: {probe}"


async def test_what_stands_in_the_ledger_is_only_ever_text(scribbled: Console) -> None:
    pages = [
        path.replace("no_id", PERMISSION).replace("none", "aging") for method, path in addresses() if method == "GET"
    ]
    seen = ""
    for path in pages:
        answer = await scribbled.http.get(path)
        assert answer.status_code < 500, path
        check(answer.text, path)
        seen += answer.text
    for probe in PROBES:  # that of the templates' own language is shown as it is, and not reckoned
        assert escape(probe).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in seen, probe


@pytest.mark.long
async def test_what_stands_in_an_address_is_only_ever_text(console: Console) -> None:
    permission = await console.charged()
    for path in pages_of(permission):
        for probe in PROBES:
            filled = dict.fromkeys(OF_THE_ADDRESS, probe)
            way = ACTIONS.get(path.rpartition("/")[2])
            filled |= {field.name: probe for field in way.fields} if way is not None else {}
            answer = await console.http.get(path, params=filled)
            assert answer.status_code < 500, path
            check(answer.text, path)
    assert (await console.http.get(f"/reports/{PROBES[0]}")).status_code == 404


@pytest.mark.long
async def test_what_is_filled_in_is_only_ever_text(console: Console) -> None:
    permission = await console.charged()
    form = token_of(await console.form_of("pause", permission))
    for way, action in ACTIONS.items():
        for probe in PROBES:
            filled = {field.name: probe for field in action.fields if field.kind is not Kind.FLAG}
            sent = {"csrf": form, "because": probe, "request_id": probe, **filled}
            for path in (f"{way}/preview", way):
                answer = await console.http.post(f"/subscriptions/{permission}/{path}", data=sent)
                check(answer.text, path)


async def test_what_was_asked_for_is_shown_as_it_was_written(console: Console) -> None:
    permission = await console.charged()
    for probe in PROBES:
        done = await console.done(permission, "items", amount="1.00", what=probe, because=probe)
        assert done.status_code == 303
    for path in (f"/subscriptions/{permission}", "/"):
        check((await console.http.get(path)).text, path)
