"""Two attempts under one key are one charge, and one attempt under two keys is two: so much hangs on these ids."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.identity import idempotency_key

AMAZONS_ALPHABET = re.compile(r"[A-Za-z0-9_-]{1,32}")
PERMISSION = "C01-1234567-7654321"

attempts = st.tuples(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=64), st.integers(0, 99_999), st.integers(1, 999)
)


@settings(deadline=None, max_examples=200)
@given(attempts)
def test_a_key_fits_amazons_alphabet_and_length(attempt: tuple[str, int, int]) -> None:
    assert AMAZONS_ALPHABET.fullmatch(idempotency_key(*attempt))


@settings(deadline=None, max_examples=200)
@given(st.sets(attempts, max_size=8))
def test_every_attempt_has_a_key_of_its_own(several: set[tuple[str, int, int]]) -> None:
    assert len({idempotency_key(*attempt) for attempt in several}) == len(several)


def test_the_keys_of_neighbours_differ_by_permission_by_period_and_by_attempt() -> None:
    neighbours = [(PERMISSION, 1, 11), (PERMISSION, 11, 1), (PERMISSION, 1, 1), (PERMISSION + "0", 1, 1)]

    assert len({idempotency_key(*attempt) for attempt in neighbours}) == len(neighbours)


def test_a_key_never_changes_because_amazon_keeps_it_for_ever() -> None:
    assert idempotency_key(PERMISSION, 12, 1) == "43988f285848b4e234-p12-a1"


@pytest.mark.parametrize(("period", "attempt"), [(-1, 1), (0, 0), (0, -1), (99_999_999, 999), (0, 10**12)])
def test_a_number_out_of_range_is_refused_rather_than_cut(period: int, attempt: int) -> None:
    with pytest.raises(ValueError, match=f"attempt: period {period}, attempt {attempt} is out of range"):
        idempotency_key(PERMISSION, period, attempt)


@pytest.mark.parametrize(("period", "attempt"), [(0, 1), (99_999, 99_999), (9_999_999, 999)])
def test_the_largest_numbers_of_a_long_life_are_in_range(period: int, attempt: int) -> None:
    assert idempotency_key(PERMISSION, period, attempt).endswith(f"-p{period}-a{attempt}")
