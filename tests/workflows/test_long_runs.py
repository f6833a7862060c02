"""Runs that grow long while the subscription sleeps: signals that lead to no step fill a history, too."""

from datetime import timedelta

import pytest

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.plan.policy import CatchUp, CollectionPolicy
from perennial_billing.billing.status import Status
from perennial_billing.runtime.embedded import VIRTUAL_TIME
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.workflows.messages import NotificationSignal
from tests.scenarios.story import Story
from tests.workflows.replaying import histories_of, replay_all

SUGGESTED_AFTER_EVENTS = 40
"""Temporal's own figure is 4,096, and after 10,000 signals a run takes none any more, `cancel` included."""

REPEATED = 30


async def notify_for_nothing(house: Stage, story: Story) -> None:
    """Notifications about a charge that is another shop's: nothing follows from them."""
    for number in range(REPEATED):
        said = NotificationSignal(notification_id=f"n-{number}", object_type="CHARGE", object_id="S01-8-9-C4711")
        await story.handle.signal("amazon_pay_notification", said)
        await story.status()


async def runs_of(house: Stage, story: Story) -> list[int]:
    return [len(history.events) async for history in histories_of(house.client, story.handle.id)]


async def test_a_sleeping_subscription_continues_as_new_when_notifications_have_made_its_run_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(VIRTUAL_TIME, "limit.historyCount.suggestContinueAsNew", str(SUGGESTED_AFTER_EVENTS))
    async with stage() as house:
        story = await Story.begin(house, first_charge_in=timedelta(days=20))
        first = (await story.handle.describe()).run_id

        await notify_for_nothing(house, story)

        assert (await story.handle.describe()).run_id != first
        assert max(await runs_of(house, story)) < SUGGESTED_AFTER_EVENTS + 20
        assert (await story.until_due(0)).periods_paid == 1
        await story.assert_charged_at(story.terms.schedule.due(0))
        assert (await story.cancel()).status is Status.CANCELED
        assert await replay_all(house.client, story.handle.id) > 1


@pytest.mark.long
async def test_one_that_waits_for_the_merchant_without_a_date_continues_as_new_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(VIRTUAL_TIME, "limit.historyCount.suggestContinueAsNew", str(SUGGESTED_AFTER_EVENTS))
    async with stage() as house:
        weekly = Plan.of("weekly", Money.parse("7.00 USD"), Interval(unit=Unit.WEEK))
        policy = CollectionPolicy(catch_up=CatchUp.HOLD)
        story = await Story.begin(house, weekly, first_charge_in=timedelta(days=-15), collection=policy)
        assert (await story.quiet()).next is None
        before = (await story.handle.describe()).run_id

        await notify_for_nothing(house, story)

        assert (await story.handle.describe()).run_id != before
        await house.subscriptions.retry_now(story.charge_permission_id)
        assert (await story.quiet()).periods_paid == 1
        assert await replay_all(house.client, story.handle.id) > 1


async def test_a_run_of_a_yearly_plan_lasts_until_its_next_date_and_no_longer(house: Stage) -> None:
    yearly = Plan.of("yearly", Money.parse("61.50 USD"), Interval(unit=Unit.YEAR))
    story = await Story.begin(house, yearly)
    counted = []
    for period in range(3):
        assert (await story.until_due(period)).periods_paid == period + 1
        counted.append(len(await runs_of(house, story)))

    assert counted == [1, 2, 3]
