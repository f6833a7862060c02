"""How values stand on Amazon Pay's wire: names, timestamps, amounts, open enumerations."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ModelWrapValidatorHandler,
    PlainSerializer,
    PrivateAttr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel

from amazon_pay_client.models.leniency import LENIENT, read_leniently

TIMESTAMP_FORMAT: Final = "%Y%m%dT%H%M%SZ"


class WireModel(BaseModel):
    """Base of everything on the wire: camelCase there, snake_case here; unknown fields are kept, in `model_extra`.

    What is made in Python, or validated as JSON, is checked strictly. An answer of Amazon's is read by `from_answer`:
    there only the fields without a default decide; any other that cannot be read is None, and stands in `unread`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="allow",
        frozen=True,
    )

    @classmethod
    def from_answer(cls, content: bytes | str) -> Self:
        """Reads an answer of Amazon's, as it came, for what it says of the outcome.

        A field that nothing hangs on may have any form: it is None where it cannot be read, and its value is kept in
        `unread`. A list is read without the items that cannot be.

        Raises:
            ValidationError: it is no JSON object, or a field without a default is missing or cannot be read.
        """
        return cls.model_validate_json(content, context=LENIENT)

    @model_validator(mode="wrap")
    @classmethod
    def _read_as_asked(cls, given: Any, read: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        # Any: what comes in, before it is checked
        if info.context is not LENIENT or not isinstance(given, dict):
            return read(given)
        fields = {name: cls.model_fields[attribute] for name, attribute in _wire_names(cls).items()}
        made, unread = read_leniently(given, read, fields)
        if made.model_extra is not None:
            made.model_extra.update(unread)
        return made

    @property
    def unread(self) -> Mapping[str, object]:
        """What came in a form that this model does not know, by its path on the wire, such as `limits.amountLimit`.

        The field is None then, or holds the items of its list that could be read. It is empty for nearly every answer.
        Its keys are for a log and for a report to this package; its values may be personal data.
        """
        extra = self.model_extra or {}
        found: dict[str, object] = {name: extra[name] for name in _wire_names(type(self)) if name in extra}
        for path, part in self._parts():
            found |= {f"{path}.{name}": value for name, value in part.unread.items()}
        return found

    def _parts(self) -> Iterator[tuple[str, "WireModel"]]:
        """The models within this one, by their paths."""
        for name, attribute in _wire_names(type(self)).items():
            value = getattr(self, attribute)
            if isinstance(value, WireModel):
                yield name, value
            elif isinstance(value, tuple):
                yield from ((f"{name}.{at}", item) for at, item in enumerate(value) if isinstance(item, WireModel))

    def to_json(self) -> bytes:
        """The body to send: wire names, unset fields left out, the same bytes each time.

        In an answer that is written again, what could not be read stands as it came.
        """
        if not self.unread:
            return self.model_dump_json(by_alias=True, exclude_none=True).encode()
        written = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return json.dumps(written, ensure_ascii=False, separators=(",", ":")).encode()

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:  # Any: as in pydantic
        fields, seen = _wire_names(type(self)), set[str | None]()
        for name, value in super().__repr_args__():
            if name in seen or (name in fields and name not in fields.values()):
                continue  # what could not be read may be a secret or personal data, whatever its field is
            seen.add(name)
            yield name, value


@cache
def _wire_names(model: type[WireModel]) -> Mapping[str, str]:
    """A model's attributes by their names on the wire."""
    return {field.alias or attribute: attribute for attribute, field in model.model_fields.items()}


class RequestModel(WireModel):
    """Base of request bodies. A field that Amazon does not know is refused there, so a misspelt one is refused here.

    A field that Amazon has added, and that this package does not know yet, is sent by `with_fields`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    _more: dict[str, JsonValue] = PrivateAttr(default_factory=dict)

    def with_fields(self, fields: Mapping[str, JsonValue]) -> Self:
        """A copy that also sends fields that this package does not know.

        Args:
            fields: by their names on the wire; the values as they are to stand in the JSON.

        Raises:
            ValueError: one of them is a field of this model, which is set as such.
        """
        for name in fields:
            if name in _wire_names(type(self)) or name in type(self).model_fields:
                raise ValueError(f"{name}: it is a field of {type(self).__name__}; set it there, where it is checked")
        copy = self.model_copy()
        copy._more = {**self._more, **fields}  # noqa: SLF001 - of its own class
        return copy

    @model_serializer(mode="wrap")
    def _with_more(self, write: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        # Any: as in pydantic
        written: dict[str, Any] = write(self)
        return {**written, **self._more} if info.by_alias else written


Decided = Annotated[str, StringConstraints(min_length=1)]
"""A text of an answer that decides, an id or a state: an empty one says nothing."""


def _read_timestamp(value: object) -> object:
    if isinstance(value, str) and len(value) == len("20260101T000000Z") and value.endswith("Z"):
        return datetime.strptime(value, TIMESTAMP_FORMAT).replace(tzinfo=UTC)
    return value


def _in_utc(value: datetime) -> datetime:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"{value.isoformat()} is not a timestamp of Amazon's: the year is out of range")
    return value.astimezone(UTC)


_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998
"""One less than Python's calendar has, so that every zone's instants can be brought to UTC."""


def _write_timestamp(value: datetime) -> str:
    return value.astimezone(UTC).strftime(TIMESTAMP_FORMAT)


Timestamp = Annotated[
    AwareDatetime,
    BeforeValidator(_read_timestamp),
    AfterValidator(_in_utc),
    PlainSerializer(_write_timestamp, when_used="json"),
]
"""An instant in UTC; `yyyyMMddTHHmmssZ` on the wire, whole seconds."""


_LATEST_EPOCH: Final = 253_402_300_799
"""The end of the year 9999, where Python's calendar ends."""


def _read_epoch(value: object, info: ValidationInfo) -> object:
    if info.context is LENIENT and isinstance(value, str):
        return _read_timestamp(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if info.context is LENIENT and _LATEST_EPOCH < value <= _LATEST_EPOCH * 1000:
        value //= 1000
    if not 0 <= value <= _LATEST_EPOCH:
        raise ValueError(f"{value} is not a time in Unix seconds")
    return datetime.fromtimestamp(value, UTC)


def _write_epoch(value: datetime) -> int:
    return int(value.timestamp())


EpochTimestamp = Annotated[
    AwareDatetime, BeforeValidator(_read_epoch), PlainSerializer(_write_epoch, when_used="json", return_type=int)
]
"""An instant in UTC; whole seconds since 1970 on the wire, as disputes carry it."""


class Currency(StrEnum):
    """Currencies that Amazon Pay knows. Source: the official .NET SDK's list."""

    AUD = "AUD"
    CHF = "CHF"
    DKK = "DKK"
    EUR = "EUR"
    GBP = "GBP"
    HKD = "HKD"
    JPY = "JPY"
    NOK = "NOK"
    NZD = "NZD"
    SEK = "SEK"
    USD = "USD"
    ZAR = "ZAR"

    @property
    def decimals(self) -> int:
        """Digits after the decimal point of the minor unit."""
        return 0 if self is Currency.JPY else 2


def _read_amount(value: object, info: ValidationInfo) -> object:
    """Amounts are strings on the wire; some SDKs send JSON numbers, whose shortest text is exact for money."""
    if not isinstance(value, float):
        return value
    if info.mode == "json":
        return repr(value)
    raise ValueError("an amount is never a float; give a Decimal or a string such as '9.99'")


Amount = Annotated[
    Decimal, BeforeValidator(_read_amount), PlainSerializer(lambda value: f"{value:f}", when_used="json")
]


class Price(WireModel):
    """An amount of money: `{"amount": "14.00", "currencyCode": "USD"}`.

    An amount in a known currency is brought to the currency's minor unit; a finer one is refused. An unknown
    currency code is kept as it is.
    """

    amount: Amount
    currency_code: Annotated[Currency | str, Field(union_mode="left_to_right")]

    @model_validator(mode="after")
    def _in_minor_units(self) -> Self:
        if not self.amount.is_finite():
            raise ValueError(f"amount: {self.amount} is not a number")
        if isinstance(self.currency_code, Currency):
            try:
                quantised = self.amount.quantize(Decimal(1).scaleb(-self.currency_code.decimals))
            except InvalidOperation:
                raise ValueError(f"amount: {self.amount} is too large") from None
            if quantised != self.amount:
                raise ValueError(
                    f"amount: {self.amount} has more than {self.currency_code.decimals} decimals, "
                    f"which {self.currency_code.value} does not have"
                )
            object.__setattr__(self, "amount", quantised)
        return self


def _more_than_nothing(price: Price) -> Price:
    if price.amount <= 0:
        raise ValueError(f"amount: {price.amount} is not more than zero")
    return price


PositivePrice = Annotated[Price, AfterValidator(_more_than_nothing)]
"""A price that is asked for: more than zero."""
