"""A chargeback, from the buyer's bank through Amazon's notification to the merchant's endpoint."""

from datetime import timedelta

import httpx
import pytest

from perennial_billing.billing.plan.policy import CollectionPolicy, OnDispute
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.workflows.names import ended_workflow_id
from tests.endpoint import Endpoint
from tests.ipn.messages import notification, signer_of
from tests.scenarios.story import Story
from tests.scenarios.test_new_checkout import continued, new_permission
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


@pytest.mark.long  # the rule: tests/billing/test_disputes.py
async def test_a_policy_pauses_what_is_disputed(house: Stage) -> None:
    story = await Story.begin(house, collection=CollectionPolicy(on_dispute=OnDispute.PAUSE))
    await story.until_due(0)
    (charge,) = await story.charges()
    await house.simulator.dispute_charge(charge.charge_id, at=await story.now())
    await story.quiet()

    status = await story.until_due(1)

    assert status.status is Status.PAUSED
    assert len(await story.charges()) == 1


async def test_a_dispute_that_amazon_does_not_show_is_told_at_once_and_its_deadline_when_it_does(
    house: Stage, notices: Endpoint
) -> None:
    story = await Story.begin(house, collection=CollectionPolicy(on_dispute=OnDispute.STOP))
    await story.until_due(0)
    (charge,) = await story.charges()
    await house.simulator.refuse_disputes("UnauthorizedAccess")
    try:
        dispute = await house.simulator.dispute_charge(charge.charge_id, at=await story.now())
        status = await story.quiet()
    finally:
        await house.simulator.refuse_disputes(None)
    assert (status.status, status.needs_attention, status.last_reason) == (Status.PAUSED, True, "UnauthorizedAccess")

    status = await story.after(timedelta(hours=1))

    assert (status.needs_attention, status.disputes[0].period) == (False, 0)
    opened, paused, changed = (await told(notices, story))[-3:]
    assert (opened["type"], paused["type"], changed["type"]) == (
        "dispute.opened",
        "subscription.paused",
        "dispute.changed",
    )
    assert opened["data"]["dispute_id"] == changed["data"]["dispute_id"] == dispute.dispute_id
    assert opened["data"]["reason"] == "its details cannot be read: UnauthorizedAccess; look in Seller Central"
    assert changed["data"]["deadline"] is not None


async def test_a_chargeback_of_an_ended_subscription_is_read_and_told_each_change_once(
    house: Stage, notices: Endpoint
) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    (charge,) = await story.charges()
    ended = await story.cancel()
    assert ended.status is Status.CANCELED

    dispute = await house.simulator.dispute_charge(charge.charge_id)
    await house.simulator.deliver_notifications()

    event = (await notices.told(story.charge_permission_id, ended.notices_told + 1))[-1]
    assert (event["type"], event["data"]["number"]) == ("dispute.opened", ended.notices_told + 1)
    assert (event["data"]["dispute_id"], event["data"]["period"]) == (dispute.dispute_id, 0)
    assert event["data"]["merchant_reference"] == story.terms.merchant_reference
    handle = house.client.get_workflow_handle(ended_workflow_id(story.charge_permission_id))
    await handle.result()
    again = notification(signer_of(house), story.charge_permission_id, "CHARGEBACK", ObjectId=dispute.dispute_id)
    async with httpx.AsyncClient() as http:
        assert (await http.post(house.ipn_url, content=again)).text == "after_the_end"
    late = await handle.result()
    assert late["outbox"] == {"notices": [], "told": ended.notices_told + 1}, "nothing has changed, nothing is told"


async def test_a_chargeback_under_a_permission_that_was_replaced_is_told_by_the_successor(house: Stage) -> None:
    story = await Story.begin(house, collection=CollectionPolicy(on_dispute=OnDispute.PAUSE))
    await story.until_due(0)
    (charge,) = await story.charges()
    await house.simulator.close_by_buyer(story.charge_permission_id, await story.now())
    await story.quiet()
    after = await continued(house, story, await new_permission(house))

    dispute = await house.simulator.dispute_charge(charge.charge_id, at=await after.now())
    status = await after.quiet()

    assert [(each.dispute_id, each.period) for each in status.disputes] == [(dispute.dispute_id, 0)]
    assert status.status is Status.PAUSED


async def test_a_chargeback_of_which_temporal_knows_no_subscription_is_told_all_the_same(
    house: Stage, notices: Endpoint
) -> None:
    """It was one longer ago than Temporal retains, or an order of the same shop: nobody can tell which."""
    permission = await new_permission(house)
    posted = notification(signer_of(house), permission, "CHARGEBACK", ObjectId=f"{permission}-B000009")
    async with httpx.AsyncClient() as http:
        assert (await http.post(house.ipn_url, content=posted)).text == "after_the_end"

    (event,) = await notices.told(permission, 1)
    assert (event["type"], event["data"]["reason_code"]) == ("dispute.opened", "ResourceNotFound")
