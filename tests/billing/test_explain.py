"""What a plan would do, in words: the explanation is made by the rules, so it is held against their figures here."""

import pytest

from amazon_pay_client.limits import MONTHLY_LIMITS
from amazon_pay_client.models import ChargePermissionType, Currency
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.forecast.explain import CASES, explain
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.plan.monthly_limit import limit_warning, monthly_limit, most_charges_in_a_month
from perennial_billing.billing.plan.policy import CollectionPolicy, FinalAction
from tests.billing.support import DEFAULTS, FREE, terms

UNPAID = "it is unpaid, and not tried any more until the payment method is mended"


def told(code: str, policy: CollectionPolicy = DEFAULTS) -> list[tuple[float, str]]:
    """Days since the period fell due, and what happens."""
    agreed = terms(policy=policy)
    return [((at - agreed.anchor).total_seconds() / 86_400, what) for at, what in explain(agreed, code)]


def test_soft_declines_are_explained_with_the_days_of_each_attempt() -> None:
    days = [0, 0.5, 1.5, 3.5, 7.5, 14.5, 21.5]

    expected = [(day, f"attempt {number} to charge 9.99 EUR") for number, day in enumerate(days, 1)]
    grace = (7, "you are told that the grace has ended: the subscriber is not to have it any longer")
    assert told("SoftDeclined") == [*expected[:4], grace, *expected[4:], (21.5, UNPAID)]


def test_a_card_that_nobody_mends_is_explained_with_the_reminders_and_the_deadline() -> None:
    assert [day for day, what in told("HardDeclined") if "reminded" in what] == [3, 7, 14, 20]
    assert told("HardDeclined")[-1] == (21, UNPAID)


def test_a_used_up_month_passes_with_the_month() -> None:
    events = told("PeriodicAmountExceeded")

    assert [what for _, what in events] == [
        "attempt 1 to charge 9.99 EUR",
        "you are told; no attempt is spent",
        "attempt 2 to charge 9.99 EUR",
        "it is paid",
    ]


@pytest.mark.parametrize(
    ("action", "last"),
    [
        (FinalAction.PAUSE, [UNPAID]),
        (FinalAction.MARK_UNPAID, ["the period is written off"]),
        (FinalAction.CANCEL, ["the period is written off"]),
    ],
)
def test_the_final_action_is_what_the_explanation_ends_with(action: FinalAction, last: list[str]) -> None:
    events = told("SoftDeclined", CollectionPolicy(final_action=action))

    assert [what for _, what in events][-1:] == last


@pytest.mark.parametrize("code", CASES)
def test_a_free_plan_asks_amazon_for_nothing(code: str) -> None:
    assert [event.what for event in explain(terms(amount=FREE), code)] == [
        "period 0 costs nothing: Amazon is not asked"
    ]


@pytest.mark.parametrize("code", CASES)
def test_every_case_is_explained_to_its_end(code: str) -> None:
    events = explain(terms(), code)

    assert 2 <= len(events) < 100
    assert [event.at for event in events] == sorted(event.at for event in events)


def plan(amount: str, unit: Unit, count: int = 1) -> Plan:
    return Plan.of("p", Money.parse(amount), Interval(unit=unit, count=count))


@pytest.mark.parametrize(
    ("unit", "count", "most"),
    [(Unit.DAY, 1, 31), (Unit.WEEK, 1, 5), (Unit.WEEK, 2, 3), (Unit.DAY, 30, 2), (Unit.DAY, 31, 1), (Unit.MONTH, 1, 1)],
)
def test_so_many_periods_can_fall_due_in_one_month(unit: Unit, count: int, most: int) -> None:
    assert most_charges_in_a_month(plan("1.00 USD", unit, count).regular) == most


@pytest.mark.parametrize(
    ("amount", "unit", "warned"),
    [
        ("200.00 USD", Unit.WEEK, False),
        ("200.01 USD", Unit.WEEK, True),
        ("1000.00 EUR", Unit.MONTH, False),
        ("1000.01 EUR", Unit.MONTH, True),
        ("100000 JPY", Unit.YEAR, False),
        ("100001 JPY", Unit.YEAR, True),
        ("10000.00 SEK", Unit.MONTH, False),
    ],
)
def test_a_plan_that_must_run_into_amazons_limit_is_warned_of(amount: str, unit: Unit, *, warned: bool) -> None:
    warning = limit_warning(plan(amount, unit))

    assert (warning is not None) == warned
    if warning is not None:
        assert str(monthly_limit(amount.split()[1])) in warning


@pytest.mark.parametrize("currency", Currency)
def test_the_rules_know_the_same_monthly_limits_as_the_client(currency: Currency) -> None:
    """The rules may not import the client, so each has its own table."""
    assert monthly_limit(currency).amount == MONTHLY_LIMITS[ChargePermissionType.RECURRING][currency]
