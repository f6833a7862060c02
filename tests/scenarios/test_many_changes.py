"""A subscriber who is changed ten times a day, on a real server: billed, previewed and canceled as any other."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import settings

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import ChangePlan, When
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from tests.scenarios.story import Story

CHANGES_A_DAY: Final = 10
CHANGES: Final = 400 if settings.get_current_profile_name() == "soak" else 40
"""The last one is for the renewal."""

BEGINS: Final = datetime(datetime.now(UTC).year + 1, 3, 1, 6, tzinfo=UTC)


def plan(number: int) -> Plan:
    """Each time another plan; an upgrade each, so that each is charged."""
    return Plan.of(f"box-{number}", Money.parse(f"{90 + number % 7}.00 EUR"), Interval(unit=Unit.MONTH))


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_ten_changes_a_day_leave_a_subscriber_who_is_billed_previewed_and_canceled_as_any_other(
    house: Stage,
) -> None:
    story = await Story.begin(house, plan(0), first_charge_at=BEGINS)
    await story.until(BEGINS + timedelta(hours=1))
    subscriptions, identifier = house.subscriptions, story.charge_permission_id
    for number in range(CHANGES):
        if number % CHANGES_A_DAY == 0:
            await story.after(timedelta(days=1))
        when = When.NOW if number % 3 else When.RENEWAL
        await subscriptions.change(identifier, ChangePlan(plan=plan(number + 1), when=when))
        if when is When.NOW:
            await story.quiet()

    foreseen = await subscriptions.upcoming(identifier, 120)
    status = await story.until(foreseen[1].at + timedelta(hours=1))
    charges = await story.charges()
    described = await story.handle.describe()
    await story.cancel()

    last = plan(CHANGES)
    assert [str(each.amount.amount) for each in foreseen[-3:]] == [str(last.regular.amount.amount)] * 3
    assert [str(charge.charge_amount.amount) for charge in charges[-2:]] == [
        str(each.amount.amount) for each in foreseen[:2]
    ]
    assert status.status is Status.ACTIVE
    # Every change now is charged or credited; what is kept of them is a window.
    assert described.history_length < 2_000
    assert (await story.status()).status is Status.CANCELED
    assert await story.permission_state() == "Closed"
