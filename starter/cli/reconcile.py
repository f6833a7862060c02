"""The command `perennial reconcile`."""

import csv
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.progress import Progress

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.ledger import in_utc
from perennial_billing.starter.cli.output import (
    NOT_ANSWERED,
    JsonOption,
    RefusedError,
    asynchronous,
    err,
    fail,
    mind,
)
from perennial_billing.starter.cli.reconciled import Found, Taken, numbered, tell
from perennial_billing.starter.many.cells import as_cell

if TYPE_CHECKING:
    from perennial_billing.ledger.ledger import Ledger
    from perennial_billing.ledger.settlements.lines import SettlementFile
    from perennial_billing.ledger.settlements.matching import Difference
    from perennial_billing.ledger.settlements.reconciling import Compared
    from perennial_billing.ledger.settlements.scope import Scope
    from perennial_billing.ledger.settlements.transactions import Form
    from perennial_billing.runtime.settings import Settings

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_LATELY = timedelta(days=3)
"""How far transaction reports look back unless something else is asked for: over a weekend."""

AccountOption = Annotated[str, typer.Option(help="The short name of the merchant account that was settled.")]


class _Given(NamedTuple):
    """A file that is to be taken.

    Attributes:
        path: where it is.
        report_id: of the report that it was downloaded as.
    """

    path: Path
    report_id: str | None = None


class _Transactions(NamedTuple):
    """A transaction report, and how many transactions it has."""

    path: Path
    form: "Form"
    moved: int


@asynchronous
async def reconcile(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Settlement or transaction reports as downloaded; asked of Amazon when none is given."),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Settlements that end then or later (UTC); of 90 days when not given.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(help="Settlements that begin before then (UTC).")] = None,
    account: AccountOption = "default",
    settled_within: Annotated[
        int, typer.Option(min=0, max=365, help="Days after which a charge must stand in a settlement.")
    ] = 14,
    shared: Annotated[
        bool, typer.Option("--shared", help="The account takes other orders as well: they are counted, not listed.")
    ] = False,
    transactions: Annotated[
        bool,
        typer.Option(
            "--transactions", help="Also what was captured and refunded since then, or in the last 3 days; live only."
        ),
    ] = False,
    encoding: Annotated[
        str | None, typer.Option(help="Of the files, such as cp932, where it is not UTF-8 or marked.")
    ] = None,
    unbalanced: Annotated[
        bool, typer.Option("--unbalanced", help="Take files whose lines do not add up to what they transfer.")
    ] = False,
    lines_to: Annotated[
        Path | None,
        typer.Option("--lines-to", help="Write all lines, with their fees, to this CSV file.", dir_okay=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Hold Amazon's settlements against the ledger, charge by charge. Exit code 1 where they differ.

    Keeps fees and payouts in the ledger. A settlement is taken once, however often the command is repeated, and none
    of a file that is cut, or is another account's.
    """
    from perennial_billing.ledger.settlements.scope import Scope
    from perennial_billing.runtime.settings import Environment, load_settings
    from perennial_billing.starter.settlement_reports import KEPT_FOR
    from perennial_billing.worker.books import ledger_of

    settings = load_settings()
    begins, ends = in_utc(since), in_utc(until)
    scope = Scope(
        account=account,
        since=begins or datetime.now(UTC) - KEPT_FOR,
        until=ends,
        settled_within=timedelta(days=settled_within),
        is_shared=shared,
    )
    if transactions and (files or settings.environment is not Environment.LIVE):
        raise StartupError("--transactions: Amazon is asked for them, in live only; give files as they are, without it")
    moved_since = (begins or (ends or datetime.now(UTC)) - _LATELY) if transactions else None
    with _bar(as_json=as_json) as bar:
        async with ledger_of(settings) as ledger, _given(files, ledger, scope, moved_since, settings, bar) as given:
            reports, moved = _sorted(given, account, encoding, bar)
            taken = await _take(ledger, reports, scope, settings, encoding, bar, unbalanced=unbalanced)
            found = Found()
            if reports or not files:
                scope = _scope_of(scope, taken, begins, ends) if files else scope
                found = await _found(ledger, scope, bar)
            if lines_to is not None:
                await _write_lines(ledger, scope, lines_to, bar)
            for each in moved:
                found = found.and_also(await _found_in(each, ledger, scope, encoding, bar))
    tell(taken, found, as_json=as_json)
    refused = len(given) - len(taken) - len(moved)
    if found.differences or refused:
        differ = [numbered(len(found.differences), "difference")] if found.differences else []
        raise RefusedError("; ".join([*differ, *([f"{numbered(refused, 'report')} refused"] if refused else ())]))


@asynccontextmanager
async def _given(
    files: list[Path] | None,
    ledger: "Ledger",
    scope: "Scope",
    moved_since: datetime | None,
    settings: "Settings",
    bar: "_Bar",
) -> AsyncIterator[list[_Given]]:
    """Files that were given by hand, or what Amazon has; kept until the context is left."""
    if files:
        yield [_Given(path) for path in files]
        return
    from perennial_billing.ledger.settlements.storing import known_reports, settled_times
    from perennial_billing.starter.settlement_reports import ReportNotMadeError, ReportsError, SettlementReports
    from perennial_billing.worker.wiring import client_of

    with tempfile.TemporaryDirectory(prefix="perennial-settlements-") as folder:
        try:
            async with client_of(settings, scope.account, ledger) as amazon_pay:
                reports = SettlementReports(
                    amazon_pay, settings.environment, is_simulated=settings.amazon_pay_origin is not None
                )
                downloads = reports.download(
                    Path(folder),
                    known=await known_reports(ledger, scope.account),
                    settled=await settled_times(ledger, scope.account),
                    since=scope.since,
                    until=scope.until,
                    tell=bar.says,
                )
                found = [_Given(each.path, each.report_id) async for each in downloads]
                if moved_since is not None:
                    until = scope.until or datetime.now(UTC)
                    moved = reports.transactions(Path(folder), since=moved_since, until=until, tell=bar.says, mind=mind)
                    found += [_Given(each.path, each.report_id) async for each in moved]
        except ReportNotMadeError as error:
            fail(str(error), NOT_ANSWERED)
        except ReportsError as error:
            raise RefusedError(str(error)) from None
        yield found


def _sorted(
    given: Sequence[_Given], account: str, encoding: str | None, bar: "_Bar"
) -> tuple[list[_Given], list[_Transactions]]:
    """Settlement reports, and transaction reports, which were read to their ends."""
    from perennial_billing.ledger.settlements.transactions import form_of, transactions_in

    reports: list[_Given] = []
    transactions: list[_Transactions] = []
    for each in given:
        with _skipping(each), bar.counting(f"reading {each.path.name}") as count:
            form = form_of(each.path, encoding)
            if form is None:
                reports.append(each)
            else:
                moved = sum(1 for _ in transactions_in(each.path, form, account, encoding, count))
                transactions.append(_Transactions(each.path, form, moved))
    return reports, transactions


async def _take(
    ledger: "Ledger",
    reports: Sequence[_Given],
    scope: "Scope",
    settings: "Settings",
    encoding: str | None,
    bar: "_Bar",
    *,
    unbalanced: bool,
) -> list[Taken]:
    """Takes all that is whole: files by hand only if each is, and all or none."""
    from perennial_billing.ledger.settlements.parsing import checked
    from perennial_billing.ledger.settlements.storing import take, take_all
    from perennial_billing.worker.wiring import merchant_id_of

    merchant_id = await merchant_id_of(settings, scope.account, ledger)
    whole: list[tuple[_Given, SettlementFile]] = []
    taken: list[Taken] = []
    for each in reports:
        with _skipping(each), bar.counting(f"reading {each.path.name}") as count:
            settlement = checked(
                each.path,
                merchant_id=merchant_id,
                encoding=encoding,
                is_balanced=not unbalanced,
                progress=count,
            )
            whole.append((each, settlement))
    if all(each.report_id is None for each, _ in whole):
        files = [settlement for _, settlement in whole]
        with bar.counting("taking the settlements", sum(file.lines for file in files)) as count:
            return list(map(Taken, files, await take_all(ledger, files, scope.account, count)))
    for each, settlement in whole:
        what = f"taking settlement {settlement.settlement_id}"
        with _skipping(each), bar.counting(what, settlement.lines) as count:
            is_new = await take(ledger, settlement, scope.account, report_id=each.report_id, progress=count)
            taken.append(Taken(settlement, is_new))
    return taken


@contextmanager
def _skipping(given: _Given) -> Iterator[None]:
    """A report that Amazon made, and that is refused, is told, and keeps no other from being taken."""
    from perennial_billing.ledger.settlements.refusals import ReportRefusedError

    try:
        yield
    except ReportRefusedError as error:
        if given.report_id is None:
            raise
        mind(str(error))


def _scope_of(scope: "Scope", taken: Sequence[Taken], since: datetime | None, until: datetime | None) -> "Scope":
    """Of files that were given by hand: those settlements, unless another time was asked for."""
    begins = since or min(each.file.starts_at for each in taken)
    return replace(scope, since=begins, until=until or max(each.file.ends_at for each in taken))


async def _found(ledger: "Ledger", scope: "Scope", bar: "_Bar") -> Found:
    from perennial_billing.ledger.settlements.reading import sums
    from perennial_billing.ledger.settlements.reconciling import compared, count

    with bar.counting("comparing", await count(ledger, scope)) as advance:
        found = await _gathered(compared(ledger, scope), advance)
    return found._replace(sums=await sums(ledger, scope))


async def _found_in(
    report: _Transactions, ledger: "Ledger", scope: "Scope", encoding: str | None, bar: "_Bar"
) -> Found:
    from perennial_billing.ledger.settlements.reconciling import compared_transactions
    from perennial_billing.ledger.settlements.transactions import transactions_in

    lines = transactions_in(report.path, report.form, scope.account, encoding)
    with bar.counting(f"comparing {report.path.name}", report.moved) as advance:
        return await _gathered(compared_transactions(ledger, scope, lines), advance)


async def _gathered(parts: AsyncIterator["Compared"], advance: Callable[[int], None]) -> Found:
    differences: list[Difference] = []
    transactions = foreign = 0
    async for part in parts:
        differences += part.differences
        transactions += part.transactions
        foreign += part.foreign
        advance(part.transactions)
    return Found((), differences, transactions, foreign)


async def _write_lines(ledger: "Ledger", scope: "Scope", path: Path, bar: "_Bar") -> None:
    """The lines of the settlements as CSV, for whoever keeps books elsewhere; the file is there once it is whole.

    Raises:
        StartupError: it cannot be written.
    """
    from perennial_billing.ledger.settlements.reading import COLUMNS, lines

    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with (
            bar.counting(f"writing {path.name}") as advance,
            unfinished.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            async for part in lines(ledger, scope):
                writer.writerows([_cell(row[name]) for name in COLUMNS] for row in part)
                advance(len(part))
        unfinished.replace(path)
    except OSError as error:
        raise StartupError(f"--lines-to {path}: {error.strerror or error}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _cell(value: object) -> str:
    """Amounts stay numbers, whatever their sign: they are ours, and no formulas."""
    if isinstance(value, datetime):
        return value.isoformat()
    text = "" if value is None else str(value)
    return text if _NUMBER.fullmatch(text) else as_cell(text)


class _Bar:
    """A bar that shows one thing after the other.

    Args:
        progress: where it is drawn.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("looking", total=None)

    def says(self, words: str) -> None:
        """What is done now."""
        self._progress.update(self._task, description=words)

    @contextmanager
    def counting(self, doing: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Shows how many of a total are done, as it is told."""
        self._progress.reset(self._task, total=total, description=doing)
        yield lambda number: self._progress.advance(self._task, number)


@contextmanager
def _bar(*, as_json: bool) -> Iterator[_Bar]:
    with Progress(console=err, transient=True, disable=as_json or not err.is_terminal) as progress:
        yield _Bar(progress)
