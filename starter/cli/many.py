"""What the commands about many subscriptions have in common: options, progress, and the report."""

import csv
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from runtime.errors import StartupError
from starter.cli.output import RefusedError, err, mind, say
from starter.cli.tables import Column, Sheet
from starter.many.cells import as_cell
from starter.many.runner import Outcome, Result, do_to_many

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

    Raises:
        RefusedError: some were refused.
    """
    from rich.progress import Progress

    refused: list[Result] = []
    minded: list[Result] = []
    with _reporting(report) as write, Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(done, total=total)

        def tell(result: Result) -> None:
            write(result)
            progress.advance(task)
            if result.outcome is Outcome.REFUSED and len(refused) < SHOWN:
                refused.append(result)
            if result.mind:
                minded.append(result)

        try:
            counts = await do_to_many(items, perform, tell, per_second=rate)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
    _say(counts, refused, done, as_json=as_json)
    tell_minded(minded)
    if counts[Outcome.REFUSED]:
        raise RefusedError(
            f"{counts[Outcome.REFUSED]} of {counts.total()} were refused" + (f"; see {report}" if report else "")
        )


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
            table.writerow(("row", "charge_permission_id", "outcome", "why", "mind"))

            def write(result: Result) -> None:
                texts = (result.subject, result.outcome.value, result.why, result.mind)
                table.writerow((result.row, *map(as_cell, texts)))

            yield write
