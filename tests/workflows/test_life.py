"""What the workflow itself adds to the rules: timers, signals, Temporal's cancellation, runs that continue as new."""

import asyncio
from datetime import timedelta

from amazon_pay_simulator.books import ScriptedAnswer
from benchmarks.healthy_period import MOST_BYTES, OF_VIRTUAL_TIME
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.workflows.life import PERIODS_PER_RUN
from perennial_billing.workflows.names import NEEDS_ATTENTION, NEXT_ACTION_AT, STATUS, workflow_id
from tests.scenarios.story import Story, pending_charge_of

MOST_EVENTS_OF_A_HEALTHY_PERIOD = 13
"""Eleven for one timer and one activity, one for the next billing date as a search attribute, one for telling."""


async def test_temporals_own_cancellation_closes_the_charge_permission_too(house: Stage) -> None:
    story = await Story.begin(house)
    await story.until_due(0)

    await story.handle.cancel()
    status = await story.quiet()

    assert status.status is Status.CANCELED
    assert await story.permission_state() == "Closed"
    assert len(await story.charges()) == 1


async def test_temporals_own_cancellation_lets_the_charge_under_way_be_known_first(house: Stage) -> None:
    story = await Story.begin(house, script=[ScriptedAnswer(delay_seconds=1.0)])
    await house.server.time.fast_forward(story.handle, timedelta(hours=2))
    while not await story.calls():
        await asyncio.sleep(0.02)

    await story.handle.cancel()
    status = await story.handle.result()

    assert status.status is Status.CANCELED
    assert [record.outcome for record in status.ledger] == [PeriodOutcome.PAID]
    assert len(await story.calls()) == 1


async def test_a_run_that_continues_as_new_keeps_dates_account_and_identity(house: Stage) -> None:
    story = await Story.begin(house)
    first_run = (await story.handle.describe()).run_id

    for period in range(PERIODS_PER_RUN + 2):
        await story.until_due(period)

    status = await story.status()
    assert (await story.handle.describe()).run_id != first_run
    assert status.periods_paid == PERIODS_PER_RUN + 2
    await story.assert_charged_at(*(story.terms.schedule.due(period) for period in range(PERIODS_PER_RUN + 2)))
    assert (await house.subscriptions.start(story.terms)).already, "the terms are still known after the first run"
    description = await story.handle.describe()
    assert description.typed_search_attributes.get(NEXT_ACTION_AT) == story.terms.schedule.due(PERIODS_PER_RUN + 2)


async def test_a_healthy_period_takes_thirteen_events_and_two_kilobytes(house: Stage) -> None:
    await house.simulator.send_notifications_to(None)
    try:
        story = await Story.begin(house)
        await story.until_due(0)
        before = (await story.handle.describe()).history_length
        await story.until_due(1)
        after = (await story.handle.describe()).history_length
        history = await story.handle.fetch_history()
    finally:
        await house.simulator.send_notifications_to(house.ipn_url)

    period = [event for event in history.events[before:after] if event.event_type not in OF_VIRTUAL_TIME]
    assert len(period) == MOST_EVENTS_OF_A_HEALTHY_PERIOD
    assert sum(event.ByteSize() for event in period) <= MOST_BYTES


async def test_a_pending_charge_is_settled_by_the_notification_and_never_charged_again(house: Stage) -> None:
    story = await Story.begin(house, script=["AuthorizationInitiated"])
    status = await story.until_due(0)
    assert status.status is Status.PENDING

    await house.simulator.decide_charge(pending_charge_of(status), at=await story.now())
    status = await story.quiet()

    assert (status.status, status.periods_paid) == (Status.ACTIVE, 1)
    assert len(await story.calls()) == 1


async def test_a_pending_charge_whose_notification_is_lost_is_found_by_the_hourly_look(house: Stage) -> None:
    story = await Story.begin(house, script=["AuthorizationInitiated"])
    status = await story.until_due(0)
    await house.simulator.send_notifications_to(None)
    try:
        await house.simulator.decide_charge(pending_charge_of(status), "SoftDeclined", at=await story.now())
        status = await story.after(timedelta(hours=1))
    finally:
        await house.simulator.send_notifications_to(house.ipn_url)

    assert (status.status, status.last_reason) == (Status.RETRYING, "SoftDeclined")
    assert status.next is not None
    assert status.next.action is Action.CHARGE


async def test_search_attributes_tell_what_an_operator_looks_for(house: Stage) -> None:
    story = await Story.begin(house, script=["InvalidSandboxThing"])
    await story.until_due(0)

    attributes = (await story.handle.describe()).typed_search_attributes

    assert attributes.get(STATUS) == Status.ON_HOLD.value
    assert attributes.get(NEEDS_ATTENTION) is True


async def test_a_held_subscription_goes_on_by_itself_with_the_same_key_once_it_is_mended(house: Stage) -> None:
    story = await Story.begin(house, script=["InvalidSandboxThing"])
    status = await story.until_due(0)
    assert (status.status, status.last_reason) == (Status.ON_HOLD, "InvalidSandboxSimulationSpecified")

    status = await story.after(timedelta(hours=1))

    assert (status.status, status.periods_paid) == (Status.ACTIVE, 1)
    calls = await story.calls()
    assert len(calls) == 2
    assert calls[0].idempotency_key == calls[1].idempotency_key


async def test_an_unpaid_subscription_waits_for_the_buyer_and_looks_once_a_week(house: Stage) -> None:
    story = await Story.begin(house, script=["HardDeclined"])
    await story.until_due(0)
    status = await story.after(timedelta(days=22))
    assert status.status is Status.UNPAID
    assert status.next is not None
    assert status.next.action is Action.READ_PERMISSION
    assert timedelta(days=5) < status.next.at - await story.now() < timedelta(days=7)

    await story.after(timedelta(days=70))
    status = await story.mend_card()

    assert status.status is Status.ACTIVE
    assert [record.outcome for record in status.ledger] == [PeriodOutcome.PAID, *[PeriodOutcome.SKIPPED] * 3]
    assert len(await story.charges()) == 1


async def test_the_workflow_is_called_by_the_charge_permission(house: Stage) -> None:
    story = await Story.begin(house)

    assert story.handle.id == workflow_id(story.charge_permission_id) == f"subscription-{story.charge_permission_id}"
