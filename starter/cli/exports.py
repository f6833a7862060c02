"""The command `perennial export`."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

import typer
from rich.progress import Progress

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.ledger import in_utc
from perennial_billing.starter.cli.output import asynchronous, err
from perennial_billing.starter.many.cells import as_cell

Row = Mapping[str, Any]  # Any: a row's columns have different types


@asynchronous
async def export(
    what: Annotated[Literal["entries", "subscriptions"], typer.Argument(help="What was told, or how each stands.")],
    since: Annotated[datetime | None, typer.Option(help="Of then or later (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before then (UTC).")] = None,
    form: Annotated[Literal["csv", "jsonl"], typer.Option("--format", help="How it is written.")] = "csv",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="A file, which is there once it is whole; standard output when not given.", dir_okay=False
        ),
    ] = None,
) -> None:
    """Write out the ledger for whoever keeps books: CSV or JSON lines.

    Amounts are decimal numbers beside their currency, instants are UTC. What a spreadsheet would take for a formula has
    an apostrophe before it in CSV.
    """
    from perennial_billing.ledger.exporting import What, columns_of, count, exported
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.books import ledger_of

    kind, begin, end = What(what), in_utc(since), in_utc(until)
    async with ledger_of(load_settings()) as ledger:
        with (
            Progress(console=err, transient=True, disable=not err.is_terminal) as progress,
            _writing(to) as file,
        ):
            total = await count(ledger, kind, begin, end) if err.is_terminal else None
            task = progress.add_task("exporting", total=total)
            write = _csv(file, columns_of(kind)) if form == "csv" else _json_lines(file)
            async for rows in exported(ledger, kind, begin, end):
                for row in rows:
                    write(row)
                progress.advance(task, len(rows))


def _csv(file: TextIO, columns: tuple[str, ...]) -> Callable[[Row], None]:
    writer = csv.writer(file)
    writer.writerow(columns)
    return lambda row: writer.writerow([as_cell(_text(row[name])) for name in columns])


def _json_lines(file: TextIO) -> Callable[[Row], None]:
    def write(row: Row) -> None:
        file.write(json.dumps({name: _plain(value) for name, value in row.items()}) + "\n")

    return write


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(_plain(value))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


@contextmanager
def _writing(path: Path | None) -> Iterator[TextIO]:
    """A file that is there only once it is whole.

    Raises:
        StartupError: it cannot be written.
    """
    if path is None:
        # A line's end is ours to write: what a terminal or a pipe would make of it is none of CSV's.
        written = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="", write_through=True)
        try:
            yield written
        finally:
            written.detach()
        return
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            yield file
        unfinished.replace(path)
    except OSError as error:
        raise StartupError(f"--to {path}: {error.strerror or error}") from None
    finally:
        unfinished.unlink(missing_ok=True)
