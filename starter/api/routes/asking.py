"""Asking a subscription for something: one address for each kind of request, and one for what it would come to."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, StringConstraints, create_model
from starlette.responses import Response

from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    Capture,
    ChangeBillingDay,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    ReplacePermission,
    Resolve,
    ResumeSubscription,
    RetryNow,
    SkipPeriod,
    UndoCancellation,
    UndoChanges,
    WriteOff,
)
from perennial_billing.billing.forecast.preview import DryRun
from perennial_billing.billing.requests import Asker
from perennial_billing.billing.requests import Request as Wanted
from perennial_billing.billing.view import RefundView
from perennial_billing.ledger.api_keys import ApiKey, Scope
from perennial_billing.starter.api.access import Reader, allowing
from perennial_billing.starter.api.links import AS_ASKED, AS_STARTED, LOOKING, Link, leading, to_subscription
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.api.repeating import IdempotencyKey, once
from perennial_billing.starter.api.routes.common import PermissionPath, problems
from perennial_billing.starter.api.services import ServicesDep
from perennial_billing.workflows.messages import CaptureResult, Changed, Replaced, Resolved, Retried

router = APIRouter(prefix="/v1/subscriptions/{charge_permission_id}")


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of request, as an address.

    Attributes:
        path: its last part.
        kind: what is asked for.
        answer: what it comes to.
        scope: what the key must allow.
        says: what it does, in a line.
        has_dry_run: whether it can be tried.
        then: operations that may follow, beside looking.
    """

    path: str
    kind: type[Wanted]
    answer: type[BaseModel]
    scope: Scope
    says: str
    has_dry_run: bool = True
    then: tuple[str, ...] = ()

    @property
    def operation(self) -> str:
        """Its id in the description."""
        first, *rest = self.path.split("-")
        return first + "".join(part.capitalize() for part in rest) + "Subscription"

    @property
    def dry_run(self) -> str:
        """The id of the operation that tries it."""
        return f"try{self.operation[0].upper()}{self.operation[1:]}"


WAYS: Final = (
    Way(
        "change-plan",
        ChangePlan,
        Changed,
        Scope.ACT,
        "Change the plan or the quantity.",
        then=("undoChangesSubscription",),
    ),
    Way(
        "change-billing-day",
        ChangeBillingDay,
        Changed,
        Scope.ACT,
        "Move the due dates to another day of the month.",
        then=("undoChangesSubscription",),
    ),
    Way("undo-changes", UndoChanges, Changed, Scope.ACT, "Take back changes that have not taken effect."),
    Way(
        "pause",
        PauseSubscription,
        Changed,
        Scope.ACT,
        "Pause: what falls due meanwhile is not owed.",
        then=("resumeSubscription",),
    ),
    Way("resume", ResumeSubscription, Changed, Scope.ACT, "Go on after a pause."),
    Way("skip", SkipPeriod, Changed, Scope.ACT, "Do not charge the next period, or take that back."),
    Way(
        "cancel",
        Cancel,
        Changed,
        Scope.ACT,
        "Cancel now, at the end of the paid period, or at an instant.",
        then=("undoCancelSubscription", "refundsSubscription"),
    ),
    Way("undo-cancel", UndoCancellation, Changed, Scope.ACT, "Take a planned cancellation back."),
    Way("items", AddItem, Changed, Scope.ACT, "Add a one-off item to the next charge, charge it now, or give credit."),
    Way(
        "capture",
        Capture,
        CaptureResult,
        Scope.ACT,
        "Capture a period's authorized charge.",
        then=("refundsSubscription",),
    ),
    Way("refunds", RefundPeriod, RefundView, Scope.REFUND, "Give money back, of a charge of any age."),
    Way("retry", RetryNow, Retried, Scope.ACT, "Try what is owed again now."),
    Way("resolve", Resolve, Resolved, Scope.ACT, "Settle a held attempt by hand."),
    Way("write-off", WriteOff, Resolved, Scope.ACT, "Give an owed period up."),
    Way(
        "replace",
        ReplacePermission,
        Replaced,
        Scope.ACT,
        "Go on under another charge permission, which the buyer has approved since.",
        has_dry_run=False,
    ),
)

OPERATIONS: Final = tuple(
    operation
    for way in WAYS
    for operation in (way.operation, way.dry_run)
    if way.has_dry_run or operation == way.operation
)
"""The ids of all operations that ask a subscription for something, or try that."""

Because = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,255}$")]
"""Why somebody asks, in a line; kept in the ledger. Never personal data."""


def form_of(way: Way) -> type[BaseModel]:
    """What is sent: the request's own fields, and why."""
    return create_model(f"{way.kind.__name__}Form", __base__=way.kind, because=(Because | None, None))


def wanted_of(way: Way, form: BaseModel) -> Wanted:
    """The request that was sent."""
    return way.kind.model_validate({name: getattr(form, name) for name in form.model_fields_set - {"because"}})


def _asks(way: Way, form: type[BaseModel]) -> Callable[..., Awaitable[Response]]:
    async def ask(
        request: Request,
        key: ApiKey,
        services: ServicesDep,
        charge_permission_id: PermissionPath,
        wanted: BaseModel,
        idempotency_key: IdempotencyKey,
    ) -> Response:
        asked = wanted_of(way, wanted)
        check_refund(key, asked)
        asker = Asker(actor=key.name, because=getattr(wanted, "because", None))
        subscriptions = services.subscriptions.on_behalf_of(asker)

        async def do(request_id: str) -> Any:  # Any: the outcomes' types differ; each is the way's
            if isinstance(asked, RefundPeriod):
                return await subscriptions.refund(charge_permission_id, asked, request_id)
            return await subscriptions.ask(charge_permission_id, asked, request_id)

        return await once(request, key, idempotency_key, do)

    ask.__annotations__ |= {"key": Annotated[ApiKey, Depends(allowing(way.scope))], "wanted": form}
    return ask


def _tries(way: Way, form: type[BaseModel]) -> Callable[..., Awaitable[DryRun]]:
    async def dry_run(
        _key: Reader, services: ServicesDep, charge_permission_id: PermissionPath, wanted: BaseModel
    ) -> DryRun:
        return await services.subscriptions.dry_run(charge_permission_id, wanted_of(way, wanted))

    dry_run.__annotations__ |= {"wanted": form}
    return dry_run


def check_refund(key: ApiKey, asked: Wanted) -> None:
    """Whoever may cancel may not give money back by it.

    Raises:
        ProblemError: the key does not allow it.
    """
    if isinstance(asked, Cancel) and asked.refund is not None and Scope.REFUND not in key.scopes:
        detail = f"the key {key.name!r} lacks the scope {Scope.REFUND.value}, and the cancellation gives money back"
        raise ProblemError(403, "not-allowed", "The key does not allow it", detail)


def _links_of(way: Way) -> tuple[Link, ...]:
    """From what was done; of a replacement, to the subscription that goes on."""
    goes_on = AS_STARTED if way.kind is ReplacePermission else AS_ASKED
    return to_subscription(*LOOKING, *way.then, by=goes_on)


for _way in WAYS:
    _form = form_of(_way)
    router.add_api_route(
        f"/{_way.path}",
        _asks(_way, _form),
        methods=["POST"],
        operation_id=_way.operation,
        summary=_way.says,
        response_model=_way.answer,
        responses=problems(400, 404, 409) | leading(*_links_of(_way)),
        tags=["Asking"],
    )
    if _way.has_dry_run:
        router.add_api_route(
            f"/{_way.path}/dry-run",
            _tries(_way, _form),
            methods=["POST"],
            operation_id=_way.dry_run,
            summary=f"What it would come to: {_way.says}",
            response_model=DryRun,
            responses=problems(404, 409)
            | leading(Link(_way.operation, {"charge_permission_id": AS_ASKED}, "$request.body")),
            tags=["Trying"],
        )
