"""How a rule says no: in one line, of the field that the caller named, and before amounts come together anywhere."""

import pickle
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import AddItem, AnyRequest, Change, ChangePlan, UndoChanges, When
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.balance import MOST_ITEMS
from perennial_billing.billing.plan import Phase, Plan
from perennial_billing.billing.plan.policy import CollectionPolicy, HourWindow
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.refusals import Kind, Refused, refusal_of, refusals_of
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.values import Value
from tests.billing.support import CAPTURED, PERMISSION_ID, SOFT, Life, at, chargeable

YEAR, MONTH = Interval(unit=Unit.YEAR), Interval(unit=Unit.MONTH)
FEBRUARY, MARCH = "2027-02-14 08:00", "2027-03-14 08:00"


def eur(amount: str) -> Money:
    return Money.parse(f"{amount} EUR")


def agreed(amount: str, quantity: int = 1, *after: Phase) -> Terms:
    plan = Plan.of("crane", eur(amount), MONTH, after=after)
    return Terms(charge_permission_id=PERMISSION_ID, plan=plan, quantity=quantity, anchor=at(FEBRUARY))


def begun(amount: str, quantity: int = 1, *after: Phase) -> Life:
    """A subscription whose first period is paid."""
    life = Life(agreed(amount, quantity, *after))
    life.step(Action.CHARGE, FEBRUARY, CAPTURED)
    return life


def refused(life: Life, what: Change) -> str:
    """How something is refused; it has changed nothing."""
    before = life.subscription
    with pytest.raises(Refused) as refusal:
        life.ask("2027-02-20 12:00", what)
    assert life.subscription == before
    assert next_command(before) is not None
    return str(refusal.value)


def item(amount: str, **given: Any) -> AddItem:  # Any: the fields of an item
    return AddItem(amount=eur(amount), what="a boom", **given)


class TestWhatComesTogether:
    def test_terms_whose_units_cost_more_than_any_charge_are_not_agreed_on(self) -> None:
        assert agreed("2500000", 4).schedule.amount(0) == eur("10000000")

        with pytest.raises(ValidationError) as error:
            agreed("2500000", 5)
        assert str(refusal_of(error.value)) == (
            "quantity: 5 is not accepted; at most 4 units of 2500000.00 EUR are, as no charge exceeds 10000000"
        )

    def test_every_phase_counts_also_one_that_comes_late_or_costs_nothing(self) -> None:
        trial = Phase(amount=eur("0"), interval=MONTH, periods=1)
        cheap = Phase(amount=eur("1"), interval=MONTH, periods=2)

        with pytest.raises(ValidationError) as error:
            agreed("40000", 251, trial, cheap)
        assert "at most 250 units of 40000.00 EUR" in str(refusal_of(error.value))

    def test_a_quantity_that_no_charge_can_hold_is_not_changed_to(self) -> None:
        life = begun("4000000", 2)

        for when in When:
            why = refused(life, ChangePlan(quantity=3, when=when))
            assert why.startswith("quantity: 3 is not accepted; at most 2 units of 4000000.00 EUR are")

    def test_a_plan_that_is_too_dear_for_the_quantity_that_holds_is_not_changed_to(self) -> None:
        life = begun("10", 1000)

        why = refused(life, ChangePlan(plan=Plan.of("gold", eur("10000.01"), MONTH)))
        assert why.startswith("quantity: 1000 is not accepted; at most 999 units of 10000.01 EUR are")
        life.ask("2027-02-20 12:00", ChangePlan(plan=Plan.of("gold", eur("10000.01"), MONTH), quantity=999))

    def test_two_items_that_no_charge_can_hold_together_are_not_both_taken(self) -> None:
        life = begun("1")
        life.ask("2027-02-20 12:00", item("9999999"))

        assert refused(life, item("9999999")).startswith(
            "amount: 9999999.00 EUR is not accepted; at most 1.00 EUR can be added to 9999999.00 EUR"
        )

    def test_an_item_has_to_fit_beside_the_dearest_period_to_come(self) -> None:
        """It may be charged with any of them, as periods may be skipped before."""
        cheap = Phase(amount=eur("1"), interval=MONTH, periods=3)
        life = begun("9000000", 1, cheap)

        assert "at most 1000000.00 EUR can be added to 9000000.00 EUR" in refused(life, item("1000000.01"))
        assert "at most 1000000.00 EUR can be added" in refused(life, item("1000000").but(amount=eur("9999999")))
        life.ask("2027-02-20 12:00", item("1000000"))

    def test_an_item_charged_by_itself_has_to_fit_beside_what_waits(self) -> None:
        life = begun("1")
        life.ask("2027-02-20 12:00", item("6000000"))

        assert "can be added to 5000000.00 EUR" in refused(life, item("5000000", when=When.NOW))
        life.ask("2027-02-20 12:00", item("4000000", when=When.NOW))
        life.step(Action.CHARGE, "2027-02-20 12:00", CAPTURED)
        assert life.subscription.ledger.records[-1].amount == eur("10000000")

    def test_a_dearer_plan_has_to_fit_beside_an_item_that_waits(self) -> None:
        life = begun("1")
        life.ask("2027-02-20 12:00", item("9999990"))

        dearer = ChangePlan(plan=Plan.of("gold", eur("10.01"), MONTH))
        assert "as no charge exceeds 10000000" in refused(life, dearer)
        assert "as no charge exceeds 10000000" in refused(life, dearer.but(when=When.NOW))
        life.ask("2027-02-20 12:00", ChangePlan(plan=Plan.of("gold", eur("10.00"), MONTH)))

    def test_a_change_is_not_taken_back_over_an_item_that_was_added_since(self) -> None:
        life = begun("9000000")
        life.ask("2027-02-20 12:00", ChangePlan(plan=Plan.of("small", eur("1"), MONTH)))
        life.ask("2027-02-20 12:00", item("5000000"))

        assert "can be added to 9000000.00 EUR" in refused(life, UndoChanges())
        life.step(Action.CHARGE, MARCH, CAPTURED)
        assert life.subscription.ledger.records[-1].amount == eur("5000001")

    def test_credits_add_up_to_no_more_than_any_charge(self) -> None:
        life = begun("1")
        life.ask("2027-02-20 12:00", item("9999999", credit=True))

        assert refused(life, item("2", credit=True)).startswith(
            "amount: 2.00 EUR is not accepted; at most 1.00 EUR can be added to 9999999.00 EUR"
        )

    def test_a_credit_that_an_owed_period_has_used_may_come_back_and_counts(self) -> None:
        life = begun("10000000")
        life.ask("2027-02-20 12:00", item("6000000", credit=True))
        life.step(Action.CHARGE, MARCH, SOFT)
        life.step(Action.READ_PERMISSION, MARCH, chargeable())
        assert life.subscription.balance.credit is None

        assert "at most 4000000.00 EUR can be added to 6000000.00 EUR" in refused(life, item("4000001", credit=True))
        life.ask("2027-03-14 12:00", item("4000000", credit=True))

    def test_what_is_left_of_a_plan_is_a_credit_and_counts(self) -> None:
        life = begun("9000000")
        life.ask("2027-02-14 12:00", item("9000000", credit=True))

        why = refused(life, ChangePlan(plan=Plan.of("small", eur("1"), YEAR), when=When.NOW))
        assert "at most 1000000.00 EUR can be added to 9000000.00 EUR" in why

    def test_a_debt_has_to_fit_beside_the_dearest_period_to_come(self) -> None:
        cheap = Phase(amount=eur("1"), interval=MONTH, periods=3)
        terms, now = agreed("9000000", 1, cheap), at("2027-02-01 00:00")

        with pytest.raises(Refused) as refusal:
            Subscription.joining(terms, next_period=None, debt=eur("1000000.01"), now=now)
        assert str(refusal.value).startswith(
            "debt: 1000000.01 EUR is not accepted; at most 1000000.00 EUR can be added to 9000000.00 EUR"
        )
        joined = Subscription.joining(terms, next_period=None, debt=eur("1000000"), now=now)
        assert joined.most_to_come == eur("9000000")

    @pytest.mark.parametrize(
        ("next_period", "debt", "why"),
        [
            (-1, None, "next_period: -1 is not accepted; the plan has no such period"),
            (12, None, "next_period: 12 is not accepted; the plan has no such period"),
            (0, "3 USD", "debt: 3.00 USD is not accepted; it is in another currency than the plan, EUR"),
        ],
    )
    def test_a_joining_that_cannot_be_meant_is_refused(self, next_period: int, debt: str | None, why: str) -> None:
        plan = Plan.of("crane", eur("7"), MONTH, 12)
        terms = Terms(charge_permission_id=PERMISSION_ID, plan=plan, anchor=at(FEBRUARY))
        owed = Money.parse(debt) if debt else None

        with pytest.raises(Refused, match=why):
            Subscription.joining(terms, next_period=next_period, debt=owed, now=at("2027-02-01 00:00"))

    def test_no_more_items_wait_than_a_person_can_look_through(self) -> None:
        life = begun("1")
        for _ in range(MOST_ITEMS):
            life.ask("2027-02-20 12:00", item("0.01"))

        assert refused(life, item("0.01")) == ("item: a boom is not possible now; 50 wait for the next charge already")


class Form(Value):
    """Something with a plan in it, as a person fills it in."""

    plan: Plan
    note: str = ""


def first(model: type[BaseModel], given: object, names: dict[str, str] | None = None) -> Refused:
    """What is refused first."""
    with pytest.raises(ValidationError) as error:
        model.model_validate(given)
    return refusal_of(error.value, names)


PRICE: dict[str, Any] = {"amount": "12.50", "currency": "GBP"}
MONTHLY: dict[str, Any] = {"amount": PRICE, "interval": {"unit": "month"}}


class TestWhatAValidationFinds:
    @pytest.mark.parametrize(
        ("given", "field", "value"),
        [
            ({**MONTHLY, "interval": {"unit": "moon"}}, "plan.phases.0.interval.unit", "'moon'"),
            ({**MONTHLY, "periods": 0}, "plan.phases.0.periods", "0"),
            ({"phases": [MONTHLY, {**MONTHLY, "amount": None}]}, "plan.phases.1.amount", "None"),
            ({**MONTHLY, "amount": {**PRICE, "amount": "NaN"}}, "plan.phases.0.amount.amount", "'NaN'"),
            ({**MONTHLY, "plan_id": "two\nlines"}, "plan.plan_id", r"'two\nlines'"),
            ({**MONTHLY, "plan_id": ""}, "plan.plan_id", "''"),
            ({**MONTHLY, "collection": {"grace": "P99D"}}, "plan.collection.grace", "99 days, 0:00:00"),
            ({**MONTHLY, "coupon": 5}, "plan.coupon", "5"),
            ({}, "plan.phases", ""),
        ],
    )
    def test_it_is_told_with_the_path_of_its_field_and_its_value_in_one_line_and_in_our_words(
        self, given: dict[str, Any], field: str, value: str
    ) -> None:
        refusal = first(Form, {"plan": {"plan_id": "crane", **given}})

        assert (refusal.field, refusal.value, refusal.kind) == (field, value, Kind.INVALID)
        said = str(refusal)
        assert said.startswith(f"{field}: ")
        assert said.isprintable(), "one line"
        assert not any(word in said.lower() for word in ("pydantic", "http", "input", "validation", "value error"))

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (
                {**MONTHLY, "interval": {"unit": "month", "count": 14}},
                "plan.phases.0.interval: 14 months is not accepted; at most 12 months (366 days) are, as a recurring",
            ),
            (
                {**MONTHLY, "amount": {**PRICE, "amount": "12.505"}},
                "plan.phases.0.amount: 12.505 is not accepted; 2 decimals are, as GBP has, such as 12.51",
            ),
            (
                {**MONTHLY, "amount": {**PRICE, "amount": 12.5}},
                "plan.phases.0.amount.amount: 12.5 is not accepted; it is a float; an amount is given as a string",
            ),
            (
                {"phases": [MONTHLY, MONTHLY]},
                "plan.phases.0.periods: a number of periods is, as only the last phase may be open",
            ),
            (
                {"phases": [{**MONTHLY, "periods": 1}, {**MONTHLY, "amount": {**PRICE, "currency": "EUR"}}]},
                "plan.phases: GBP and EUR is not accepted; one currency is, as a charge permission has one",
            ),
            (
                {**MONTHLY, "collection": {"retry_hours": {"start": 22, "end": 6}}},
                "plan.collection.retry_hours: 22:00 to 06:00 is not accepted; a window within one day is",
            ),
        ],
    )
    def test_a_rule_that_refuses_deep_within_a_plan_is_told_as_it_said_it(
        self, given: dict[str, Any], said: str
    ) -> None:
        assert str(first(Form, {"plan": {"plan_id": "crane", **given}})).startswith(said)

    def test_what_has_no_field_of_its_own_is_told_as_a_value(self) -> None:
        assert str(first(HourWindow, {"start": 9, "end": 9})).startswith("09:00 to 09:00 is not accepted; a window")

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"phases": []}, "plan.phases: an empty list is not accepted; at least 1 are"),
            ({"phases": MONTHLY}, "plan.phases: a table of fields is not accepted; a list is"),
            ({**MONTHLY, "amount": [1, 2]}, "plan.phases.0.amount: a list of 2 is not accepted; a table of fields is"),
            ({"phases": [MONTHLY, {"amount": PRICE}]}, "plan.phases.1.interval: it must be given"),
            ({**MONTHLY, "coupon": {}}, "plan.coupon: a table of fields is not accepted; there is no such field"),
        ],
    )
    def test_of_what_is_no_single_value_it_is_told_what_it_is(self, given: dict[str, Any], said: str) -> None:
        assert str(first(Form, {"plan": {"plan_id": "crane", **given}})) == said

    def test_an_instant_is_told_as_it_is_typed(self) -> None:
        given = {"charge_permission_id": PERMISSION_ID, "plan": {"plan_id": "crane", **MONTHLY}}

        said = str(first(Terms, {**given, "anchor": datetime(2027, 1, 31, 9)}))  # noqa: DTZ001 - what is refused
        assert said.startswith("anchor: 2027-01-31T09:00:00 is not accepted; an instant with its offset from UTC is")

    def test_what_is_no_json_is_told_with_its_place_and_not_repeated(self) -> None:
        with pytest.raises(ValidationError) as error:
            Form.model_validate_json('{"plan": ' + " " * 1000)

        assert str(refusal_of(error.value)) == ("it is not JSON: EOF while parsing a value at line 1 column 1009")

    def test_the_caller_may_know_a_field_by_another_name(self) -> None:
        given = {"plan": {"plan_id": "crane", **MONTHLY, "periods": 0}}

        assert first(Form, given, {"plan.phases.0.periods": "--periods"}).field == "--periods"
        assert first(Form, given, {"plan.phases": "--phases"}).field == "plan.phases.0.periods"
        assert Refused("amount", "1", "more is").under("--debt").field == "--debt"

    def test_everything_that_was_found_is_told(self) -> None:
        with pytest.raises(ValidationError) as error:
            Form.model_validate({"plan": {"plan_id": "", **MONTHLY, "capture": "never"}, "notes": ""})

        assert [refusal.field for refusal in refusals_of(error.value)] == ["plan.plan_id", "plan.capture", "notes"]

    def test_where_a_part_is_wrong_nothing_is_said_of_the_whole(self) -> None:
        """Pydantic does not count the phase that is wrong, and would have at least one."""
        wrong = {**MONTHLY, "periods": 0, "amount": {**PRICE, "currency": "XXX"}}
        with pytest.raises(ValidationError) as error:
            Form.model_validate({"plan": {"plan_id": "crane", **wrong}})

        assert error.value.error_count() == 3
        assert [refusal.field for refusal in refusals_of(error.value)] == [
            "plan.phases.0.amount.currency",
            "plan.phases.0.periods",
        ]

    def test_a_request_of_no_known_kind_is_told_with_those_that_are(self) -> None:
        class Asked(Value):
            request: AnyRequest

        assert "'pause'" in str(first(Asked, {"request": {"kind": "dance"}}))

    def test_a_policys_durations_are_told_in_words_that_can_be_typed(self) -> None:
        said = str(first(CollectionPolicy, {"soft_decline_delays": ["P1D", "PT30S"]}))

        assert said.startswith("soft_decline_delays.1: 0:00:30 is not accepted; 1 minute or more is")


class TestRefused:
    @pytest.mark.parametrize(
        ("refusal", "said"),
        [
            (Refused("count", 0, "1 to 9 are"), "count: 0 is not accepted; 1 to 9 are"),
            (
                Refused("when", "now", "a period is owed", Kind.NOT_NOW),
                "when: now is not possible now; a period is owed",
            ),
            (Refused("id", "x", "y has it", Kind.CONFLICT), "id: x is in conflict with what stands; y has it"),
            (Refused("retry", "", "nothing is owed", Kind.NOT_NOW), "retry: nothing is owed"),
            (Refused("", "25:00", "0:00 to 24:00 is"), "25:00 is not accepted; 0:00 to 24:00 is"),
            (Refused("", "", "it is not JSON"), "it is not JSON"),
            (Refused("amount", eur("3"), "less is"), "amount: 3.00 EUR is not accepted; less is"),
            (Refused("until", timedelta(hours=2), "less is"), "until: 2:00:00 is not accepted; less is"),
        ],
    )
    def test_it_is_one_sentence_about_one_field(self, refusal: Refused, said: str) -> None:
        assert str(refusal) == said
        assert isinstance(refusal, ValueError), "a validator may raise it"

    def test_it_travels_between_processes_as_it_is(self) -> None:
        before = Refused("id", "x", "y has it", Kind.CONFLICT)
        after = pickle.loads(pickle.dumps(before))

        assert (str(after), after.kind) == (str(before), Kind.CONFLICT)
