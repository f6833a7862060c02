"""How values stand on Amazon Pay's wire: names, timestamps, amounts, open enumerations."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel

TIMESTAMP_FORMAT: Final = "%Y%m%dT%H%M%SZ"


class WireModel(BaseModel):
    """Base of everything on the wire: camelCase there, snake_case here; unknown fields are kept."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="allow",
        frozen=True,
    )

    def to_json(self) -> bytes:
        """The body to send: wire names, unset fields left out, the same bytes each time."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class RequestModel(WireModel):
    """Base of request bodies. A field that Amazon does not know is refused there, so it is refused here."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


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


def _read_epoch(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        return value
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
