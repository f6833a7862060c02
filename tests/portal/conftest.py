"""The page over the house, on loopback, and a buyer who fills in its forms without any script."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any, Final

import httpx
import pytest_asyncio

from amazon_pay_client import Region
from amazon_pay_client.models import Currency
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.ledger.finding import timeline
from perennial_billing.runtime.http import bind, serving
from perennial_billing.sandbox.stage import Stage
from perennial_billing.sandbox.subscriber import Subscriber
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.portal.app import create_app
from perennial_billing.starter.portal.links import PATH
from perennial_billing.starter.portal.merchant import Merchant, Merchants, Reason, Words
from perennial_billing.starter.portal.purposes import Permission, Purpose
from perennial_billing.starter.portal.sealing import DEFAULT, Seal, link_to
from perennial_billing.starter.portal.services import Portal
from tests.api.test_shop_in_browser import browser

__all__ = ["browser"]  # the system's Chromium, as for the shop's page

SECRET: Final = "cG9ydGFsIHRlc3RzIHNlY3JldCBvZiAzMiBieXRlcyE="
AMOUNT: Final = Money(amount="17.40", currency="EUR")  # type: ignore[arg-type]
ANCHOR_IN: Final = timedelta(minutes=10)

MERCHANT: Final = Merchant(
    name="Teehaus & Söhne",
    allows=frozenset(Permission),
    contact="mailto:hilfe@teehaus.example",
    return_url="https://teehaus.example/konto",
    colour="#7a3e12",
    reasons=(
        Reason(id="too-expensive", words=Words(en="It is too expensive", de="Es ist mir zu teuer")),
        Reason(id="too-much-tea", words=Words(en="I have too much tea")),
    ),
    longest_pause_days=120,
    plans={"tee-monatlich": Words(en="Tea of the month", de="Tee des Monats")},
)


class _Forms(HTMLParser):
    """The forms of a page, each with its fields as a browser would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.found.append((given["action"] or "", {}))
        elif tag == "input" and self.found:
            is_left = given.get("type") in {"radio", "checkbox"} and "checked" not in given
            if not is_left and given.get("name"):
                self.found[-1][1][given["name"] or ""] = given.get("value") or ""


@dataclass(frozen=True)
class Shown:
    """A page.

    Attributes:
        status: of HTTP.
        html: all of it.
        headers: of the answer.
    """

    status: int
    html: str
    headers: Mapping[str, str]

    @property
    def text(self) -> str:
        """What is read."""
        body = self.html.partition("<body>")[2]
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())

    @property
    def forms(self) -> list[tuple[str, dict[str, str]]]:
        """What can be sent."""
        parser = _Forms()
        parser.feed(self.html)
        return parser.found

    def form(self, address: str, **wanted: str) -> dict[str, str]:
        """The fields of the form that is sent there, and holds these."""
        matching = [fields for to, fields in self.forms if to == address and wanted.items() <= fields.items()]
        assert len(matching) == 1, (address, wanted, self.text)
        return matching[0]


@dataclass
class Buyer:
    """A buyer's browser.

    Attributes:
        http: of its own.
        language: what it accepts.
    """

    http: httpx.AsyncClient
    language: str = "de-DE,de;q=0.9"

    async def open(self, address: str) -> Shown:
        """Opens an address."""
        return self._shown(await self.http.get(address, headers={"Accept-Language": self.language}))

    async def send(self, address: str, fields: Mapping[str, str]) -> Shown:
        """Sends a form."""
        return self._shown(await self.http.post(address, data=fields, headers={"Accept-Language": self.language}))

    async def ask(self, page: Shown, act: str, **more: str) -> Shown:
        """Presses the button of an act."""
        return await self.send("/ask", page.form("/ask", act=act) | more)

    async def confirm(self, page: Shown, **more: str) -> Shown:
        """Confirms what is shown."""
        return await self.send("/do", page.form("/do") | more)

    @staticmethod
    def _shown(answer: httpx.Response) -> Shown:
        assert "set-cookie" not in answer.headers
        return Shown(answer.status_code, answer.text, answer.headers)


@dataclass
class PortalHouse:
    """A running page.

    Attributes:
        portal: what it works with.
        origin: where it is served.
        house: what it works on.
        buyer: a browser.
    """

    portal: Portal
    origin: str
    house: Stage
    buyer: Buyer
    made: list[str] = field(default_factory=list)

    def link(
        self, charge_permission_id: str, purpose: Purpose = Purpose.OVERVIEW, valid: timedelta = DEFAULT, **more: Any
    ) -> str:
        """The address of a new link, from the page's own root."""
        token = self.portal.seal.close(link_to(charge_permission_id, purpose, valid, **more))
        self.made.append(token)
        return f"{PATH}{token}"

    async def subscribed(self, *, paid: int = 1, plan_id: str = "tee-monatlich", reference: str = "") -> Subscriber:
        """A subscription that has been charged so often."""
        opened = await self.house.simulator.open_permission(Currency.EUR)
        terms = Terms(
            charge_permission_id=opened.charge_permission_id,
            plan=Plan.of(plan_id, AMOUNT, Interval(unit=Unit.MONTH)),
            anchor=datetime.now(UTC).replace(microsecond=0) + ANCHOR_IN,
            zone="Europe/Berlin",
            merchant_reference=reference,
        )
        await self.house.subscriptions.start(terms)
        subscriber = Subscriber(self.house, terms)
        for period in range(paid):
            await subscriber.until_due(period)
        return subscriber

    async def asked(self, charge_permission_id: str) -> list[tuple[str, str | None, str | None]]:
        """What somebody asked for, as the ledger has it: type, who, why."""
        entries = await timeline(self.house.ledger, charge_permission_id)
        return [
            (each.notice.type.value, each.notice.actor, each.notice.because) for each in entries if each.notice.actor
        ]


@asynccontextmanager
async def served(portal: Portal, house: Stage) -> AsyncIterator[PortalHouse]:
    """The page, until the context is left."""
    async with (
        serving(create_app(portal), bind("127.0.0.1", 0)) as origin,
        httpx.AsyncClient(base_url=origin, timeout=60.0) as http,
    ):
        yield PortalHouse(portal, origin, house, Buyer(http))


@pytest_asyncio.fixture(scope="session")
async def page(house: Stage) -> AsyncIterator[PortalHouse]:
    async def region_of(_account: str) -> Region:
        return Region.EU

    portal = Portal(
        Subscriptions(house.client, house.settings.task_queue, ledger=lambda: nullcontext(house.ledger)),
        house.ledger,
        Seal([SECRET]),
        Merchants(MERCHANT),
        region_of,
        requests_per_minute=1_000_000,
        amazon_origin=house.simulator.origin,
    )
    async with served(portal, house) as running:
        yield running


def with_merchant(portal: Portal, merchant: Merchant) -> Portal:
    """The same, of another merchant."""
    return replace(portal, merchants=Merchants(merchant))
