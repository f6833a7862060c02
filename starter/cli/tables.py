"""Tables that can be used: what is looked for, such as an id, is never cut and never wrapped.

A terminal that is too narrow for all columns shows the more important ones, and says which it leaves out. A pipe has
no width, so it gets everything.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

from rich.box import HEAVY_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
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
        self._cells = [[printable(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        self._lengths = [[cell_len(_plain(cell)) for cell in row] for row in self._cells]
        self._widest = [
            max([cell_len(column.heading), *(row[at] for row in self._lengths)]) for at, column in enumerate(columns)
        ]
        self._least = [self._least_width(at) for at in range(len(columns))]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType | Segment]:
        """Draws it: as wide as it is for a pipe, and as wide as there is room on a terminal."""
        if not console.is_terminal:
            yield from self._drawn(dict(enumerate(self._widest)), console, options)
            return
        shown = self._shown_within(options.max_width)
        yield from self._drawn(self._widths(shown, options.max_width), console, options)
        left_out = [column.heading for at, column in enumerate(self._columns) if at not in shown]
        if left_out:
            yield Text(f"wider terminals also show: {', '.join(left_out)}", style="dim")

    def _least_width(self, at: int) -> int:
        """How narrow a column may get: headings and prose are wrapped, prose never within a word."""
        cells = [row[at] for row in self._cells]
        heading = [min(cell_len(word), READABLE) for word in self._columns[at].heading.split()]
        if not self._columns[at].is_prose:
            return max([0, *heading, *(row[at] for row in self._lengths)])
        words = [cell_len(word) for cell in cells for word in _plain(cell).split()]
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

    def _drawn(
        self, widths: Mapping[int, int], console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType | Segment]:
        """The table; by lines of our own where nothing has to be wrapped, as rich needs a millisecond for each row."""
        columns = [self._columns[at] for at in widths]
        fits = all(cell_len(self._columns[at].heading) <= width for at, width in widths.items()) and all(
            row[at] <= width for row in self._lengths for at, width in widths.items()
        )
        is_one_line = fits and all(_plain(row[at]).isprintable() for row in self._cells for at in widths)
        if not is_one_line or self._title or not any(column.heading for column in columns):
            yield self.as_table(widths)
        else:
            yield from self._lines(widths, console, options)

    def _lines(self, widths: Mapping[int, int], console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """What rich makes of the table, a line at a time."""
        box = HEAVY_HEAD.substitute(options)
        padded = [width + _PADDING for width in widths.values()]
        yield from _line(box.get_top(padded))
        yield Segment(box.head_left)
        heading = console.get_style("table.header")
        for number, (at, width) in enumerate(widths.items()):
            column = self._columns[at]
            said, spare = column.heading, width - cell_len(column.heading)
            yield Segment(_justified(f" {said} ", spare, column.justify), heading)
            yield Segment(box.head_right if number + 1 == len(widths) else box.head_vertical)
        yield Segment.line()
        yield from _line(box.get_row(padded, "head"))
        for row, lengths in zip(self._cells, self._lengths, strict=True):
            plain = box.mid_left
            for number, (at, width) in enumerate(widths.items()):
                cell, spare, justify = row[at], width - lengths[at], self._columns[at].justify
                ends = box.mid_right if number + 1 == len(widths) else box.mid_vertical
                if isinstance(cell, str):
                    plain += _justified(f" {cell} ", spare, justify) + ends
                    continue
                style = console.get_style(cell.style)
                pad = Segment(" " * spare, style)
                yield Segment(plain + " ")
                yield from [pad] if justify == "right" else []
                yield from cell.render(console) if cell.spans else [Segment(cell.plain, style)]
                yield from [pad] if justify == "left" else []
                plain = " " + ends
            yield Segment(plain)
            yield Segment.line()
        yield from _line(box.get_bottom(padded))

    def as_table(self, widths: Mapping[int, int]) -> Table:
        """The table as rich draws it, which wraps what has to be.

        Args:
            widths: of the columns that are shown, by their numbers.
        """
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
            table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in (row[at] for at in widths)))
        return table


def _plain(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell.plain


def _line(text: str) -> Iterator[Segment]:
    yield Segment(text)
    yield Segment.line()


def _justified(text: str, spare: int, justify: Literal["left", "right"]) -> str:
    return " " * spare + text if justify == "right" else text + " " * spare


def _framed(widths: Iterable[int]) -> int:
    """How wide a table of columns is, with their padding and the lines between and around them."""
    columns = list(widths)
    return sum(columns) + len(columns) * (_PADDING + _LINE) + _LINE
