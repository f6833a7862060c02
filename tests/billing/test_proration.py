"""A buyer who is charged for a part of a period can reckon it up: the figures have to be the ones on the receipt."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial_billing.billing.contract.proration import prorate
from perennial_billing.billing.money import Money
from perennial_billing.billing.refusals import Refused

CENT = Decimal("0.01")
MANY = settings(deadline=None, max_examples=200)

prices = st.builds(lambda cents: Money(amount=cents * CENT, currency="USD"), st.integers(0, 1_000_000))


def usd(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


def day(text: str) -> date:
    return date.fromisoformat(text)


def half_up(exact: Fraction) -> Decimal:
    """An exact number of dollars in whole cents, by integers alone."""
    return int(exact * 100 + Fraction(1, 2)) * CENT


@pytest.mark.parametrize(
    ("price", "start", "end", "period_start", "period_end", "expected", "source"),
    [
        ("249.95", "2012-03-04", "2012-04-02", "2012-03-02", "2012-04-02", "233.82", "killbill testWithPauseResume"),
        (
            "249.95",
            "2016-02-01",
            "2016-02-15",
            "2016-02-01",
            "2016-03-01",
            "120.67",
            "killbill WithPendingCancellation",
        ),
        ("249.95", "2016-06-01", "2016-06-15", "2016-05-15", "2016-06-15", "112.88", "killbill TestWithBCDUpdate"),
        ("249.95", "2016-05-15", "2016-06-15", "2016-05-15", "2016-06-15", "249.95", "ours: the whole period"),
        ("249.95", "2016-05-15", "2016-05-15", "2016-05-15", "2016-06-15", "0.00", "ours: no day of it"),
        ("249.95", "2016-06-15", "2016-06-15", "2016-05-15", "2016-06-15", "0.00", "ours: the last day is exclusive"),
    ],
)
def test_a_part_costs_its_share_of_the_periods_days(
    price: str, start: str, end: str, period_start: str, period_end: str, expected: str, source: str
) -> None:
    part = prorate(usd(price), (day(end) - day(start)).days, (day(period_end) - day(period_start)).days)

    assert part == usd(expected)


def test_a_part_in_a_currency_without_a_minor_unit_is_whole() -> None:
    price = Money(amount=Decimal(1000), currency="JPY")

    assert str(prorate(price, 10, 31)) == "323 JPY"


@MANY
@given(prices, st.integers(0, 400), st.integers(1, 400))
def test_a_part_is_the_exact_share_rounded_once(price: Money, days: int, of_days: int) -> None:
    assert prorate(price, days, of_days).amount == half_up(Fraction(price.amount) * days / of_days)


@MANY
@given(prices, st.integers(1, 400), st.data())
def test_the_parts_of_a_period_sum_to_it_within_half_a_minor_unit_each(
    price: Money, length: int, data: st.DataObject
) -> None:
    inner = data.draw(st.sets(st.integers(1, length), max_size=6))
    cuts = sorted({0, length} | inner)

    parts = [prorate(price, last - first, length) for first, last in pairwise(cuts)]

    assert abs(sum(part.amount for part in parts) - price.amount) <= len(parts) * CENT / 2


def test_a_part_that_is_longer_than_the_period_costs_its_days_too() -> None:
    assert prorate(usd("31.00"), 42, 31) == usd("42.00")


@pytest.mark.parametrize(
    ("days", "of_days", "words"),
    [
        (-1, 28, "days: -1 is not accepted; a part has no days, or some"),
        (1, 0, "of_days: 0 is not accepted; a whole period has at least one day"),
    ],
)
def test_days_that_cannot_be_are_refused(days: int, of_days: int, words: str) -> None:
    with pytest.raises(Refused, match=words):
        prorate(usd("9.99"), days, of_days)
