"""Amounts of money: a Decimal with its currency, always in whole minor units."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

from pydantic import ValidationError, field_validator

from perennial_billing.billing.refusals import Refused, refusal_of
from perennial_billing.billing.values import Value

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

_MINOR_UNIT: Final = {currency: Decimal(1).scaleb(-decimals) for currency, decimals in MINOR_UNIT_DECIMALS.items()}

LARGEST: Final = Decimal(10_000_000)
"""No charge may exceed 10,000,000 JPY or 150,000 USD, EUR or GBP (Amazon Pay API v2, "charge")."""


class Money(Value):
    """An amount in a currency; zero or more.

    `9.9 USD` is brought to `9.90`; `9.999 USD` and `9.5 JPY` are refused rather than rounded. On the wire the
    amount is a string. A float is refused: it has lost the amount before it arrives here.
    """

    amount: Decimal
    currency: str

    @field_validator("amount", mode="before")
    @classmethod
    def _no_float(cls, value: object) -> object:
        if isinstance(value, float):
            raise Refused("", repr(value), "it is a float; an amount is given as a string such as '9.99'")
        return value

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str) -> str:
        if value not in MINOR_UNIT_DECIMALS:
            raise Refused("", repr(value), f"the currencies of Amazon Pay are {', '.join(MINOR_UNIT_DECIMALS)}")
        return value

    def model_post_init(self, context: object) -> None:
        """Checks it, once; a validator would again wherever it becomes part of another value."""
        super().model_post_init(context)
        if not self.amount.is_finite() or not 0 <= self.amount <= LARGEST:
            raise Refused("amount", self.amount, f"zero to {LARGEST} is")
        if self.amount.same_quantum(_MINOR_UNIT[self.currency]) and not self.amount.is_signed():
            return
        quantised = _quantise(self.amount, self.currency)
        if quantised != self.amount:
            decimals = MINOR_UNIT_DECIMALS[self.currency]
            raise Refused(
                "amount", self.amount, f"{decimals or 'no'} decimals are, as {self.currency} has, such as {quantised}"
            )
        object.__setattr__(self, "amount", abs(quantised))  # of minus zero

    @classmethod
    def rounded(cls, amount: Decimal, currency: str) -> "Money":
        """Rounds a calculated amount to the minor unit, half up, as invoices are rounded."""
        return cls(amount=_quantise(amount, currency), currency=currency)

    @classmethod
    def parse(cls, text: str) -> "Money":
        """Reads `9.99 USD`.

        Raises:
            Refused: the text is not an amount and a currency, or the amount does not fit the currency.
        """
        no_amount = Refused("amount", repr(text), "an amount and a currency are, such as '9.99 USD'")
        amount, _, currency = text.strip().partition(" ")
        if not currency:
            raise no_amount
        try:
            return cls(amount=Decimal(amount), currency=currency.strip())
        except InvalidOperation:
            raise no_amount from None
        except ValidationError as error:
            raise refusal_of(error, {"currency": "amount"}) from None

    @classmethod
    def zero(cls, currency: str) -> "Money":
        """Nothing."""
        return cls(amount=Decimal(0), currency=currency)

    def times(self, quantity: int) -> "Money":
        """The price of so many units.

        Raises:
            Refused: no charge can be so large.
        """
        total = self.amount * quantity
        if total > LARGEST:
            most = int(LARGEST // self.amount)
            raise Refused("quantity", quantity, f"at most {most} units of {self} are, as no charge exceeds {LARGEST}")
        return Money(amount=total, currency=self.currency)

    def plus(self, other: "Money") -> "Money":
        """The sum of two amounts in one currency.

        Raises:
            Refused: no charge can be so large, or the currencies differ.
        """
        if other.currency != self.currency:
            raise Refused("amount", other, f"amounts in {self.currency} are")
        if self.amount + other.amount > LARGEST:
            left = Money(amount=LARGEST - self.amount, currency=self.currency)
            raise Refused("amount", other, f"at most {left} can be added to {self}, as no charge exceeds {LARGEST}")
        return Money(amount=self.amount + other.amount, currency=self.currency)

    def less(self, other: "Money") -> "Money":
        """What is left when another amount in the same currency is taken off; zero where that is more."""
        return Money(amount=max(self.amount - other.amount, Decimal(0)), currency=self.currency)

    @property
    def is_zero(self) -> bool:
        """Whether nothing is to be paid, so that Amazon need not be asked."""
        return self.amount == 0

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


def _quantise(amount: Decimal, currency: str) -> Decimal:
    if currency not in MINOR_UNIT_DECIMALS:
        raise Refused("currency", repr(currency), f"the currencies of Amazon Pay are {', '.join(MINOR_UNIT_DECIMALS)}")
    return amount.quantize(_MINOR_UNIT[currency], rounding=ROUND_HALF_UP)
