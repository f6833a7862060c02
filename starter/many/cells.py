"""Texts in the cells of a CSV file: a spreadsheet takes some of them for formulas, and acts on them."""

from typing import Final

_BEGIN_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a cell may not begin with (OWASP, "CSV Injection"), in full width as well."""


def as_cell(text: str) -> str:
    """A text as a cell shows it: with an apostrophe before it where it would be a formula."""
    return f"'{text}" if text.startswith(_BEGIN_FORMULAS) else text
