"""The keys that Temporal's histories are encrypted with, as a setting writes them. Of cryptography this knows nothing.

`ID:KEY`, with commas or line ends between several. The first encrypts, and each opens what bears its id: so a key is
replaced by putting a new one before it, and the old one stays for as long as a history needs it.
"""

import base64
import re
from dataclasses import dataclass, field
from typing import Final

KEY_BYTES: Final = 32
"""Of AES-256."""

NEW_KEY: Final = "openssl rand -base64 32"
"""The command that makes what stands behind the colon."""

_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_URL_SAFE: Final = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class CodecKey:
    """A key, and the id by which a payload names it.

    Attributes:
        id: stands in the open beside each payload.
        secret: 32 bytes; shown nowhere.
    """

    id: str
    secret: bytes = field(repr=False)


def codec_keys_in(text: str) -> tuple[CodecKey, ...]:
    """The keys that a setting or its file has, in their order.

    Raises:
        ValueError: one is none, or an id is given twice; says which by its place, and never what is set.
    """
    keys = []
    for place, part in enumerate(filter(None, map(str.strip, re.split(r"[,\r\n]", text))), start=1):
        identifier, colon, encoded = part.partition(":")
        secret = _decoded(encoded.strip())
        if not colon or not _ID.fullmatch(identifier.strip()) or secret is None:
            raise ValueError(
                f"the {_ordinal(place)} is no key: ID:KEY is accepted, an id of at most 32 letters, digits, ., _ or -, "
                f"and the base64 of 32 bytes, which `{NEW_KEY}` makes; several with commas or line ends between them"
            )
        keys.append(CodecKey(identifier.strip(), secret))
    ids = [key.id for key in keys]
    if len(set(ids)) < len(ids):
        twice = next(each for each in ids if ids.count(each) > 1)
        raise ValueError(f"the id {twice} is given twice; each key has an id of its own, which is never used again")
    return tuple(keys)


def _decoded(text: str) -> bytes | None:
    try:
        secret = base64.b64decode(text.translate(_URL_SAFE), validate=True)
    except ValueError:
        return None
    return secret if len(secret) == KEY_BYTES else None


def _ordinal(place: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(place, f"{place}th")
