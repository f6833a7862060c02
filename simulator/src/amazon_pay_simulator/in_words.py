"""What is wrong with values that somebody gave, in one line: the field, the value, and what is accepted."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

_LONGEST_SHOWN: Final = 100
"""Characters of a value."""


def in_one_line(
    errors: Iterable[Mapping[str, Any]],  # Any: pydantic's
    *,
    without: Collection[str] = (),
    named: Callable[[str], str] = str,
) -> str:
    """Every field that is refused.

    Args:
        errors: as pydantic lists them.
        without: beginnings of a field's path that tell nothing.
        named: how a person knows a field, by its path.
    """
    return "; ".join(_told(error, without, named) for error in errors)


def _told(error: Mapping[str, Any], without: Collection[str], named: Callable[[str], str]) -> str:
    path = [str(part) for part in error["loc"]]
    if len(path) > 1 and path[0] in without:
        path = path[1:]
    field = f"{named('.'.join(path))}: " if path else ""
    match error["type"]:
        case "extra_forbidden":
            return f"{field}there is no such field"
        case "missing":
            return f"{field}it must be given"
        case _:
            why = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
            return f"{field}{_shown(error.get('input'))}{why}"


def _shown(value: object) -> str:
    """A value as far as it can be told in a line; nothing of tables and lists."""
    if value is None or isinstance(value, (dict, list, tuple)):
        return ""
    text = repr(value)
    return f"{text[:_LONGEST_SHOWN]} is not accepted; " if text.isprintable() else ""
