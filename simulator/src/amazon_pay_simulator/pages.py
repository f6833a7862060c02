"""Amazon's pages, on which a person plays the buyer: the one that a button opens, to sign in and to choose a test card,
and the one on which the buyer approves, is declined, or cancels.
"""

from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from typing import Final
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from amazon_pay_client.models.checkout_sessions import CheckoutMode, CheckoutSession, WebCheckoutDetails
from amazon_pay_client.models.sign_in import SignInRequest
from amazon_pay_simulator.account import Account
from amazon_pay_simulator.button import PressedButton, payload_of
from amazon_pay_simulator.cards import DEFAULT_CARD
from amazon_pay_simulator.clock import Clock
from amazon_pay_simulator.framing import NOTHING_LEFT, choice_of_cards, form_of, framed, how_often
from amazon_pay_simulator.operations.checkout_sessions import PAGE, CheckoutSessions
from amazon_pay_simulator.refusals import Refusal

SCRIPT: Final = "/checkout.js"
"""Where a merchant's page finds what stands in for Amazon's script."""

_SCRIPT: Final = files("amazon_pay_simulator").joinpath("checkout.js").read_text(encoding="utf-8")


def pages_router(account: Account, clock: Clock, public_keys: Mapping[str, RSAPublicKey]) -> APIRouter:
    """Amazon's pages for buyers.

    Args:
        account: what is operated on.
        clock: what time it is.
        public_keys: whose buttons are accepted, by public key id.
    """
    router = APIRouter(prefix=PAGE)

    @router.post("")
    async def press(request: Request) -> Response:
        """What the button of the merchant's page posts: its signed payload, or the id of a session that exists."""
        now = clock.time_of(request.headers)
        button = PressedButton.read(await form_of(request))
        if button.checkout_session_id:
            return _to_page(account.sessions.show_button(button.checkout_session_id, button.product_type, now))
        payload, release_environment = payload_of(button, public_keys, request.url.path)
        if isinstance(payload, SignInRequest):
            return RedirectResponse(_with(payload.sign_in_return_url, "buyerToken", account.sign_in()), 303)
        payload = payload.model_copy(update={"product_type": payload.product_type or button.product_type})
        return _to_page(account.sessions.create(payload, now, release_environment))

    @router.get("/{checkout_session_id}")
    async def show(request: Request, checkout_session_id: str) -> Response:
        session = account.sessions.current(checkout_session_id, clock.time_of(request.headers))
        return HTMLResponse(_page(session))

    @router.post("/{checkout_session_id}")
    async def decide(
        request: Request,
        checkout_session_id: str,
    ) -> Response:
        now = clock.time_of(request.headers)
        form = await form_of(request)
        decision, card = form.get("decision", ""), form.get("card", DEFAULT_CARD)
        session = _decided(account.sessions, checkout_session_id, decision, card, now)
        return RedirectResponse(_where_next(session, decision), 303)

    pages = APIRouter(include_in_schema=False)
    pages.include_router(router)

    @pages.get(SCRIPT)
    async def script() -> Response:
        """What a merchant's page includes in the place of Amazon's script, for the button."""
        return Response(_SCRIPT, media_type="text/javascript")

    return pages


def _decided(
    sessions: CheckoutSessions, checkout_session_id: str, decision: str, card: str, now: datetime
) -> CheckoutSession:
    """The session after a button of the page was pressed."""
    match decision:
        case "sign_in":
            return sessions.sign_in(checkout_session_id, card, now)
        case "approve":
            return sessions.approve(checkout_session_id, card, now)
        case "decline":
            return sessions.decline(checkout_session_id, "Declined", now)
        case "cancel":
            return sessions.decline(checkout_session_id, "BuyerCanceled", now)
        case _:
            raise Refusal(
                "InvalidParameterValue",
                f"decision: {decision[:50]!r} is not accepted; accepted are sign_in, approve, decline, cancel",
            )


def _to_page(session: CheckoutSession) -> Response:
    return RedirectResponse(f"{PAGE}/{session.checkout_session_id}", 303)


def _where_next(session: CheckoutSession, decision: str) -> str:
    """Where Amazon sends the buyer: to the merchant's page, which finds the session by its id."""
    web = session.web_checkout_details or WebCheckoutDetails()
    if decision == "cancel" and web.checkout_cancel_url:
        return web.checkout_cancel_url
    url = web.checkout_review_return_url if decision == "sign_in" else web.checkout_result_return_url
    if url is None:
        return f"{PAGE}/{session.checkout_session_id}"
    return _with(url, "amazonCheckoutSessionId", session.checkout_session_id)


def _with(url: str, name: str, value: str) -> str:
    """An address with one more parameter in its query."""
    parts, parameter = urlsplit(url), urlencode({name: value})
    return parts._replace(query=f"{parts.query}&{parameter}" if parts.query else parameter).geturl()


def _signs_in_first(session: CheckoutSession) -> bool:
    """Whether the buyer goes back to the merchant's review page before paying."""
    web = session.web_checkout_details or WebCheckoutDetails()
    pays_at_once = web.checkout_mode == CheckoutMode.PROCESS_ORDER
    return session.buyer is None and web.checkout_review_return_url is not None and not pays_at_once


def _page(session: CheckoutSession) -> str:
    state = session.status_details
    details = session.payment_details
    amount = details.charge_amount if details else None
    recurring = session.recurring_metadata.frequency if session.recurring_metadata else None
    metadata = session.merchant_metadata
    facts = {
        "Store": (metadata.merchant_store_name if metadata else None) or "not named",
        "State": f"{state.state}{f' ({state.reason_code})' if state.reason_code else ''}",
        "To pay": f"{amount.amount} {amount.currency_code}" if amount else "not set yet",
        "Payment intent": (details.payment_intent if details else None) or "not set yet",
        "Recurring": how_often(recurring) if recurring else "no",
        "Charge permission": session.charge_permission_id or "none yet",
    }
    form = NOTHING_LEFT
    if state.state == "Open":
        form = _SIGN_IN if _signs_in_first(session) else _APPROVE
    return framed("Simulated Amazon Pay checkout", facts, form)


_CANCEL: Final = '<button name="decision" value="cancel">Cancel</button></form>'
_SIGN_IN: Final = f'{choice_of_cards()}<button name="decision" value="sign_in">Sign in</button>{_CANCEL}'
_APPROVE: Final = (
    f'{choice_of_cards()}<button name="decision" value="approve">Approve</button>'
    f'<button name="decision" value="decline">Be declined</button>{_CANCEL}'
)
