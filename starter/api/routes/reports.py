"""Figures of the ledger."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from perennial_billing.billing.refusals import Refused
from perennial_billing.ledger.reports.aging import Aging, aging
from perennial_billing.ledger.reports.forecast import Forecast, forecast
from perennial_billing.ledger.reports.recovery import RecoveryReport, recovery
from perennial_billing.ledger.reports.revenue import Revenue, revenue
from perennial_billing.starter.api.access import Reader, account_for
from perennial_billing.starter.api.routes.common import problems
from perennial_billing.starter.api.services import ServicesDep

router = APIRouter(prefix="/v1/reports", tags=["Reports"])

LONGEST = timedelta(days=3_660)
"""Of a report by months: each month is reckoned by itself."""

Zone = Annotated[
    str, Query(max_length=64, description="The merchant's IANA zone, in which days and months are counted.")
]
Account = Annotated[str | None, Query(max_length=64, description="Of one merchant account only.")]


@router.get("/recovery", operation_id="reportRecovery", responses=problems())
async def report_recovery(
    key: Reader,
    services: ServicesDep,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    account: Account = None,
) -> RecoveryReport:
    """What became of the periods that could not be collected at once, of those that fell due within a time."""
    return await recovery(services.ledger, since, until, account=account_for(key, account))


@router.get("/revenue", operation_id="reportRevenue", responses=problems())
async def report_revenue(
    key: Reader,
    services: ServicesDep,
    since: AwareDatetime,
    until: AwareDatetime,
    zone: Zone = "UTC",
    account: Account = None,
) -> Revenue:
    """Charged, refunded, disputed and written off by month and plan; who came and left; what recurs in a month."""
    if not since < until <= since + LONGEST:
        raise Refused("until", until.isoformat(), f"later than since, by at most {LONGEST.days} days, is")
    return await revenue(services.ledger, since, until, zone=zone, account=account_for(key, account))


@router.get("/aging", operation_id="reportAging", responses=problems())
async def report_aging(key: Reader, services: ServicesDep, account: Account = None) -> Aging:
    """What is past due, by its age."""
    return await aging(services.ledger, datetime.now(UTC), account=account_for(key, account))


@router.get("/forecast", operation_id="reportForecast", responses=problems())
async def report_forecast(
    key: Reader,
    services: ServicesDep,
    days: Annotated[int, Query(ge=1, le=92)] = 31,
    zone: Zone = "UTC",
    account: Account = None,
) -> Forecast:
    """What falls due by day and hour, and when Amazon's limit of Create Charge will have let it through."""
    theirs, now = account_for(key, account), datetime.now(UTC)
    quotas = await services.own_quotas() if services.own_quotas is not None else {}
    return await forecast(services.ledger, now, days, services.quota, zone=zone, account=theirs, quotas=quotas)
