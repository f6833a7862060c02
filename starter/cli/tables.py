"""Tables that can be used: what is looked for, such as an id, is never cut and never wrapped.

A terminal that is too narrow for all columns shows the more important ones, and says which it leaves out. A pipe has
no width, so it gets everything.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from perennial_billing.starter.cli.output import printable
from perennial_billing.starter.tabular import ALWAYS, Column

__all__ = ["ALWAYS", "Cell", "Column", "Sheet"]

READABLE: Final = 20
"""Characters that a column of prose has at the least, if it has so many to say."""

_PADDING: Final = 2
_LINE: Final = 1

Cell = str | Text


class Sheet:
    """A table that fits itself into the console on which it is printed.

    Args:
        columns: from left to right.
        rows: a cell for each column; nothing in a cell is taken for markup.
        title: above the table.
    """

    def __init__(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, title: str | None = None) -> None:
        self._columns = columns
        self._title = title
        # What is not printed has no width either, or columns would not stand under each other.
        self._cells = [[Text(printable(cell)) if isinstance(cell, str) else cell for cell in row] for row in rows]
        self._widest = [
            max([cell_len(column.heading), *(row[at].cell_len for row in self._cells)])
            for at, column in enumerate(columns)
        ]
        self._least = [self._least_width(at) for at in range(len(columns))]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draws it: as wide as it is for a pipe, and as wide as there is room on a terminal."""
        if not console.is_terminal:
            yield self._drawn(dict(enumerate(self._widest)))
            return
        shown = self._shown_within(options.max_width)
        yield self._drawn(self._widths(shown, options.max_width))
        left_out = [column.heading for at, column in enumerate(self._columns) if at not in shown]
        if left_out:
            yield Text(f"wider terminals also show: {', '.join(left_out)}", style="dim")

    def _least_width(self, at: int) -> int:
        """How narrow a column may get: headings and prose are wrapped, prose never within a word."""
        cells = [row[at] for row in self._cells]
        heading = [min(cell_len(word), READABLE) for word in self._columns[at].heading.split()]
        if not self._columns[at].is_prose:
            return max([0, *heading, *(cell.cell_len for cell in cells)])
        words = [cell_len(word) for cell in cells for word in cell.plain.split()]
        return max([min(self._widest[at], READABLE), *heading, *words])

    def _shown_within(self, room: int) -> list[int]:
        """The columns that are shown, once as many as needed are left out."""
        shown = list(range(len(self._columns)))
        while _framed(self._least[at] for at in shown) > room:
            least = max(reversed(shown), key=lambda at: self._columns[at].rank)
            if self._columns[least].rank == ALWAYS:
                break
            shown.remove(least)
        return shown

    def _widths(self, shown: Sequence[int], room: int) -> dict[int, int]:
        """Columns and their widths: what room is left goes to those that wrap, from left to right."""
        spare = room - _framed(self._least[at] for at in shown)
        widths = {}
        for at in shown:
            more = min(self._widest[at] - self._least[at], max(spare, 0))
            widths[at] = self._least[at] + more
            spare -= more
        return widths

    def _drawn(self, widths: Mapping[int, int]) -> Table:
        table = Table(
            title=self._title,
            title_justify="left",
            show_header=any(column.heading for column in self._columns),
            width=_framed(widths.values()),
        )
        for at, width in widths.items():
            column = self._columns[at]
            heading = Text(column.heading, no_wrap=False, overflow="fold")
            table.add_column(heading, width=width, justify=column.justify, no_wrap=not column.is_prose, overflow="fold")
        for row in self._cells:
            table.add_row(*(row[at] for at in widths))
        return table


def _framed(widths: Iterable[int]) -> int:
    """How wide a table of columns is, with their padding and the lines between and around them."""
    columns = list(widths)
    return sum(columns) + len(columns) * (_PADDING + _LINE) + _LINE
