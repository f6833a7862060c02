"""The commands `perennial import ...`: subscribers who are billed elsewhere until now."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from perennial_billing.billing.plan import Plan
from perennial_billing.billing.refusals import Refused
from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.connection import subscriptions
from perennial_billing.starter.cli.many import RateOption, ReportOption, do_and_tell
from perennial_billing.starter.cli.output import JsonOption, asynchronous
from perennial_billing.starter.cli.plan_file import read_plan
from perennial_billing.starter.many.joining import Checker, Joining, References, Starter, joining
from perennial_billing.starter.many.runner import Result
from perennial_billing.workflows.names import Call

FileArgument = Annotated[
    Path,
    typer.Argument(help="Subscribers, a .csv with a header or .jsonl; docs/operations/importing.md lists the columns."),
]
PlansOption = Annotated[
    Path, typer.Option("--plans", help="Folder of the plan files that the rows name by plan_id.", file_okay=False)
]

imports = typer.Typer(name="import", help="Take over subscribers who are billed elsewhere.", no_args_is_help=True)


@imports.callback()
def _import() -> None:
    """Take over subscribers who are billed elsewhere: check, start (paused), cut over. Each may be repeated safely."""


@imports.command("check")
@asynchronous
async def check(
    file: FileArgument, plans: PlansOption, report: ReportOption = None, as_json: JsonOption = False
) -> None:
    """Compare every row with its charge permission at Amazon; change nothing.

    Asks Amazon once for each row, not faster than Amazon's limit: 10,000 rows take some 40 minutes in live.
    """
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.starter.amazon_pay import reader_of
    from perennial_billing.worker.books import ledger_of
    from perennial_billing.worker.rates import calls_per_second
    from perennial_billing.worker.wiring import accounts_of

    settings, known = load_settings(), _plans(plans)
    rate = calls_per_second(settings, Call.GET_CHARGE_PERMISSION)
    async with ledger_of(settings) as ledger, accounts_of(settings, ledger) as accounts:
        rows = _rows(file, known)
        checker = Checker(lambda account: reader_of(accounts, account))
        await do_and_tell(rows, checker.check, "checked", report, rate, as_json=as_json)


@imports.command("start")
@asynchronous
async def start(
    file: FileArgument,
    plans: PlansOption,
    report: ReportOption = None,
    rate: RateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a paused subscription for each row. Nothing is charged before it is cut over.

    A row whose merchant reference is that of another subscription, too, is started and told of.
    """
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.books import ledger_of

    async with ledger_of(load_settings()) as ledger:
        client = await subscriptions(ledger=ledger)
        starter = Starter(client, await References.of_running(client))
        await _import_each(file, plans, starter.start, "started", report, rate, as_json=as_json)


@imports.command("cut-over")
@asynchronous
async def cut_over(
    file: FileArgument,
    plans: PlansOption,
    report: ReportOption = None,
    rate: RateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Resume each row's subscription: from now on it is billed here, on its next due date."""
    starter = Starter(await subscriptions())
    await _import_each(file, plans, starter.cut_over, "cut over", report, rate, as_json=as_json)


async def _import_each(
    file: Path,
    plans: Path,
    perform: Callable[[Joining | Result], Awaitable[Result]],
    done: str,
    report: Path | None,
    rate: float | None,
    *,
    as_json: bool,
) -> None:
    await do_and_tell(_rows(file, _plans(plans)), perform, done, report, rate, as_json=as_json)


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
    except Refused as refused:
        raise StartupError(str(refused)) from None
