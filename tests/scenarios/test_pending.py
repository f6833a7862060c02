"""Charges that Amazon takes its time for: awaited for as long as it takes, captured once, and never charged beside."""

from datetime import timedelta

import pytest

from amazon_pay_client.models import ChargeState
from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.faults import Fault
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from tests.scenarios.story import Story, pending_charge_of

HALF_A_DAY = timedelta(hours=12)


async def requests_of(house: Stage, story: Story) -> list[tuple[str, str]]:
    """Every charge of the story in the books: its state and its reason."""
    return [
        (str(charge.status_details.state), charge.status_details.reason_code or "")
        for charge in (await house.simulator.books()).charges
        if charge.charge_permission_id == story.charge_permission_id
    ]


async def timed_out_and_pending(house: Stage) -> Story:
    """The first attempt had not enough time; the second may be pending, and is."""
    story = await Story.begin(house, script=["TransactionTimedOut", "AuthorizationInitiated"])
    await story.until_due(0)
    status = await story.after(HALF_A_DAY)
    assert status.status is Status.PENDING
    return story


async def test_after_a_timeout_amazon_may_take_its_time_and_the_charge_is_captured_when_it_is_authorized(
    house: Stage,
) -> None:
    story = await timed_out_and_pending(house)
    pending = pending_charge_of(await story.status())
    await story.after(timedelta(hours=20))
    assert await requests_of(house, story) == [("AuthorizationInitiated", "")]

    await house.simulator.decide_charge(pending, at=await story.now())
    status = await story.quiet()

    assert (status.status, status.periods_paid) == (Status.ACTIVE, 1)
    assert [charge.charge_id for charge in await story.charges()] == [pending]
    assert status.ledger[0].attempts == 2


@pytest.mark.long  # the rule: tests/billing/test_collection.py
async def test_a_pending_authorization_that_is_declined_is_collected_on(house: Stage) -> None:
    story = await timed_out_and_pending(house)
    pending = pending_charge_of(await story.status())

    await house.simulator.decide_charge(pending, "SoftDeclined", at=await story.now())
    status = await story.quiet()
    assert (status.status, status.last_reason) == (Status.RETRYING, "SoftDeclined")
    assert status.next is not None
    await story.until(status.next.at)

    assert await requests_of(house, story) == [("Declined", "SoftDeclined"), ("Captured", "")]
    keys = [call.idempotency_key for call in await story.calls()]
    assert len(set(keys)) == len(keys) == 3


@pytest.mark.long  # the rule: tests/billing/test_collection.py
async def test_a_policy_may_refuse_to_wait_for_amazon(house: Stage) -> None:
    policy = CollectionPolicy(pending_after_timeout=False)
    story = await Story.begin(house, script=["TransactionTimedOut"], collection=policy)
    await story.until_due(0)

    status = await story.after(HALF_A_DAY)

    assert status.periods_paid == 1
    charges = [
        charge
        for charge in (await house.simulator.books()).charges
        if charge.charge_permission_id == story.charge_permission_id
    ]
    assert [charge.status_details.state for charge in charges] == [ChargeState.CAPTURED]


async def test_cancelling_while_a_charge_is_pending_waits_for_its_outcome_and_then_closes(house: Stage) -> None:
    story = await timed_out_and_pending(house)
    pending = pending_charge_of(await story.status())
    status = await story.cancel()
    assert status.status is Status.PENDING
    assert await story.permission_state() == "Chargeable"

    await house.simulator.decide_charge(pending, at=await story.now())
    status = await story.quiet()

    assert (status.status, status.periods_paid) == (Status.CANCELED, 1), "it was captured before the end"
    assert await story.permission_state() == "Closed"
    assert len(await story.charges()) == 1


async def test_an_answer_that_is_lost_after_the_charge_was_made_is_asked_for_again_with_the_same_key(
    house: Stage,
) -> None:
    lost = ScriptedAnswer(fault=Fault.LOST_ANSWER)
    story = await Story.begin(house, script=[lost])

    status = await story.until_due(0)

    assert status.periods_paid == 1
    assert len(await story.charges()) == 1
    first, second = await story.calls()
    assert (first.replayed, second.replayed) == (False, True)
    assert first.idempotency_key == second.idempotency_key
