"""The commands about many subscriptions: `perennial import ...` and `perennial bulk ...`."""

import csv
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer
from rich.progress import Progress

from billing.changes import ChangePlan, PauseSubscription, PlanCancellation, ResumeSubscription, When
from billing.plan import Plan
from runtime.errors import StartupError
from runtime.settings import load_settings
from starter.cli.agreement import instant
from starter.cli.changes import ConsentedOption
from starter.cli.output import JsonOption, RefusedError, err, out, run
from starter.cli.plan_file import read_plan
from starter.cli.subscriptions import subscriptions
from starter.many.bulk import Deed, canceling, changing, looking, matching
from starter.many.joining import Checker, Joining, Starter, joining
from starter.many.runner import Outcome, Result, do_to_many
from starter.subscriptions import Subscriptions
from workflows.names import Call

SHOWN: Final = 20
"""Refusals shown on a terminal; the report has all."""

FileArgument = Annotated[
    Path, typer.Argument(help="Subscribers, a .csv with a header or .jsonl; docs/operations.md lists the columns.")
]
PlansOption = Annotated[
    Path, typer.Option("--plans", help="Folder of the plan files that the rows name by plan_id.", file_okay=False)
]
ReportOption = Annotated[
    Path | None, typer.Option(help="Write a line for each to this file: .csv, or .jsonl.", dir_okay=False)
]
RateOption = Annotated[float | None, typer.Option(min=0.1, help="At most so many a second; as fast as it goes else.")]
QueryOption = Annotated[
    str,
    typer.Option(help="Which ones, over search attributes: \"Plan = 'coffee' AND SubscriptionStatus = 'active'\"."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only list those that match; change nothing.")]

imports = typer.Typer(name="import", help="Take over subscribers who are billed elsewhere.", no_args_is_help=True)
bulk = typer.Typer(name="bulk", help="Change all subscriptions that match a query.", no_args_is_help=True)

Item = TypeVar("Item")


@imports.callback()
def _import() -> None:
    """Take over subscribers who are billed elsewhere: check, start (paused), cut over. Each may be repeated safely."""


@imports.command("check")
def check(file: FileArgument, plans: PlansOption, report: ReportOption = None, as_json: JsonOption = False) -> None:
    """Compare every row with its charge permission at Amazon; change nothing.

    Asks Amazon once for each row, not faster than Amazon's limit: 10,000 rows take some 40 minutes in live.
    """
    from worker.wiring import amazon_pay_client, calls_per_second

    async def command() -> None:
        settings, known = load_settings(), _plans(plans)
        rate = calls_per_second(settings, Call.GET_CHARGE_PERMISSION)
        async with amazon_pay_client(settings) as amazon_pay:
            rows = _rows(file, known)
            await _do(rows, Checker(amazon_pay).check, "checked", report, rate, as_json=as_json)

    run(command())


@imports.command("start")
def start(
    file: FileArgument,
    plans: PlansOption,
    report: ReportOption = None,
    rate: RateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a paused subscription for each row. Nothing is charged before it is cut over."""
    run(_import_each(file, plans, Starter.start, "started", report, rate, as_json=as_json))


@imports.command("cut-over")
def cut_over(
    file: FileArgument,
    plans: PlansOption,
    report: ReportOption = None,
    rate: RateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Resume each row's subscription: from now on it is billed here, on its next due date."""
    run(_import_each(file, plans, Starter.cut_over, "cut over", report, rate, as_json=as_json))


@bulk.callback()
def _bulk() -> None:
    """Change all running subscriptions that match a query. Each is changed by itself: one refusal stops no other."""


@bulk.command("cancel")
def bulk_cancel(
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

    run(_bulk_do(query, deed, "canceled", dry_run=dry_run, rate=rate, report=report, as_json=as_json))


@bulk.command("pause")
def bulk_pause(
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

    run(_bulk_do(query, deed, "paused", dry_run=dry_run, rate=rate, report=report, as_json=as_json))


@bulk.command("resume")
def bulk_resume(
    query: QueryOption,
    dry_run: DryRunOption = False,
    rate: RateOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Resume them all."""

    def deed(client: Subscriptions) -> Deed:
        return changing(client, ResumeSubscription())

    run(_bulk_do(query, deed, "resumed", dry_run=dry_run, rate=rate, report=report, as_json=as_json))


@bulk.command("plan")
def bulk_plan(
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

    run(_bulk_do(query, deed, "changed", dry_run=dry_run, rate=rate, report=report, as_json=as_json))


async def _import_each(
    file: Path,
    plans: Path,
    perform: Callable[[Starter, Joining | Result], Awaitable[Result]],
    done: str,
    report: Path | None,
    rate: float | None,
    *,
    as_json: bool,
) -> None:
    starter = Starter(await subscriptions())
    await _do(_rows(file, _plans(plans)), partial(perform, starter), done, report, rate, as_json=as_json)


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
    client = await subscriptions()
    deed = deed_of(client)  # in a dry run too: what cannot be meant is refused
    if dry_run:
        deed, done = looking, "match"
    await _do(matching(client, query), deed, done, report, rate, as_json=as_json)


def _plans(folder: Path) -> dict[str, Plan]:
    if not folder.is_dir():
        raise StartupError(f"--plans {folder}: is not a folder")
    plans = [read_plan(path) for path in sorted(folder.iterdir()) if path.suffix in {".toml", ".json"}]
    return {plan.plan_id: plan for plan in plans}


async def _rows(file: Path, plans: dict[str, Plan]) -> AsyncIterator[Joining | Result]:
    try:
        async for row in joining(file, plans):
            yield row
    except OSError as error:
        raise StartupError(f"{file}: {error.strerror or error}") from None
    except ValueError as error:
        raise StartupError(str(error)) from None


async def _do(
    items: AsyncIterator[Item],
    perform: Callable[[Item], Awaitable[Result]],
    done: str,
    report: Path | None,
    rate: float | None,
    *,
    as_json: bool,
) -> None:
    """Does it to all, shows how far it is, and says what came of it.

    Raises:
        RefusedError: some were refused.
    """
    refused: list[Result] = []
    with _reporting(report) as write, Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(done, total=None)

        def tell(result: Result) -> None:
            write(result)
            progress.advance(task)
            if result.outcome is Outcome.REFUSED and len(refused) < SHOWN:
                refused.append(result)

        try:
            counts = await do_to_many(items, perform, tell, per_second=rate)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
    _say(counts, refused, done, as_json=as_json)
    if counts[Outcome.REFUSED]:
        total = counts.total()
        raise RefusedError(f"{counts[Outcome.REFUSED]} of {total} were refused" + (f"; see {report}" if report else ""))


def _say(counts: Counter[Outcome], refused: list[Result], done: str, *, as_json: bool) -> None:
    if as_json:
        figures = {outcome.value: counts[outcome] for outcome in Outcome}
        out.print_json(json.dumps(figures | {"refusals": [asdict(result) for result in refused]}))
        return
    for result in refused:
        where = f"line {result.row}: " if result.row is not None else ""
        out.print(f"{where}{result.subject or '?'}: {result.why}", soft_wrap=True, highlight=False, markup=False)
    already = f", {counts[Outcome.ALREADY]} were already" if counts[Outcome.ALREADY] else ""
    out.print(f"{counts[Outcome.DONE]} {done}{already}")


@contextmanager
def _reporting(path: Path | None) -> Iterator[Callable[[Result], None]]:
    """Writes each result as it comes, so that a report is there also of what was broken off."""
    if path is None:
        yield lambda _: None
        return
    if path.suffix not in {".csv", ".jsonl"}:
        raise StartupError(f"--report {path}: a report is a .csv or .jsonl file")
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise StartupError(f"--report {path}: {error.strerror or error}") from None
    with file:
        if path.suffix == ".jsonl":
            yield lambda result: print(json.dumps(asdict(result)), file=file, flush=True)
        else:
            table: Any = csv.writer(file)  # Any: the module names no type
            table.writerow(("row", "charge_permission_id", "outcome", "why"))
            yield lambda result: table.writerow((result.row, result.subject, result.outcome.value, result.why))
