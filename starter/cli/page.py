"""A subscription's details, which are Markdown for the Temporal Web UI, on a terminal: no id in their tables is cut."""

from collections.abc import Iterator
from typing import ClassVar, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markdown import Markdown, MarkdownElement, TableDataElement, TableElement

from perennial_billing.starter.cli.tables import ALWAYS, Column, Sheet

_RANKS: Final = {
    "Attempts": 4,
    "Settled (UTC)": 3,
    "Asked for (UTC)": 3,
    "Amount": 2,
    "Last failure": 2,
    "Due (UTC)": 1,
}
"""What a narrow terminal can do without, by its heading: what is left says how it stands, and Amazon's id for it."""

_PROSE: Final = frozenset({"Outcome", "State", ""})
"""What may be wrapped; what has no heading tells something in words."""


class _WholeTable(TableElement):
    """A table of which nothing is cut."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        headings = self.header.row.cells if self.header and self.header.row else []
        rows = self.body.rows if self.body else []
        columns = [_column(at, cell) for at, cell in enumerate(headings)]
        yield Sheet(columns, [[_plain(cell) for cell in row.cells] for row in rows])


def _column(at: int, cell: TableDataElement) -> Column:
    heading = _plain(cell)
    return Column(
        heading,
        rank=_RANKS.get(heading, ALWAYS),
        is_prose=at > 0 and heading in _PROSE,
        justify="right" if cell.justify == "right" else "left",
    )


def _plain(cell: TableDataElement) -> str:
    """What a cell says, without the room around it that the Web UI needs."""
    return cell.content.plain.strip()


class Page(Markdown):
    """Details in Markdown, with tables that fit themselves in."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "table_open": _WholeTable}
