"""The test clock: subscriptions are moved through virtual time, for whoever tries an integration. Never in live."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints
from starlette.responses import Response

from perennial_billing.billing.protocol.notices import Notice
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.ledger.api_keys import ApiKey
from perennial_billing.starter.api.access import Actor, Admin
from perennial_billing.starter.api.forms import Form
from perennial_billing.starter.api.links import AS_ASKED, LOOKING, Link, leading, to_subscription
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.api.repeating import IdempotencyKey, once, repetitions_of
from perennial_billing.starter.api.routes.common import PermissionPath, problems
from perennial_billing.starter.api.routes.many import MOST, OfMany, OfOne
from perennial_billing.starter.api.services import Services, ServicesDep
from perennial_billing.starter.clock import By, SubscriptionClock
from perennial_billing.starter.errors import (
    NotAnsweredError,
    NotSettledError,
    NoWorkerError,
    RequestRefusedError,
    SubscriptionError,
)
from perennial_billing.starter.many.bulk import matching
from perennial_billing.starter.many.runner import Outcome
from perennial_billing.starter.watching import Watcher
from perennial_billing.workflows.names import MERCHANT_REFERENCE

router = APIRouter(prefix="/v1", tags=["Test clock"])

FURTHEST: Final = timedelta(days=400)
"""How far one request moves: each date on the way is lived through, and somebody waits for the answer."""

AT_A_TIME: Final = 8

_log = structlog.get_logger("api")


class Advance(Form):
    """How far; one of the two is given."""

    to: AwareDatetime | None = Field(default=None, description="Until just after this instant.")
    by: Annotated[str, StringConstraints(max_length=32)] | None = Field(
        default=None, description="Or by so much, in the subscription's zone: `month`, `36 hours`, `2 weeks`."
    )

    @property
    def duration(self) -> By | None:
        """So much, where it is given.

        Raises:
            Refused: it is none.
        """
        return By.parse(self.by) if self.by is not None else None


class AdvanceMany(Advance):
    """A group is to be moved: by a query, by a merchant reference, or by both."""

    query: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = Field(
        default=None, description="Over search attributes, such as `Plan = 'coffee'`."
    )
    reference: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/#-]{1,128}$")] | None = Field(
        default=None, description="A merchant reference."
    )

    @property
    def condition(self) -> str:
        """As Temporal's visibility store takes it.

        Raises:
            Refused: nobody is named.
        """
        named = f"{MERCHANT_REFERENCE.name} = '{self.reference}'" if self.reference is not None else None
        given = [f"({each})" for each in (self.query, named) if each is not None]
        if not given:
            raise Refused("query", "", "a query or a reference names the group")
        return " AND ".join(given)


class Departure(BaseModel):
    """What was decided before a subscription was moved.

    Attributes:
        began_at: its time then (UTC).
        target: where it is moved to (UTC).
        told: how many notices it had told.
    """

    began_at: datetime
    target: datetime
    told: int


class Advanced(BaseModel):
    """Where a subscription has arrived."""

    charge_permission_id: str
    began_at: AwareDatetime = Field(description="Its time before it was moved.")
    arrived_at: AwareDatetime = Field(description="Its time now; earlier than was asked for where it has ended.")
    subscription: SubscriptionView
    told: list[Notice] = Field(description="What it told on the way, as the ledger has it.")
    missing: int = Field(
        default=0, description="So many notices are not in the ledger, or not yet; more than a few: is it the workers'?"
    )


@router.post(
    "/subscriptions/{charge_permission_id}/advance",
    operation_id="advanceSubscription",
    response_model=Advanced,
    responses=problems(404, 409)
    | leading(
        *to_subscription(*LOOKING, "getRecord", "refundsSubscription"),
        Link("listDeliveries", {"charge_permission_id": AS_ASKED}),
    ),
)
async def advance_subscription(
    request: Request,
    key: Actor,
    services: ServicesDep,
    charge_permission_id: PermissionPath,
    wanted: Advance,
    idempotency_key: IdempotencyKey,
) -> Response:
    """Move a subscription through virtual time, on a Temporal server that can skip time; refused in live.

    By at most 400 days a request. Repeated with its key, it is moved no further than was asked for first.
    """
    duration = wanted.duration

    async def move(request_id: str) -> Advanced:
        return await _moved(request, services, key, charge_permission_id, wanted.to, duration, request_id)

    return await once(request, key, idempotency_key, move)


@router.post("/bulk/advance", operation_id="advanceMany", response_model=OfMany, responses=problems(400, 409))
async def advance_many(
    request: Request, key: Admin, services: ServicesDep, wanted: AdvanceMany, idempotency_key: IdempotencyKey
) -> Response:
    """Move all running subscriptions that match, at most 200, each by its own clock; refused in live."""
    duration, condition = wanted.duration, wanted.condition
    places = asyncio.Semaphore(AT_A_TIME)

    async def one(charge_permission_id: str, request_id: str) -> OfOne:
        own = hashlib.sha256(f"{request_id} {charge_permission_id}".encode()).hexdigest()[:32]
        async with places:
            try:
                moved = await _moved(request, services, key, charge_permission_id, wanted.to, duration, own)
            except (NotAnsweredError, NoWorkerError, NotSettledError):
                raise
            except SubscriptionError as error:
                return OfOne(charge_permission_id=charge_permission_id, outcome=Outcome.REFUSED, why=str(error))
        why = f"{moved.arrived_at:%Y-%m-%d %H:%M} UTC, {moved.subscription.status.value}"
        return OfOne(charge_permission_id=charge_permission_id, outcome=Outcome.DONE, why=why)

    async def all_of_them(request_id: str) -> OfMany:
        _clock(services)
        found = [each async for each in matching(services.subscriptions, condition)]
        if len(found) > MOST:
            detail = f"{len(found)} match, and at most {MOST} are moved by one request: name fewer"
            raise ProblemError(409, "not-now", "It is not possible now", detail)
        return OfMany(results=list(await asyncio.gather(*(one(each, request_id) for each in sorted(found)))))

    return await once(request, key, idempotency_key, all_of_them)


def _clock(services: Services) -> SubscriptionClock:
    return SubscriptionClock(services.reach.client, services.subscriptions, services.settings.environment)


async def _moved(
    request: Request,
    services: Services,
    key: ApiKey,
    charge_permission_id: str,
    to: datetime | None,
    by: By | None,
    request_id: str,
) -> Advanced:
    """Moves one to where it was to go when the request was first sent.

    Raises:
        SubscriptionError: see `SubscriptionClock.advance`.
        LedgerError: it was not moved; or it was, and what it told cannot be read now.
    """
    clock = _clock(services)

    async def decide() -> str:
        step = await clock.departure(charge_permission_id, to=to, by=by)
        if step.target - step.at > FURTHEST:
            field, value = ("by", f"{by.count} {by.unit}s") if by else ("to", step.target.isoformat())
            refused = Refused(field, value, f"at most {FURTHEST.days} days are, of one request; send several")
            raise RequestRefusedError(charge_permission_id, refused)
        return Departure(began_at=step.at, target=step.target, told=step.view.notices_told).model_dump_json()

    decided = await repetitions_of(request).first(key, request_id, decide)
    departure = Departure.model_validate_json(decided)
    view, now = await clock.settled(charge_permission_id)
    if not view.has_ended and now < departure.target:
        async for step in clock.advance(charge_permission_id, to=departure.target):
            now = step.at
    _log.info("the test clock was moved", charge_permission_id=charge_permission_id, actor=key.name)
    seen = await Watcher(services.subscriptions, services.ledger, charge_permission_id).look()
    return Advanced(
        charge_permission_id=charge_permission_id,
        began_at=departure.began_at,
        arrived_at=now,
        subscription=seen.view,
        told=[notice for notice in seen.notices if notice.number > departure.told],
        missing=seen.missing,
    )
