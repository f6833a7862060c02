"""Makes any valid object of any model of the wire, from the model itself, so that no field is forgotten.

It reads the fields' types and limits. What a type does not say, such as that one field needs another, stands in
`MENDED`: it turns what the types allow into what the model allows.
"""

import types
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from hypothesis import strategies as st
from pydantic import AwareDatetime, StringConstraints
from pydantic.fields import FieldInfo

from amazon_pay_client import models
from amazon_pay_client.models import Currency, Price, WireModel

Model = TypeVar("Model", bound=WireModel)
Fields = dict[str, Any]

EVERY_MODEL: Final = sorted(
    (
        kind
        for name in models.__all__
        if isinstance(kind := getattr(models, name), type) and issubclass(kind, WireModel)
    ),
    key=lambda kind: kind.__name__,
)


def texts(limit: int, least: int = 0) -> st.SearchStrategy[str]:
    """Anything that UTF-8 can carry."""
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=least, max_size=min(limit, 20))


def price(currency: Currency | str, minor_units: int) -> Price:
    decimals = currency.decimals if isinstance(currency, Currency) else 4
    return Price(amount=Decimal(minor_units).scaleb(-decimals), currency_code=currency)


PRICES: Final = st.builds(price, st.sampled_from(Currency) | st.just("XAU"), st.integers(1, 15_000_000_000))
INSTANTS: Final = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis wants the bounds without a zone
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-3, minutes=-30))]),
).map(lambda instant: instant.replace(microsecond=0))


def _needs_capture(fields: Fields) -> Fields:
    return fields | {"capture_now": fields["capture_now"] or fields["soft_descriptor"] is not None}


def _one_order(fields: Fields) -> Fields:
    return fields | {"charge_permission_id": "S01-1", "amazon_order_reference_id": None}


def _in_order(fields: Fields) -> Fields:
    start, end = sorted([fields["start_time"], fields["end_time"]])
    return fields | {"start_time": start, "end_time": end}


MENDED: Final[dict[type[WireModel], Callable[[Fields], Fields]]] = {
    models.CreateChargeRequest: _needs_capture,
    models.CreateDeliveryTrackerRequest: _one_order,
    models.CreateReportRequest: _in_order,
}


def any_of(model: type[Model]) -> st.SearchStrategy[Model]:
    """Any valid object of a model."""
    return _any_of(model)


@cache
def _any_of(model: Any) -> st.SearchStrategy[Any]:
    if model is Price:
        return PRICES
    fields = st.fixed_dictionaries({name: _field(field) for name, field in model.model_fields.items()})
    return fields.map(MENDED.get(model, dict)).map(model.model_validate)


def _field(field: FieldInfo) -> st.SearchStrategy[Any]:
    return _value(field.annotation, tuple(field.metadata))


def _value(kind: Any, limits: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _value(inner[0], (*limits, *inner[1:]))
    if origin in {Union, types.UnionType}:
        return st.one_of([_value(one, limits) for one in inner])
    if origin is tuple:
        return st.lists(_value(inner[0]), min_size=_least(limits), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(_value(inner[0]), _value(inner[1]), max_size=2)
    return _plain(kind, limits)


def _plain(kind: Any, limits: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if kind is str:
        return texts(_most(limits), _least(limits))
    if kind is int:
        return st.integers(_bound(limits, Ge, 0), _bound(limits, Le, 1000))
    if kind in {datetime, AwareDatetime}:
        return INSTANTS
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    if issubclass(kind, WireModel):
        return any_of(kind)
    made: st.SearchStrategy[Any] = st.from_type(kind) if kind is not Decimal else st.integers(-1000, 1000).map(Decimal)
    return made


def _least(limits: tuple[Any, ...]) -> int:
    return next((found for limit in limits if (found := _limit(limit, MinLen, "min_length")) is not None), 0)


def _most(limits: tuple[Any, ...]) -> int:
    return next((found for limit in limits if (found := _limit(limit, MaxLen, "max_length")) is not None), 20)


def _limit(limit: Any, kind: type[MinLen | MaxLen], name: str) -> int | None:
    found = getattr(limit, name, None) if isinstance(limit, kind | StringConstraints | FieldInfo) else None
    if isinstance(limit, FieldInfo):
        found = next((getattr(inner, name) for inner in limit.metadata if isinstance(inner, kind)), None)
    return found if isinstance(found, int) else None


def _bound(limits: tuple[Any, ...], kind: type[Ge | Le], default: int) -> int:
    name = kind.__name__.lower()
    return next((getattr(limit, name) for limit in limits if isinstance(limit, kind)), default)
