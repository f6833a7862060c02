"""What the policies say of several overdue periods, of the grace, of pending charges, and of a retry."""

from datetime import timedelta

import pytest

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.plan.policy import CatchUp, CollectionPolicy, FinalAction, NextDue
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.errors import RequestRefusedError
from tests.endpoint import Endpoint
from tests.scenarios.story import MONTHLY, Story
from tests.scenarios.test_notices import kinds

DAY = timedelta(days=1)
WEEKLY = Plan.of("weekly", MONTHLY.regular.amount, Interval(unit=Unit.WEEK))
TWO_WEEKS = CollectionPolicy(soft_decline_delays=(15 * DAY,))


async def owed_for_fifteen_days(house: Stage, next_due: NextDue) -> Story:
    """A weekly plan whose first period is declined, and paid by its second attempt."""
    policy = TWO_WEEKS.model_copy(update={"next_due": next_due})
    story = await Story.begin(house, WEEKLY, script=["SoftDeclined"], collection=policy)
    await story.until_due(0)
    return story


@pytest.mark.long  # the rule: tests/billing/test_overdue_periods.py
async def test_periods_that_wait_for_an_older_one_follow_it_day_by_day(house: Stage) -> None:
    story = await owed_for_fifteen_days(house, NextDue.WAIT)
    due = story.terms.schedule.due
    await story.after(18 * DAY)
    await story.until_due(3)

    paid = due(0) + 15 * DAY
    await story.assert_charged_at(paid, paid + DAY, paid + 2 * DAY, due(3))


@pytest.mark.long  # the rule: tests/billing/test_overdue_periods.py
async def test_a_policy_may_skip_the_periods_that_fall_due_meanwhile(house: Stage, notices: Endpoint) -> None:
    story = await owed_for_fifteen_days(house, NextDue.SKIP)
    due = story.terms.schedule.due
    await story.after(16 * DAY)
    status = await story.until_due(3)

    await story.assert_charged_at(due(0) + 15 * DAY, due(3))
    assert [record.outcome for record in status.ledger] == [
        PeriodOutcome.PAID, PeriodOutcome.SKIPPED, PeriodOutcome.SKIPPED, PeriodOutcome.PAID,
    ]  # fmt: skip
    assert (await kinds(notices, story)).count("period.skipped") == 2


@pytest.mark.long  # the rule: tests/billing/test_overdue_periods.py
async def test_a_policy_may_give_up_the_older_period_for_the_next(house: Stage) -> None:
    story = await owed_for_fifteen_days(house, NextDue.REPLACE)
    due = story.terms.schedule.due
    status = await story.until_due(1)

    assert [record.outcome for record in status.ledger] == [PeriodOutcome.WRITTEN_OFF, PeriodOutcome.PAID]
    await story.assert_charged_at(due(1))


@pytest.mark.parametrize(
    "catch_up",
    [
        CatchUp.HOLD,
        pytest.param(CatchUp.EACH, marks=pytest.mark.long),  # the rule: tests/billing/test_overdue_periods.py
        pytest.param(CatchUp.LATEST, marks=pytest.mark.long),
    ],
)
async def test_periods_that_were_missed_are_caught_up_as_the_policy_says(house: Stage, catch_up: CatchUp) -> None:
    """Virtual time waits for workers, so an outage is told by an anchor in the past: three periods are due at once."""
    policy = CollectionPolicy(catch_up=catch_up)
    story = await Story.begin(house, WEEKLY, first_charge_in=-15 * DAY, collection=policy)
    back = story.terms.anchor + 15 * DAY
    await story.quiet()
    match catch_up:
        case CatchUp.EACH:
            await story.after(3 * DAY)
            await story.assert_charged_at(back, back + DAY, back + 2 * DAY)
        case CatchUp.LATEST:
            status = await story.after(3 * DAY)
            await story.assert_charged_at(back)
            assert [record.outcome.value for record in status.ledger] == ["skipped", "skipped", "paid"]
        case CatchUp.HOLD:
            status = await story.after(3 * DAY)
            assert (status.status, status.last_reason) == (Status.ON_HOLD, "MissedPeriods")
            assert await story.charges() == []
            released = (await story.now()).replace(microsecond=0)
            await house.subscriptions.retry_now(story.charge_permission_id)
            await story.quiet()
            await story.after(2 * DAY)
            await story.assert_charged_at(released, released + DAY, released + 2 * DAY)


@pytest.mark.long  # the rule: tests/billing/test_overdue_periods.py
async def test_the_grace_ends_on_its_own_day_whatever_the_retries_do(house: Stage, notices: Endpoint) -> None:
    policy = CollectionPolicy(soft_decline_delays=(2 * DAY, 10 * DAY), grace=5 * DAY)
    story = await Story.begin(house, script=["SoftDeclined", "SoftDeclined"], collection=policy)
    await story.until_due(0)
    await story.after(4 * DAY)
    assert "grace.ended" not in await kinds(notices, story)
    await story.after(2 * DAY)
    assert (await kinds(notices, story))[-1] == "grace.ended"

    status = await story.after(7 * DAY)

    assert (status.status, status.ledger[0].attempts) == (Status.ACTIVE, 3)
    assert await kinds(notices, story) == [
        "subscription.started", "charge.declined", "charge.declined", "grace.ended", "period.paid",
    ]  # fmt: skip


async def test_a_merchant_may_try_again_before_the_schedule_does(house: Stage) -> None:
    story = await Story.begin(house, script=["SoftDeclined"])
    await story.until_due(0)

    await house.subscriptions.retry_now(story.charge_permission_id)
    status = await story.quiet()

    assert (status.status, status.ledger[0].attempts) == (Status.ACTIVE, 2)
    with pytest.raises(RequestRefusedError, match="nothing is owed"):
        await house.subscriptions.retry_now(story.charge_permission_id)


@pytest.mark.long  # the rule: tests/billing/test_overdue_periods.py
async def test_an_unpaid_subscription_is_tried_again_when_the_merchant_asks(house: Stage) -> None:
    policy = CollectionPolicy(soft_decline_delays=(), final_action=FinalAction.PAUSE)
    story = await Story.begin(house, script=["SoftDeclined"], collection=policy)
    status = await story.until_due(0)
    assert status.status is Status.UNPAID

    await house.subscriptions.retry_now(story.charge_permission_id)
    status = await story.quiet()

    assert (status.status, status.periods_paid) == (Status.ACTIVE, 1)


async def test_a_policy_may_cancel_a_pending_charge_with_the_permission(house: Stage, notices: Endpoint) -> None:
    policy = CollectionPolicy(cancel_pending_charges=True)
    story = await Story.begin(house, script=["AuthorizationInitiated"], collection=policy)
    status = await story.until_due(0)
    assert status.status is Status.PENDING

    status = await story.cancel()

    assert (status.status, status.periods_paid) == (Status.CANCELED, 0)
    assert [(record.outcome, record.reason) for record in status.ledger] == [
        (PeriodOutcome.WRITTEN_OFF, "canceled while owed, not paid")
    ]
    assert await story.charges() == []
    assert (await kinds(notices, story))[1:] == ["charge.pending", "period.written_off", "subscription.ended"]
