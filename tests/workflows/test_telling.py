"""Notices that cannot be handed on for a while: none is lost, and their numbers have no gap."""

import asyncio
from datetime import timedelta

import pytest

from perennial_billing.activities.notices import Announcer
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import PauseSubscription, ResumeSubscription
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.plan.policy import CatchUp, CollectionPolicy
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.errors import RequestRefusedError
from perennial_billing.workflows import life
from tests.endpoint import Endpoint
from tests.scenarios.story import Story
from tests.workflows.replaying import replay_all

DAILY = Plan.of("daily", Money.parse("1.15 EUR"), Interval(unit=Unit.DAY))


async def nowhere(*_: object) -> None:
    """Instead of the start of a delivery."""
    raise ConnectionError("nobody takes it")


async def numbers_told(notices: Endpoint, story: Story) -> list[int]:
    status = await story.status()
    events = await notices.told(story.charge_permission_id, status.notices_told)
    return [event["data"]["number"] for event in events]


async def test_what_could_not_be_handed_on_is_tried_again_within_minutes_and_not_at_the_next_due_date(
    house: Stage, notices: Endpoint
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Announcer, "_start_delivery", nowhere)
        story = await Story.begin(house)
        await story.quiet()
        waiting = await story.until_due(0)
        assert (waiting.periods_paid, waiting.notices_waiting) == (1, 2)

    status = await story.after(timedelta(minutes=10))

    assert status.notices_waiting == 0
    assert await numbers_told(notices, story) == [1, 2]
    assert await replay_all(house.client, story.handle.id)


async def test_a_subscription_that_has_ended_stays_until_its_last_notice_is_handed_on(
    house: Stage, notices: Endpoint
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Announcer, "_start_delivery", nowhere)
        story = await Story.begin(house)
        await story.quiet()
        ended = await story.cancel()
        assert (ended.status, ended.notices_waiting) == (Status.CANCELED, 2)
        assert await story.permission_state() == "Closed"

    await house.server.time.fast_forward(story.handle, timedelta(minutes=11))
    async with asyncio.timeout(30):
        ended = await story.handle.result()

    assert ended.notices_waiting == 0
    assert await numbers_told(notices, story) == [1, 2]
    assert await replay_all(house.client, story.handle.id)


async def after_a_long_outage(house: Stage) -> Story:
    """Nobody was there for 110 days: 109 of them are not owed, and the latest is charged."""
    policy = CollectionPolicy(catch_up=CatchUp.LATEST)
    story = await Story.begin(house, DAILY, collection=policy, first_charge_in=timedelta(days=-110, hours=1))
    await story.quiet()
    return story


async def test_nothing_more_is_begun_while_the_outbox_is_full_but_a_cancellation(
    house: Stage, notices: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "TELL_AGAIN_AFTER", timedelta(hours=12))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Announcer, "_start_delivery", nowhere)
        story, other = await after_a_long_outage(house), await after_a_long_outage(house)
        with pytest.raises(RequestRefusedError, match="the 111 notices that wait can be handed on"):
            await house.subscriptions.change(story.charge_permission_id, PauseSubscription())
        assert (await other.cancel()).status is Status.CANCELED
        assert await other.permission_state() == "Closed"
        full = await story.after(timedelta(hours=3))
        assert (full.next_period, full.periods_paid, full.notices_waiting) == (110, 1, 111)

    status = await story.after(timedelta(hours=12))

    assert (status.next_period, status.periods_paid, status.notices_waiting) == (111, 2, 0)
    assert await numbers_told(notices, story) == list(range(1, status.notices_told + 1))
    await house.subscriptions.change(story.charge_permission_id, PauseSubscription())
    await story.quiet()
    assert await replay_all(house.client, story.handle.id)


@pytest.mark.long
async def test_each_of_a_hundred_and_ten_days_that_nobody_was_there_for_is_told(
    house: Stage, notices: Endpoint
) -> None:
    story = await after_a_long_outage(house)
    status = await story.status()

    assert (status.next_period, status.periods_paid, status.notices_waiting) == (110, 1, 0)
    assert await numbers_told(notices, story) == list(range(1, 112))
    assert await replay_all(house.client, story.handle.id)


@pytest.mark.long
async def test_each_of_a_hundred_and_four_days_of_a_pause_is_told_after_it(house: Stage, notices: Endpoint) -> None:
    story = await Story.begin(house, DAILY)
    await story.quiet()
    await house.subscriptions.change(story.charge_permission_id, PauseSubscription())
    await story.after(timedelta(days=104))
    await house.subscriptions.change(story.charge_permission_id, ResumeSubscription())
    async with asyncio.timeout(60):
        while (status := await story.quiet()).next_period < 104 or status.notices_waiting:
            pass

    assert status.notices_told == 107  # it started, paused, and was resumed
    assert await numbers_told(notices, story) == list(range(1, 108))
