"""Plans of several phases, on a real server in virtual time: the books are compared with what was shown before."""

from datetime import UTC, datetime, time, timedelta

import pytest

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.contract.agreement import BillingDay
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Phase, Plan
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from tests.scenarios.story import Story

MONTH = Interval(unit=Unit.MONTH)
FULL, HALF, NOTHING = (Money.parse(f"{amount} USD") for amount in ("9.90", "4.95", "0"))
NEXT_YEAR = datetime.now(UTC).year + 1


def phase(amount: Money, periods: int | None = None, interval: Interval = MONTH) -> Phase:
    return Phase(amount=amount, interval=interval, periods=periods)


async def charged(story: Story) -> list[tuple[str, str]]:
    """Day and amount of what the books say was captured."""
    return [
        (f"{charge.creation_timestamp:%m-%d}", str(charge.charge_amount.amount))
        for charge in await story.charges()
        if charge.creation_timestamp is not None
    ]


async def test_a_trial_asks_amazon_for_nothing_and_prices_follow_the_phases_to_the_end(house: Stage) -> None:
    trial = phase(NOTHING, 1, Interval(unit=Unit.DAY, count=14))
    plan = Plan(plan_id="magazine", phases=(trial, phase(HALF, 2), phase(FULL, 2)))
    begins = datetime(NEXT_YEAR, 1, 17, 9, tzinfo=UTC)
    story = await Story.begin(house, plan, first_charge_at=begins)
    shown = await house.subscriptions.upcoming(story.charge_permission_id, 10)

    await story.until(begins + timedelta(days=1))
    assert await story.calls() == []
    await story.until(datetime(NEXT_YEAR, 5, 31, 8, tzinfo=UTC))

    assert await charged(story) == [("01-31", "4.95"), ("02-28", "4.95"), ("03-31", "9.90"), ("04-30", "9.90")]
    assert [(f"{each.at:%m-%d}", str(each.amount.amount)) for each in shown] == [
        ("01-17", "0.00"),
        *await charged(story),
    ]
    status = await story.until(datetime(NEXT_YEAR, 5, 31, 10, tzinfo=UTC))
    assert (status.status, status.ledger[0].outcome) == (Status.COMPLETED, PeriodOutcome.FREE)


@pytest.mark.long  # the rule: tests/billing/test_schedule.py
async def test_charges_are_moved_to_the_billing_day_and_the_first_period_is_short(house: Stage) -> None:
    day = BillingDay(day=15, at=time(6))
    begins = datetime(NEXT_YEAR, 5, 1, 9, tzinfo=UTC)
    plan = Plan.of("gold", Money.parse("249.95 USD"), MONTH)
    story = await Story.begin(house, plan, first_charge_at=begins, billing_day=day)

    await story.until(datetime(NEXT_YEAR, 7, 1, tzinfo=UTC))

    assert await charged(story) == [("05-01", "116.64"), ("05-15", "249.95"), ("06-15", "249.95")]


@pytest.mark.long  # the rule: tests/billing/test_schedule.py
async def test_nothing_is_charged_from_the_agreed_end_on(house: Stage) -> None:
    begins = datetime(NEXT_YEAR, 1, 31, 9, tzinfo=UTC)
    ends = datetime(NEXT_YEAR, 3, 31, 9, tzinfo=UTC)
    story = await Story.begin(house, Plan.of("gold", FULL, MONTH), first_charge_at=begins, ends_at=ends)

    status = await story.until(ends + timedelta(hours=1))

    assert await charged(story) == [("01-31", "9.90"), ("02-28", "9.90")]
    assert status.status is Status.COMPLETED
    assert await story.permission_state() == "Closed"


@pytest.mark.long  # the rule: tests/billing/test_schedule.py
async def test_a_quantity_is_charged_as_one_amount(house: Stage) -> None:
    begins = datetime(NEXT_YEAR, 1, 31, 9, tzinfo=UTC)
    story = await Story.begin(house, Plan.of("seats", FULL, MONTH), first_charge_at=begins, quantity=3)

    await story.until(begins + timedelta(hours=1))

    assert await charged(story) == [("01-31", "29.70")]
