"""The test clock: a subscription is moved on to its next date, for whoever tries an integration. Never in live."""

from datetime import timedelta

from fastapi import APIRouter, Request
from starlette.responses import Response

from perennial_billing.billing.view import SubscriptionView
from perennial_billing.starter.api.routes.clock import FURTHEST
from perennial_billing.starter.api.routes.common import PermissionPath
from perennial_billing.starter.api.services import ServicesDep
from perennial_billing.starter.clock import SubscriptionClock
from perennial_billing.starter.console.access import Actor
from perennial_billing.starter.console.pages import go_to, moment

router = APIRouter()


@router.post("/subscriptions/{charge_permission_id}/advance")
async def advance(
    request: Request, person: Actor, services: ServicesDep, charge_permission_id: PermissionPath
) -> Response:
    """Moves it past its next due date, or past whatever it does next where none is known."""
    del person
    clock = SubscriptionClock(services.reach.client, services.subscriptions, services.settings.environment)
    view, now = await clock.settled(charge_permission_id)
    path = f"/subscriptions/{charge_permission_id}"
    target = view.next_charge_at or (view.next.at if view.next is not None else None)
    if target is None or view.has_ended:
        return go_to(request, path, "Nothing happens by itself, so there is no date to move to.")
    if target - now > FURTHEST:
        return go_to(request, path, f"The next date, {moment(target)}, is more than {_days(FURTHEST)} ahead.")
    arrived = now
    async for step in clock.advance(charge_permission_id, to=max(target, now + timedelta(seconds=1))):
        arrived, view = step.at, step.view
    return go_to(request, path, f"Its time is {moment(arrived, _zone(view))} now.")


def _zone(view: SubscriptionView) -> str:
    return view.terms.zone


def _days(time: timedelta) -> str:
    return f"{time.days} days"
