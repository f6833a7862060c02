"""What the commands about many subscriptions have in common: options, progress, and the report."""

import asyncio
import csv
import errno
import io
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from rich.text import Text

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.output import RefusedError, err, mind, say
from perennial_billing.starter.cli.tables import Column, Sheet
from perennial_billing.starter.many.cells import as_cell
from perennial_billing.starter.many.runner import Outcome, Result, Tally, do_to_many

SHOWN: Final = 20
"""Refusals shown on a terminal; the report has all."""

ReportOption = Annotated[
    Path | None, typer.Option(help="Write a line for each to this file: .csv, or .jsonl.", dir_okay=False)
]
RateOption = Annotated[float | None, typer.Option(min=0.1, help="At most so many a second; as fast as it goes else.")]

Item = TypeVar("Item")


async def do_and_tell(
    items: AsyncIterator[Item],
    perform: Callable[[Item], Awaitable[Result]],
    done: str,
    report: Path | None,
    rate: float | None,
    *,
    as_json: bool,
    total: int | None = None,
) -> None:
    """Does it to all, shows how far it is, of `total` where that is known, and says what came of it.

    Where it is broken off (SIGINT, SIGTERM, SIGHUP, an error), it says how far it came, and how to go on.

    Raises:
        RefusedError: some were refused.
    """
    from rich.progress import Progress

    refused: list[Result] = []
    minded: list[Result] = []
    tally = Tally()
    with (
        _reporting(report) as write,
        Progress(console=err, transient=True, disable=not err.is_terminal) as progress,
    ):
        task = progress.add_task(done, total=total)

        def tell(result: Result) -> None:
            write(result)
            progress.advance(task)
            if result.outcome is Outcome.REFUSED and len(refused) < SHOWN:
                refused.append(result)
            if result.mind:
                minded.append(result)

        try:
            counts = await do_to_many(items, perform, tell, per_second=rate, tally=tally)
        except asyncio.CancelledError:
            _say_how_far(tally, done, total, report)
            raise
        except ExceptionGroup as group:
            if tally.counts or tally.under_way:  # else nothing was begun that could be broken off
                _say_how_far(tally, done, total, report)
            raise group.exceptions[0] from None
    _say(counts, refused, done, as_json=as_json)
    tell_minded(minded)
    if counts[Outcome.REFUSED]:
        raise RefusedError(
            f"{counts[Outcome.REFUSED]} of {counts.total()} were refused" + (f"; see {report}" if report else "")
        )


def _say_how_far(tally: Tally, done: str, total: int | None, report: Path | None) -> None:
    counts = tally.counts
    of_all = f" of {total}" if total is not None else ""
    rest = "".join(
        f", {number} {what}"
        for number, what in (
            (counts[Outcome.ALREADY], "were already"),
            (counts[Outcome.REFUSED], "were refused"),
            (tally.under_way, "were under way, so it is not known what became of them"),
        )
        if number
    )
    where = f"; {report} has a line for each that is known" if report else ""
    with suppress(OSError):  # whoever hung up has taken the terminal away, and nobody reads it there
        said = f" after {counts.total()}{of_all}: {counts[Outcome.DONE]} {done}{rest}{where}."
        again = "Repeat the same command to go on: it finds what is done, and does nothing twice"
        err.print(Text.assemble(("broken off:", "bold yellow"), f"{said} {again}"))


def _say(counts: Counter[Outcome], refused: list[Result], done: str, *, as_json: bool) -> None:
    figures = {outcome.value: counts[outcome] for outcome in Outcome}
    already = f", {counts[Outcome.ALREADY]} were already" if counts[Outcome.ALREADY] else ""
    say(
        figures | {"refusals": [asdict(result) for result in refused]},
        *([sheet_of(refused)] if refused else []),
        f"{counts[Outcome.DONE]} {done}{already}",
        as_json=as_json,
    )


def tell_minded(minded: Sequence[Result]) -> None:
    """What was done, and somebody should look at: on standard error, as nothing was refused."""
    for result in minded[:SHOWN]:
        where = f"line {result.row}, " if result.row is not None else ""
        mind(f"{where}{result.subject}: {result.mind}")
    if len(minded) > SHOWN:
        mind(f"{len(minded) - SHOWN} more such lines; a report has them all")


def sheet_of(refused: Sequence[Result]) -> Sheet:
    """A line for each refusal; with the line of its file, where it comes from one."""
    from_a_file = any(result.row is not None for result in refused)
    columns = [Column("Charge permission"), Column("Why", is_prose=True)]
    rows = [[result.subject or "?", result.why] for result in refused]
    if from_a_file:
        columns.insert(0, Column("Line", justify="right"))
        rows = [[str(result.row), *row] for result, row in zip(refused, rows, strict=True)]
    return Sheet(columns, rows)


@contextmanager
def _reporting(path: Path | None) -> Iterator[Callable[[Result], None]]:
    """Writes each result as it comes, past all buffers: what ends this process, kill -9 included, leaves the report up
    to the last result.

    Raises:
        StartupError: the file cannot be written, or not any more.
    """
    if path is None:
        yield lambda _: None
        return
    if path.suffix not in {".csv", ".jsonl"}:
        raise StartupError(f"--report {path}: a report is a .csv or .jsonl file")
    with _report_errors(path):
        file = path.open("wb", buffering=0)

    def write(line: str) -> None:
        content = line.encode("utf-8", "backslashreplace")
        with _report_errors(path):
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with file:
        if path.suffix == ".jsonl":
            yield lambda result: write(f"{json.dumps(asdict(result))}\n")
        else:
            write(_csv_line("row", "charge_permission_id", "outcome", "why", "mind"))
            yield lambda result: write(
                _csv_line(result.row, *map(as_cell, (result.subject, result.outcome.value, result.why, result.mind)))
            )


def _csv_line(*cells: object) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


@contextmanager
def _report_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartupError(f"--report {path}: {error.strerror or error}") from None
