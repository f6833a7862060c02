"""The lines of a file, whatever its encoding; where that is another one, the first line that cannot be read is told."""

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self, TextIO

from perennial_billing.ledger.settlements.refusals import ReportRefusedError, refusal

LONGEST_LINE: Final = 64 * 1024
"""Characters; a settlement's line has a few hundred. What has no lines at all is not read into memory."""

_MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UNREADABLE: Final = re.compile(r"[\udc80-\udcff]")
"""What Python makes of a byte that is none of the encoding."""

_ACCEPTED: Final = "UTF-8 is accepted, UTF-16 with a byte order mark, and whatever encoding is named (cp1252, cp932)"


class TextLines:
    """The lines, one after the other.

    Attributes:
        number: of the line that was read last, counted from 1.
        ends_within_a_line: whether the line that was read last has no end.
    """

    def __init__(self, path: Path, file: TextIO, encoding: str) -> None:
        self._path, self._file, self._encoding = path, file, encoding
        self.number = 0
        self.ends_within_a_line = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        """The next line, with its end.

        Raises:
            ReportRefusedError: it cannot be read in this encoding, or is too long to be one.
        """
        try:
            line = self._file.readline(LONGEST_LINE)
        except UnicodeError:
            raise self._refusal(f"it is not in {self._encoding}; {_ACCEPTED}") from None
        if not line:
            raise StopIteration
        if not self.number:
            line = line.removeprefix("\ufeff")
        if len(line) == LONGEST_LINE:
            raise self._refusal(f"it has more than {LONGEST_LINE} characters; a settlement report has a few hundred")
        if found := _UNREADABLE.search(line):
            byte = ord(found[0]) - 0xDC00
            raise self._refusal(
                f"the byte {byte:#04x} after {found.start()} characters is not {self._encoding}; {_ACCEPTED}"
            )
        if "\0" in line:
            raise self._refusal(f"it holds NUL characters, as UTF-16 read in {self._encoding} does; {_ACCEPTED}")
        self.number += 1
        self.ends_within_a_line = line[-1] not in "\r\n"
        return line

    def _refusal(self, why: str) -> ReportRefusedError:
        return refusal(self._path, why, line=self.number + 1)


@contextmanager
def lines_of(path: Path, encoding: str | None = None) -> Iterator[TextLines]:
    """Opens a file; it is read as it is gone through.

    Args:
        path: where it is.
        encoding: of the file; what its byte order mark says, or UTF-8, when not given.

    Raises:
        ReportRefusedError: it cannot be opened, or nobody knows the encoding.
    """
    try:
        with path.open("rb") as raw:
            begins = raw.read(4)
        chosen = encoding or next((name for mark, name in _MARKS if begins.startswith(mark)), "utf-8")
        with path.open(encoding=chosen, errors="surrogateescape", newline="") as file:
            yield TextLines(path, file, chosen)
    except LookupError:
        raise refusal(path, f"nobody knows the encoding {encoding!r}; {_ACCEPTED}") from None
    except OSError as error:
        raise refusal(path, error.strerror or str(error)) from None
