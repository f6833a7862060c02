"""What others wrote is harmless once it was let in, and what is ordinary stays as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial_billing.billing.dunning.reasons import CHARGE_REASONS, PERMISSION_REASONS
from perennial_billing.billing.protocol.answers import (
    ChargeAnswer,
    ChargeOutcome,
    DisputeAnswer,
    PermissionAnswer,
    PermissionState,
    RefundAnswer,
    RefundState,
)
from perennial_billing.billing.protocol.foreign import LONGEST_CODE, LONGEST_PROSE, MOST_CODES, as_code, as_prose
from perennial_billing.billing.values import Value

ANYTHING = st.text(st.characters(), max_size=2_000)
"""Half surrogate pairs too."""

HOSTILE = [
    ("SoftDeclined\n", "SoftDeclined?"),
    ("SoftDeclined\x00", "SoftDeclined?"),
    ("[/x]", "??x?"),
    ("\x1b]0;owned\x07", "??0?owned?"),
    ("\x9b31mred", "?31mred"),
    ("a|b](http://evil)", "a?b??http:??evil?"),
    ("\ud800Declined", "?Declined"),
    ("\u202eenilceD", "?enilceD"),
    ("Soft\u0000Declined", "Soft?Declined"),
    ("\uff33oftDeclined", "?oftDeclined"),
]


@pytest.mark.parametrize("code", [*CHARGE_REASONS, *PERMISSION_REASONS, "SomethingNew2031", "Some.New_Code-2", ""])
def test_an_ordinary_code_stays_as_it_was_written_also_one_that_nobody_knows(code: str) -> None:
    assert as_code(code) == code
    assert ChargeAnswer(outcome=ChargeOutcome.DECLINED, reason_code=code).reason_code == code


@pytest.mark.parametrize(("written", "let_in"), HOSTILE)
def test_what_is_no_code_is_shown_and_acts_on_nothing(written: str, let_in: str) -> None:
    assert as_code(written) == let_in
    assert let_in not in CHARGE_REASONS


@given(ANYTHING)
def test_a_code_is_short_plain_and_the_same_when_it_is_let_in_again(text: str) -> None:
    code = as_code(text)

    assert len(code) <= LONGEST_CODE
    assert code.isascii()
    assert not set(code) & set("\\`*[]<>|~=@\t\r\n\x1b")
    assert as_code(code) == code
    assert code == text or code not in CHARGE_REASONS


@given(ANYTHING)
def test_a_text_for_people_is_one_bounded_line_that_can_be_printed(text: str) -> None:
    prose = as_prose(text)

    assert len(prose) <= LONGEST_PROSE
    assert prose.isprintable()
    assert as_prose(prose) == prose


def test_a_text_in_any_language_stays_as_it_was_written() -> None:
    for text in ("Ihre Karte wurde abgelehnt: 5,00 €", "カードが拒否されました", "Un café, s'il vous plaît"):
        assert as_prose(text) == text


TEXTS = [
    (kind, name)
    for kind in (ChargeAnswer, PermissionAnswer, RefundAnswer, DisputeAnswer)
    for name, field in kind.model_fields.items()
    if "str" in repr(field.annotation)
]
"""Every field of an answer that holds a text, also those that are yet to come."""


@pytest.mark.parametrize(("kind", "name"), TEXTS)
def test_every_text_of_an_answer_that_amazon_wrote_is_let_in(kind: type[Value], name: str) -> None:
    text = "[/x]\ud800" + "a" * 3000
    wrote = (text,) * 500 if name == "reason_codes" else text
    given = {"outcome": ChargeOutcome.DECLINED, "state": PermissionState.UNKNOWN, name: wrote}
    required = {field: given[field] for field in given if field in kind.model_fields}
    if kind is RefundAnswer:
        required["state"] = RefundState.FAILED

    answer = kind.model_validate(required)

    assert "[" not in str(getattr(answer, name))[1:]
    assert len(answer.model_dump_json()) < 6_000
    assert kind.model_validate_json(answer.model_dump_json()) == answer


def test_of_many_reasons_for_one_state_the_first_are_kept() -> None:
    assert len(PermissionAnswer(state=PermissionState.UNKNOWN, reason_codes=("A",) * 500).reason_codes) == MOST_CODES
