"""What Amazon is told of a plan, and when it is to be told of another one."""

import pytest

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import AddItem, ChangeBillingDay, ChangePlan, UndoChanges, When
from perennial_billing.billing.contract.agreement import BillingDay
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Amounts, Phase, Plan
from perennial_billing.billing.plan.recurrence import Recurrence
from perennial_billing.billing.protocol.commands import Action, UpdatePermission
from perennial_billing.billing.protocol.events import Answered, CancelAsked, Unanswered
from perennial_billing.billing.status import Status
from tests.billing.support import CAPTURED, PERMISSION_ID, Life, at, chargeable, closed

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
        (Plan.of("p", TEN, MONTH).but(amounts=Amounts.ASKED), 1, MONTH, None),
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


def told(life: Life) -> Recurrence | None:
    """What Amazon is to be told now."""
    command = next_command(life.subscription)
    return command.recurrence if isinstance(command, UpdatePermission) else None


def test_amazon_is_to_be_told_where_it_differs_and_only_there() -> None:
    life, now = begun(), "2026-05-01 12:00"
    life.ask(now, ChangeBillingDay(billing_day=BillingDay(day=15)))
    life.ask(now, AddItem(amount=FIVE, what="gift", when=When.NOW))
    assert told(life) is None

    life.step(Action.CHARGE, now, CAPTURED)
    life.ask(now, ChangePlan(quantity=2))

    assert life.first == (Action.UPDATE_PERMISSION, at(now))
    assert told(life) == Recurrence(interval=MONTH, amount=Money.parse("20.00 EUR"))


def test_what_was_agreed_on_while_amazon_was_told_is_told_next() -> None:
    life, now = begun(), "2026-05-01 12:00"
    life.ask(now, ChangePlan(quantity=2))
    telling = next_command(life.subscription)
    assert telling is not None
    life.ask(now, UndoChanges())

    life.happens(Answered(telling, chargeable()))
    assert told(life) == life.subscription.contract.recurrence == Recurrence(interval=MONTH, amount=TEN)

    life.beside(Action.UPDATE_PERMISSION, now, chargeable())
    assert told(life) is None


def test_amazon_is_told_later_where_it_did_not_answer() -> None:
    life, now = begun(), "2026-05-01 12:00"
    life.ask(now, ChangePlan(quantity=2))
    telling = next_command(life.subscription)
    assert telling is not None

    life.happens(Unanswered(telling))
    assert life.first == (Action.UPDATE_PERMISSION, at("2026-05-01 13:00"))

    life.beside(Action.UPDATE_PERMISSION, "2026-05-01 13:00", chargeable())
    assert life.first == (Action.CHARGE, at("2026-05-30 09:00"))


def test_a_charge_permission_that_is_to_be_closed_or_is_closed_is_told_of_nothing() -> None:
    now = "2026-05-01 12:00"
    canceled, lost = begun(), begun()
    for life in (canceled, lost):
        life.ask(now, ChangePlan(quantity=2))
        assert told(life) is not None

    canceled.happens(CancelAsked("moved away"))
    assert told(canceled) is None
    canceled.begin_cancellation_if_due()
    assert told(canceled) is None

    lost.signal(now, closed())
    assert lost.subscription.status is Status.AWAITING_CHECKOUT
    assert told(lost) is None
