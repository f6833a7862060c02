"""What is said of a file that is not taken: which file, which line and column, what stands there, what is accepted."""

from pathlib import Path

from perennial_billing.ledger.errors import LedgerError

_LONGEST = 60
"""Characters of a value that are shown."""


class ReportRefusedError(LedgerError):
    """A file that is no whole settlement report, or none of this account. Nothing of it was taken."""


def refusal(
    path: Path, why: str, *, line: int | None = None, column: str | None = None, value: str | None = None
) -> ReportRefusedError:
    """The error.

    Args:
        path: of the file; its name is told.
        why: what is wrong, what is accepted, and what to do.
        line: counted from 1.
        column: as the file calls it.
        value: what stands there.
    """
    place = ", ".join(
        (path.name, *([f"line {line}"] if line is not None else ()), *([f"column {column}"] if column else ()))
    )
    shown = "" if value is None else f"{value[:_LONGEST]!r}: "
    return ReportRefusedError(f"{place}: {shown}{why}")
