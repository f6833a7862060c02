"""Amounts of money: a Decimal with its currency, always in whole minor units."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

MINOR_UNIT_DECIMALS: Final = {
    "AUD": 2,
    "CHF": 2,
    "DKK": 2,
    "EUR": 2,
    "GBP": 2,
    "HKD": 2,
    "JPY": 0,
    "NOK": 2,
    "NZD": 2,
    "SEK": 2,
    "USD": 2,
    "ZAR": 2,
}
"""The currencies that Amazon Pay charges in, with the decimals of their minor unit (JPY has none)."""

_LARGEST: Final = Decimal(10_000_000)
"""No charge may exceed 10,000,000 JPY or 150,000 USD, EUR or GBP (Amazon Pay API v2, "charge")."""


class Money(BaseModel):
    """An amount in a currency; zero or more.

    `9.9 USD` is brought to `9.90`; `9.999 USD` and `9.5 JPY` are refused rather than rounded. On the wire the
    amount is a string. A float is refused: it has lost the amount before it arrives here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Decimal
    currency: str

    @field_validator("amount", mode="before")
    @classmethod
    def _no_float(cls, value: object) -> object:
        if isinstance(value, float):
            raise ValueError(f"{value!r} is a float; give the amount as a string such as '9.99'")
        return value

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str) -> str:
        if value not in MINOR_UNIT_DECIMALS:
            raise ValueError(
                f"{value!r} is not a currency that Amazon Pay charges in; accepted are {', '.join(MINOR_UNIT_DECIMALS)}"
            )
        return value

    @model_validator(mode="after")
    def _whole_minor_units(self) -> Self:
        if not self.amount.is_finite() or not 0 <= self.amount <= _LARGEST:
            raise ValueError(f"amount: {self.amount} is not accepted; zero to {_LARGEST} is")
        quantised = _quantise(self.amount, self.currency)
        if quantised != self.amount:
            decimals = MINOR_UNIT_DECIMALS[self.currency]
            raise ValueError(
                f"amount: {self.amount} has more decimals than {self.currency} has; "
                f"{decimals or 'no'} decimals are accepted, such as {quantised}"
            )
        object.__setattr__(self, "amount", abs(quantised))  # of minus zero
        return self

    @classmethod
    def rounded(cls, amount: Decimal, currency: str) -> "Money":
        """Rounds a calculated amount to the minor unit, half up, as invoices are rounded."""
        return cls(amount=_quantise(amount, currency), currency=currency)

    @classmethod
    def parse(cls, text: str) -> "Money":
        """Reads `9.99 USD`.

        Raises:
            ValueError: the text is not an amount and a currency, or the amount does not fit the currency.
        """
        amount, _, currency = text.strip().partition(" ")
        try:
            value = Decimal(amount)
        except InvalidOperation:
            raise ValueError(f"amount: {text!r} is not an amount and a currency such as '9.99 USD'") from None
        return cls(amount=value, currency=currency.strip())

    @property
    def is_zero(self) -> bool:
        """Whether nothing is to be paid, so that Amazon need not be asked."""
        return self.amount == 0

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


def _quantise(amount: Decimal, currency: str) -> Decimal:
    if currency not in MINOR_UNIT_DECIMALS:
        raise ValueError(f"currency: {currency!r} is not one that Amazon Pay charges in")
    return amount.quantize(Decimal(1).scaleb(-MINOR_UNIT_DECIMALS[currency]), rounding=ROUND_HALF_UP)
