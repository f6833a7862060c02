"""The ledger's reports: the same tables as `perennial report` prints, and each of them as a file."""

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from perennial_billing.billing.calendar import add_months
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.zones import zone as rules_of
from perennial_billing.ledger.api_keys import ApiKey
from perennial_billing.ledger.reports.aging import aging
from perennial_billing.ledger.reports.forecast import forecast
from perennial_billing.ledger.reports.recovery import recovery
from perennial_billing.ledger.reports.revenue import revenue
from perennial_billing.starter.api.access import account_for
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.api.routes.reports import LONGEST
from perennial_billing.starter.api.services import Services, ServicesDep
from perennial_billing.starter.console.access import Reader
from perennial_billing.starter.console.fields import day_of
from perennial_billing.starter.console.keeping import Kept
from perennial_billing.starter.console.pages import page, query_of
from perennial_billing.starter.report_pages import aging_page, forecast_page, recovery_page, revenue_page
from perennial_billing.starter.tabular import Bars, Part, Table

router = APIRouter(prefix="/reports")

MONTHS: Final = 12
DAYS_AHEAD: Final = 31
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

REPORTS: Final = {
    "revenue": ("Revenue", "Charged, refunded, disputed and written off by month and plan; who came and left."),
    "recovery": ("Recovery", "What became of the periods that could not be collected at once."),
    "aging": ("Past due", "What is past due, by how many days, with the reasons."),
    "forecast": ("Forecast", "What falls due, and when Amazon's limit will have let it through."),
}
"""By the last part of the address: title, and what it tells."""


@router.get("")
async def list_reports(request: Request, person: Reader) -> Response:
    """Which there are."""
    del person
    return page(request, "reports.html", reports=REPORTS)


@router.get("/{name}")
async def show_report(request: Request, person: Reader, services: ServicesDep, name: str) -> Response:
    """One, as tables and pictures."""
    title, about = _known(name)
    filled = {each: request.query_params.get(each, "").strip() for each in ("since", "until", "zone", "account")}
    refused, parts = None, list[Part]()
    try:
        parts = await _parts(request, services, person, name, filled)
    except Refused as error:
        refused = error
    return page(
        request,
        "report.html",
        422 if refused is not None else 200,
        name=name,
        title=title,
        about=about,
        filled=filled,
        refused=refused,
        parts_of=[_shaped(part) for part in parts],
        query=query_of(dict(filled)),
        takes_dates=name in {"revenue", "recovery"},
        takes_zone=name in {"revenue", "forecast"},
    )


@router.get("/{name}/{number}.csv")
async def download(request: Request, person: Reader, services: ServicesDep, name: str, number: int) -> Response:
    """One table of one, counted from 1."""
    _known(name)
    filled = {each: request.query_params.get(each, "").strip() for each in ("since", "until", "zone", "account")}
    tables = [part for part in await _parts(request, services, person, name, filled) if isinstance(part, Table)]
    if not 1 <= number <= len(tables):
        raise ProblemError(404, "not-found", "There is no such table", f"{name} has {len(tables)} tables")
    file = f'attachment; filename="perennial-{name}-{number}.csv"'
    return Response(as_csv(tables[number - 1]), media_type="text/csv", headers={"Content-Disposition": file})


def as_csv(table: Table) -> str:
    """A table as a file (RFC 4180). What a spreadsheet would reckon with as a formula stays text."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow([column.heading for column in table.columns])
    writer.writerows([list(map(_cell, row)) for row in table.rows])
    return out.getvalue()


def _cell(text: str) -> str:
    is_figure = text.removeprefix("-").replace(".", "", 1).isdigit() or text == "-"
    return f"'{text}" if text.startswith(_FORMULA) and not is_figure else text


def _known(name: str) -> tuple[str, str]:
    if name not in REPORTS:
        raise ProblemError(404, "not-found", "There is no such report", f"there are {', '.join(REPORTS)}")
    return REPORTS[name]


def _shaped(part: Part) -> tuple[str, Part]:
    """With a word for what it is, which templates can ask for."""
    return ("table" if isinstance(part, Table) else "bars" if isinstance(part, Bars) else "text"), part


async def _parts(request: Request, services: Services, person: ApiKey, name: str, filled: dict[str, str]) -> list[Part]:
    """What is in it.

    Raises:
        Refused: a day, a zone or an account cannot be meant.
    """
    account = account_for(person, filled["account"] or None)
    zone = filled["zone"] or "UTC"
    rules_of_zone(zone)
    kept: Kept = request.app.state.kept
    key = (name, account, zone, filled["since"], filled["until"])
    return await kept.get(key, lambda: _made(services, name, account, zone, filled))


def rules_of_zone(zone: str) -> None:
    """Whether there is such a zone.

    Raises:
        Refused: there is none.
    """
    try:
        rules_of(zone)
    except Refused as refused:
        raise refused.under("zone") from None


async def _made(services: Services, name: str, account: str | None, zone: str, filled: dict[str, str]) -> list[Part]:
    ledger, now = services.ledger, datetime.now(UTC)
    since, until = (_instant(each, filled[each], zone) for each in ("since", "until"))
    match name:
        case "aging":
            return list(aging_page(await aging(ledger, now, account=account)))
        case "forecast":
            quotas = await services.own_quotas() if services.own_quotas is not None else {}
            made = await forecast(ledger, now, DAYS_AHEAD, services.quota, zone=zone, account=account, quotas=quotas)
            return list(forecast_page(made, every_hour=False)) if made.days else ["nothing falls due"]
        case "recovery":
            return list(recovery_page(await recovery(ledger, since, until, account=account)))
        case _:
            until = until or now
            since = since or _months_before(until, zone)
            if not since < until <= since + LONGEST:
                raise Refused("until", filled["until"], f"later than since, by at most {LONGEST.days} days, is")
            return list(revenue_page(await revenue(ledger, since, until, zone=zone, account=account)))


def _instant(name: str, text: str, zone: str) -> datetime | None:
    """The begin of a day, in the zone; of `until`, of the day after, so that it is whole."""
    if not text:
        return None
    day = day_of(name, text) + (timedelta(days=1) if name == "until" else timedelta(0))
    return datetime(day.year, day.month, day.day, tzinfo=rules_of(zone))


def _months_before(until: datetime, zone: str) -> datetime:
    first = add_months(until.astimezone(rules_of(zone)).date().replace(day=1), 1 - MONTHS)
    return datetime(first.year, first.month, 1, tzinfo=rules_of(zone))
