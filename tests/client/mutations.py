"""Every way in which a field of an answer may come in another form than today: what Amazon changes tomorrow.

A mutation changes one value, wherever it stands: fields of the answer, fields that its model knows and the answer does
not have, items of lists, and whatever is in them.
"""

import types
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated, Any, Final, Union, get_args, get_origin

from amazon_pay_client.models import WireModel

Json = Any  # Any: an answer as it stands on the wire
Path = tuple[str | int, ...]


class _Missing:
    """Not there at all."""

    def __repr__(self) -> str:
        return "missing"


MISSING: Final = _Missing()
FORMS: Final[tuple[Json, ...]] = (
    MISSING,
    None,
    "",
    "SomethingNew",
    "12.34",
    "1,234.50 EUR",
    0,
    -7,
    10**30,
    1.5,
    True,
    "2026-01-31T23:30:00.123+09:00",
    "2026-01-31",
    "20261331T000000Z",
    1767225600,
    1767225600000,
    "NaN",
    [],
    [None],
    ["text", None, 7],
    {},
    {"amount": "14.00", "currencyCode": "USD"},
    {"amount": 14.001, "currencyCode": "JPY"},
    {"amount": {"value": "14"}, "currencyCode": None},
    {"state": None},
    {"new": {"nested": [1, {"deep": None}]}},
    [[{"a": 1}], {"reasonCode": 7}],
    "\ud800 half a pair",
)


@dataclass(frozen=True)
class Mutation:
    """One value in another form."""

    path: Path
    form: Json

    def applied_to(self, answer: Json) -> Json:
        """The answer with it. Objects on the way that are not there are made; a list that is gone has no items."""
        changed = deepcopy(answer)
        place, last = changed, self.path[-1]
        for step in self.path[:-1]:
            if isinstance(place, dict) and not isinstance(place.get(str(step)), dict | list):
                place[step] = {}
            place = place[step] if _can_hold(place, step) else None
        if not _can_hold(place, last):
            return answer
        if self.form is not MISSING:
            place[last] = deepcopy(self.form)
        elif last in place if isinstance(place, dict) else True:
            del place[last]
        return changed


def _can_hold(place: Json, step: str | int) -> bool:
    return isinstance(place, dict) and isinstance(step, str) if not isinstance(place, list) else _is_item(place, step)


def mutations_of(answer: Json, model: type[WireModel]) -> Iterator[Mutation]:
    """Every mutation of an answer. Each form in each place; and each item of a list followed by null."""
    for path in dict.fromkeys((*paths_of(answer), *paths_of_model(model))):
        yield from (Mutation(path, form) for form in FORMS)
        value = value_at(answer, path)
        if isinstance(value, list):
            yield Mutation(path, [*value, None])
            yield Mutation(path, [None, *value])
        if value is not MISSING:
            yield Mutation(path, [value])
            yield Mutation(path, {"value": value})


def paths_of(answer: Json, path: Path = ()) -> Iterator[Path]:
    """The place of every value in an answer."""
    inner = enumerate(answer) if isinstance(answer, list) else answer.items() if isinstance(answer, dict) else ()
    for step, value in inner:
        yield (*path, step)
        yield from paths_of(value, (*path, step))


def paths_of_model(model: type[WireModel], path: Path = ()) -> Iterator[Path]:
    """The place of every field that a model knows, outside of lists."""
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        yield here
        for kind in models_in(field.annotation):
            yield from paths_of_model(kind, here)


def models_in(annotation: Any) -> Iterator[type[WireModel]]:
    """The models that a field's value can be."""
    if get_origin(annotation) in {Union, types.UnionType, Annotated}:
        for inner in get_args(annotation):
            yield from models_in(inner)
    elif isinstance(annotation, type) and issubclass(annotation, WireModel):
        yield annotation


def value_at(answer: Json, path: Path) -> Json:
    """The value in a place; MISSING where there is none."""
    for step in path:
        there = step in answer if isinstance(answer, dict) else _is_item(answer, step)
        if not there:
            return MISSING
        answer = answer[step]
    return answer


def _is_item(answer: Json, step: str | int) -> bool:
    return isinstance(answer, list) and isinstance(step, int) and step < len(answer)


def says_something(value: Json) -> bool:
    """Whether a value holds anything but nulls."""
    if isinstance(value, dict | list):
        return any(map(says_something, value.values() if isinstance(value, Mapping) else value))
    return value is not None and value is not MISSING
