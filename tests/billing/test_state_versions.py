"""A state outlives releases: one that an older release wrote is read, and so is one that a newer release wrote."""

import json
from functools import cache
from typing import Any

import pytest
from pydantic import ValidationError

import perennial_billing.billing.subscription as root
from perennial_billing.billing.changes import AddItem, PauseSubscription, RefundPeriod
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.subscription import STATE_VERSION, Subscription
from perennial_billing.billing.view import view_of
from tests.billing.support import CAPTURED, SOFT, Life, at, chargeable, terms

NOVEMBER, DECEMBER = "2026-11-11 11:00", "2026-12-11 11:00"
State = dict[str, Any]  # Any: as it was written down


@cache
def lived() -> Subscription:
    """One that has something in nearly every part."""
    life = Life(terms(NOVEMBER))
    life.step(Action.CHARGE, NOVEMBER, CAPTURED)
    life.wants("2026-11-20 11:00", RefundPeriod(period=0, amount=Money.parse("1.00 EUR")))
    life.step(Action.CHARGE, DECEMBER, SOFT)
    life.step(Action.READ_PERMISSION, DECEMBER, chargeable())
    life.ask("2026-12-11 12:00", PauseSubscription(when=at("2027-03-01 00:00")))
    life.ask("2026-12-11 12:00", AddItem(amount=Money.parse("2.00 EUR"), what="a mug"))
    return life.subscription


def written(subscription: Subscription) -> State:
    """As it is written down."""
    state: State = json.loads(subscription.model_dump_json())
    return state


def read(state: State, **how: Any) -> Subscription:  # Any: pydantic's own options
    """As whoever wakes reads it."""
    return Subscription.model_validate_json(json.dumps(state), **how)


def test_a_state_says_which_form_it_has() -> None:
    assert written(lived())["version"] == STATE_VERSION == 1


@pytest.mark.parametrize(
    "newer",
    ["permission", "references", "outbox", "disputes", "refunds", "authorizations", "renewal", "balance", "version"],
)
def test_a_state_without_a_part_that_came_later_is_read_with_that_part_as_it_begins(newer: str) -> None:
    state, beginning = written(lived()), written(Subscription.begin(lived().terms))
    del state[newer]

    restored = written(read(state))
    assert restored == state | {newer: beginning[newer]}


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ("contract", "written"),
        ("contract", "skips"),
        ("lifecycle", "successor"),
        ("lifecycle", "planned_end"),
        ("ledger", "joined_with"),
        ("permission", "telling"),
        ("renewal", "not_before"),
        ("collection", "was_unpaid"),
        ("collection", "told_attempt"),
        ("collection", "merchant_reference"),
        ("collection", "texts"),
    ],
)
def test_a_part_without_an_optional_field_is_read(part: str, field: str) -> None:
    state = written(lived())
    del state[part][field]

    restored = read(state)
    assert restored.status is lived().status
    assert view_of(restored).next == view_of(lived()).next


def test_what_every_release_has_written_is_not_done_without() -> None:
    state = written(lived())
    del state["contract"]["terms"]

    with pytest.raises(ValidationError, match="contract"):
        read(state)


def newer_state() -> State:
    """As a newer release may write it: of a higher version, with fields that nobody here knows."""
    state = written(lived())
    state |= {"version": STATE_VERSION + 1, "mood": "sunny"}
    state["contract"]["terms"]["plan"]["tax"] = {"rate": "0.19"}
    state["ledger"]["records"][0]["invoice"] = "2026-17"
    state["collection"]["stage"]["patience"] = 3
    state["lifecycle"]["pause"]["why"] = "summer"
    return state


def test_a_state_of_a_newer_release_is_read_as_far_as_it_is_known_where_that_is_asked_for() -> None:
    """So two releases can work side by side; it keeps its version, so that nobody upgrades it a second time."""
    restored = read(newer_state(), extra="ignore")

    assert restored.version == STATE_VERSION + 1
    assert restored.but(version=STATE_VERSION) == lived()
    assert read(written(restored)) == restored


@pytest.mark.parametrize("options", [{}, {"extra": "forbid"}])
def test_fields_that_nobody_knows_are_refused_otherwise(options: State) -> None:
    with pytest.raises(ValidationError) as error:
        read(newer_state(), **options)

    unknown = {".".join(str(part) for part in found["loc"]) for found in error.value.errors()}
    assert "mood" in unknown
    assert "contract.terms.plan.tax" in unknown
    assert any(path.endswith("patience") for path in unknown)


@pytest.mark.parametrize("version", [0, -1, "two", None, [1]])
def test_a_version_that_no_release_has_is_refused(version: object) -> None:
    with pytest.raises(ValidationError, match="version"):
        read(written(lived()) | {"version": version})


def without(state: State, field: str) -> State:
    return {name: value for name, value in state.items() if name != field}


class TestUpgrades:
    @pytest.fixture(autouse=True)
    def third_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A release whose states are of version 3. In version 1 the account was a list; in version 2 the outbox too."""

        def account(state: State) -> State:
            records = state["account"]
            paid = sum(record["outcome"] == "paid" for record in records)
            ledger = {"records": records, "next_period": len(records), "periods_paid": paid}
            return {**without(state, "account"), "ledger": ledger}

        def outbox(state: State) -> State:
            notices = state["notices"]
            return {**without(state, "notices"), "outbox": {"notices": notices, "told": len(notices)}}

        lived()  # in the form of its own release
        monkeypatch.setattr(root, "STATE_VERSION", 3)
        monkeypatch.setattr(root, "_UPGRADES", {1: account, 2: outbox})

    @staticmethod
    def _second() -> State:
        state = written(lived())
        state["notices"] = state.pop("outbox")["notices"]
        return state | {"version": 2}

    @classmethod
    def _first(cls) -> State:
        state = cls._second()
        state["account"] = state.pop("ledger")["records"]
        return state | {"version": 1}

    def test_an_older_state_goes_through_each_step_up_to_todays_form(self) -> None:
        for older in (self._first(), self._second()):
            upgraded = read(older)

            assert upgraded.version == 3
            assert upgraded.but(version=STATE_VERSION) == lived().but(version=STATE_VERSION)

    def test_a_state_of_todays_form_goes_through_none(self) -> None:
        today = written(lived()) | {"version": 3}

        assert read(today) == read(written(read(today)))

    def test_what_is_upgraded_is_not_changed_in_the_hands_of_whoever_gave_it(self) -> None:
        given = self._first()
        Subscription.model_validate(given)

        assert given == self._first()

    def test_a_value_is_taken_as_it_is(self) -> None:
        subscription = read(self._first())

        assert Subscription.model_validate(subscription) is subscription

    def test_a_state_that_cannot_be_upgraded_any_more_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="version"):
            read(self._first() | {"version": 0})
