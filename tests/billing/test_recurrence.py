"""What Amazon is told of a plan, and when it is to be told of another one."""

import pytest

from billing.calendar import Interval, Unit
from billing.changes import AddItem, ChangeBillingDay, ChangePlan, UndoChanges, When
from billing.collection import Action
from billing.money import Money
from billing.plan import Amounts, Phase, Plan
from billing.recurrence import Recurrence
from billing.schedule import BillingDay
from billing.terms import Terms
from tests.billing.support import CAPTURED, PERMISSION_ID, Life, at, closed

MONTH, YEAR, TWO_WEEKS = Interval(unit=Unit.MONTH), Interval(unit=Unit.YEAR), Interval(unit=Unit.WEEK, count=2)
FREE, FIVE, TEN = (Money.parse(f"{amount} EUR") for amount in ("0", "5.00", "10.00"))
TRIAL = Phase(amount=FREE, interval=Interval(unit=Unit.DAY, count=30), periods=1)
INTRODUCTION = Phase(amount=FIVE, interval=MONTH, periods=3)


@pytest.mark.parametrize(
    ("plan", "quantity", "interval", "amount"),
    [
        (Plan.of("p", TEN, TWO_WEEKS), 1, TWO_WEEKS, "10.00 EUR"),
        (Plan.of("p", TEN, MONTH), 3, MONTH, "30.00 EUR"),
        (Plan.of("p", TEN, YEAR, after=[TRIAL]), 1, YEAR, "10.00 EUR"),
        (Plan.of("p", TEN, YEAR, after=[INTRODUCTION]), 1, YEAR, None),
        (Plan.of("p", FREE, MONTH), 1, MONTH, None),
        (Plan.of("p", TEN, MONTH).model_copy(update={"amounts": Amounts.ASKED}), 1, MONTH, None),
    ],
    ids=["two weeks", "quantity", "trial", "introduction", "free", "asked"],
)
def test_a_plan_in_the_long_run(plan: Plan, quantity: int, interval: Interval, amount: str | None) -> None:
    recurrence = Recurrence.of(plan, quantity)

    assert (recurrence.interval, recurrence.amount) == (interval, amount and Money.parse(amount))


def begun() -> Life:
    """10.00 a month; the first period is paid."""
    life = Life(Terms(charge_permission_id=PERMISSION_ID, plan=Plan.of("p", TEN, MONTH), anchor=at("2026-04-30 09:00")))
    life.step(Action.CHARGE, "2026-04-30 09:00", CAPTURED)
    return life


def test_amazon_is_to_be_told_where_it_differs_and_only_there() -> None:
    life, now = begun(), at("2026-05-01 12:00")
    subscription = life.subscription
    ChangeBillingDay(billing_day=BillingDay(day=15)).apply(subscription, now)
    AddItem(amount=FIVE, what="gift", when=When.NOW).apply(subscription, now)
    assert not subscription.tells_recurrence

    life.step(Action.CHARGE, "2026-05-01 12:00", CAPTURED)
    ChangePlan(quantity=2).apply(subscription, now)

    assert subscription.tells_recurrence
    assert subscription.recurrence.amount == Money.parse("20.00 EUR")


def test_what_was_agreed_on_while_amazon_was_told_is_told_next() -> None:
    subscription, now = begun().subscription, at("2026-05-01 12:00")
    ChangePlan(quantity=2).apply(subscription, now)
    told = subscription.recurrence
    UndoChanges().apply(subscription, now)

    subscription.recurrence_told(told)
    assert subscription.tells_recurrence

    subscription.recurrence_told(subscription.recurrence)
    assert not subscription.tells_recurrence


def test_a_charge_permission_that_is_to_be_closed_or_is_closed_is_told_of_nothing() -> None:
    now = at("2026-05-01 12:00")
    canceled, lost = begun().subscription, begun().subscription
    for subscription in (canceled, lost):
        ChangePlan(quantity=2).apply(subscription, now)
        assert subscription.tells_recurrence

    canceled.cancel_requested("moved away")
    assert not canceled.tells_recurrence
    canceled.begin_cancellation(now)
    assert not canceled.tells_recurrence

    lost.permission_may_have_changed()
    lost.permission_answered(closed(), now)
    assert not lost.tells_recurrence
