"""The group `perennial report`: figures of the ledger."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from perennial_billing.starter.cli.ledger import in_utc
from perennial_billing.starter.cli.output import JsonOption, asynchronous, say, working

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from perennial_billing.ledger.ledger import Ledger
    from perennial_billing.ledger.reports.forecast import Quota
    from perennial_billing.runtime.settings import Settings

MONTHS: int = 12
"""Of revenue, where nobody says how many."""

ADDING_UP: str = "adding up"
"""What a terminal is told meanwhile: a ledger of years takes its time."""

AccountOption = Annotated[str | None, typer.Option(help="Only of the merchant account with this short name.")]
ZoneOption = Annotated[
    str, typer.Option(help="The merchant's IANA time zone: dates, days and months are counted in it.")
]

reports = typer.Typer(
    help="Make figures of the ledger: what was recovered and earned, what is past due, and what falls due.",
    no_args_is_help=True,
)


@reports.command("recovery")
@asynchronous
async def recovery_(
    since: Annotated[datetime | None, typer.Option(help="Periods that fell due then or later (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Periods that fell due before then (UTC).")] = None,
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what became of the periods that could not be collected at once.

    Recovered by another attempt, after the buyer mended the payment method, or by a new checkout; still open; written
    off: by the reason code of the first refusal, and by the attempt that succeeded. The time to recover counts from the
    due date.
    """
    from perennial_billing.ledger.reports.recovery import recovery
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.starter.cli.charts import drawn
    from perennial_billing.starter.report_pages import recovery_data, recovery_page
    from perennial_billing.worker.books import ledger_of

    with working(ADDING_UP):
        async with ledger_of(load_settings()) as ledger:
            report = await recovery(ledger, in_utc(since), in_utc(until), account=account)
    say(recovery_data(report), *drawn(recovery_page(report)), as_json=as_json)


@reports.command("revenue")
@asynchronous
async def revenue_(
    since: Annotated[
        datetime | None, typer.Option(help="From then on, in the zone; twelve months where not given.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(help="Before then, in the zone; now where not given, or later as far as time was skipped."),
    ] = None,
    zone: ZoneOption = "UTC",
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was charged, refunded, disputed and written off by month and plan; who came and left; what recurs.

    A thing counts in the month in which it happened: a refund in that of the refund. Churned is who ended otherwise
    than by the plan's term. MRR is of who is charged or tried now, at regular prices: a year has 12 months, 52 weeks,
    365 days.
    """
    from perennial_billing.billing.calendar import add_months
    from perennial_billing.ledger.reports.revenue import revenue
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.starter.cli.charts import drawn
    from perennial_billing.starter.report_pages import revenue_data, revenue_page
    from perennial_billing.worker.books import ledger_of

    rules = _rules_of(zone)
    with working(ADDING_UP):
        async with ledger_of(load_settings()) as ledger:
            end = _at(until, rules) or await _latest(ledger)
            first = add_months(end.astimezone(rules).date().replace(day=1), 1 - MONTHS)
            begin = _at(since, rules) or datetime(first.year, first.month, 1, tzinfo=rules)
            report = await revenue(ledger, begin, end, zone=zone, account=account)
    say(revenue_data(report), *drawn(revenue_page(report)), as_json=as_json)


@reports.command("aging")
@asynchronous
async def aging_(
    at: Annotated[datetime | None, typer.Option(help="Ages are counted of then (UTC); of now where not given.")] = None,
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is past due, by how many days, with the reasons.

    A subscriber owes one period at a time, the oldest; what falls due behind it is not in here.
    """
    from perennial_billing.ledger.reports.aging import aging
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.starter.cli.charts import drawn
    from perennial_billing.starter.report_pages import aging_data, aging_page
    from perennial_billing.worker.books import ledger_of

    with working(ADDING_UP):
        async with ledger_of(load_settings()) as ledger:
            report = await aging(ledger, in_utc(at) or datetime.now(UTC), account=account)
    say(aging_data(report), *drawn(aging_page(report)), as_json=as_json)


@reports.command("forecast")
@asynchronous
async def forecast_(
    days: Annotated[int, typer.Option(min=1, max=400, help="How many days ahead.")] = 31,
    since: Annotated[datetime | None, typer.Option(help="From then on, in the zone; now where not given.")] = None,
    zone: ZoneOption = "UTC",
    account: AccountOption = None,
    every_hour: Annotated[bool, typer.Option("--hours", help="Show every hour, not only the busiest.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what falls due by day and hour, and when Amazon's quota of Create Charge will have let it through.

    At regular prices, and as if nobody left: what a trial, a credit, another plan or the end of a term makes of a
    charge is not known here. `perennial upcoming` tells it of one subscription.
    """
    from perennial_billing.ledger.reports.forecast import forecast
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.starter.cli.charts import drawn
    from perennial_billing.starter.report_pages import forecast_data, forecast_page
    from perennial_billing.worker.books import ledger_of

    settings, rules = load_settings(), _rules_of(zone)
    begin = _at(since, rules) or datetime.now(UTC)
    with working(ADDING_UP):
        async with ledger_of(settings) as ledger:
            own = await own_quotas(settings, ledger)
            report = await forecast(ledger, begin, days, quota_of(settings), zone=zone, account=account, quotas=own)
    nothing = [f"nothing falls due within {days} days"]
    page = forecast_page(report, every_hour=every_hour) if report.days else nothing
    say(forecast_data(report), *drawn(page), as_json=as_json)


def quota_of(settings: "Settings") -> "Quota":
    """Of Create Charge: Amazon's own of the environment, or the lower rate that is set for the workers."""
    from amazon_pay_client import Environment
    from amazon_pay_client.limits import RATES
    from perennial_billing.ledger.reports.forecast import Quota
    from perennial_billing.worker.rates import calls_per_second
    from perennial_billing.workflows.names import Call

    amazons = RATES[Environment(settings.environment.value)][Call.CREATE_CHARGE]
    rate = calls_per_second(settings, Call.CREATE_CHARGE)
    return Quota(amazons.burst if rate >= amazons.per_second else 1, rate)


async def own_quotas(settings: "Settings", ledger: "Ledger") -> "dict[str, Quota]":
    """Of Create Charge: those of accounts that have one of their own, by short name."""
    from perennial_billing.ledger.reports.forecast import Quota
    from perennial_billing.worker.accounts import Accounts
    from perennial_billing.workflows.names import Call

    burst, call = quota_of(settings).burst, Call.CREATE_CHARGE
    accounts = await Accounts(settings, ledger).all()
    return {each.name: Quota(burst, each.quotas[call]) for each in accounts if call in each.quotas}


async def _latest(ledger: "Ledger") -> datetime:
    """Now, or just after what happened last where a test clock has brought that about."""
    from perennial_billing.ledger.finding import last_happened

    happened = await last_happened(ledger)
    now = datetime.now(UTC)
    return max(now, happened + timedelta(seconds=1)) if happened is not None else now


def _rules_of(zone: str) -> "ZoneInfo":
    """The zone of the option.

    Raises:
        StartupError: there is none of that name.
    """
    from perennial_billing.billing.refusals import Refused
    from perennial_billing.billing.zones import zone as rules_of
    from perennial_billing.runtime.errors import StartupError

    try:
        return rules_of(zone)
    except Refused as refused:
        raise StartupError(str(refused.under("--zone"))) from None


def _at(typed: datetime | None, rules: "ZoneInfo") -> datetime | None:
    """An instant as it was typed: on a wall of the zone."""
    return typed.replace(tzinfo=rules) if typed is not None and typed.tzinfo is None else typed
