"""The commands `perennial bulk ...`: one change for all subscriptions that match a query."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from billing.changes import ChangePlan, PauseSubscription, PlanCancellation, ResumeSubscription, When
from starter.cli.agreement import instant
from starter.cli.changes import ConsentedOption
from starter.cli.connection import needs_consent, subscriptions
from starter.cli.many import RateOption, ReportOption, do_and_tell
from starter.cli.output import JsonOption, asynchronous
from starter.cli.plan_file import read_plan
from starter.many.bulk import Deed, canceling, changing, looking, matching
from starter.subscriptions import Subscriptions

QueryOption = Annotated[
    str,
    typer.Option(help="Which ones, over search attributes: \"Plan = 'coffee' AND SubscriptionStatus = 'active'\"."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only list those that match; change nothing.")]

bulk = typer.Typer(name="bulk", help="Change all subscriptions that match a query.", no_args_is_help=True)


@bulk.callback()
def _bulk() -> None:
    """Change all running subscriptions that match a query. Each is changed by itself: one refusal stops no other."""


@bulk.command("cancel")
@asynchronous
async def bulk_cancel(
    query: QueryOption,
    at_period_end: Annotated[
        bool, typer.Option("--at-period-end", help="At the end of each one's paid period, instead of now.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Told to Amazon as the closure reason.")] = "Canceled by the merchant",
    dry_run: DryRunOption = False,
    rate: RateOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel them all."""

    def deed(client: Subscriptions) -> Deed:
        return changing(client, PlanCancellation(reason=reason)) if at_period_end else canceling(client, reason)

    await _bulk_do(query, deed, "canceled", dry_run=dry_run, rate=rate, report=report, as_json=as_json)


@bulk.command("pause")
@asynchronous
async def bulk_pause(
    query: QueryOption,
    until: Annotated[str | None, typer.Option(help="When they are resumed by themselves, ISO 8601.")] = None,
    dry_run: DryRunOption = False,
    rate: RateOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pause them all."""

    def deed(client: Subscriptions) -> Deed:
        return changing(client, PauseSubscription(until=instant("--until", until)))

    await _bulk_do(query, deed, "paused", dry_run=dry_run, rate=rate, report=report, as_json=as_json)


@bulk.command("resume")
@asynchronous
async def bulk_resume(
    query: QueryOption,
    dry_run: DryRunOption = False,
    rate: RateOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Resume them all."""

    def deed(client: Subscriptions) -> Deed:
        return changing(client, ResumeSubscription())

    await _bulk_do(query, deed, "resumed", dry_run=dry_run, rate=rate, report=report, as_json=as_json)


@bulk.command("plan")
@asynchronous
async def bulk_plan(
    query: QueryOption,
    file: Annotated[Path, typer.Option("--plan", help="The new plan's file.", dir_okay=False)],
    now: Annotated[bool, typer.Option("--now", help="At once, prorated, instead of from the next period on.")] = False,
    consented: ConsentedOption = False,
    dry_run: DryRunOption = False,
    rate: RateOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the plan of them all."""

    def deed(client: Subscriptions) -> Deed:
        when = When.NOW if now else When.NEXT_PERIOD
        return changing(client, ChangePlan(plan=read_plan(file), when=when, consented=consented))

    await _bulk_do(query, deed, "changed", dry_run=dry_run, rate=rate, report=report, as_json=as_json)


async def _bulk_do(
    query: str,
    deed_of: Callable[[Subscriptions], Deed],
    done: str,
    *,
    dry_run: bool,
    rate: float | None,
    report: Path | None,
    as_json: bool,
) -> None:
    client = await subscriptions(needs_consent=needs_consent())
    deed = deed_of(client)  # in a dry run too: what cannot be meant is refused
    if dry_run:
        deed, done = looking, "match"
    await do_and_tell(matching(client, query), deed, done, report, rate, as_json=as_json)
