"""A chargeback, from the buyer's bank through Amazon's notification to the merchant's endpoint."""

from billing.plan.policy import CollectionPolicy, OnDispute
from billing.status import Status
from sandbox.stage import Stage
from tests.endpoint import Endpoint
from tests.scenarios.story import Story
from tests.scenarios.test_notices import told


async def test_a_chargeback_is_told_with_its_deadline_and_the_subscription_goes_on(
    house: Stage, notices: Endpoint
) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    (charge,) = await story.charges()

    dispute = await house.simulator.dispute_charge(charge.charge_id, at=await story.now())
    status = await story.quiet()

    (known,) = status.disputes
    assert (known.dispute_id, known.period) == (dispute.dispute_id, 0)
    event = (await told(notices, story))[-1]
    assert event["type"] == "dispute.opened"
    assert event["data"]["dispute_id"] == dispute.dispute_id
    assert event["data"]["charge_id"] == charge.charge_id
    assert event["data"]["deadline"] is not None
    await story.until_due(1)
    assert len(await story.charges()) == 2


async def test_a_policy_pauses_what_is_disputed(house: Stage) -> None:
    story = await Story.begin(house, collection=CollectionPolicy(on_dispute=OnDispute.PAUSE))
    await story.until_due(0)
    (charge,) = await story.charges()
    await house.simulator.dispute_charge(charge.charge_id, at=await story.now())
    await story.quiet()

    status = await story.until_due(1)

    assert status.status is Status.PAUSED
    assert len(await story.charges()) == 1
