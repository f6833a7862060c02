"""Pages: templates, in which every text is escaped, and what all of them show."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from perennial_billing.billing.zones import zone as rules_of
from perennial_billing.ledger.api_keys import ApiKey, Scope
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.api.services import Services
from perennial_billing.starter.console.access import TOKEN
from perennial_billing.starter.console.guarding import HEADERS
from perennial_billing.starter.console.words import how_it_stands, in_words

HERE: Final = Path(__file__).parent
FILES: Final = HERE / "static"
_SAID: Final = "said"
_SEE_OTHER: Final = 303

NAVIGATION: Final = (
    ("/", "Today", Scope.READ),
    ("/subscriptions", "Find", Scope.READ),
    ("/reports", "Reports", Scope.READ),
    ("/many", "Many", Scope.ADMIN),
)
"""Address, name, and who may open it."""


def _digest() -> str:
    found = hashlib.sha256()
    for path in sorted(FILES.iterdir()):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


STATIC: Final = f"/static/{_digest()}"
"""Where the files are: another address as soon as one of them is another."""


def moment(at: datetime | None, zone: str = "UTC") -> str:
    """An instant for people, in a zone's wall time, which is named."""
    if at is None:
        return "-"
    wall = at.astimezone(rules_of(zone))
    return f"{wall:%a} {wall.day} {wall:%b %Y, %H:%M} {zone if zone != 'UTC' else 'UTC'}"


def short(at: datetime | None, zone: str = "UTC") -> str:
    """The same for a cell of a table whose heading names the zone."""
    return f"{at.astimezone(rules_of(zone)):%Y-%m-%d %H:%M}" if at is not None else "-"


def _templates() -> Templates:
    made = Templates(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(moment=moment, short=short, words=in_words, dict_of=dict)
    made.globals.update(static=STATIC, stands=lambda status: how_it_stands(status) if status is not None else "")
    return made


_made: Final = _templates()


def page(
    request: Request,
    template: str,
    code: int = 200,
    **values: Any,  # Any: what the template shows
) -> Response:
    """A page, with what was done last said at its top, once."""
    services: Services = request.app.state.services
    person: ApiKey | None = getattr(request.state, "person", None)
    allowed = person.scopes if person is not None else frozenset()
    shown = {
        "path": request.url.path,
        "person": person,
        "scopes": {scope.value for scope in allowed},
        "navigation": [(to, name) for to, name, scope in NAVIGATION if scope in allowed],
        "environment": services.settings.environment.value,
        "token": request.session.get(TOKEN, ""),
        "said": request.session.pop(_SAID, None),
        "door_says": request.app.state.door_says,
    }
    return HTMLResponse(_made.get_template(template).render(**shown | values), code)


def go_to(request: Request, path: str, said: str | None = None, **query: str) -> Response:
    """Leads on after a form, with what was done; a reload then does nothing again."""
    if said is not None:
        request.session[_SAID] = said
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, _SEE_OTHER)


def trouble(request: Request, error: ProblemError) -> Response:
    """A problem as a page."""
    answer = page(request, "trouble.html", error.status, error=error, request_id=_request_id(request))
    # What nobody foresaw is answered outside of all that would add them; and what is asked by a part of a page is shown
    # in the whole of it.
    answer.headers.update(HEADERS | {"HX-Retarget": "#main", "HX-Reselect": "#main", "HX-Reswap": "outerHTML"})
    answer.headers.update({name: value for name, value in error.headers.items() if name == "Retry-After"})
    return answer


def _request_id(request: Request) -> str | None:
    return getattr(request.state, "request_id", None)


def query_of(given: Mapping[str, str | list[str]]) -> str:
    """A query, as an address has it."""
    return urlencode({name: value for name, value in given.items() if value}, doseq=True)
