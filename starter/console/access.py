"""Who may open which page, and that a form was one of ours.

Every route has a dependency that `allowing` makes, as every route of the API has; a test counts those that have none.
A form's token is looked at for the whole application, before any route is.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import Depends, Request

from perennial_billing.ledger.api_keys import ApiKey, Scope
from perennial_billing.starter.api.access import check_admitted
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.api.services import ServicesDep
from perennial_billing.starter.console.people import Door

TOKEN: Final = "csrf"  # noqa: S105 - the field's name
_WHO: Final = "who"
_FORM: Final = "application/x-www-form-urlencoded"
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_TOKEN_BYTES: Final = 32
MOST_FIELDS: Final = 500

Form = dict[str, list[str]]
"""What was filled in, by the field's name."""


def allowing(scope: Scope) -> Callable[..., Awaitable[ApiKey]]:
    """A dependency: who asks, who must have a scope."""

    async def admitted(request: Request, services: ServicesDep) -> ApiKey:
        door: Door = request.app.state.door
        person = await door.person(request)
        if person is None:
            raise ProblemError(401, "not-signed-in", "You are not signed in", request.app.state.how_to_sign_in)
        request.state.api_key, request.state.person = person.name, person
        await check_admitted(request, services, person, scope)
        if request.session.get(_WHO) != person.name:
            request.session.clear()
            request.session.update({_WHO: person.name, TOKEN: secrets.token_urlsafe(_TOKEN_BYTES)})
        return person

    return admitted


Reader = Annotated[ApiKey, Depends(allowing(Scope.READ))]
Actor = Annotated[ApiKey, Depends(allowing(Scope.ACT))]
Admin = Annotated[ApiKey, Depends(allowing(Scope.ADMIN))]


async def check_form(request: Request) -> None:
    """Whether what is posted is a form of ours, filled in by whoever it was given to.

    Raises:
        ProblemError: it is not; nothing was done.
    """
    if request.method in _READS:
        return
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise _not_ours("a form is accepted, and nothing else")
    try:
        text = (await request.body()).decode()
        form = parse_qs(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=MOST_FIELDS)
    except ValueError:
        raise _not_ours("it cannot be read") from None
    origin = request.headers.get("origin")
    if origin is not None and origin != request.app.state.origin:
        raise _not_ours(f"it comes from another address than {request.app.state.origin}")
    token = request.session.get(TOKEN, "")
    if not token or not hmac.compare_digest(token.encode(), "".join(form.get(TOKEN, [])).encode()):
        raise _not_ours("it was opened before you signed in, or too long ago: open the page again, and send it anew")
    request.state.form = form


def _not_ours(why: str) -> ProblemError:
    return ProblemError(403, "not-our-form", "The form was not accepted", f"{why}. Nothing was done")


async def form_of(request: Request) -> Form:
    """What was filled in; it was checked before the route was."""
    form: Form = request.state.form
    return form


FormDep = Annotated[Form, Depends(form_of)]


def given(form: Form, name: str) -> str:
    """A field, as one text; empty where it was not filled in."""
    return form.get(name, [""])[-1].strip()
