"""How a rule says no: which field, which value, and what is accepted instead."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails


class Kind(StrEnum):
    """What kind of no it is."""

    INVALID = "invalid"
    """The value can never be accepted."""
    NOT_NOW = "not_now"
    """The subscription stands so that it cannot be done; later it may."""
    CONFLICT = "conflict"
    """Something else was agreed on, or asked for, under the same name."""


_VERBS: Final = {
    Kind.INVALID: "is not accepted",
    Kind.NOT_NOW: "is not possible now",
    Kind.CONFLICT: "is in conflict with what stands",
}


class Refused(ValueError):  # noqa: N818 - the word of the house, and of whoever reads it
    """A rule said no, and nothing was changed.

    It is a `ValueError` so that a validator may raise it: pydantic keeps it, and `refusal_of` gives it back.

    Args:
        field: what was asked for, by the name that the caller gave it.
        value: what it was.
        accepted: what is accepted instead, or what to do; a sentence without its full stop.
        kind: what kind of no it is.
    """

    def __init__(self, field: str, value: object, accepted: str, kind: Kind = Kind.INVALID) -> None:
        self.field, self.value, self.accepted, self.kind = field, str(value), accepted, kind
        super().__init__(field, self.value, accepted, kind)

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        value = f"{self.value} {_VERBS[self.kind]}; " if self.value else ""
        return f"{field}{value}{self.accepted}"

    def under(self, field: str) -> "Refused":
        """The same no, told of the field that the caller knows it by."""
        return Refused(field, self.value, self.accepted, self.kind)


def refusal_of(error: ValidationError, names: Mapping[str, str] | None = None) -> Refused:
    """The first thing that a validation found, as a refusal: where, which value, and what is accepted.

    Args:
        error: what pydantic raised.
        names: what the caller calls a field, by its path such as `phases.0.amount`.
    """
    return refusals_of(error, names)[0]


def refusals_of(error: ValidationError, names: Mapping[str, str] | None = None) -> list[Refused]:
    """Everything that a validation found, as refusals in our own words.

    Nothing is said of a whole where a part of it is wrong: pydantic counts only the parts that are right, and says of
    a list whose one entry is wrong that it is empty.
    """
    found = error.errors(include_url=False)
    return [
        _refusal(each, names or {}) for each in found if not any(_is_part(other["loc"], each["loc"]) for other in found)
    ]


def _is_part(path: tuple[int | str, ...], whole: tuple[int | str, ...]) -> bool:
    return len(path) > len(whole) and path[: len(whole)] == whole


def _refusal(found: ErrorDetails, names: Mapping[str, str]) -> Refused:
    path = ".".join(str(part) for part in found["loc"])
    cause = found.get("ctx", {}).get("error")
    if isinstance(cause, Refused):
        field = path if not cause.field or path.endswith(cause.field) else f"{path}.{cause.field}".removeprefix(".")
        return Refused(names.get(field, field), cause.value, cause.accepted, cause.kind)
    if isinstance(cause, Exception):
        return Refused(names.get(path, path), "", str(cause))  # a validator of another package's, in its own words
    return Refused(names.get(path, path), _value(found), _accepted(found))


def _value(found: ErrorDetails) -> str:
    """What was given, as far as it can be told in a line: of a whole table or list, only that it is one."""
    if found["type"].startswith(_WHAT_IS_LACKING):
        return ""
    match given := found["input"]:
        case str():
            return repr(given)
        case date() | time():
            return given.isoformat()
        case None | int() | float() | Decimal() | timedelta():
            return str(given)
        case Mapping():
            return "a table of fields"
        case list() | tuple():
            return f"a list of {len(given)}" if given else "an empty list"
        case _:
            return ""


_WHAT_IS_LACKING: Final = ("missing", "union_tag_not_found", "json")
"""Error types that are about what is not there: what is there instead says nothing."""


def _accepted(found: ErrorDetails) -> str:
    """What would have been accepted, in our own words: pydantic's are not for people who bill."""
    kind, context = found["type"], found.get("ctx", {})
    for prefix, words in _ACCEPTED.items():
        if kind.startswith(prefix):
            return words.format_map(defaultdict(str, context))
    return "its form is another"


_ACCEPTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing": "it must be given",
        "extra_forbidden": "there is no such field",
        "greater_than_equal": "{ge} or more is",
        "greater_than": "more than {gt} is",
        "less_than_equal": "{le} or less is",
        "less_than": "less than {lt} is",
        "string_pattern_mismatch": "text of the form {pattern} is",
        "string_too_long": "at most {max_length} characters are",
        "string_too_short": "at least {min_length} characters are",
        "string": "text is",
        "too_long": "at most {max_length} are",
        "too_short": "at least {min_length} are",
        "enum": "{expected} is",
        "literal_error": "{expected} is",
        "int": "a whole number is",
        "bool": "true or false is",
        "float": "a number is",
        "decimal": "an amount such as '9.99' is",
        "finite_number": "a finite number is",
        "is_instance": "another kind of value is",
        "timezone": "an instant with its offset from UTC is, such as 2026-01-31T09:00:00+01:00",
        "datetime": "an instant is, such as 2026-01-31T09:00:00+01:00",
        "date": "a date is, such as 2026-01-31",
        "time_delta": "a duration is, such as PT5M or P3D",
        "time": "a time of day is, such as 09:00",
        "union_tag": "{discriminator} must name one of {expected_tags}",
        "model": "a table of fields is",
        "dict": "a table of fields is",
        "list": "a list is",
        "tuple": "a list is",
        "json": "it is not JSON: {error}",
        "url": "an address is, such as http://127.0.0.1:8601/ipn, with a port up to 65535",
        "none_required": "nothing is",
    }
)
"""By the beginning of pydantic's error types; the first that fits."""
