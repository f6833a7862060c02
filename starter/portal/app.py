"""The pages, put together: what a link opens, what a form asks, and what is said when something cannot be.

No script, no cookie, nothing from another host. Who sends a form proves by a sealed text in it that it was made here,
for this subscription and this purpose; another site cannot know one.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import date, datetime
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qsl

import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from temporalio.service import RPCError

from perennial_billing.billing.view import SubscriptionView
from perennial_billing.ledger.errors import LedgerError
from perennial_billing.ledger.finding import Found, Search, find
from perennial_billing.ledger.portal_acts import forget_expired, is_done
from perennial_billing.starter.errors import (
    RequestRefusedError,
    SubscriptionEndedError,
    SubscriptionError,
    SubscriptionNotFoundError,
)
from perennial_billing.starter.portal import shown
from perennial_billing.starter.portal.asking import Became, done, tried
from perennial_billing.starter.portal.colours import sheet
from perennial_billing.starter.portal.guarding import Guard
from perennial_billing.starter.portal.languages import LANGUAGES, Speech, language_of
from perennial_billing.starter.portal.links import PATH
from perennial_billing.starter.portal.merchant import Merchant
from perennial_billing.starter.portal.purposes import BY, LEADS_TO_AMAZON, NEEDS, SINGLE, Act, Permission, Purpose
from perennial_billing.starter.portal.sealing import (
    CONFIRMED_WITHIN,
    Consent,
    ExpiredError,
    Link,
    SealError,
    new_nonce,
)
from perennial_billing.starter.portal.services import Portal

FORGETS_EVERY_SECONDS: Final = 24 * 3600.0
BODY_SECONDS: Final = 10.0
"""How long a form may take to arrive."""

MOST_FIELDS: Final = 20
MOST_SUCCESSORS: Final = 12
"""So many charge permissions may have come after the one that a link was made for."""

_KEPT_BY_BROWSERS: Final = {"Cache-Control": "public, max-age=3600"}
_SHEET: Final = files(__package__).joinpath("static", "portal.css").read_text(encoding="utf-8")

_log = structlog.get_logger("portal")

_AGAIN: Final = "again"
"""The field of a form that was sent before, and of which nobody knows what became."""

Fields = Mapping[str, str]


class SaidError(Exception):
    """A page that says in plain words why nothing else is shown.

    Args:
        status: of HTTP.
        message: the heading's key; its text is under the same with `.text`, if there is one.
        account: whose page it is, where that is known.
        again: the fields of a form that may be sent again.
    """

    def __init__(self, status: int, message: str, account: str | None = None, *, again: Fields | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.account, self.again = status, message, account, again


def create_app(portal: Portal) -> Guard:
    """Makes the pages."""
    pages = Pages(portal)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        forgetting = asyncio.create_task(_forget_daily(portal))
        yield
        forgetting.cancel()
        with suppress(asyncio.CancelledError):
            await forgetting

    ancestors = " ".join(portal.merchants.frame_ancestors) or "'none'"
    policy = "; ".join(
        (
            "default-src 'none'",
            "style-src 'self'",
            "img-src 'self'",
            f"form-action 'self' {' '.join(portal.amazon_origins)}",
            f"frame-ancestors {ancestors}",
            "base-uri 'none'",
        )
    )
    app = Starlette(
        routes=[
            Route(f"{PATH}{{token}}", pages.open),
            Route("/ask", pages.ask, methods=["POST"]),
            Route("/do", pages.do, methods=["POST"]),
            Route("/payment-method", pages.to_amazon, methods=["POST"]),
            Route("/portal.css", pages.style),
            Route("/colours/{colour}.css", pages.colour),
            Route("/logos/{name}", pages.logo),
            Route("/favicon.ico", pages.icon),
            Route("/health", pages.health),
        ],
        exception_handlers={
            SaidError: pages.said,
            SealError: pages.unsealed,
            HTTPException: pages.lost,
            SubscriptionError: pages.not_answered,
            RPCError: pages.away,
            LedgerError: pages.away,
            Exception: pages.fault,
        },
        lifespan=lifespan,
    )
    return Guard(
        app,
        requests_per_minute=portal.requests_per_minute,
        policy=policy,
        framed=bool(portal.merchants.frame_ancestors),
        refuse=pages.refuse,
    )


class Pages:
    """What each address answers.

    Args:
        portal: what they work with.
    """

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._templates = Environment(
            loader=PackageLoader("perennial_billing.starter.portal", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
        )

    async def open(self, request: Request) -> Response:
        """What a link opens."""
        token = request.path_params["token"]
        link = self._portal.seal.open(token, Link)
        if link.purpose in SINGLE and await is_done(self._portal.ledger, link.nonce):
            raise SaidError(410, "error.used")
        view = await self._standing(link.charge_permission_id)
        if isinstance(view, Found):
            return self._over(request, view)
        merchant, speech = self._merchant(view), self._speech(request, zone=view.terms.zone)
        if link.purpose is Purpose.OVERVIEW:
            return await self._overview(request, token, view)
        if view.has_ended:
            heading, what = speech.say("title"), shown.standing(view, speech)
            return self._page("told.html", request, merchant, speech, heading=heading, what=what, again=None, back=None)
        if link.purpose is Purpose.PAYMENT_METHOD:
            if Permission.PAYMENT_METHOD not in merchant.allows:
                raise SaidError(403, "error.refused", view.terms.merchant_account)
            heading = speech.say("act.payment-method")
            return self._page("method.html", request, merchant, speech, heading=heading, token=token)
        acts = shown.offered(view, merchant, link.purpose)
        if not acts:
            raise SaidError(409, "error.refused", view.terms.merchant_account)
        return await self._wanted(request, link, token, view, acts[0], {})

    async def ask(self, request: Request) -> Response:
        """What a buyer wants to do: what will happen is shown, and is to be confirmed."""
        given = await _form_of(request)
        token = given.get("token", "")
        link = self._portal.seal.open(token, Link)
        try:
            act = Act(given.get("act", ""))
        except ValueError:
            raise SaidError(422, "error.invalid") from None
        if link.purpose in SINGLE and await is_done(self._portal.ledger, link.nonce):
            raise SaidError(410, "error.used")
        view = await self._standing(link.charge_permission_id)
        if isinstance(view, Found):
            return self._over(request, view, given)
        return await self._wanted(request, link, token, view, act, given)

    async def do(self, request: Request) -> Response:
        """Does what was confirmed, once."""
        given = await _form_of(request)
        token = given.get("token", "")
        consent = self._portal.seal.open(token, Consent)
        if consent.act not in BY[consent.purpose]:
            raise SealError
        try:
            return await self._done(request, given, consent)
        except SubscriptionNotFoundError:
            raise
        except (LedgerError, RPCError, SubscriptionError):
            if _AGAIN not in given:
                raise
            raise SaidError(503, "error.open", again=given) from None  # the first time, it may have been done

    async def _done(self, request: Request, given: Fields, consent: Consent) -> Response:
        view = await self._standing(consent.charge_permission_id)
        if isinstance(view, Found):
            return self._over(request, view, given)
        account, zone = view.terms.merchant_account, view.terms.zone
        merchant = self._allowing(view, consent.act)
        because = merchant.reason(given.get("reason", "")) if consent.act is Act.CANCEL else None
        became = await done(self._portal.subscriptions, self._portal.ledger, consent, zone, because)
        if became is Became.OPEN:
            raise SaidError(503, "error.open", account, again={**given, _AGAIN: "yes"})
        if became is Became.USED:
            raise SaidError(410, "error.used", account)
        if became is Became.REFUSED:
            raise SaidError(409, "error.refused", account)
        speech = self._speech(request, given, zone)
        told = await self._told(consent, speech)
        heading = speech.say(f"done.{consent.act.value}")
        return self._page(
            "told.html",
            request,
            merchant,
            speech,
            heading=heading,
            what=told,
            again=None,
            back=self._back(given, speech),
        )

    async def to_amazon(self, request: Request) -> Response:
        """Leads to Amazon's page for the payment method."""
        given = await _form_of(request)
        link = self._portal.seal.open(given.get("token", ""), Link)
        if link.purpose not in LEADS_TO_AMAZON:
            raise SealError
        view = await self._standing(link.charge_permission_id)
        if isinstance(view, Found) or view.has_ended:
            raise SaidError(409, "error.refused", None if isinstance(view, Found) else view.terms.merchant_account)
        account = view.terms.merchant_account
        if Permission.PAYMENT_METHOD not in self._merchant(view).allows:
            raise SaidError(403, "error.refused", account)
        region = await self._portal.region_of(account)
        return RedirectResponse(
            region.payment_method_update_url(view.charge_permission_id, self._portal.amazon_origin), 303
        )

    async def style(self, _request: Request) -> Response:
        """The style sheet."""
        return Response(_SHEET, media_type="text/css", headers=_KEPT_BY_BROWSERS)

    async def colour(self, request: Request) -> Response:
        """A merchant's colour, and none that is not one's."""
        colour = f"#{request.path_params['colour']}"
        if colour not in self._portal.merchants.colours:
            raise HTTPException(404)
        return Response(sheet(colour), media_type="text/css", headers=_KEPT_BY_BROWSERS)

    async def logo(self, request: Request) -> Response:
        """A merchant's logo."""
        logo = self._portal.merchants.logo(request.path_params["name"])
        if logo is None:
            raise HTTPException(404)
        return Response(logo.content, media_type=logo.media_type, headers=_KEPT_BY_BROWSERS)

    async def icon(self, _request: Request) -> Response:
        """None: browsers ask for one, and would count as visits."""
        return Response(status_code=204, headers=_KEPT_BY_BROWSERS)

    async def health(self, _request: Request) -> Response:
        """It runs."""
        return JSONResponse({"status": "ok"})

    async def refuse(self, request: Request, status: int, message: str, headers: dict[str, str]) -> Response:
        """A page that says no before anything is looked at."""
        return self._says(request, SaidError(status, message), headers)

    async def said(self, request: Request, error: Exception) -> Response:
        """Says why nothing else is shown."""
        return self._says(request, error if isinstance(error, SaidError) else SaidError(500, "error.fault"))

    async def unsealed(self, request: Request, error: Exception) -> Response:
        """A link or a form that is not taken."""
        is_old = isinstance(error, ExpiredError)
        return self._says(request, SaidError(410, "error.expired") if is_old else SaidError(403, "error.invalid"))

    async def lost(self, request: Request, error: Exception) -> Response:
        """No such address, or no such method there."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        return self._says(request, SaidError(status, "error.lost"), headers)

    async def not_answered(self, request: Request, error: Exception) -> Response:
        """What a subscription could not be asked."""
        if isinstance(error, SubscriptionNotFoundError):
            return self._says(request, SaidError(404, "error.missing"))
        if isinstance(error, RequestRefusedError | SubscriptionEndedError):
            return self._says(request, SaidError(409, "error.refused"))
        return await self.away(request, error)

    async def away(self, request: Request, error: Exception) -> Response:
        """Temporal, a worker or the ledger is away."""
        _log.warning("page not available", error=type(error).__name__)
        return self._says(request, SaidError(503, "error.away"), {"Retry-After": "60"})

    async def fault(self, request: Request, error: Exception) -> Response:
        """A fault of ours."""
        _log.error("request failed", error=type(error).__name__, exc_info=error)
        return self._says(request, SaidError(500, "error.fault"))

    async def _standing(self, charge_permission_id: str) -> SubscriptionView | Found:
        """How a subscription stands, under the charge permission that it goes on under now; as the ledger has it where
        Temporal has forgotten it.

        Raises:
            SubscriptionError: there is none, or it cannot be asked now.
            SaidError: its workflow was ended from outside, and nobody knows how it stands.
            LedgerError: the ledger cannot be used now, and is needed.
        """
        for _ in range(MOST_SUCCESSORS):
            try:
                view, stopped, _hindered = await self._portal.subscriptions.standing(charge_permission_id)
            except SubscriptionNotFoundError:
                found = await find(self._portal.ledger, Search(charge_permission_id=charge_permission_id), limit=1)
                if not found or found[0].status is None or not found[0].status.has_ended:
                    raise
                if found[0].successor is None:
                    return found[0]
                charge_permission_id = found[0].successor
                continue
            if stopped is not None:
                raise SaidError(503, "error.away", view.terms.merchant_account)
            if view.successor is None or not view.has_ended:
                return view
            charge_permission_id = view.successor
        raise SubscriptionNotFoundError("it went on under more charge permissions than are looked through")

    def _merchant(self, view: SubscriptionView) -> Merchant:
        return self._portal.merchants.of(view.terms.merchant_account)

    def _allowing(self, view: SubscriptionView, act: Act) -> Merchant:
        """The merchant, who allows it.

        Raises:
            SaidError: who does not.
        """
        merchant = self._merchant(view)
        if NEEDS[act] not in merchant.allows:
            raise SaidError(403, "error.refused", view.terms.merchant_account)
        return merchant

    def _speech(self, request: Request, given: Fields | None = None, zone: str = "UTC") -> Speech:
        asked = (given or {}).get("lang") or request.query_params.get("lang")
        return Speech(language_of(asked, request.headers.get("accept-language")), zone)

    def _over(self, request: Request, found: Found, given: Fields | None = None) -> Response:
        """Of one that has ended, and of which only the ledger knows."""
        speech, merchant = self._speech(request, given), self._portal.merchants.of(found.merchant_account)
        day = speech.day_of(found.ended_at) if found.ended_at else None
        heading, what = speech.say("title"), [shown.ended(day, speech)]
        return self._page("told.html", request, merchant, speech, heading=heading, what=what, again=None, back=None)

    async def _overview(self, request: Request, token: str, view: SubscriptionView) -> Response:
        merchant, speech = self._merchant(view), self._speech(request, zone=view.terms.zone)
        upcoming = [] if view.has_ended else await self._portal.subscriptions.upcoming(view.charge_permission_id, 1)
        plan, price = shown.plan_in_words(view.agreed, merchant, speech)
        return self._page(
            "overview.html",
            request,
            merchant,
            speech,
            heading=speech.say("title"),
            token=token,
            plan=plan,
            price=price,
            standing=shown.standing(view, speech),
            has_ended=view.has_ended,
            needs_buyer=view.status in shown.NEEDS_BUYER,
            next=shown.next_payment(upcoming, speech),
            acts=shown.offered(view, merchant, Purpose.OVERVIEW),
            leads_to_amazon=not view.has_ended and Permission.PAYMENT_METHOD in merchant.allows,
            payments=shown.payments(view, speech),
        )

    async def _wanted(
        self, request: Request, link: Link, token: str, view: SubscriptionView, act: Act, given: Fields
    ) -> Response:
        """What will happen, to be confirmed; before a pause, until when."""
        if act not in BY[link.purpose]:
            raise SealError
        merchant, speech = self._allowing(view, act), self._speech(request, given, view.terms.zone)
        until = None
        if act is Act.PAUSE:
            days = shown.pause_days(view, merchant, speech)
            if days is None:
                raise SaidError(409, "error.refused", view.terms.merchant_account)
            if not given.get("chosen"):
                return self._choice(request, link, token, merchant, speech, days)
            until = _day(given.get("until", ""))
            is_open = merchant.pause_without_end and given.get("open") == "yes"
            if not is_open and (until is None or not days[0] <= until <= days[1]):
                trouble = speech.say("error.until")
                return self._choice(request, link, token, merchant, speech, days, trouble, status=422)
            until = None if is_open else until
        consent = Consent(
            charge_permission_id=view.charge_permission_id,
            purpose=link.purpose,
            nonce=link.nonce if link.purpose in SINGLE else new_nonce(),
            expires_at=min(link.expires_at, datetime.now(link.expires_at.tzinfo) + CONFIRMED_WITHIN),
            kept_until=link.expires_at,
            act=act,
            until=until,
        )
        try:
            found = await tried(self._portal.subscriptions, consent, view.terms.zone)
        except RequestRefusedError:
            raise SaidError(409, "error.refused", view.terms.merchant_account) from None
        plan, price = shown.plan_in_words(view.agreed, merchant, speech)
        is_again = link.purpose is Purpose.OVERVIEW
        return self._page(
            "confirm.html",
            request,
            merchant,
            speech,
            heading=speech.say(f"act.{act.value}"),
            plan=plan,
            price=price,
            what=shown.what_follows(found.consent, found.told, speech),
            act=act,
            reasons=merchant.reasons if act is Act.CANCEL else (),
            token=self._portal.seal.close(found.consent),
            back_token=token if is_again else None,
            back=self._address(token, speech) if is_again else None,
        )

    def _choice(
        self,
        request: Request,
        link: Link,
        token: str,
        merchant: Merchant,
        speech: Speech,
        days: tuple[date, date],
        trouble: str | None = None,
        status: int = 200,
    ) -> Response:
        first, last = days
        return self._page(
            "choose.html",
            request,
            merchant,
            speech,
            status=status,
            heading=speech.say(f"act.{Act.PAUSE.value}"),
            act=Act.PAUSE,
            token=token,
            first=first,
            last=last,
            first_day=speech.date(first),
            last_day=speech.date(last),
            open_ended=merchant.pause_without_end,
            trouble=trouble,
            back=self._address(token, speech) if link.purpose is Purpose.OVERVIEW else None,
        )

    async def _told(self, consent: Consent, speech: Speech) -> list[str]:
        """How it stands now; nothing more than that it was done where that cannot be asked at once."""
        try:
            view = await self._portal.subscriptions.status(consent.charge_permission_id)
        except (SubscriptionError, RPCError):
            return []
        return shown.standing(view, speech)

    def _back(self, given: Fields, speech: Speech) -> str | None:
        """The way back to the overview, by the link that it was opened with."""
        token = given.get("back", "")
        try:
            link = self._portal.seal.open(token, Link)
        except SealError:
            return None
        return self._address(token, speech) if link.purpose is Purpose.OVERVIEW else None

    def _address(self, token: str, speech: Speech) -> str:
        return f"{self._portal.base}{PATH}{token}?lang={speech.language}"

    def _says(self, request: Request, error: SaidError, headers: Mapping[str, str] | None = None) -> Response:
        again = dict(error.again) if error.again else None
        speech, merchant = self._speech(request, again), self._portal.merchants.of(error.account)
        what = [speech.say(f"{error.message}.text")] if speech.has(f"{error.message}.text") else []
        return self._page(
            "told.html",
            request,
            merchant,
            speech,
            status=error.status,
            headers=headers,
            heading=speech.say(error.message),
            what=what,
            again=again,
            back=None,
        )

    def _page(
        self,
        template: str,
        request: Request,
        merchant: Merchant,
        speech: Speech,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,  # Any: whatever the template shows
    ) -> Response:
        html = self._templates.get_template(template).render(
            merchant=merchant,
            logo=self._portal.merchants.logo_of(merchant),
            base=self._portal.base,
            speech=speech,
            say=speech.say,
            languages=[Speech(each) for each in LANGUAGES] if request.method == "GET" else [],
            **values,
        )
        told = {"Content-Language": speech.language, "Vary": "Accept-Language"} | dict(headers or {})
        return HTMLResponse(html, status, told)


async def _form_of(request: Request) -> dict[str, str]:
    """The fields of a form.

    Raises:
        SaidError: it cannot be read, or takes too long to arrive.
    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.body()
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=MOST_FIELDS, errors="strict"))
    except (TimeoutError, ClientDisconnect):
        raise SaidError(408, "error.fault") from None
    except ValueError:
        raise SaidError(422, "error.invalid") from None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


async def _forget_daily(portal: Portal) -> None:
    while True:
        try:
            await forget_expired(portal.ledger)
        except LedgerError as error:
            _log.warning("what was done by expired links was not forgotten", why=str(error))
        await asyncio.sleep(FORGETS_EVERY_SECONDS)
