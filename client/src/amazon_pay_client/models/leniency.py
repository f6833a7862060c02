"""Reading an answer of Amazon's although not all of it has the form that is known.

What was done at Amazon is done, whatever form the answer's other fields have: a captured charge whose conversion rate
cannot be read is captured. So a model names by its fields without a default what decides, and everything else is read
where it can be: a field that cannot be read is None and its value is kept as it came; a list is read without the items
that cannot be read, and is kept as it came. This is for answers alone; what is sent is checked strictly.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

Made = TypeVar("Made")
Object = dict[str, Any]  # Any: JSON as it came

LENIENT: Final = object()
"""The validation context in which models are read so."""


class Decisive:
    """Marks an optional field that decides something where it is there, so that it is never left aside."""


DECISIVE: Final = Decisive()


def read_leniently(
    given: Object, read: Callable[[Object], Made], fields: Mapping[str, FieldInfo]
) -> tuple[Made, Object]:
    """Reads an object, and what of it cannot be read.

    Args:
        given: as it came.
        read: makes the model, or raises.
        fields: the model's, by their names on the wire.

    Returns:
        The model, and the values that it could not read, by their names on the wire. A value that says nothing, such as
        an object of nulls, is no loss and not among them.

    Raises:
        ValidationError: a field that decides is missing or cannot be read; only such fields are named in it.
    """
    legible = given
    while True:
        try:
            made = read(legible)
        except ValidationError as error:
            mended = _mended(legible, error, fields)
            if mended == legible:
                raise
            legible = mended
        else:
            return made, {name: given[name] for name in given if _is_loss(given[name], legible.get(name))}


def missing_fields(error: ValidationError, given: Object) -> tuple[str, ...]:
    """The paths on the wire of the fields that an error is about, without the names of their types."""
    errors = error.errors(include_url=False, include_context=False)
    paths = (item["loc"] if item["type"] == "missing" else _path_within(given, item["loc"]) for item in errors)
    return tuple(dict.fromkeys(".".join(map(str, path)) or "body" for path in paths))


def _path_within(given: Any, loc: Sequence[int | str]) -> Sequence[int | str]:  # Any: JSON as it came
    for depth, step in enumerate(loc):
        if not _holds(given, step):
            return loc[:depth]
        given = given[step]
    return loc


def _holds(given: object, step: int | str) -> bool:
    if isinstance(given, dict):
        return step in given
    return isinstance(given, list) and isinstance(step, int) and step < len(given)


def _mended(given: Object, error: ValidationError, fields: Mapping[str, FieldInfo]) -> Object:
    """The object with each field at fault a little more legible: every time nearer to nothing, so that it ends."""
    at_fault: dict[str, list[ErrorDetails]] = {}
    for item in error.errors(include_url=False, include_context=False):
        at_fault.setdefault(str(item["loc"][0]) if item["loc"] else "", []).append(item)
    mended = dict(given)
    for name, errors in at_fault.items():
        if name in fields and name in given:
            mended[name] = _more_legible(given[name], errors, fields[name])
            if given[name] is None and not _decides(fields[name]):
                del mended[name]
    return mended


def _more_legible(value: object, errors: Sequence[ErrorDetails], field: FieldInfo) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and any(_wants_text(error) for error in errors):
        return str(value)
    if isinstance(value, list) and (items := _items(errors, len(value))):
        return [item for at, item in enumerate(value) if at not in items]
    return value if _decides(field) else None


def _decides(field: FieldInfo) -> bool:
    return field.is_required() or any(isinstance(mark, Decisive) for mark in field.metadata)


def _wants_text(error: ErrorDetails) -> bool:
    return error["type"] == "string_type"


def _items(errors: Sequence[ErrorDetails], length: int) -> Collection[int]:
    """Which items of a list are at fault; none where the list as a whole is."""
    within = [error["loc"][1] for error in errors if len(error["loc"]) > 1]
    items = {at for at in within if isinstance(at, int) and at < length}
    return items if len(within) == len(errors) and len(items) == len(set(within)) else ()


def _is_loss(before: object, after: object) -> bool:
    """Whether something was said that is not said any more."""
    if isinstance(before, list) and isinstance(after, list):
        return sum(map(_says_something, before)) > sum(map(_says_something, after))
    return after is None and _says_something(before)


def _says_something(value: object) -> bool:
    if isinstance(value, dict | list):
        return any(map(_says_something, value.values() if isinstance(value, dict) else value))
    return value is not None
