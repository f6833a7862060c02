"""The commands `perennial bulk ...`: one change for all subscriptions that match a query."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated

import typer

from perennial_billing.billing.changes import Cancel, ChangePlan, PauseSubscription, ResumeSubscription, When
from perennial_billing.starter.cli.agreement import instant
from perennial_billing.starter.cli.asking import WhenOption, moment, requested
from perennial_billing.starter.cli.changes import ConsentedOption
from perennial_billing.starter.cli.connection import needs_consent, subscriptions
from perennial_billing.starter.cli.many import RateOption, ReportOption, do_and_tell
from perennial_billing.starter.cli.output import JsonOption, asynchronous, err
from perennial_billing.starter.cli.plan_file import read_plan
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.many.bulk import Doing, canceling, changing, matching, matching_only

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
    when: WhenOption = None,
    reason: Annotated[str, typer.Option(help="Told to Amazon as the closure reason.")] = "Canceled by the merchant",
    dry_run: DryRunOption = False,
    rate: RateOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel them all."""

    def doing(client: Subscriptions) -> Doing:
        at = moment(when, When.NOW)
        if at is When.NOW:
            return canceling(client, reason)
        return changing(client, requested(Cancel, when=at, reason=reason))

    await _bulk_do(query, doing, "canceled", dry_run=dry_run, rate=rate, report=report, as_json=as_json)


@bulk.command("pause")
@asynchronous
async def bulk_pause(
    query: QueryOption,
    when: WhenOption = None,
    until: Annotated[str | None, typer.Option(help="When they are resumed by themselves, ISO 8601.")] = None,
    dry_run: DryRunOption = False,
    rate: RateOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pause them all."""

    def doing(client: Subscriptions) -> Doing:
        pause = requested(PauseSubscription, when=moment(when, When.NOW), until=instant("--until", until))
        return changing(client, pause)

    await _bulk_do(query, doing, "paused", dry_run=dry_run, rate=rate, report=report, as_json=as_json)


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

    def doing(client: Subscriptions) -> Doing:
        return changing(client, ResumeSubscription())

    await _bulk_do(query, doing, "resumed", dry_run=dry_run, rate=rate, report=report, as_json=as_json)


@bulk.command("plan")
@asynchronous
async def bulk_plan(
    query: QueryOption,
    file: Annotated[Path, typer.Option("--plan", help="The new plan's file.", dir_okay=False)],
    when: WhenOption = None,
    consented: ConsentedOption = False,
    dry_run: DryRunOption = False,
    rate: RateOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the plan of them all."""

    def doing(client: Subscriptions) -> Doing:
        at = moment(when, When.RENEWAL)
        return changing(client, ChangePlan(plan=read_plan(file), when=at, consented=consented))

    await _bulk_do(query, doing, "changed", dry_run=dry_run, rate=rate, report=report, as_json=as_json)


async def _bulk_do(
    query: str,
    doing_of: Callable[[Subscriptions], Doing],
    done: str,
    *,
    dry_run: bool,
    rate: float | None,
    report: Path | None,
    as_json: bool,
) -> None:
    client = await subscriptions(needs_consent=needs_consent())
    doing = doing_of(client)  # in a dry run too: what cannot be meant is refused
    if dry_run:
        doing, done = matching_only, "match"
    found = await _all_of(matching(client, query))
    await do_and_tell(_each(found), doing, done, report, rate, as_json=as_json, total=len(found))


async def _all_of(matching: AsyncIterator[str]) -> list[str]:
    """Those that match now. They are found before the first is changed: what is changed, or started, may match anew."""
    from rich.progress import Progress

    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task, found = progress.add_task("found", total=None), []
        async for charge_permission_id in matching:
            found.append(charge_permission_id)
            progress.advance(task)
        return found


async def _each(found: list[str]) -> AsyncIterator[str]:
    for charge_permission_id in found:
        yield charge_permission_id
