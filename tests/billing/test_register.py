"""Asking again is asking for the same, under whichever of its names; a name stands for one wish alone."""

import pytest
from pydantic import ValidationError

from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    Capture,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    ReplacePermission,
    ResumeSubscription,
    SkipPeriod,
    UndoCancellation,
    UndoChanges,
    When,
)
from perennial_billing.billing.couplings.ending import continued
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Capture as WhenCaptured
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.register import MOST_ENTRIES, MOST_NAMES, Entry, Register, Result, digest_of
from perennial_billing.billing.requests import Request
from tests.billing.support import CAPTURED, Life, at, terms

THREE, FOUR = Money.parse("3.00 EUR"), Money.parse("4.00 EUR")
AUGUST, LATER = "2026-08-09 07:00", "2026-08-20 10:00"


def begun() -> Life:
    """A subscription whose first period is paid."""
    life = Life(terms(AUGUST))
    life.step(Action.CHARGE, AUGUST, CAPTURED)
    return life


def entry(*references: str, wish: str = "w", result: Result = None) -> Entry:
    return Entry(references=references, wish=wish, kind="item", result=result)


def conflict(life: Life, request: Request, *references: str) -> str:
    """How a name that is another wish's is refused; nothing has changed."""
    before = life.subscription
    with pytest.raises(Refused) as refusal:
        life.wants(LATER, request, *references)
    assert (refusal.value.field, refusal.value.kind) == ("reference", Kind.CONFLICT)
    assert life.subscription == before
    return str(refusal.value)


class TestRegister:
    def test_what_was_noted_is_known_under_each_of_its_names(self) -> None:
        noted = entry("id-1", "order/7", result=3)
        register = Register().noting(noted)

        assert register.find("id-1") == register.find("order/7") == noted
        assert register.known(("id-9", "order/7"), "w") == noted
        assert (register.find("id-9"), register.known(("id-9",), "w")) == (None, None)

    @pytest.mark.parametrize("names", [("id-1",), ("id-9", "id-1"), ("id-2", "id-1"), ("id-1", "id-2")])
    def test_a_name_of_another_wish_is_refused_whatever_the_other_names_are(self, names: tuple[str, ...]) -> None:
        register = Register().noting(entry("id-1", wish="another")).noting(entry("id-2"))

        with pytest.raises(Refused, match=r"reference: 'id-1' is in conflict .* it is that of another item") as refusal:
            register.known(names, "w")
        assert refusal.value.kind is Kind.CONFLICT

    def test_what_has_no_name_is_not_kept(self) -> None:
        assert Register().noting(entry()) == Register()

    def test_the_latest_are_kept(self) -> None:
        register = Register()
        for number in range(MOST_ENTRIES + 5):
            register = register.noting(entry(f"id-{number}"))

        assert len(register.entries) == MOST_ENTRIES
        assert (register.find("id-4"), register.find("id-5")) == (None, entry("id-5"))

    def test_an_entry_takes_new_names_up_to_a_bound_and_the_latest_are_kept(self) -> None:
        register = Register().noting(entry("id-0", "order/7")).noting(entry("id-x"))
        for number in range(1, 50):
            names = (f"id-{number}", "order/7")
            known = register.known(names, "w")
            assert known is not None
            register = register.known_by(known, names)

        assert len(register.entries) == 2
        assert all(len(each.references) <= MOST_NAMES for each in register.entries)
        assert register.find("order/7") == register.find("id-49") == register.entries[0]
        assert register.find("id-0") is None

    @pytest.mark.parametrize(
        "result", [None, 1, 17, "S01-1234567-1234567-C012345", "1234567", "20260820", at("2026-08-20 10:00")]
    )
    def test_what_a_request_came_to_is_the_same_after_it_was_written_down(self, result: Result) -> None:
        """An instant is a text there, and so is a charge's id; a number is none of them."""
        noted = Register().noting(entry("id-1", result=result))
        restored = Register.model_validate_json(noted.model_dump_json())

        assert restored == noted
        assert type(restored.entries[0].result) is type(result)

    @pytest.mark.parametrize("reference", ["", "with space", "r" * 129, "anna@example.com", "a\nb"])
    def test_a_name_that_is_none_is_refused(self, reference: str) -> None:
        with pytest.raises(ValidationError):
            AddItem(amount=THREE, what="a mug", reference=reference)


class TestDigest:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (AddItem(amount=THREE, what="a mug"), AddItem(amount=THREE, what="a mug", reference="order/7")),
            (Cancel(), Cancel(when=When.RENEWAL)),
            (ChangePlan(quantity=2), ChangePlan.model_validate_json('{"kind": "plan", "quantity": 2, "plan": null}')),
            (AddItem(amount=THREE, what="x"), AddItem(amount=Money.parse("3 EUR"), what="x")),
        ],
    )
    def test_the_same_wish_is_recognised_by_what_it_says(self, one: Request, other: Request) -> None:
        assert digest_of(one) == digest_of(other)

    def test_other_wishes_are_others_also_where_they_have_nothing_to_say(self) -> None:
        """As resuming, skipping and taking back need no more than their kind."""
        wishes = [
            AddItem(amount=THREE, what="a mug"),
            AddItem(amount=FOUR, what="a mug"),
            AddItem(amount=THREE, what="a cup"),
            AddItem(amount=THREE, what="a mug", credit=True),
            AddItem(amount=THREE, what="a mug", when=When.NOW),
            PauseSubscription(),
            PauseSubscription(until=at("2026-09-01 00:00")),
            ResumeSubscription(),
            SkipPeriod(),
            SkipPeriod(undo=True),
            UndoChanges(),
            UndoCancellation(),
            Cancel(),
            Cancel(when=When.NOW),
            RefundPeriod(period=0),
            Capture(period=0),
            RefundPeriod(period=0, amount=THREE),
        ]

        assert len({digest_of(wish) for wish in wishes}) == len(wishes)


class TestAsking:
    def test_the_same_wish_under_the_same_name_is_done_once_and_answered_as_before(self) -> None:
        life = begun()
        first = life.wants(LATER, AddItem(amount=THREE, what="a mug", reference="order/7"), "id-1")
        items, told = life.subscription.balance, life.told

        again = life.wants("2026-10-01 00:00", AddItem(amount=THREE, what="a mug", reference="order/7"), "id-1")

        assert first == again == at("2026-09-09 07:00")
        assert (life.subscription.balance, life.told) == (items, told)

    def test_the_same_wish_under_a_second_name_goes_by_both(self) -> None:
        life = begun()
        mug = AddItem(amount=THREE, what="a mug", reference="order/7")
        life.wants(LATER, mug, "id-1")
        life.wants(LATER, mug, "id-2")

        assert len(life.subscription.balance.items) == 1
        assert len(life.subscription.references.entries) == 1
        for name in ("id-1", "id-2", "order/7"):
            assert "another item" in conflict(life, AddItem(amount=FOUR, what="a mug"), name)

    def test_without_a_name_in_common_the_same_wish_is_a_second_one(self) -> None:
        life = begun()
        life.wants(LATER, AddItem(amount=THREE, what="a mug", reference="order/7"))
        life.wants(LATER, AddItem(amount=THREE, what="a mug", reference="order/8"))

        assert len(life.subscription.balance.items) == 2

    def test_requests_ids_and_merchants_references_are_in_one_register(self) -> None:
        life = begun()
        life.wants(LATER, RefundPeriod(period=0, amount=THREE, reference="ticket-7"), "id-1")

        assert "'ticket-7'" in conflict(life, AddItem(amount=THREE, what="a mug", reference="ticket-7"), "id-2")
        assert "'ticket-7'" in conflict(life, SkipPeriod(), "ticket-7")
        assert "'id-1'" in conflict(life, AddItem(amount=THREE, what="a mug", reference="id-1"), "id-2")
        assert conflict(life, PauseSubscription(), "id-1").endswith(
            "it is that of another refund; each wish has its own"
        )

    def test_an_id_that_paused_does_not_resume(self) -> None:
        life = begun()
        life.wants(LATER, PauseSubscription(), "id-1")

        assert "'id-1'" in conflict(life, ResumeSubscription(), "id-1")
        assert life.subscription.lifecycle.is_paused

    def test_a_refund_is_not_taken_for_a_capture_of_the_same_period(self) -> None:
        life = Life(terms(AUGUST, capture=WhenCaptured.LATER))
        authorized = ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED, charge_id="S01-7-C7")
        life.step(Action.CHARGE, AUGUST, authorized)

        assert life.wants(LATER, Capture(period=0), "id-1") == "S01-7-C7"
        assert life.wants(LATER, Capture(period=0), "id-1") == "S01-7-C7"
        assert "'id-1'" in conflict(life, RefundPeriod(period=0), "id-1")

    def test_what_was_refused_is_not_remembered(self) -> None:
        life = begun()
        with pytest.raises(Refused, match="not paused"):
            life.wants(LATER, ResumeSubscription(), "id-1")

        life.wants(LATER, PauseSubscription(), "id-1")
        assert life.subscription.lifecycle.is_paused

    def test_a_repetition_is_answered_also_where_it_could_not_be_asked_any_more(self) -> None:
        life = begun()
        effective_at = life.wants(LATER, PauseSubscription(), "id-1")
        life.cancel("2026-08-25 10:00")

        assert life.wants("2026-08-25 10:00", PauseSubscription(), "id-1") == effective_at

    def test_refunds_are_numbered_and_the_number_is_the_answer(self) -> None:
        life = begun()

        assert life.wants(LATER, RefundPeriod(period=0, amount=THREE, reference="ticket-7")) == 1
        assert life.wants(LATER, RefundPeriod(period=0, amount=THREE, reference="ticket-8")) == 2
        assert life.wants(LATER, RefundPeriod(period=0, amount=THREE, reference="ticket-7")) == 1

    def test_the_names_are_known_under_a_new_charge_permission_too(self) -> None:
        life = begun()
        life.wants(LATER, AddItem(amount=THREE, what="a mug", reference="order/7"))
        life.wants(LATER, ReplacePermission(charge_permission_id="C01-7777777-7777777"), "id-2")
        life.subscription = continued(life.subscription)

        assert life.wants(LATER, AddItem(amount=THREE, what="a mug", reference="order/7")) == at("2026-09-09 07:00")
        assert "'order/7'" in conflict(life, AddItem(amount=FOUR, what="a mug", reference="order/7"))
        assert len(life.subscription.balance.items) == 1
