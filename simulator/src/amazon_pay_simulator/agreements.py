"""Amazon's page of one agreement, on which a buyer changes the payment method of a recurring charge permission, or ends
it.

Merchants lead their buyers there when a card was declined. Source: Amazon Pay, "manage recurring payments": its address
ends with the charge permission's id, that of Japan has one more part in front. What it looks like is not documented;
that buyers may end an agreement at Amazon is. At Amazon the buyer signs in first.
"""

from datetime import datetime
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from amazon_pay_client.models import ChargePermission, ChargePermissionState
from amazon_pay_simulator.account import Account
from amazon_pay_simulator.clock import Clock
from amazon_pay_simulator.framing import NOTHING_LEFT, choice_of_cards, form_of, framed, how_often
from amazon_pay_simulator.refusals import Refusal

PATHS: Final = ("/jr/your-account/ba", "/jp/jr/your-account/ba")
"""In front of a charge permission's id; the second one is Japan's."""


def agreements_router(account: Account, clock: Clock) -> APIRouter:
    """The page.

    Args:
        account: what is operated on.
        clock: what time it is.
    """
    router = APIRouter(include_in_schema=False)

    async def show(request: Request, charge_permission_id: str) -> Response:
        permission = account.permissions.current(charge_permission_id, clock.time_of(request.headers))
        return HTMLResponse(_page(permission))

    async def decide(request: Request, charge_permission_id: str) -> Response:
        form, now = await form_of(request), clock.time_of(request.headers)
        _decided(account, charge_permission_id, form, account.permissions.after_all_else(charge_permission_id, now))
        return RedirectResponse(request.url.path, 303)

    for path in PATHS:
        router.add_api_route(f"{path}/{{charge_permission_id}}", show, methods=["GET"])
        router.add_api_route(f"{path}/{{charge_permission_id}}", decide, methods=["POST"])
    return router


def _decided(account: Account, charge_permission_id: str, form: dict[str, str], now: datetime) -> None:
    """What the buyer pressed is done.

    Raises:
        Refusal: it is nothing that can be pressed, or there is nothing left to decide.
    """
    match form.get("decision", ""):
        case "change":
            account.permissions.mend_payment_method(charge_permission_id, now, form.get("card"))
        case "end":
            account.permissions.check_not_closed(charge_permission_id, now)
            account.permissions.close(charge_permission_id, "BuyerClosed", now)
        case other:
            raise Refusal(
                "InvalidParameterValue", f"decision: {other[:50]!r} is not accepted; accepted are change, end"
            )


def _page(permission: ChargePermission) -> str:
    state = permission.status_details
    reasons = ", ".join(reason.reason_code for reason in state.reasons or ())
    metadata, recurring = permission.merchant_metadata, permission.recurring_metadata
    cards = [
        each.payment_descriptor for each in permission.payment_preferences or () if each and each.payment_descriptor
    ]
    facts = {
        "Store": (metadata.merchant_store_name if metadata else None) or "not named",
        "Agreement": permission.charge_permission_id,
        "State": f"{state.state}{f' ({reasons})' if reasons else ''}",
        "Recurring": how_often(recurring.frequency) if recurring else "not said",
        "Payment method": ", ".join(cards) or "not shown",
    }
    is_closed = state.state == ChargePermissionState.CLOSED
    return framed("Simulated Amazon Pay: your agreement", facts, NOTHING_LEFT if is_closed else _FORM)


_FORM: Final = (
    f'{choice_of_cards(only_good=True)}<button name="decision" value="change">Use this card</button>'
    '<button name="decision" value="end">End the agreement</button></form>'
)
