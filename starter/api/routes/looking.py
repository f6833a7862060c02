"""Looking: subscriptions, what happened to them, what they will be charged."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from perennial_billing.billing.forecast.preview import MOST_CHARGES, Upcoming
from perennial_billing.billing.status import Status
from perennial_billing.ledger.api_keys import ApiKey
from perennial_billing.ledger.finding import Search, find, timeline
from perennial_billing.starter.api.access import Reader
from perennial_billing.starter.api.forms import Entry, Page, Recorded, Standing
from perennial_billing.starter.api.links import AS_ASKED, Link, leading, to_next_page, to_subscription
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.api.routes.common import Limit, PermissionPath, problems
from perennial_billing.starter.api.services import ServicesDep

router = APIRouter(prefix="/v1/subscriptions", tags=["Looking"])


class Filters(BaseModel):
    """Which subscriptions; of what is not given, any."""

    charge_id: str | None = None
    reference: str | None = None
    account: str | None = None
    plan: str | None = None
    status: list[Status] = []
    reason: str | None = None
    past_due: bool | None = None
    past_due_before: AwareDatetime | None = None
    needs_attention: bool | None = None
    charged_before: AwareDatetime | None = None
    ended_from: AwareDatetime | None = None
    ended_before: AwareDatetime | None = None
    cursor: str = ""
    limit: Limit = 100

    def search(self, key: ApiKey) -> Search:
        """As the ledger takes it, of what a key sees."""
        return Search(
            charge_id=self.charge_id,
            merchant_reference=self.reference,
            merchant_account=self.account,
            merchant_accounts=sorted(key.accounts),
            plan_id=self.plan,
            statuses=self.status,
            reason=self.reason,
            past_due=self.past_due,
            past_due_before=self.past_due_before,
            needs_attention=self.needs_attention,
            charged_before=self.charged_before,
            ended_from=self.ended_from,
            ended_before=self.ended_before,
        )


_FIRST: Final = "$response.body#/data/0/charge_permission_id"


@router.get(
    "",
    operation_id="listSubscriptions",
    responses=problems()
    | leading(
        *to_subscription("getSubscription", "getRecord", "listTimeline", by=_FIRST), to_next_page("listSubscriptions")
    ),
)
async def list_subscriptions(key: Reader, services: ServicesDep, wanted: Annotated[Filters, Query()]) -> Page[Recorded]:
    """Find subscriptions in the ledger, also such as have ended long ago: as each stood when it last told something.

    `charge_id` is the id of a charge, a refund or a dispute.
    """
    found = await find(services.ledger, wanted.search(key), after=wanted.cursor, limit=wanted.limit)
    more = found[-1].charge_permission_id if len(found) == wanted.limit else None
    return Page(data=[Recorded.of(each) for each in found], next_cursor=more)


@router.get(
    "/{charge_permission_id}",
    operation_id="getSubscription",
    responses=problems(404, 409)
    | leading(*to_subscription("listUpcoming", "listTimeline", "getRecord", "getPaymentMethod", "makePortalLink")),
)
async def get_subscription(_key: Reader, services: ServicesDep, charge_permission_id: PermissionPath) -> Standing:
    """How a subscription stands: the running one itself is asked, or one that Temporal still retains.

    Where its workflow was ended from outside, `stopped` says so, and the rest is how it stood then: nobody bills it.
    Where an activity of it is paused in Temporal, `hindered` does. Where its workflow is paused, or its workers fail at
    it, as those of a broken release, it cannot be asked: the problem `hindered` says since when, why and what to do.
    """
    return Standing.of(*await services.subscriptions.standing(charge_permission_id))


@router.get(
    "/{charge_permission_id}/record",
    operation_id="getRecord",
    responses=problems(404)
    | leading(
        *to_subscription("listTimeline", "refundsSubscription"),
        Link("listSubscriptions", {"reference": "$response.body#/merchant_reference"}),
    ),
)
async def get_record(_key: Reader, services: ServicesDep, charge_permission_id: PermissionPath) -> Recorded:
    """How a subscription stood when it last told something, for as long as the ledger is kept."""
    found = await find(services.ledger, Search(charge_permission_id=charge_permission_id), limit=1)
    if not found:
        detail = f"charge permission {charge_permission_id}: the ledger has never heard of it"
        raise ProblemError(404, "not-found", "There is no such subscription", detail)
    return Recorded.of(found[0])


@router.get("/{charge_permission_id}/upcoming", operation_id="listUpcoming", responses=problems(404, 409))
async def list_upcoming(
    _key: Reader,
    services: ServicesDep,
    charge_permission_id: PermissionPath,
    count: Annotated[int, Query(ge=1, le=MOST_CHARGES)] = 12,
) -> list[Upcoming]:
    """The charges to come, supposing that each succeeds: when, how much and why."""
    return await services.subscriptions.upcoming(charge_permission_id, count)


@router.get(
    "/{charge_permission_id}/timeline",
    operation_id="listTimeline",
    responses=problems(404)
    | leading(
        Link(
            "listTimeline", {"charge_permission_id": AS_ASKED, "cursor": "$response.body#/next_cursor"}, name="nextPage"
        ),
        Link("listDeliveries", {"charge_permission_id": AS_ASKED}),
    ),
)
async def list_timeline(
    _key: Reader,
    services: ServicesDep,
    charge_permission_id: PermissionPath,
    cursor: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    limit: Limit = 100,
) -> Page[Entry]:
    """Everything that a subscription told, oldest first, with who asked for it and why."""
    found = await timeline(services.ledger, charge_permission_id, after=cursor, limit=limit)
    more = str(found[-1].id) if len(found) == limit else None
    return Page(data=[Entry.of(each) for each in found], next_cursor=more)
