"""Reads the body of a request as Amazon does: whatever can be wrong with it has a reasonCode, and names the field.

Source of the codes: Amazon Pay API v2, "error handling". Which of several mistakes is told first is not documented:
here it is the one that keeps most of the request from being understood.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar, get_args, get_origin
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from amazon_pay_client.models import Currency
from amazon_pay_client.models.checkout_sessions import CartDetails
from amazon_pay_client.models.wire import RequestModel
from amazon_pay_simulator.refusals import Refusal

Body = TypeVar("Body", bound=RequestModel)

_FORMAT: Final = "InvalidRequestFormat"
_UNRECOGNIZED: Final = "UnrecognizedField"
_MISSING: Final = "MissingParameterValue"
_VALUE: Final = "InvalidParameterValue"
_COMBINATION: Final = "InvalidParameterCombination"
_TOLD_FIRST: Final = (_FORMAT, _UNRECOGNIZED, _MISSING, _VALUE, _COMBINATION)

_AMOUNT: Final = re.compile(r"\d{1,15}(?:\.\d{1,6})?")
"""A plain decimal number. The documentation shows nothing else; its longest form is an assumption."""


def read_request(kind: type[Body], body: bytes) -> Body:
    """A request, with every field known and every value one that Amazon takes.

    Raises:
        Refusal: InvalidRequestFormat, UnrecognizedField, MissingParameterValue, InvalidParameterValue or
            InvalidParameterCombination.
    """
    written = _object_in(body)
    try:
        request = kind.model_validate_json(body, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _refusal_of(error.errors()) from None
    try:
        _check_fields(request)
        _check_amounts(written)
    except RecursionError:  # fields that are kept open may hold anything
        raise Refusal(_FORMAT, "The body is nested too deeply") from None
    return request


def read_query(kind: type[Body], query: str) -> Body:
    """The filters of a list, the values of one parameter separated by commas.

    Raises:
        Refusal: UnrecognizedField, InvalidParameterValue or InvalidParameterCombination.
    """
    lists = {info.alias or name for name, info in kind.model_fields.items() if get_origin(info.annotation) is tuple}
    given: dict[str, object] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in given:
            raise Refusal(_VALUE, f"{name}: it is given twice; one is accepted, its values separated by commas")
        given[name] = value.split(",") if name in lists else value
    try:
        filters = kind.model_validate(given, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _refusal_of(error.errors()) from None
    _check_fields(filters)
    return filters


def _object_in(body: bytes) -> Mapping[str, object]:
    """The JSON object of a body, its numbers as they were written."""
    try:
        written = json.loads(body, parse_float=str, parse_int=str, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Refusal(_FORMAT, "The body is not JSON; a JSON object is expected") from None
    if not isinstance(written, dict):
        raise Refusal(_FORMAT, "The body is JSON, but no object; a JSON object is expected")
    return written


def _no_number(constant: str) -> str:
    raise ValueError(f"{constant} is not JSON")


# What the models refuse


def _refusal_of(errors: Sequence[ErrorDetails]) -> Refusal:
    code = min((_code_of(error) for error in errors), key=_TOLD_FIRST.index)
    wrong = [error for error in errors if _code_of(error) == code]
    if code == _FORMAT:
        return Refusal(code, "The body is not JSON; a JSON object is expected")
    if code == _COMBINATION:
        return Refusal(code, _said_by(wrong[0]))
    said = {_UNRECOGNIZED: "is no field of this request", _MISSING: "is missing"}
    told = {path: said.get(code) or _said_by(error) for error in reversed(wrong) if (path := _path_of(error["loc"]))}
    return Refusal(code, "; ".join(f"{path}: {words}" for path, words in reversed(told.items())))


def _code_of(error: ErrorDetails) -> str:
    if error["type"] == "json_invalid":
        return _FORMAT
    if error["type"] == "extra_forbidden":
        return _UNRECOGNIZED
    if error["type"] == "missing" or error["input"] is None:  # null is no value
        return _MISSING
    if error["type"] == "value_error" and not error["loc"]:  # each field by itself is right
        return _COMBINATION
    return _VALUE


def _path_of(location: Sequence[str | int]) -> str:
    """The field's name on the wire. What pydantic adds where a field has several types is left aside."""
    return ".".join(str(part) for part in location if isinstance(part, int) or _FIELD.fullmatch(part))


_FIELD: Final = re.compile(r"(?!str$)\w+")


def _said_by(error: ErrorDetails) -> str:
    return error["msg"].removeprefix("Value error, ")


# What the models let pass, as answers share them and may bring something new


class _Field(NamedTuple):
    name: str
    on_the_wire: str
    values: type[Enum] | None
    """What is accepted, where that is listed."""


@cache
def _fields_of(kind: type[BaseModel]) -> Sequence[_Field]:
    return [
        _Field(
            name,
            info.alias or name,
            next(
                (part for part in _types_in(info.annotation) if isinstance(part, type) and issubclass(part, Enum)), None
            ),
        )
        for name, info in kind.model_fields.items()
    ]


def _types_in(annotation: Any) -> Iterator[Any]:  # Any: annotations are of no type
    yield annotation
    for part in get_args(annotation):
        yield from _types_in(part)


def _check_fields(model: BaseModel, path: str = "") -> None:
    """Refuses fields and values that Amazon does not know, however deep."""
    if model.model_extra and not isinstance(model, CartDetails):
        raise Refusal(_UNRECOGNIZED, f"{path}{next(iter(model.model_extra))}: is no field of this request")
    for name, on_the_wire, values in _fields_of(type(model)):
        value = getattr(model, name)
        if value is not None:
            _check_value(value, f"{path}{on_the_wire}", values)


def _check_value(value: object, path: str, values: type[Enum] | None) -> None:
    match value:
        case BaseModel():
            _check_fields(value, f"{path}.")
        case tuple():
            for index, item in enumerate(value):
                _check_value(item, f"{path}.{index}", values)
        case dict():
            for key, item in value.items():
                _check_value(item, f"{path}.{key}", values)
        case str() if values is not None and not isinstance(value, values):
            accepted = ", ".join(str(known.value) for known in values)
            raise Refusal(_VALUE, f"{path}: {value[:50]!r} is not accepted; accepted are {accepted}")


def _check_amounts(written: object, path: str = "") -> None:
    """Refuses amounts that are no plain decimal numbers, and yen with decimals: yen have none, not even zeros."""
    if isinstance(written, list):
        for index, item in enumerate(written):
            _check_amounts(item, f"{path}{index}.")
    elif isinstance(written, dict):
        amount, currency = written.get("amount"), written.get("currencyCode")
        if isinstance(amount, str) and isinstance(currency, str):
            if not _AMOUNT.fullmatch(amount):
                raise Refusal(_VALUE, f"{path}amount: {amount[:50]!r} is not a plain decimal number such as 9.99")
            if currency == Currency.JPY and "." in amount:
                raise Refusal(_VALUE, f"{path}amount: {amount} has decimals, which {currency} does not have")
        for name, item in written.items():
            _check_amounts(item, f"{path}{name}.")
