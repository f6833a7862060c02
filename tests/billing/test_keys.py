"""Two attempts under one key are one charge, and one attempt under two keys is two: so much hangs on these ids."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial_billing.billing.keys import (
    MOST_CAPTURES,
    capture_key,
    idempotency_key,
    owner_of_key,
    period_of_key,
    refund_key,
    spread_of,
)
from perennial_billing.billing.refusals import Refused

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


def test_a_second_life_under_a_charge_permission_has_keys_of_its_own_and_they_are_read_as_any() -> None:
    first, second, third = (idempotency_key(PERMISSION, 12, 1, life) for life in (1, 2, 3))

    assert first == idempotency_key(PERMISSION, 12, 1)
    assert len({first, second, third, refund_key(PERMISSION, 1), refund_key(PERMISSION, 1, 2)}) == 5
    assert [period_of_key(key) for key in (first, second, third)] == [12, 12, 12]
    assert len({owner_of_key(key) for key in (first, second, third)}) == 3
    assert owner_of_key(second) == owner_of_key(idempotency_key(PERMISSION, 0, 4, 2))
    assert owner_of_key("a-key-of-somebody-else") is None
    assert AMAZONS_ALPHABET.fullmatch(idempotency_key(PERMISSION, 99_999, 99_999, 2))


@pytest.mark.parametrize(("period", "attempt"), [(-1, 1), (0, 0), (0, -1), (99_999_999, 999), (0, 10**12)])
def test_a_number_out_of_range_is_refused_rather_than_cut(period: int, attempt: int) -> None:
    with pytest.raises(Refused, match=f"attempt: {attempt} of period {period} is not accepted; what fits into"):
        idempotency_key(PERMISSION, period, attempt)


@pytest.mark.parametrize(("period", "attempt"), [(0, 1), (99_999, 99_999), (9_999_999, 999)])
def test_the_largest_numbers_of_a_long_life_are_in_range(period: int, attempt: int) -> None:
    assert idempotency_key(PERMISSION, period, attempt).endswith(f"-p{period}-a{attempt}")


def test_each_capture_of_a_charge_and_each_refund_has_a_key_of_its_own() -> None:
    attempt = idempotency_key(PERMISSION, 99_999, 999)
    keys = [capture_key(attempt, number) for number in range(1, MOST_CAPTURES + 1)]
    keys += [refund_key(PERMISSION, number) for number in (1, 2, 10, 999_999)]

    assert len({attempt, *keys}) == 1 + len(keys)
    assert all(AMAZONS_ALPHABET.fullmatch(key) for key in keys)
    assert capture_key("43988f285848b4e234-p12-a3", 2) == "43988f285848b4e234-p12-c3-2"


@pytest.mark.parametrize("capture", [0, -1, MOST_CAPTURES + 1])
def test_a_charge_is_captured_in_so_many_tries_and_no_more(capture: int) -> None:
    with pytest.raises(Refused, match=f"capture: {capture} is not accepted; a charge may be captured in 9 tries"):
        capture_key(idempotency_key(PERMISSION, 0, 1), capture)


@pytest.mark.parametrize("number", [0, -1, 10**12])
def test_a_refunds_number_out_of_range_is_refused_rather_than_cut(number: int) -> None:
    with pytest.raises(Refused, match=f"refund: {number} is not accepted"):
        refund_key(PERMISSION, number)


@given(attempts)
def test_the_period_is_read_back_from_a_key_of_ours(attempt: tuple[str, int, int]) -> None:
    assert period_of_key(idempotency_key(*attempt)) == attempt[1]


@pytest.mark.parametrize("text", ["", "p12", "43988f285848b4e234-r2", "43988f285848b4e234-p12-c1", "x" * 18 + "-p1-a1"])
def test_any_other_text_is_no_key_of_an_attempt(text: str) -> None:
    assert period_of_key(text) is None


def test_a_subscribers_part_of_a_jitter_is_always_the_same() -> None:
    assert {spread_of(PERMISSION) for _ in range(3)} == {spread_of(PERMISSION)}
    parts = {spread_of(f"C01-1234567-{number:07}") for number in range(2000)}
    assert 0 <= min(parts) < 50
    assert 950 < max(parts) < 1000
