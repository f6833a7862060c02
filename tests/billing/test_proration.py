"""A buyer who is charged for a part of a period can reckon it up: the figures have to be the ones on the receipt."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from billing.contract.proration import prorate_30_days, prorate_actual_days
from billing.money import Money
from billing.refusals import Refused

CENT = Decimal("0.01")
MANY = settings(deadline=None, max_examples=200)

prices = st.builds(lambda cents: Money(amount=cents * CENT, currency="USD"), st.integers(0, 1_000_000))
days = st.dates(date(2012, 1, 1), date(2032, 12, 31))


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
    part = prorate_actual_days(usd(price), day(start), day(end), day(period_start), day(period_end))

    assert part == usd(expected)


@pytest.mark.parametrize(
    ("price", "start", "end", "expected", "source"),
    [
        ("19.95", "2023-05-15", "2023-05-23", "5.32", "killbill TestInvoiceFixedProration leading"),
        ("19.95", "2023-05-01", "2023-06-01", "19.95", "ours: 31 days are never more than a month"),
        ("19.95", "2023-05-01", "2023-05-31", "19.95", "ours: 30 days are a month"),
        ("19.95", "2023-02-01", "2023-03-01", "18.62", "ours: 28 days of 30"),
        ("19.95", "2023-05-01", "2023-05-01", "0.00", "ours: no day of it"),
        ("2.55", "2023-05-01", "2023-05-02", "0.09", "ours: 8.5 cents are rounded half up"),
        ("0.15", "2023-05-01", "2023-05-02", "0.01", "ours: half a cent is rounded half up"),
    ],
)
def test_a_part_costs_its_days_in_thirtieths(price: str, start: str, end: str, expected: str, source: str) -> None:
    assert prorate_30_days(usd(price), day(start), day(end)) == usd(expected)


def test_a_part_in_a_currency_without_a_minor_unit_is_whole() -> None:
    price = Money(amount=Decimal(1000), currency="JPY")

    assert str(
        prorate_actual_days(price, day("2026-01-01"), day("2026-01-11"), day("2026-01-01"), day("2026-02-01"))
    ) == ("323 JPY")
    assert str(prorate_30_days(price, day("2026-01-01"), day("2026-01-11"))) == "333 JPY"


@MANY
@given(prices, days, st.integers(1, 400), st.data())
def test_a_part_by_actual_days_is_the_exact_share_rounded_once(
    price: Money, start: date, length: int, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, length))
    last = data.draw(st.integers(first, length))
    moments = [start + timedelta(days=offset) for offset in (first, last, 0, length)]

    part = prorate_actual_days(price, *moments)

    assert part.amount == half_up(Fraction(price.amount) * (last - first) / length)


@MANY
@given(prices, days, st.integers(0, 60))
@example(usd("2.55"), date(2023, 5, 1), 1)
def test_a_part_by_thirty_days_is_the_exact_share_rounded_once(price: Money, start: date, length: int) -> None:
    part = prorate_30_days(price, start, start + timedelta(days=length))

    assert part.amount == half_up(Fraction(price.amount) * min(length, 30) / 30)


@MANY
@given(prices, days, st.integers(1, 400), st.data())
def test_the_parts_of_a_period_sum_to_it_within_half_a_minor_unit_each(
    price: Money, start: date, length: int, data: st.DataObject
) -> None:
    inner = data.draw(st.sets(st.integers(1, length), max_size=6))
    cuts = [start + timedelta(days=offset) for offset in sorted({0, length} | inner)]

    parts = [prorate_actual_days(price, first, last, cuts[0], cuts[-1]) for first, last in pairwise(cuts)]

    assert abs(sum(part.amount for part in parts) - price.amount) <= len(parts) * CENT / 2


@MANY
@given(prices, days, st.sets(st.integers(1, 29), max_size=6))
def test_the_parts_of_thirty_days_sum_to_the_price_within_half_a_minor_unit_each(
    price: Money, start: date, inner: set[int]
) -> None:
    cuts = [start + timedelta(days=offset) for offset in sorted({0, 30} | inner)]

    parts = [prorate_30_days(price, first, last) for first, last in pairwise(cuts)]

    assert abs(sum(part.amount for part in parts) - price.amount) <= len(parts) * CENT / 2


@pytest.mark.parametrize(
    ("start", "end", "period_start", "period_end"),
    [
        ("2026-01-31", "2026-02-10", "2026-02-01", "2026-03-01"),
        ("2026-02-10", "2026-03-02", "2026-02-01", "2026-03-01"),
        ("2026-02-11", "2026-02-10", "2026-02-01", "2026-03-01"),
        ("2026-02-01", "2026-02-01", "2026-02-01", "2026-02-01"),
        ("2026-03-01", "2026-02-01", "2026-03-01", "2026-02-01"),
    ],
)
def test_a_part_outside_the_period_is_refused_with_the_days(
    start: str, end: str, period_start: str, period_end: str
) -> None:
    words = f"part: {start} to {end} is not accepted; parts of the period {period_start} to {period_end} are"

    with pytest.raises(Refused, match=words):
        prorate_actual_days(usd("9.99"), day(start), day(end), day(period_start), day(period_end))


def test_a_part_that_ends_before_it_starts_is_refused_with_the_days() -> None:
    words = "part: 2026-02-10 to 2026-02-09 is not accepted; it may not end before it starts"

    with pytest.raises(Refused, match=words):
        prorate_30_days(usd("9.99"), day("2026-02-10"), day("2026-02-09"))
