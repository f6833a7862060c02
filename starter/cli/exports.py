"""The command `perennial export`."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final, Literal, TextIO

import typer
from rich.progress import Progress

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.ledger import in_utc
from perennial_billing.starter.cli.output import asynchronous, err
from perennial_billing.starter.many.cells import as_cell

if TYPE_CHECKING:
    from perennial_billing.ledger.exporting import Kind

Row = Mapping[str, Any]  # Any: a row's columns have different types
Kinds = Mapping[str, "Kind"]
Write = Callable[[Sequence[Row]], None]

HOW_TO_INSTALL_PARQUET: Final = "install perennial-billing[parquet]"


@asynchronous
async def export(
    what: Annotated[Literal["entries", "subscriptions"], typer.Argument(help="What was told, or how each stands.")],
    since: Annotated[datetime | None, typer.Option(help="Of then or later (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before then (UTC).")] = None,
    account: Annotated[str | None, typer.Option(help="Only of the merchant account with this short name.")] = None,
    form: Annotated[Literal["csv", "jsonl", "parquet"], typer.Option("--format", help="How it is written.")] = "csv",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="A file, which is there once it is whole; standard output when not given.", dir_okay=False
        ),
    ] = None,
) -> None:
    """Write out the ledger for whoever keeps books: CSV, JSON lines or Parquet.

    Amounts are decimal numbers beside their currency, instants are UTC. What a spreadsheet would take for a formula has
    an apostrophe before it in CSV. Parquet needs the extra `parquet`.
    """
    from perennial_billing.ledger.exporting import What, count, exported, kinds_of
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.books import ledger_of

    kind, begin, end = What(what), in_utc(since), in_utc(until)
    writing = _FORMS[form]()
    if form == "parquet" and to is None:
        raise StartupError("--format parquet: it is written to a file (--to), as one that is cut off would look whole")
    async with ledger_of(load_settings()) as ledger:
        with (
            Progress(console=err, transient=True, disable=not err.is_terminal) as progress,
            _file(to) as file,
            writing(file, kinds_of(kind)) as write,
        ):
            total = await count(ledger, kind, begin, end, account) if err.is_terminal else None
            task = progress.add_task("exporting", total=total)
            async with aclosing(exported(ledger, kind, begin, end, account)) as pages:
                async for rows in pages:
                    write(rows)
                    progress.advance(task, len(rows))


@contextmanager
def _csv(file: BinaryIO, kinds: Kinds) -> Iterator[Write]:
    from perennial_billing.ledger.exporting import Kind

    with _text(file) as text:
        writer = csv.writer(text)
        writer.writerow(kinds)

        def cell(row: Row, name: str) -> str:
            """A number is none that a spreadsheet runs, whatever its sign."""
            written = _in_words(row[name])
            return written if kinds[name] in {Kind.NUMBER, Kind.AMOUNT} else as_cell(written)

        yield lambda rows: writer.writerows([cell(row, name) for name in kinds] for row in rows)


@contextmanager
def _json_lines(file: BinaryIO, _kinds: Kinds) -> Iterator[Write]:
    with _text(file) as text:

        def write(rows: Sequence[Row]) -> None:
            for row in rows:
                text.write(json.dumps({name: _plain(value) for name, value in row.items()}) + "\n")

        yield write


def _parquet() -> Callable[[BinaryIO, Kinds], Any]:  # Any: a context of `Write`
    """Parquet's writer.

    Raises:
        StartupError: what it needs is not installed.
    """
    try:
        from perennial_billing.starter.cli.parquet import parquet
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise StartupError(f"--format parquet: pyarrow is not installed; {HOW_TO_INSTALL_PARQUET}") from None
    return parquet


_FORMS: Final[Mapping[str, Callable[[], Callable[[BinaryIO, Kinds], Any]]]] = {  # Any: as above
    "csv": lambda: _csv,
    "jsonl": lambda: _json_lines,
    "parquet": _parquet,
}


@contextmanager
def _text(file: BinaryIO) -> Iterator[TextIO]:
    """The file for texts, whose line ends are ours: what a terminal or a pipe would make of them is none of CSV's."""
    text = io.TextIOWrapper(file, "utf-8", newline="")
    try:
        yield text
        text.flush()
    finally:
        text.detach()


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(_plain(value))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


@contextmanager
def _file(path: Path | None) -> Iterator[BinaryIO]:
    """A file that is there only once it is whole, and on the disk.

    Raises:
        StartupError: it cannot be written.
    """
    if path is None:
        yield sys.stdout.buffer
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise StartupError(f"--to {path}: {error.strerror or error}") from None
    finally:
        unfinished.unlink(missing_ok=True)
