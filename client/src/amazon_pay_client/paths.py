"""What a request addresses: an operation's path, with ids as segments of it."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

LONGEST_ID: Final = 1000
"""Characters. The longest identifier that is documented is a buyer token (Amazon Pay API v2, "buyer")."""

_SEGMENT: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+")
"""Of a path as it is sent (RFC 3986, section 3.3)."""
_IN_FRONT: Final = frozenset({"v2", "live", "sandbox"})


def segment(identifier: str, field: str = "id") -> str:
    """An id as one segment of a path.

    Raises:
        ValueError: the id is empty or a dot segment, which would address another resource, or cannot be sent. The
            message names the field; a long id is not repeated in it, because it can be a token.
    """
    if identifier in {"", ".", ".."}:
        raise ValueError(f"{field}: {identifier!r} addresses another resource; the id of an object is needed")
    if len(identifier) > LONGEST_ID:
        raise ValueError(f"{field}: it has {len(identifier)} characters; at most {LONGEST_ID} are accepted")
    try:
        return quote(identifier, safe="")
    except UnicodeEncodeError:
        raise ValueError(f"{field}: it holds half a surrogate pair, which cannot be sent") from None


@dataclass(frozen=True, slots=True)
class Resource:
    """What a request addresses below the API's version.

    Attributes:
        path: as it is sent.
        name: the same with the ids' names instead of the ids, for errors: some ids are secrets.
    """

    path: str
    name: str


def resource(template: str, **ids: str) -> Resource:
    """A resource such as `charges/{charge_id}`, with its ids filled in.

    Raises:
        ValueError: an id cannot be a segment of a path.
    """
    return Resource(template.format_map({field: segment(value, field) for field, value in ids.items()}), template)


def resource_at(path: str) -> Resource:
    """A resource whose path the caller wrote, such as `charges/S01-1-2-C3`, with what is in ids percent-encoded.

    Raises:
        ValueError: it is no path below the API's version.
    """
    segments = path.removeprefix("/").split("/")
    if segments[0].lower() in _IN_FRONT:
        raise ValueError(
            f"path: it begins with {segments[0]!r}, which the client adds; give what comes after the version"
        )
    if not all(_SEGMENT.fullmatch(each) and each not in {".", ".."} for each in segments):
        raise ValueError(
            "path: it is not a path below the API's version, such as 'charges/S01-1-2-C3'; a query is given as `query` "
            "and an id's characters beyond letters, digits and -._~ percent-encoded"
        )
    return Resource("/".join(segments), "/".join((segments[0], *("..." for _ in segments[1:]))))
