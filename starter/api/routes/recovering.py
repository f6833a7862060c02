"""Bringing back what was ended from outside, or paused in Temporal, and what that would come to."""

from contextlib import nullcontext
from typing import Final

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.commands import Next
from perennial_billing.billing.requests import Asker
from perennial_billing.billing.status import Status
from perennial_billing.starter.api.access import Actor, Reader
from perennial_billing.starter.api.forms import HinderedSince, StoppedAt
from perennial_billing.starter.api.links import AS_ASKED, LOOKING, Link, leading, to_subscription
from perennial_billing.starter.api.repeating import IdempotencyKey, once
from perennial_billing.starter.api.routes.asking import Because
from perennial_billing.starter.api.routes.common import PermissionPath, problems
from perennial_billing.starter.api.services import Services, ServicesDep
from perennial_billing.starter.errors import SubscriptionConflictError
from perennial_billing.starter.hindered import Hindered
from perennial_billing.starter.recovery import Recoverable, Recovery
from perennial_billing.starter.troubles import Trouble, Troubled
from perennial_billing.starter.unpausing import Unpausing

router = APIRouter(prefix="/v1/subscriptions/{charge_permission_id}")

_SAYS: Final = (
    "Bring back a subscription that was terminated, has failed, is paused in Temporal or was set back by a restore."
)


class RecoverForm(BaseModel):
    """Why; there is nothing to choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    because: Because | None = None


class OpenAttempt(BaseModel):
    """What was under way, and is sent again under the same idempotency key."""

    period: int
    attempt: int
    amount: Money


class Unheard(BaseModel):
    """What was said to it since it did something last."""

    name: str
    at: AwareDatetime
    taken: bool = Field(description="It is taken first; what means nothing any more is not.")


class Recovered(BaseModel):
    """How a subscription goes on; of one that was paused, only that."""

    charge_permission_id: str
    stopped: StoppedAt | None = Field(default=None, description="How its workflow was ended from outside.")
    hindered: HinderedSince | None = Field(default=None, description="How it was paused, where it only was.")
    troubles: tuple[Trouble, ...] = Field(default=(), description="What was amiss, where it ran.")
    found: tuple[str, ...] = Field(default=(), description="The same in sentences.")
    status: Status | None = Field(default=None, description="How it stood then.")
    next_period: int | None = None
    fallen_due: int = Field(default=0, description="Periods since, which are caught up as the plan says.")
    open_attempt: OpenAttempt | None = None
    unheard: tuple[Unheard, ...] = ()
    next: Next | None = None


@router.post(
    "/recover",
    operation_id="recoverSubscription",
    summary=_SAYS,
    response_model=Recovered,
    responses=problems(400, 404, 409) | leading(*to_subscription(*LOOKING)),
    tags=["Asking"],
)
async def recover_subscription(
    request: Request,
    key: Actor,
    services: ServicesDep,
    charge_permission_id: PermissionPath,
    wanted: RecoverForm,
    idempotency_key: IdempotencyKey,
) -> Response:
    """It goes on with all it knew, and nobody pays twice by it: what was open is sent again under its own key.

    What fell due meanwhile is caught up as the plan says, and what was said to it and not heard is taken. One that
    runs with nothing amiss, or has ended by itself, is a conflict; so is one at which a broken release's workers fail.
    """

    async def recover(_request_id: str) -> Recovered:
        asker = Asker(actor=key.name, because=wanted.because)
        unpausing, recovery = Unpausing(services.reach.client, asker=asker), _recovery(services, asker)
        paused = await unpausing.paused(charge_permission_id)
        if paused is not None:
            await unpausing.unpause(paused)
            return _of_paused(paused)
        if await recovery.is_running(charge_permission_id):
            return await _of_running(unpausing, charge_permission_id, await recovery.mend(charge_permission_id))
        return _of_stopped(await recovery.recover(charge_permission_id))

    return await once(request, key, idempotency_key, recover)


@router.post(
    "/recover/dry-run",
    operation_id="tryRecoverSubscription",
    summary=f"What it would come to: {_SAYS}",
    responses=problems(404, 409)
    | leading(Link("recoverSubscription", {"charge_permission_id": AS_ASKED}, "$request.body")),
    tags=["Trying"],
)
async def try_recover_subscription(
    _key: Reader, services: ServicesDep, charge_permission_id: PermissionPath, wanted: RecoverForm
) -> Recovered:
    """How it would go on; nothing is changed."""
    unpausing, recovery = Unpausing(services.reach.client), _recovery(services, Asker(because=wanted.because))
    paused = await unpausing.paused(charge_permission_id)
    if paused is not None:
        return _of_paused(paused)
    if await recovery.is_running(charge_permission_id):
        return await _of_running(unpausing, charge_permission_id, await recovery.examine(charge_permission_id))
    return _of_stopped(await recovery.look(charge_permission_id))


def _recovery(services: Services, asker: Asker) -> Recovery:
    return Recovery(
        services.reach.client,
        ledger=lambda: nullcontext(services.ledger),
        task_queue=services.settings.task_queue,
        asker=asker,
    )


def _of_paused(paused: Hindered) -> Recovered:
    return Recovered(charge_permission_id=paused.charge_permission_id, hindered=HinderedSince.of(paused))


async def _of_running(unpausing: Unpausing, charge_permission_id: str, what: Troubled | None) -> Recovered:
    """What was amiss with one that runs.

    Raises:
        SubscriptionConflictError: nothing is that can be mended.
    """
    if what is None:
        await unpausing.check_progress(charge_permission_id)
        raise SubscriptionConflictError(
            f"charge permission {charge_permission_id}: its subscription runs, and nothing is amiss with it"
        )
    return Recovered(
        charge_permission_id=charge_permission_id,
        troubles=tuple(what.troubles),
        found=tuple(what.found),
        status=what.stood.status,
        next_period=what.goes_on.next_period,
        next=what.goes_on.next,
    )


def _of_stopped(what: Recoverable) -> Recovered:
    owed = what.stood.owed
    attempt = None
    if owed is not None and owed.attempt_is_open:
        attempt = OpenAttempt(period=owed.period, attempt=owed.attempts, amount=owed.amount)
    return Recovered(
        charge_permission_id=what.stopped.charge_permission_id,
        stopped=StoppedAt.of(what.stopped),
        status=what.stood.status,
        next_period=what.stood.next_period,
        fallen_due=what.fallen_due,
        open_attempt=attempt,
        unheard=tuple(Unheard(name=each.name, at=each.at, taken=each.said is not None) for each in what.unheard),
        next=what.goes_on.next,
    )
