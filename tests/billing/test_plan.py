"""A plan is typed in by people: what it cannot mean is refused when it is written, not when it first falls due."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.plan.policy import CollectionPolicy, FinalAction
from perennial_billing.billing.refusals import refusal_of
from tests.billing.support import PERMISSION_ID, terms

PLAN: dict[str, Any] = {  # Any: as it comes from a file
    "plan_id": "basic",
    "amount": {"amount": "9.99", "currency": "EUR"},
    "interval": {"unit": "month"},
}
TERMS: dict[str, Any] = {"charge_permission_id": PERMISSION_ID, "plan": PLAN, "anchor": "2026-01-31T09:00:00Z"}


def refusal(model: type[Plan | Terms], given: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as error:
        model.model_validate(given)
    return str(refusal_of(error.value))


@pytest.mark.parametrize(
    ("interval", "named"),
    [
        ({"unit": "month", "count": 13}, ["interval", "13 months", "at most 12 months"]),
        ({"unit": "day", "count": 400}, ["interval", "400 days", "366 days"]),
        ({"unit": "day", "count": 367}, ["interval", "367 days", "366 days"]),
        ({"unit": "week", "count": 53}, ["interval", "53 weeks", "366 days"]),
        ({"unit": "year", "count": 2}, ["interval", "2 years", "at most 12 months"]),
        ({"unit": "month", "count": 0}, ["interval.count", "0", "1 or more is"]),
        ({"unit": "month", "count": -1}, ["interval.count", "-1", "1 or more is"]),
        ({"unit": "month", "count": 1.5}, ["interval.count", "1.5", "a whole number is"]),
        ({"unit": "fortnight"}, ["interval.unit", "fortnight", "'day', 'week', 'month' or 'year'"]),
        ({"unit": "month", "every": 2}, ["interval.every", "there is no such field"]),
    ],
)
def test_an_interval_that_a_charge_permission_does_not_live_through_is_refused(
    interval: dict[str, Any], named: list[str]
) -> None:
    message = refusal(Plan, PLAN | {"interval": interval})

    assert [words for words in named if words not in message] == []


@pytest.mark.parametrize(
    ("unit", "count", "shown", "each"),
    [
        (Unit.DAY, 1, "1 day", "a day"),
        (Unit.DAY, 366, "366 days", "every 366 days"),
        (Unit.WEEK, 52, "52 weeks", "every 52 weeks"),
        (Unit.MONTH, 12, "12 months", "every 12 months"),
        (Unit.YEAR, 1, "1 year", "a year"),
    ],
)
def test_the_longest_intervals_are_accepted_and_shown_in_words(unit: Unit, count: int, shown: str, each: str) -> None:
    interval = Interval(unit=unit, count=count)

    assert (str(interval), interval.each) == (shown, each)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"plan_id": ""}, ["plan_id", "A-Za-z0-9._-"]),
        ({"plan_id": "basic plan"}, ["plan_id", "basic plan", "A-Za-z0-9._-"]),
        ({"plan_id": "basic\n"}, ["plan_id", "A-Za-z0-9._-"]),
        ({"plan_id": "grün"}, ["plan_id", "grün", "A-Za-z0-9._-"]),
        ({"plan_id": "p" * 65}, ["plan_id", "{1,64}"]),
        ({"periods": 0}, ["periods", "0", "1 or more is"]),
        ({"periods": 100_001}, ["periods", "100001", "100000 or less is"]),
        (
            {"amount": {"amount": "9.999", "currency": "EUR"}},
            ["amount", "9.999 is not accepted", "2 decimals are, as EUR has"],
        ),
        ({"price": "9.99"}, ["price", "there is no such field"]),
        ({"collection": {"max_attempts": 0}}, ["collection.max_attempts", "1 or more is"]),
        ({"collection": {"max_attempts": 100}}, ["collection.max_attempts", "99 or less is"]),
        ({"collection": {"retry_hours": {"start": 20, "end": 8}}}, ["collection.retry_hours", "20:00 to 08:00"]),
        ({"collection": {"retry_jitter": "PT13H"}}, ["collection.retry_jitter", "12 hours"]),
        ({"collection": {"payment_method_reminders": ["P61D"]}}, ["collection.payment_method_reminders.0", "60 days"]),
        ({"collection": {"soft_decline_delays": ["PT30S"]}}, ["collection.soft_decline_delays.0", "minute"]),
        ({"collection": {"collect_within": "P61D"}}, ["collection.collect_within", "60 days"]),
        ({"collection": {"final_action": "shrug"}}, ["collection.final_action", "'pause', 'cancel' or 'mark_unpaid'"]),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused_with_its_field_and_value_and_what_is_accepted(
    changed: dict[str, Any], named: list[str]
) -> None:
    message = refusal(Plan, PLAN | changed)

    assert [words for words in named if words not in message] == []


@pytest.mark.parametrize(
    "zone",
    [
        "Mars/Olympus",
        "Europe",
        "../etc",
        "/etc/localtime",
        "",
        "europe/berlin",
        "Europe/Berlin ",
        "CEST",
        "x\0",
        "z" * 999,
    ],
)
def test_an_unknown_zone_is_refused_with_what_is_accepted(zone: str) -> None:
    message = refusal(Terms, TERMS | {"zone": zone})

    assert "zone" in message
    assert f"{zone!r} is not accepted" in message
    assert "IANA names of time zones are, such as 'Europe/Berlin' or 'UTC'" in message


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "right/Europe/Berlin", "posix/Europe/Berlin"])
def test_a_name_that_means_something_else_on_each_machine_is_not_a_zone(zone: str) -> None:
    assert f"zone: {zone!r} is not accepted; IANA names of time zones are" in refusal(Terms, TERMS | {"zone": zone})


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"anchor": "2026-01-31T09:00:00"}, ["anchor", "an instant with its offset from UTC is"]),
        ({"charge_permission_id": ""}, ["charge_permission_id", "A-Za-z0-9-"]),
        ({"charge_permission_id": "C01/../7"}, ["charge_permission_id", "A-Za-z0-9-"]),
        ({"merchant_reference": "anna@example.com"}, ["merchant_reference", "A-Za-z0-9._:/#-"]),
        ({"merchant_reference": "r" * 129}, ["merchant_reference", "{0,128}"]),
        ({"coupon": "x"}, ["coupon", "there is no such field"]),
    ],
)
def test_terms_that_cannot_be_meant_are_refused(changed: dict[str, Any], named: list[str]) -> None:
    message = refusal(Terms, TERMS | changed)

    assert [words for words in named if words not in message] == []


def test_an_anchor_is_kept_in_utc_and_whole_seconds() -> None:
    agreed = Terms.model_validate(TERMS | {"anchor": "2026-01-31T10:00:00.9+01:00", "zone": "Europe/Berlin"})

    assert agreed.anchor.isoformat() == "2026-01-31T09:00:00+00:00"
    assert agreed.zone == "Europe/Berlin"


def test_a_plan_has_its_periods_and_no_more_and_an_endless_one_has_all() -> None:
    fixed, endless = terms(periods=3).schedule, terms().schedule

    assert [fixed.has_period(number) for number in range(5)] == [True, True, True, False, False]
    assert endless.has_period(1_000_000)


def test_a_plan_that_says_nothing_of_collecting_has_the_stated_defaults() -> None:
    policy = Plan.model_validate(PLAN).collection
    minute, hour, day = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

    assert policy == CollectionPolicy(
        processing_failure_delays=(5 * minute, 30 * minute, 2 * hour, 8 * hour),
        soft_decline_delays=(12 * hour, day, 2 * day, 4 * day, 7 * day, 7 * day),
        payment_method_deadline=21 * day,
        payment_method_poll=day,
        max_attempts=15,
        collect_within=30 * day,
        final_action=FinalAction.PAUSE,
    )


def test_what_was_agreed_is_never_changed_in_place() -> None:
    agreed = terms()
    plan = agreed.plan
    fields = [(agreed, "zone"), (plan, "phases"), (plan.regular, "periods"), (plan.regular.interval, "count")]
    for value, field in [*fields, (plan.collection, "max_attempts")]:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(value, field, None)


def test_a_plan_travels_as_json_and_comes_back_the_same() -> None:
    plan = Plan.model_validate(PLAN | {"periods": 12, "collection": {"final_action": "cancel"}})

    assert Plan.model_validate_json(plan.model_dump_json()) == plan


TRIAL = {"amount": {"amount": "0", "currency": "EUR"}, "interval": {"unit": "day", "count": 14}, "periods": 1}
MONTHLY = {"amount": {"amount": "9.99", "currency": "EUR"}, "interval": {"unit": "month"}}


def test_a_plan_of_one_phase_may_be_written_without_phases() -> None:
    assert Plan.model_validate({"plan_id": "basic", **MONTHLY}) == Plan.model_validate(
        {"plan_id": "basic", "phases": [MONTHLY]}
    )


def test_phases_are_told_in_words() -> None:
    plan = Plan.model_validate({"plan_id": "basic", "phases": [TRIAL, MONTHLY | {"periods": 3}, MONTHLY]})

    assert str(plan) == "14 days for nothing, then 9.99 EUR a month, 3 times, then 9.99 EUR a month"
    assert (plan.periods, plan.currency, plan.regular) == (None, "EUR", plan.phases[2])
    assert Plan.model_validate({"plan_id": "basic", "phases": [TRIAL, MONTHLY | {"periods": 3}]}).periods == 4


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"phases": []}, ["phases", "at least 1"]),
        ({"phases": [MONTHLY, MONTHLY]}, ["phases.0.periods", "only the last phase may be open"]),
        ({"phases": [TRIAL, MONTHLY], "periods": 3}, ["phases", "beside periods", "one or the other"]),
        ({"phases": [TRIAL | {"periods": 0}]}, ["phases.0.periods", "1 or more is"]),
        ({"phases": [TRIAL | {"coupon": "x"}]}, ["phases.0.coupon", "there is no such field"]),
        (
            {"phases": [TRIAL | {"amount": {"amount": "1", "currency": "USD"}}, MONTHLY]},
            ["phases", "USD and EUR is not accepted", "one currency"],
        ),
        ({}, ["phases", "it must be given"]),
    ],
)
def test_phases_that_cannot_be_meant_are_refused(given: dict[str, Any], named: list[str]) -> None:
    message = refusal(Plan, {"plan_id": "basic"} | given)

    assert [words for words in named if words not in message] == []


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"billing_day": {"day": 0}}, ["billing_day.day", "1 or more is"]),
        ({"billing_day": {"day": 32}}, ["billing_day.day", "31 or less is"]),
        ({"billing_day": {"day": 1, "first_period": "half"}}, ["first_period", "'short', 'whole' or 'free'"]),
        ({"ends_at": "2026-01-31T09:00:00+00:00"}, ["ends_at", "is not accepted; instants after the anchor"]),
        ({"ends_at": "2026-02-31"}, ["ends_at"]),
        ({"quantity": 0}, ["quantity", "1 or more is"]),
        ({"quantity": 1_000_001}, ["quantity", "1000000 or less is"]),
    ],
)
def test_a_billing_day_an_end_or_a_quantity_that_cannot_be_meant_is_refused(
    changed: dict[str, Any], named: list[str]
) -> None:
    message = refusal(Terms, TERMS | changed)

    assert [words for words in named if words not in message] == []
