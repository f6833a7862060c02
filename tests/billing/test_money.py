"""An amount that was misread is charged all the same, so whatever is not exactly an amount is refused at the edge."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from perennial_billing.billing.money import MINOR_UNIT_DECIMALS, Money
from perennial_billing.billing.refusals import Refused, refusal_of


def money(amount: object, currency: str = "USD") -> Money:
    return Money.model_validate({"amount": amount, "currency": currency})


@pytest.mark.parametrize(
    ("amount", "currency", "named"),
    [
        ("-0.01", "USD", ["amount", "-0.01", "zero to 10000000"]),
        ("10000000.01", "EUR", ["amount", "10000000.01", "zero to 10000000"]),
        ("1E+400", "USD", ["amount", "1E+400", "zero to 10000000"]),
        ("9.999", "USD", ["amount", "9.999 is not accepted", "2 decimals are"]),
        ("1E-400", "USD", ["amount", "1E-400 is not accepted", "2 decimals are"]),
        ("9.5", "JPY", ["amount", "9.5 is not accepted", "no decimals are"]),
        ("9.99", "XXX", ["currency", "XXX", "the currencies of Amazon Pay are AUD", "USD"]),
        ("9.99", "usd", ["currency", "usd", "the currencies of Amazon Pay are"]),
        ("9.99", "", ["currency", "''", "the currencies of Amazon Pay are"]),
        (9.99, "USD", ["amount", "9.99 is not accepted; it is a float", "a string such as '9.99'"]),
        (9.0, "USD", ["amount", "9.0 is not accepted; it is a float", "a string such as"]),
        (float("nan"), "USD", ["amount", "nan is not accepted; it is a float", "a string such as"]),
        ("NaN", "USD", ["amount", "NaN", "finite number"]),
        ("sNaN", "USD", ["amount", "sNaN", "finite number"]),
        ("Infinity", "USD", ["amount", "Infinity", "finite number"]),
        (Decimal("-Infinity"), "USD", ["amount", "-Infinity", "finite number"]),
        ("9,99", "USD", ["amount", "9,99", "an amount such as '9.99' is"]),
        ("", "USD", ["amount", "''", "an amount such as '9.99' is"]),
        (True, "USD", ["amount", "True", "an amount such as '9.99' is"]),
        (None, "USD", ["amount", "None", "an amount such as '9.99' is"]),
    ],
)
def test_what_is_not_an_amount_is_refused_with_its_field_and_value_and_what_is_accepted(
    amount: object, currency: str, named: list[str]
) -> None:
    with pytest.raises(ValidationError) as refusal:
        money(amount, currency)

    assert [words for words in named if words not in str(refusal_of(refusal.value))] == []


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("9.9", "USD", "9.90 USD"),
        ("9.990", "USD", "9.99 USD"),
        (" 9.99 ", "EUR", "9.99 EUR"),
        (9, "GBP", "9.00 GBP"),
        ("1E+3", "EUR", "1000.00 EUR"),
        ("500", "JPY", "500 JPY"),
        ("500.00", "JPY", "500 JPY"),
        ("1E+3", "JPY", "1000 JPY"),
        ("0", "USD", "0.00 USD"),
        ("-0.00", "USD", "0.00 USD"),
        ("10000000", "JPY", "10000000 JPY"),
    ],
)
def test_an_accepted_amount_is_brought_to_the_decimals_of_its_currency(
    amount: object, currency: str, shown: str
) -> None:
    accepted = money(amount, currency)

    assert str(accepted) == shown
    assert Money.parse(shown) == accepted


def test_the_yen_has_no_minor_unit_and_every_other_currency_that_amazon_charges_in_has_hundredths() -> None:
    shown = {currency: str(money("9", currency)) for currency in MINOR_UNIT_DECIMALS}

    others = ["AUD", "CHF", "DKK", "EUR", "GBP", "HKD", "NOK", "NZD", "SEK", "USD", "ZAR"]
    assert shown == {"JPY": "9 JPY"} | {currency: f"9.00 {currency}" for currency in others}


def test_an_amount_travels_as_a_string_and_comes_back_the_same() -> None:
    price = money("9.9")

    assert price.model_dump_json() == '{"amount":"9.90","currency":"USD"}'
    assert Money.model_validate_json(price.model_dump_json()) == price


def test_an_amount_that_travels_as_a_json_float_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"9\.9 is not accepted; it is a float"):
        Money.model_validate_json('{"amount":9.9,"currency":"USD"}')


def test_an_amount_cannot_be_changed_nor_carry_anything_else() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        money("9.99").amount = Decimal(0)  # type: ignore[misc]
    with pytest.raises(ValidationError, match="vat"):
        Money.model_validate({"amount": "9.99", "currency": "USD", "vat": "1.90"})


@pytest.mark.parametrize(
    "text", ["9.99", "9.99USD", "USD 9.99", "", " ", "9.99 Euro", "nan USD", "-1 USD", "9.999 USD"]
)
def test_a_text_that_is_not_an_amount_and_a_currency_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"^amount: .* (is|are)") as refusal:
        Money.parse(text)
    assert refusal.value.field == "amount"


@pytest.mark.parametrize("text", ["9.99", " 9.99", "9.99USD", "USD 9.99", ""])
def test_a_text_that_lacks_a_part_is_told_whole_and_with_an_example(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        Money.parse(text)
    assert str(refusal.value) == (f"amount: {text!r} is not accepted; an amount and a currency are, such as '9.99 USD'")


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("0.005", "USD", "0.01 USD"),
        ("0.00499999", "USD", "0.00 USD"),
        ("9.985", "EUR", "9.99 EUR"),
        ("9.975", "EUR", "9.98 EUR"),
        ("499.5", "JPY", "500 JPY"),
        ("499.49", "JPY", "499 JPY"),
    ],
)
def test_a_calculated_amount_is_rounded_half_up(amount: str, currency: str, rounded: str) -> None:
    assert str(Money.rounded(Decimal(amount), currency)) == rounded


def test_a_calculated_amount_in_an_unknown_currency_is_refused_as_any_other() -> None:
    with pytest.raises(Refused, match="currency: 'XXX' is not accepted"):
        Money.rounded(Decimal(1), "XXX")


def test_units_and_sums_are_reckoned_exactly_and_never_below_nothing() -> None:
    price, more = money("1234.56"), money("2000")

    assert str(price.times(3)) == "3703.68 USD"
    assert str(price.plus(more)) == "3234.56 USD"
    assert str(more.less(price)) == "765.44 USD"
    assert price.less(more) == Money.zero("USD")


def test_what_comes_to_more_than_any_charge_is_refused_with_how_much_is_left() -> None:
    with pytest.raises(Refused, match=r"^quantity: 4 is not accepted; at most 3 units of 3000000\.00 USD are"):
        money("3000000").times(4)
    with pytest.raises(Refused, match=r"^amount: 2\.01 USD is not accepted; at most 2\.00 USD can be added to"):
        money("9999998").plus(money("2.01"))
    assert str(money("9999998").plus(money("2"))) == "10000000.00 USD"
    assert money("0").times(1_000_000) == money("0")


def test_amounts_in_two_currencies_are_not_added() -> None:
    with pytest.raises(Refused, match=r"^amount: 5 JPY is not accepted; amounts in USD are$"):
        money("5").plus(money("5", "JPY"))


@pytest.mark.parametrize(("amount", "is_zero"), [("0", True), ("0.00", True), ("0.01", False)])
def test_only_zero_is_free(amount: str, is_zero: bool) -> None:  # noqa: FBT001 - a column of the table
    assert money(amount).is_zero is is_zero


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000_000_00), st.sampled_from(sorted(MINOR_UNIT_DECIMALS)))
def test_every_whole_number_of_minor_units_is_accepted_and_kept_exactly(units: int, currency: str) -> None:
    exact = min(Decimal(units).scaleb(-MINOR_UNIT_DECIMALS[currency]), Decimal(10_000_000))

    kept = money(str(exact), currency)

    assert kept.amount == exact
    assert -int(kept.amount.as_tuple().exponent) == MINOR_UNIT_DECIMALS[currency]
