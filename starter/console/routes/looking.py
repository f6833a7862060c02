"""One subscription: how it stands and what happens next, what happened, what it will be charged, what can be done."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from perennial_billing.billing.view import SubscriptionView
from perennial_billing.ledger.api_keys import ApiKey
from perennial_billing.ledger.finding import latest_told
from perennial_billing.runtime.settings import Environment
from perennial_billing.starter.api.routes.common import PermissionPath
from perennial_billing.starter.api.services import Services, ServicesDep
from perennial_billing.starter.console.access import Reader
from perennial_billing.starter.console.fields import ACTIONS, ORDER, Action
from perennial_billing.starter.console.pages import page
from perennial_billing.starter.console.standing import standing_of
from perennial_billing.starter.console.words import TONES, how_it_stands, told, what_is_next
from perennial_billing.workflows.names import workflow_id

router = APIRouter()

TOLD_ON_A_PAGE: Final = 40
PERIODS_SHOWN: Final = 12


@router.get("/subscriptions/{charge_permission_id}")
async def look(
    request: Request,
    person: Reader,
    services: ServicesDep,
    charge_permission_id: PermissionPath,
    before: int | None = Query(default=None, ge=1, le=2**63 - 1),
) -> Response:
    """All that is known of it."""
    standing = await standing_of(services, charge_permission_id)
    entries = await latest_told(services.ledger, charge_permission_id, before=before, limit=TOLD_ON_A_PAGE + 1)
    view = standing.view
    status = view.status if view is not None else standing.recorded.status if standing.recorded is not None else None
    return page(
        request,
        "subscription.html",
        standing=standing,
        view=view,
        status=status,
        tone=TONES[status] if status is not None else "plain",
        stands=how_it_stands(status) if status is not None else "",
        next=what_is_next(view, standing.upcoming) if view is not None else (),
        entries=[(each, told(each.notice)) for each in entries[:TOLD_ON_A_PAGE]],
        older=entries[TOLD_ON_A_PAGE - 1].id if len(entries) > TOLD_ON_A_PAGE else None,
        is_first=before is None,
        periods=list(reversed(view.ledger))[:PERIODS_SHOWN] if view is not None else [],
        left=standing.left,
        actions=offered(view, person),
        may_advance=view is not None and not view.has_ended and has_test_clock(services),
        web_ui=_web_ui(services, charge_permission_id),
    )


def offered(view: SubscriptionView | None, person: ApiKey) -> Sequence[Action]:
    """What is worth offering to somebody who may ask for it; of one that only the ledger knows, to give money back."""
    actions = [ACTIONS[path] for path in ORDER if ACTIONS[path].way.scope in person.scopes]
    if view is None:
        return [action for action in actions if action.way.path == "refunds"]
    return [action for action in actions if action.fits(view)]


def has_test_clock(services: Services) -> bool:
    """Whether time may be moved here; whether the server can is seen when it is tried."""
    return services.settings.environment is Environment.SANDBOX


def _web_ui(services: Services, charge_permission_id: str) -> str | None:
    """The address of its workflow in Temporal's Web UI, where that is known."""
    address = services.settings.temporal_ui_url
    if address is None:
        return None
    return f"{address.rstrip('/')}/namespaces/{services.reach.client.namespace}/workflows/" + workflow_id(
        charge_permission_id
    )
