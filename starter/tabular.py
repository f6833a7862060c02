"""Tables and bars, before anybody draws them: what the command line prints and the console shows alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

ALWAYS: Final = 0
"""The rank of a column without which a table is of no use."""


class Strong(str):
    """A cell that sums up others."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: above it.
        rank: how soon it may be left out: the highest first, those of rank 0 never.
        is_prose: it may be wrapped between words; what is no prose stays on one line.
        justify: to which side.
    """

    heading: str
    rank: int = ALWAYS
    is_prose: bool = False
    justify: Literal["left", "right"] = "left"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings.

    Attributes:
        columns: from left to right.
        rows: a cell for each column.
        title: above the table.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One bar.

    Attributes:
        label: before it.
        size: how long it is, beside the others.
        said: after it: the same in figures.
    """

    label: str
    size: float
    said: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars under each other.

    Attributes:
        title: above them.
        bars: from top to bottom.
    """

    title: str
    bars: Sequence[Measured]


Part = Table | Bars | str
"""A part of a report's page; a text is a line of its own."""
