"""Texts that others wrote, as they may come in.

They are shown on terminals, in tables and in logs, and Temporal bounds them: here they become harmless everywhere.

An ordinary code stays as Amazon wrote it, also one that nobody knows yet. Nothing is left out, only replaced, so that
what is not a known code never becomes one.
"""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator

LONGEST_CODE: Final = 128
"""Characters; the longest reasonCode that is documented has 33, an id some 30."""

LONGEST_PROSE: Final = 300
"""Characters of what is only read by people."""

MOST_CODES: Final = 20
"""Reasons for one state; Amazon has ten that it gives at all."""

REPLACEMENT: Final = "?"
"""For a character that does not belong there."""

_CUT: Final = "..."
_NOT_OF_A_CODE: Final = re.compile(r"[^A-Za-z0-9_.: -]")
"""Everything that is none of a name's characters: controls, markup of any kind, other alphabets."""


def as_code(text: str) -> str:
    """A reasonCode, a state or an id: as it was written where it is ordinary."""
    return _NOT_OF_A_CODE.sub(REPLACEMENT, _shortened(text, LONGEST_CODE))


def as_prose(text: str) -> str:
    """A text for people, in one line that holds nothing but what can be printed."""
    line = " ".join(_shortened(text, 4 * LONGEST_PROSE).split())
    printable = "".join(letter if letter.isprintable() else REPLACEMENT for letter in line)
    return _shortened(printable, LONGEST_PROSE)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - len(_CUT)] + _CUT


def _code(value: object) -> object:
    return as_code(value) if isinstance(value, str) else value


def _prose(value: object) -> object:
    return as_prose(value) if isinstance(value, str) else value


def _few(value: object) -> object:
    return value[:MOST_CODES] if isinstance(value, (tuple, list)) else value


# Before anything else: half a surrogate pair is no text to pydantic.
Code = Annotated[str, BeforeValidator(_code)]
"""A code or an id of somebody else's."""

Codes = Annotated[tuple[Code, ...], BeforeValidator(_few)]
"""Several of them."""

Prose = Annotated[str, BeforeValidator(_prose)]
"""A text of somebody else's."""
