"""Bars on a terminal, for what a person would rather look at than read: drawn by rich, which draws everything else."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.bar import Bar
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from perennial_billing.starter.cli.output import printable
from perennial_billing.starter.cli.tables import Cell, Sheet
from perennial_billing.starter.tabular import Bars, Measured, Part, Strong
from perennial_billing.starter.tabular import Table as Rows

_LEAST: Final = 10
_LONGEST: Final = 80
"""Characters of a bar: a longer one tells no more."""

_SPACES: Final = 2


class Chart:
    """Bars under each other, the longest as long as there is room.

    Args:
        title: above them.
        bars: from top to bottom.
    """

    def __init__(self, title: str, bars: Sequence[Measured]) -> None:
        self._title = title
        self._bars = bars

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draws them; in plain characters where the output takes no others."""
        most = max((bar.size for bar in self._bars), default=0.0)
        if not most:
            return
        labels, sayings = (max(len(text) for text in texts) for texts in zip(*map(_texts, self._bars), strict=True))
        width = min(max(options.max_width - labels - sayings - _SPACES, _LEAST), _LONGEST)
        grid = Table.grid(padding=(0, 1))
        for justify in ("left", "left", "right"):
            grid.add_column(justify=justify, no_wrap=True)
        for bar in self._bars:
            plain = Text("#" * round(bar.size / most * width))
            drawn = plain if options.ascii_only else Bar(most, 0, bar.size, width=width, color="cyan")
            label, said = _texts(bar)
            grid.add_row(Text(label), drawn, Text(said))
        yield Text(self._title, style="italic")
        yield grid


def _texts(bar: Measured) -> tuple[str, str]:
    return printable(bar.label), printable(bar.said)


def drawn(parts: Iterable[Part]) -> Iterator[RenderableType]:
    """A report's parts as they are printed."""
    for part in parts:
        match part:
            case Rows():
                yield Sheet(part.columns, [list(map(_cell, row)) for row in part.rows], title=part.title)
            case Bars():
                yield Chart(part.title, part.bars)
            case _:
                yield Text(part)


def _cell(text: str) -> Cell:
    return Text(text, style="bold") if isinstance(text, Strong) else text
