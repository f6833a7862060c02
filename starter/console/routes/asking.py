"""Asking a subscription for something: a form, what it would come to, and only then the request itself.

Each kind of request has an address of its own, with the scope that the API asks for it. The form that is confirmed is
the one that was tried, field by field, under an id by which the subscription recognises it: pressed twice, it is done
once.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.responses import Response

from perennial_billing.billing.changes import RefundPeriod
from perennial_billing.billing.forecast.preview import DryRun
from perennial_billing.billing.protocol.answers import RefundState
from perennial_billing.billing.refusals import Refused, refusals_of
from perennial_billing.billing.requests import Asker
from perennial_billing.billing.requests import Request as Wanted
from perennial_billing.billing.view import RefundView
from perennial_billing.ledger.api_keys import ApiKey
from perennial_billing.starter.api.routes.asking import Because, check_refund
from perennial_billing.starter.api.routes.common import PermissionPath
from perennial_billing.starter.api.services import Services, ServicesDep
from perennial_billing.starter.client import new_request_id
from perennial_billing.starter.console.access import Form, FormDep, allowing, given
from perennial_billing.starter.console.fields import ACTIONS, Action, request_of
from perennial_billing.starter.console.pages import go_to, moment, page
from perennial_billing.starter.console.standing import Standing, standing_of
from perennial_billing.starter.errors import NotAnsweredError, RequestRefusedError
from perennial_billing.workflows.messages import CaptureResult, Changed, Replaced

router = APIRouter(prefix="/subscriptions/{charge_permission_id}")

BECAUSE: Final = "because"
REQUEST_ID: Final = "request_id"
_REQUEST_ID: Final = re.compile(r"[0-9a-f]{32}")
_because: Final[TypeAdapter[str]] = TypeAdapter(Because)

Handler = Callable[..., Awaitable[Response]]


def is_request_id(text: str) -> bool:
    """Whether it is one that a form of ours had."""
    return _REQUEST_ID.fullmatch(text) is not None


def _filled(form: Form, action: Action) -> dict[str, str]:
    return {name: given(form, name) for name in (*(field.name for field in action.fields), BECAUSE)}


def why_of(form: Form) -> str:
    """Why somebody asks: every act of a person's is one that somebody may look into later.

    Raises:
        Refused: nothing is said, or no line.
    """
    try:
        return _because.validate_python(given(form, BECAUSE))
    except ValidationError:
        accepted = "why, in a line of at most 255 characters, is; it is kept in the ledger"
        raise Refused(BECAUSE, "", accepted) from None


def _read(action: Action, form: Form, standing: Standing) -> tuple[Wanted | None, str, list[Refused]]:
    """What is wanted and why, or all that is wrong with it."""
    wrong: list[Refused] = []
    wanted, why = None, ""
    try:
        wanted = request_of(action, form, standing.ground)
    except ValidationError as error:
        wrong += refusals_of(error)
    except Refused as refused:
        wrong.append(refused)
    try:
        why = why_of(form)
    except Refused as refused:
        wrong.append(refused)
    return wanted, why, wrong


def _shown(
    request: Request,
    action: Action,
    standing: Standing,
    filled: Mapping[str, str],
    *,
    wrong: list[Refused] | None = None,
    tried: DryRun | None = None,
    confirms: bool = False,
    unanswered: str = "",
    request_id: str = "",
) -> Response:
    names = {field.name for field in action.fields} | {BECAUSE}
    by_field = {_field_of(each, names): each for each in reversed(wrong or [])}
    return page(
        request,
        "ask.html",
        422 if wrong else 503 if unanswered else 200,
        action=action,
        standing=standing,
        filled=filled,
        wrong=by_field,
        elsewhere=[each for name, each in by_field.items() if name not in names],
        tried=tried,
        confirms=confirms,
        unanswered=unanswered,
        request_id=request_id,
    )


def _field_of(refused: Refused, names: set[str]) -> str:
    """The field of the form that a refusal is about: a request's field, or a part of it, has its name."""
    whole = refused.field.replace("billing_day.", "").replace("keeps_anchor", "moves_dates")
    return next((part for part in (whole, whole.partition(".")[0]) if part in names), whole)


def _opens(action: Action) -> Handler:
    async def opened(
        request: Request, person: ApiKey, services: ServicesDep, charge_permission_id: PermissionPath
    ) -> Response:
        """The form, filled in as far as the address says."""
        del person
        standing = await standing_of(services, charge_permission_id)
        filled = {field.name: request.query_params.get(field.name, "") for field in action.fields}
        return _shown(request, action, standing, filled | {BECAUSE: ""})

    return _for(action, opened)


def _tries(action: Action) -> Handler:
    async def tried(
        request: Request, person: ApiKey, services: ServicesDep, charge_permission_id: PermissionPath, form: FormDep
    ) -> Response:
        """What it would come to; nothing is changed."""
        standing = await standing_of(services, charge_permission_id)
        wanted, _, wrong = _read(action, form, standing)
        told = None
        if wanted is not None:
            check_refund(person, wanted)
        if wanted is not None and not wrong and action.way.has_dry_run and standing.view is not None:
            try:
                told = await services.subscriptions.dry_run(charge_permission_id, wanted)
            except RequestRefusedError as error:
                wrong.append(error.refused)
        return _shown(
            request,
            action,
            standing,
            _filled(form, action),
            wrong=wrong,
            tried=told,
            confirms=not wrong,
            request_id=new_request_id(),
        )

    return _for(action, tried)


def _does(action: Action) -> Handler:
    async def done(
        request: Request, person: ApiKey, services: ServicesDep, charge_permission_id: PermissionPath, form: FormDep
    ) -> Response:
        """It is asked for; then the subscription is shown."""
        standing = await standing_of(services, charge_permission_id)
        wanted, why, wrong = _read(action, form, standing)
        request_id = given(form, REQUEST_ID)
        if not is_request_id(request_id):
            wrong.append(Refused(REQUEST_ID, "", "the one that the form had: preview it first"))
        if wanted is None or wrong:
            return _shown(request, action, standing, _filled(form, action), wrong=wrong)
        check_refund(person, wanted)
        asker = Asker(actor=person.name, because=why)
        try:
            outcome = await _asked(services, charge_permission_id, wanted, request_id, asker)
        except RequestRefusedError as error:
            return _shown(request, action, standing, _filled(form, action), wrong=[error.refused])
        except NotAnsweredError as error:
            filled = _filled(form, action)
            return _shown(request, action, standing, filled, confirms=True, unanswered=error.why, request_id=request_id)
        return go_to(request, f"/subscriptions/{charge_permission_id}", _in_words(action, outcome, standing.zone))

    return _for(action, done)


async def _asked(
    services: Services, charge_permission_id: str, wanted: Wanted, request_id: str, asker: Asker
) -> BaseModel:
    subscriptions = services.subscriptions.on_behalf_of(asker)
    if isinstance(wanted, RefundPeriod):
        return await subscriptions.refund(charge_permission_id, wanted, request_id)
    return await subscriptions.ask(charge_permission_id, wanted, request_id)


def _in_words(action: Action, outcome: BaseModel, zone: str) -> str:
    match outcome:
        case Changed():
            back = f"; {outcome.refunding} is going back" if outcome.refunding is not None else ""
            return f"{action.label}: done. It takes effect {moment(outcome.effective_at, zone)}{back}."
        case RefundView(state=RefundState.FAILED):
            return f"{outcome.amount} did not go back: Amazon said {outcome.reason_code}."
        case RefundView():
            return f"The refund of {outcome.amount} is {outcome.state.value}."
        case CaptureResult(reason_code=str(reason)):
            return f"{outcome.charge_id} was not captured: {reason}."
        case CaptureResult():
            return f"{outcome.charge_id} was captured."
        case Replaced():
            return f"It goes on under {outcome.charge_permission_id}."
        case _:
            return f"{action.label}: done."


def _for(action: Action, handler: Callable[..., Any]) -> Handler:  # Any: the handlers take different things
    handler.__annotations__ |= {"person": Annotated[ApiKey, Depends(allowing(action.way.scope))]}
    return handler


for _action in ACTIONS.values():
    _path = f"/{_action.way.path}"
    router.add_api_route(_path, _opens(_action), methods=["GET"], response_class=Response)
    router.add_api_route(f"{_path}/preview", _tries(_action), methods=["POST"], response_class=Response)
    router.add_api_route(_path, _does(_action), methods=["POST"], response_class=Response)
