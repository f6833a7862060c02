"""The stories of the main job: a healthy year, soft declines, a card mended after an IPN, cancellations."""

from datetime import timedelta

from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.workflows.names import Call, call_queue
from tests.scenarios.story import Story


async def priorities_of_charges(story: Story) -> list[int]:
    """With which priority each Create Charge activity was scheduled, oldest first; 0 is the default."""
    queue = call_queue(story.stage.settings.task_queue, Call.CREATE_CHARGE)
    scheduled = [
        event.activity_task_scheduled_event_attributes
        async for event in story.handle.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    return [activity.priority.priority_key for activity in scheduled if activity.task_queue.name == queue]


async def test_a_healthy_subscriber_is_charged_once_on_each_of_thirteen_due_dates(house: Stage) -> None:
    story = await Story.begin(house)

    for period in range(13):
        status = await story.until_due(period)
        assert status.periods_paid == period + 1

    await story.assert_charged_at(*(story.terms.schedule.due(period) for period in range(13)))
    calls = await story.calls()
    assert len({call.idempotency_key for call in calls}) == len(calls) == 13


async def test_two_soft_declines_are_retried_and_the_anchor_day_is_kept(house: Stage) -> None:
    story = await Story.begin(house, script=["SoftDeclined", "SoftDeclined"])
    due = story.terms.schedule.due

    status = await story.until_due(0)
    assert (status.status, status.last_reason) == (Status.RETRYING, "SoftDeclined")
    await story.after(timedelta(hours=12))
    status = await story.after(timedelta(days=1))
    assert status.status is Status.ACTIVE
    assert status.ledger[0].attempts == 3
    await story.until_due(1)

    charges = await story.charges()
    assert len(charges) == 2
    await story.assert_charged_at(due(0) + timedelta(hours=36), due(1))
    keys = [call.idempotency_key for call in await story.calls()]
    assert len(set(keys)) == 4


async def test_a_hard_decline_waits_for_the_buyer_and_the_ipn_wakes_the_workflow(house: Stage) -> None:
    story = await Story.begin(house, script=["HardDeclined"])

    status = await story.until_due(0)
    assert status.status is Status.AWAITING_PAYMENT_METHOD
    await story.after(timedelta(days=3))
    assert await story.charges() == []
    status = await story.mend_card()

    assert status.status is Status.ACTIVE
    assert len(await story.charges()) == 1
    assert [call.reason_code for call in await story.calls()] == ["HardDeclined", None]
    assert await priorities_of_charges(story) == [0, 1], "the buyer is at the screen: this call passes the others"


async def test_cancelling_closes_the_charge_permission_and_nothing_is_charged_any_more(house: Stage) -> None:
    story = await Story.begin(house)
    await story.until_due(0)

    status = await story.cancel()

    assert status.has_ended
    assert status.status is Status.CANCELED
    assert await story.permission_state() == "Closed"
    assert len(await story.charges()) == 1
