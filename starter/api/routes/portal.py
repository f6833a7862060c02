"""Links to the buyer's own page, for whoever has told the buyer from others: a shop's account page, a mail."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.api.access import Actor
from perennial_billing.starter.api.forms import Form
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.api.routes.common import PermissionPath, problems
from perennial_billing.starter.api.services import ServicesDep
from perennial_billing.starter.portal.languages import LANGUAGES
from perennial_billing.starter.portal.links import check_known, link_address
from perennial_billing.starter.portal.purposes import Purpose
from perennial_billing.starter.portal.sealing import DEFAULT, LONGEST, SHORTEST

router = APIRouter(prefix="/v1/subscriptions", tags=["The buyer's page"])


class WantedLink(Form):
    """A link that is wanted."""

    purpose: Purpose = Field(
        default=Purpose.OVERVIEW, description="What may be done by it; `cancel` and `pause` are good for one thing."
    )
    valid: Annotated[timedelta, Field(ge=SHORTEST, le=LONGEST)] = Field(
        default=DEFAULT, description="For how long, as an ISO 8601 duration such as PT1H; from a minute to 30 days."
    )
    language: Annotated[str, Field(pattern=f"^({'|'.join(LANGUAGES)})$")] | None = Field(
        default=None, description="Of the page; the browser's when not given."
    )


class PortalLink(BaseModel):
    """A link, for its buyer alone: whoever has it may do what it is for."""

    url: str
    purpose: Purpose
    expires_at: datetime


@router.post(
    "/{charge_permission_id}/portal-links", operation_id="makePortalLink", status_code=201, responses=problems(404)
)
async def make_portal_link(
    _key: Actor, services: ServicesDep, charge_permission_id: PermissionPath, wanted: WantedLink
) -> PortalLink:
    """Make a link to the buyer's own page. Nothing is kept of it, and each call makes another.

    Give it to the buyer whom you have signed in, and to nobody else: it needs no password.
    """
    try:
        url, link = link_address(services.settings, charge_permission_id, wanted.purpose, wanted.valid, wanted.language)
    except StartupError as error:
        raise ProblemError(503, "no-portal", "There is no page for buyers", str(error)) from None
    await check_known(services.subscriptions, services.ledger, charge_permission_id)
    return PortalLink(url=url, purpose=link.purpose, expires_at=link.expires_at)
