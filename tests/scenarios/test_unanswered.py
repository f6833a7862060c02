"""Amazon does not answer for hours: that is seen after an hour, nobody is charged twice, and it goes on as before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from amazon_pay_simulator.faults import Fault, FaultPlan
from perennial_billing.billing.changes import RefundPeriod
from perennial_billing.billing.protocol.commands import Action, Command, CreateCharge
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.sandbox.subscriber import Subscriber
from perennial_billing.starter.audit.case import Case
from perennial_billing.starter.audit.rules import findings
from perennial_billing.worker.wiring import amazon_pay_client, billing_workers
from perennial_billing.workflows import performing
from perennial_billing.workflows.names import LAST_REASON, NEEDS_ATTENTION, STATUS
from tests.endpoint import Endpoint
from tests.scenarios.story import Story
from tests.scenarios.test_notices import told

HOUR = timedelta(hours=1)


@asynccontextmanager
async def amazon_answers(house: Stage, fault: Fault) -> AsyncIterator[None]:
    """Whatever is asked of Amazon goes wrong so."""
    await house.simulator.set_faults(FaultPlan(requests={fault: 1}))
    try:
        yield
    finally:
        await house.simulator.set_faults(FaultPlan())


async def past(story: Subscriber, duration: timedelta) -> None:
    """Moves time while a call is under way, which is never quiet."""
    await story.stage.server.time.fast_forward(story.handle, duration)
    await asyncio.sleep(0.3)


@pytest.mark.long  # the rule: tests/billing/test_unanswered.py
async def test_an_attempt_that_amazon_answers_with_503_for_hours_is_seen_after_one_and_paid_once(
    house: Stage, notices: Endpoint
) -> None:
    story = await Story.begin(house)
    async with amazon_answers(house, Fault.UNAVAILABLE):
        await past(story, HOUR + timedelta(minutes=30))
        assert not (await story.status()).needs_attention
        await past(story, HOUR)

        status = await story.status()
        assert (status.status, status.needs_attention, status.last_reason) == (Status.ON_HOLD, True, "OutcomeUnknown")
        (call,) = status.unanswered
        assert (call.action, "503" in call.why) == (Action.CHARGE, True)
        attributes = (await story.handle.describe()).typed_search_attributes
        assert (attributes.get(STATUS), attributes.get(LAST_REASON)) == ("on_hold", "OutcomeUnknown")
        assert attributes.get(NEEDS_ATTENTION) is True
        now = await story.now()
        case = Case(charge_permission_id=status.charge_permission_id, now=now, subscription=status, is_busy=True)
        (finding,) = findings(case)
        assert finding.rule == "outcome-unknown"
        assert finding.says.startswith("charge: what came of it is unknown since")
        await past(story, timedelta(hours=5))
    status = await story.after(timedelta(minutes=15))

    assert (status.status, status.needs_attention, status.unanswered) == (Status.ACTIVE, False, ())
    assert (status.periods_paid, len(await story.charges())) == (1, 1)
    assert len({call.idempotency_key for call in await story.calls()}) == 1
    assert [event["type"] for event in await told(notices, story)] == [
        "subscription.started",
        "subscription.held",
        "period.paid",
    ]
    await story.until_due(1)
    assert len(await story.charges()) == 2


async def test_a_charge_that_was_made_and_whose_answers_were_all_lost_is_found_and_not_made_again(house: Stage) -> None:
    story = await Story.begin(house)
    async with amazon_answers(house, Fault.LOST_ANSWER):
        await past(story, timedelta(hours=4))
        await house.subscriptions.cancel(story.charge_permission_id, "moved away")
        await past(story, timedelta(hours=2))
        assert (await story.status()).status is Status.ON_HOLD, "what it did is found out before it is canceled"
    status = await story.after(timedelta(minutes=15))

    assert (status.status, status.periods_paid, len(await story.charges())) == (Status.CANCELED, 1, 1)


async def test_a_charge_that_no_worker_takes_is_seen_and_made_once_one_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In real time, as virtual time stands still while a call waits for a worker; so the hour is a second here."""
    how = performing.PERFORMANCES[CreateCharge]
    soon = replace(how, limits=replace(how.limits, in_all=timedelta(seconds=1)))
    table: dict[type[Command], performing.Performance] = {**performing.PERFORMANCES, CreateCharge: soon}
    monkeypatch.setattr(performing, "PERFORMANCES", table)
    async with (
        stage(with_worker=False) as house,
        amazon_pay_client(house.settings) as amazon_pay,
        billing_workers(house.client, amazon_pay, house.ledger, house.settings) as workers,
        AsyncExitStack() as running,
    ):
        subscriptions, *calls = workers.each
        await running.enter_async_context(subscriptions)
        story = await Story.begin(house, first_charge_in=timedelta(0))
        async with asyncio.timeout(20):
            while not (status := await story.status()).needs_attention:
                await asyncio.sleep(0.05)
        assert status.status is Status.ON_HOLD
        assert status.unanswered[0].why.startswith("no worker has taken it")
        for worker in calls:
            await running.enter_async_context(worker)
        status = await story.quiet()

    assert (status.status, status.needs_attention, status.periods_paid) == (Status.ACTIVE, False, 1)


async def test_a_refund_that_amazon_does_not_answer_holds_up_no_due_date(house: Stage) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    await past(story, story.terms.schedule.due(1) - await story.now() - timedelta(hours=2, minutes=30))
    async with amazon_answers(house, Fault.UNAVAILABLE):
        asked = asyncio.create_task(house.subscriptions.refund(story.charge_permission_id, RefundPeriod(period=0)))
        while (await story.status()).refunds == ():
            await asyncio.sleep(0.05)
        await past(story, timedelta(hours=1, minutes=15))
        status = await story.status()
        assert (status.status, status.needs_attention) == (Status.ACTIVE, True)
        assert status.unanswered[0].action is Action.REFUND
        asked.cancel()
    await past(story, timedelta(hours=2))
    status = await story.quiet()

    assert (status.periods_paid, status.needs_attention) == (2, False)
    assert [refund.state.value for refund in status.refunds] == ["refunded"]
