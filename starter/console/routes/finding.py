"""Finding subscriptions: one field for whatever a customer can tell, and filters; the address of what was found is a
link that can be kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response

from perennial_billing.billing.money import Money
from perennial_billing.billing.refusals import Refused, refusals_of
from perennial_billing.billing.status import Status
from perennial_billing.ledger.api_keys import ApiKey
from perennial_billing.ledger.finding import Found, Search, find
from perennial_billing.starter.api.routes.looking import Filters
from perennial_billing.starter.api.services import Services, ServicesDep
from perennial_billing.starter.console.access import Reader
from perennial_billing.starter.console.fields import day_of
from perennial_billing.starter.console.pages import go_to, page, query_of
from perennial_billing.starter.console.words import TONES

router = APIRouter()

ON_A_PAGE: Final = 50
_LONGEST: Final = 256
"""Characters of a text that is searched for."""

_DAYS: Final = ("charged_before", "past_due_before", "ended_from", "ended_before")
_AS_THEY_ARE: Final = ("account", "plan", "reason", "past_due", "needs_attention", "cursor")


@dataclass(frozen=True, slots=True)
class Sought:
    """What was looked for, and found.

    Attributes:
        found: a page of it.
        more: the query of the next page; empty where this is the last.
        refused: what is wrong with what was filled in.
    """

    found: list[Found]
    more: str = ""
    refused: tuple[Refused, ...] = ()


@router.get("/subscriptions")
async def list_subscriptions(request: Request, person: Reader, services: ServicesDep) -> Response:
    """Those that are searched for, as each stood when it last told something."""
    given = {name: request.query_params.getlist(name) for name in request.query_params}
    filled = {name: values[-1].strip()[:_LONGEST] for name, values in given.items()}
    text = filled.get("q", "")
    try:
        search = _search(filled, given.get("status", []), person)
        sought = await _sought(services, search, text, filled, given)
    except Refused as refused:
        sought = Sought([], refused=(refused,))
    except ValidationError as error:
        sought = Sought([], refused=tuple(refusals_of(error)))
    if text and len(sought.found) == 1 and request.headers.get("HX-Request") is None and not filled.get("cursor"):
        return go_to(request, f"/subscriptions/{sought.found[0].charge_permission_id}")
    return page(
        request,
        "find.html",
        422 if sought.refused else 200,
        sought=sought,
        filled=filled,
        chosen=given.get("status", []),
        statuses=list(Status),
        tones=TONES,
        is_filtered=any(value for name, value in filled.items() if name not in {"q", "cursor"}),
    )


def _search(filled: Mapping[str, str], statuses: list[str], person: ApiKey) -> Search:
    """By the filters, as the API takes them.

    Raises:
        Refused: a day is none, or an amount.
        ValidationError: the API would not take one.
    """
    given: dict[str, object] = {name: filled[name] for name in _AS_THEY_ARE if filled.get(name)}
    for name in _DAYS:
        if filled.get(name):
            day = day_of(name, filled[name])
            given[name] = datetime(day.year, day.month, day.day, tzinfo=UTC)
    filters = Filters.model_validate(given | {"status": [each for each in statuses if each]})
    price = None
    if amount := filled.get("amount"):
        try:
            price = Money.parse(amount)
        except Refused as refused:
            raise refused.under("amount") from None
    return filters.search(person, price=price)


async def _sought(
    services: Services, search: Search, text: str, filled: Mapping[str, str], given: Mapping[str, list[str]]
) -> Sought:
    """What is found by the first of the things that a text may be: an id of Amazon's, or the merchant's reference."""
    found: list[Found] = []
    for each in _ways(search, text):
        found = await find(services.ledger, each, after=filled.get("cursor", ""), limit=ON_A_PAGE + 1)
        if found:
            break
    if len(found) <= ON_A_PAGE:
        return Sought(found)
    shown = found[:ON_A_PAGE]
    kept = {name: values for name, values in given.items() if name != "cursor" and any(values)}
    return Sought(shown, query_of({**kept, "cursor": shown[-1].charge_permission_id}))


def _ways(search: Search, text: str) -> list[Search]:
    if not text:
        return [search]
    return [
        search.but(charge_permission_id=text.upper()),
        search.but(charge_id=text.upper()),
        search.but(merchant_reference=text),
    ]
