"""A flat file as Amazon writes reports: lines of heading, a line that names the columns, and rows."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from perennial_billing.ledger.settlements.refusals import refusal
from perennial_billing.ledger.settlements.text import TextLines

MOST_BEFORE_THE_COLUMNS: Final = 50
"""Lines among which the names of the columns are looked for."""

_SEPARATORS: Final = (",", "\t", ";")
_NO_LETTER: Final = re.compile(r"[^0-9a-z]")
_OF_OTHER_REPORTS: Final = {"amazoncaptureid", "amazonrefundid", "amazonauthorizationid", "amountdescription"}
_ACCEPTED: Final = "a settlement report of Amazon Pay as it was downloaded is accepted"


class Row(NamedTuple):
    """A row, and the line on which it begins."""

    line: int
    cells: list[str]


def plain(name: str) -> str:
    """A name as it is compared: `Transaction-Posted-Date` is `TransactionPostedDate`."""
    return _NO_LETTER.sub("", name.casefold())


class FlatFile:
    """A file of which the head was read; its rows are read as they are gone through.

    Args:
        path: of the file, for errors.
        lines: of the file.
        needed: the columns without which it is none.
        known_by: one of them that no other report has; half of them where there is none such.

    Attributes:
        heading: what stands before the columns, by its plain names.
        columns: their plain names, in the file's order.
        columns_line: where they are named.

    Raises:
        ReportRefusedError: the columns are not named.
    """

    def __init__(self, path: Path, lines: TextLines, needed: Iterable[str], known_by: str | None = None) -> None:
        self._path, self._lines = path, lines
        self._known_by = plain(known_by) if known_by else None
        self._names = {plain(name): name for name in needed}
        before: list[str] = []
        for line in lines:
            separator = self._separator_of(line)
            if separator is not None:
                self._separator = separator
                self.columns: tuple[str, ...] = tuple(map(plain, _cells(line, separator)))
                break
            before.append(line)
            if len(before) == MOST_BEFORE_THE_COLUMNS:
                raise self._without_columns(before)
        else:
            raise self._without_columns(before)
        self.columns_line = lines.number
        self.heading: Mapping[str, str] = {
            plain(name): value.strip()
            for name, value, *_ in ([*_cells(line, self._separator), "", ""] for line in before)
        }
        self._check_columns()

    def rows(self) -> Iterator[Row]:
        """The rows; empty lines are none.

        Raises:
            ReportRefusedError: a row has more or fewer cells than there are columns, or ends within a quoted one.
        """
        reader = csv.reader(self._lines, delimiter=self._separator, strict=True)
        width = len(self.columns)
        while True:
            line = self._lines.number + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                why = f"{error}: the file was cut, or changed; download it again"
                raise refusal(self._path, why, line=line) from None
            if cells is None:
                return
            if len(cells) == width:
                yield Row(line, cells)
            elif any(cells):
                why = f"it has {len(cells)} columns, and line {self.columns_line} names {width}"
                raise refusal(self._path, f"{why}: the file was cut, or changed; download it again", line=line)

    def _separator_of(self, line: str) -> str | None:
        """What stands between the names of the columns, if this line has them: half of those that are needed, at least,
        so that one without some of them is told what it lacks.
        """
        for separator in _SEPARATORS:
            found = set(map(plain, _cells(line, separator)))
            if self._known_by in found or 2 * len(found & set(self._names)) >= len(self._names):
                return separator
            if found & _OF_OTHER_REPORTS:
                why = f"it is another report, with {_cells(line, separator)[0]!r}; {_ACCEPTED}"
                raise refusal(self._path, why, line=self._lines.number)
        return None

    def _check_columns(self) -> None:
        missing = [name for key, name in self._names.items() if key not in self.columns]
        if missing:
            raise refusal(
                self._path, f"{', '.join(missing)} is not among the columns; {_ACCEPTED}", line=self.columns_line
            )
        doubled = [name for key, name in self._names.items() if self.columns.count(key) > 1]
        if doubled:
            raise refusal(self._path, f"{', '.join(doubled)} is named twice; {_ACCEPTED}", line=self.columns_line)

    def _without_columns(self, before: list[str]) -> Exception:
        where = f"none of the first {len(before)} lines names the columns" if before else "the file is empty"
        return refusal(self._path, f"{where}; {_ACCEPTED}")


def cells_of(line: str) -> list[str]:
    """Of a line by itself, whichever separator makes the most of it."""
    return max((_cells(line, separator) for separator in _SEPARATORS), key=len)


def _cells(line: str, separator: str) -> list[str]:
    """Of one line by itself: of a heading, or the names of the columns."""
    return next(csv.reader([line], delimiter=separator), [])
