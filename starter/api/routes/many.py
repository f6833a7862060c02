"""The same for many subscriptions at once."""

import asyncio
import hashlib
from typing import Annotated, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from perennial_billing.billing.changes import Change
from perennial_billing.billing.contract.terms import ChargePermissionId
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.requests import Asker
from perennial_billing.starter.api.access import Admin
from perennial_billing.starter.api.forms import Form
from perennial_billing.starter.api.links import LOOKING, leading, to_subscription
from perennial_billing.starter.api.repeating import IdempotencyKey, once
from perennial_billing.starter.api.routes.asking import Because
from perennial_billing.starter.api.routes.common import problems
from perennial_billing.starter.api.services import ServicesDep
from perennial_billing.starter.errors import NotAnsweredError, NoWorkerError, SubscriptionError
from perennial_billing.starter.many.runner import Outcome

router = APIRouter(prefix="/v1/bulk", tags=["Many"])

MOST: Final = 200
"""Subscriptions that one request is about; of more, send several, or use `perennial bulk`."""

AT_A_TIME: Final = 16


class Bulk(Form):
    """The same change for several subscriptions."""

    change: Change
    charge_permission_ids: Annotated[list[ChargePermissionId], Field(min_length=1, max_length=MOST)]
    because: Because | None = None


class OfOne(BaseModel):
    """What became of one."""

    charge_permission_id: str
    outcome: Outcome
    why: str = ""


class OfMany(BaseModel):
    """What became of each, in the order in which they were named."""

    results: list[OfOne]


_FIRST: Final = "$response.body#/results/0/charge_permission_id"


@router.post(
    "/changes",
    operation_id="changeMany",
    response_model=OfMany,
    responses=problems() | leading(*to_subscription(*LOOKING, by=_FIRST)),
)
async def change_many(
    request: Request, key: Admin, services: ServicesDep, wanted: Bulk, idempotency_key: IdempotencyKey
) -> Response:
    """Change several subscriptions. One that refuses changes nothing of the others; where one does not answer, none of
    the answers is kept, and the same request may be sent again: what was done is not done twice."""
    if len(set(wanted.charge_permission_ids)) < len(wanted.charge_permission_ids):
        raise Refused("charge_permission_ids", "", "each is named once")
    subscriptions = services.subscriptions.on_behalf_of(Asker(actor=key.name, because=wanted.because))
    places = asyncio.Semaphore(AT_A_TIME)

    async def one(charge_permission_id: str, request_id: str) -> OfOne:
        own = hashlib.sha256(f"{request_id} {charge_permission_id}".encode()).hexdigest()[:32]
        async with places:
            try:
                changed = await subscriptions.change(charge_permission_id, wanted.change, own)
            except (NotAnsweredError, NoWorkerError):
                raise
            except SubscriptionError as error:
                return OfOne(charge_permission_id=charge_permission_id, outcome=Outcome.REFUSED, why=str(error))
        why = f"takes effect {changed.effective_at:%Y-%m-%d %H:%M} UTC"
        return OfOne(charge_permission_id=charge_permission_id, outcome=Outcome.DONE, why=why)

    async def all_of_them(request_id: str) -> OfMany:
        found = await asyncio.gather(*(one(each, request_id) for each in wanted.charge_permission_ids))
        return OfMany(results=list(found))

    return await once(request, key, idempotency_key, all_of_them)
