"""Bringing notices to endpoints that are broken, gone, added and filtered: the same by both ways of delivery.

The schedule's 75 hours are brought to seconds, each wait in its proportion; the rest is real: Temporal's own retries,
real connections, and the official library that verifies.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

import pytest
import pytest_asyncio
from temporalio.client import ActivityExecutionStatus, WorkflowExecutionStatus
from temporalio.service import RPCError

from amazon_pay_client import Region
from perennial_billing.activities.deliveries import Deliveries
from perennial_billing.activities.notices import Webhooks
from perennial_billing.activities.signatures import DELIVER, DELIVERY_WORKFLOW, RETRY_DELAYS
from perennial_billing.activities.webhooks import delivery_id
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import PauseSubscription, ResumeSubscription
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.ledger.deliveries import DeliveryState
from perennial_billing.ledger.endpoints import DisabledFor, all_endpoints
from perennial_billing.ledger.undelivered import DeliveryFound, DeliverySearch, find_deliveries
from perennial_billing.runtime import embedded
from perennial_billing.runtime.temporal import has_standalone_activities
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.starter import endpoints as managing
from perennial_billing.starter.many.runner import Outcome
from perennial_billing.starter.notices import SendingAgain
from perennial_billing.worker import wiring
from perennial_billing.worker.wiring import deliveries_on
from tests.endpoint import SECRET
from tests.scenarios.story import Story
from tests.unreliable import Mischief, Unreliable, unreliable

DAILY: Final = Plan.of("tea-daily", Money.parse("3.35 EUR"), Interval(unit=Unit.DAY))
SHORTER: Final = 40_000
"""75 hours and a half are 7 seconds."""
WAITS: Final = tuple(delay / SHORTER for delay in RETRY_DELAYS)
OWN: Final = "environment"


in_both_ways = pytest.mark.parametrize("ground", ["activities", "workflows"], indirect=True, scope="module")
in_the_usual_way = pytest.mark.parametrize(
    "ground", ["activities", pytest.param("workflows", marks=pytest.mark.long)], indirect=True, scope="module"
)
"""What follows from how an endpoint stands, before anything is handed to Temporal."""


@pytest_asyncio.fixture(scope="module")
async def ground(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Stage, Unreliable]]:
    """A server that delivers by one of the two ways, a schedule of seconds, and an endpoint in its environment."""
    async with unreliable() as listening:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("perennial_billing.activities.notices.RETRY_DELAYS", WAITS)
            patch.setattr(wiring, "Webhooks", partial(Webhooks, timeout_seconds=0.5))
            if request.param == "workflows":
                without = {**embedded.VIRTUAL_TIME, "activity.enableStandalone": "false"}
                patch.setattr(embedded, "VIRTUAL_TIME", without)
            async with stage(webhook_url=listening.url, webhook_secret=SECRET) as set_up:
                assert await has_standalone_activities(set_up.client) is (request.param == "activities")
                yield set_up, listening


@pytest.fixture
def stand(ground: tuple[Stage, Unreliable]) -> Stage:
    return ground[0]


@pytest.fixture
def listening(ground: tuple[Stage, Unreliable]) -> Unreliable:
    return ground[1]


@pytest.fixture(autouse=True)
def _well_behaved(listening: Unreliable) -> None:
    listening.most, listening.gone, listening.down = 0, False, False


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 45.0) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.2)


async def deliveries(house: Stage, story: Story, endpoint: str = OWN) -> list[DeliveryFound]:
    """Of a story, by their numbers."""
    search = DeliverySearch(charge_permission_id=story.charge_permission_id, endpoint=endpoint)
    return sorted(await find_deliveries(house.ledger, search), key=lambda each: each.number)


async def states(house: Stage, story: Story, endpoint: str = OWN) -> list[str]:
    return [each.state.value for each in await deliveries(house, story, endpoint)]


async def all_are(house: Stage, story: Story, state: DeliveryState, endpoint: str = OWN) -> None:
    async def are_so() -> bool:
        return set(await states(house, story, endpoint)) == {state.value}

    await until(are_so)


async def again(house: Stage, story: Story) -> list[Outcome]:
    """Has all that is undelivered of a story sent again."""
    sending = SendingAgain(house.ledger, await deliveries_on(house.client, house.settings), Region.NA)
    search = DeliverySearch(charge_permission_id=story.charge_permission_id, undelivered=True)
    return [result.outcome async for result in sending.all_of(search, per_second=500.0)]


@in_both_ways
async def test_dropped_delayed_and_rejected_none_is_lost_and_numbers_restore_the_order(
    stand: Stage, listening: Unreliable
) -> None:
    listening.most = len(RETRY_DELAYS)
    listening.met.clear()
    story = await Story.begin(stand, DAILY)
    for period in range(6):
        await story.until_due(period)
    for _ in range(4):
        await stand.subscriptions.change(story.charge_permission_id, PauseSubscription())
        await stand.subscriptions.change(story.charge_permission_id, ResumeSubscription())
    await story.cancel("moved to a sixth floor without a kettle")
    told = (await story.status()).notices_told

    await all_are(stand, story, DeliveryState.DELIVERED)

    numbers = listening.numbers(story.charge_permission_id)
    assert told >= 16
    assert sorted(numbers) == list(range(1, told + 1)), "none lost, none told under two ids"
    assert numbers != sorted(numbers), "they came out of their order, or the dice did nothing"
    events = {event["data"]["number"]: event["type"] for event in listening.taken.values() if is_of(story, event)}
    in_order = [events[number] for number in sorted(events)]
    assert in_order[:7] == ["subscription.started", *["period.paid"] * 6]
    assert in_order[7:] == ["subscription.paused", "subscription.resumed"] * 4 + ["subscription.ended"]
    assert set(listening.met) == set(Mischief)
    attempts = [each.attempts for each in await deliveries(stand, story)]
    assert max(attempts) > 5


def is_of(story: Story, event: dict[str, dict[str, str]]) -> bool:
    return event["data"]["charge_permission_id"] == story.charge_permission_id


@in_both_ways
async def test_what_outlasts_the_schedule_is_given_up_in_plain_sight_and_sent_again_under_the_same_id(
    stand: Stage, listening: Unreliable
) -> None:
    listening.down = True
    story = await Story.begin(stand, DAILY, first_charge_in=timedelta(days=2))
    await all_are(stand, story, DeliveryState.GIVEN_UP)
    (given_up,) = await deliveries(stand, story)
    (webhook,) = [each for each in listening.attempts if story.charge_permission_id in each]
    assert (given_up.attempts, given_up.trouble) == (len(RETRY_DELAYS) + 1, "no answer: RemoteProtocolError")
    assert listening.attempts[webhook] == len(RETRY_DELAYS) + 1
    await until(partial(has_failed, stand, delivery_id(story.charge_permission_id, 1)))

    listening.down = False
    assert await again(stand, story) == [Outcome.DONE]
    await all_are(stand, story, DeliveryState.DELIVERED)

    assert listening.numbers(story.charge_permission_id) == [1]
    assert [each for each in listening.attempts if story.charge_permission_id in each] == [webhook]
    assert await again(stand, story) == []


async def has_failed(house: Stage, delivery: str) -> bool:
    """Whether it can be seen at Temporal that a delivery failed."""
    if await has_standalone_activities(house.client):
        found = [each async for each in house.client.list_activities(f"ActivityType = '{DELIVER}'")]
        return {each.status for each in found if each.activity_id == delivery} == {ActivityExecutionStatus.FAILED}
    runs = [each async for each in house.client.list_workflows(f"WorkflowType = '{DELIVERY_WORKFLOW}'")]
    return {each.status for each in runs if each.id == delivery} == {WorkflowExecutionStatus.FAILED}


@in_the_usual_way
async def test_gone_it_is_disabled_in_plain_sight_and_what_comes_meanwhile_waits_to_be_sent(
    stand: Stage, listening: Unreliable
) -> None:
    listening.gone = True
    story = await Story.begin(stand, DAILY)
    await all_are(stand, story, DeliveryState.GIVEN_UP)
    (known,) = [each for each in await all_endpoints(stand.ledger) if each.id == OWN]
    assert (known.disabled_for, known.trouble) == (DisabledFor.GONE, "status 410")

    async def is_heard_of() -> bool:
        await story.until_due((await story.status()).next_period)
        return "not_sent" in await states(stand, story)

    await until(is_heard_of)
    attempts = listening.attempts.total()
    assert await again(stand, story) == [Outcome.REFUSED] * len(await deliveries(stand, story))

    listening.gone = False
    await managing.enable_endpoint(stand.ledger, OWN)
    undelivered = len(await deliveries(stand, story))
    assert listening.attempts.total() == attempts, "a disabled endpoint is left alone"
    assert await again(stand, story) == [Outcome.DONE] * undelivered
    await all_are(stand, story, DeliveryState.DELIVERED)
    assert sorted(listening.numbers(story.charge_permission_id)) == list(range(1, undelivered + 1))
    await until_known_enabled(stand)


async def until_known_enabled(house: Stage) -> None:
    """Until workers know of it, which they do within seconds; other tests begin with a worker that does."""

    async def is_known() -> bool:
        probe = await Story.begin(house, DAILY, first_charge_in=timedelta(days=2))
        await probe.quiet()
        return await states(house, probe) != ["not_sent"]

    await until(is_known)


@in_the_usual_way
async def test_an_endpoint_that_is_added_hears_within_seconds_of_what_it_wants_and_signs_with_both_secrets(
    stand: Stage, listening: Unreliable
) -> None:
    async with unreliable() as warehouse:
        wanted = ["period.*", "subscription.ended"]
        made = await managing.add_endpoint(stand.ledger, stand.settings, warehouse.url, wanted, SECRET)
        await managing.add_secret(stand.ledger, made.endpoint.id)  # the warehouse does not know the newer one yet
        story = await Story.begin(stand, DAILY)

        async def has_heard() -> bool:
            await story.until_due((await story.status()).next_period)
            return bool(warehouse.taken)

        await until(has_heard)
        await story.cancel("the tea is cold")
        await all_are(stand, story, DeliveryState.DELIVERED, made.endpoint.id)
        await all_are(stand, story, DeliveryState.DELIVERED)

        assert {event["type"] for event in warehouse.taken.values()} == {"period.paid", "subscription.ended"}
        assert set(warehouse.taken) < set(listening.taken), "one notice has one id, whoever is told"

        warehouse.down = True
        another = await Story.begin(stand, DAILY)
        await another.until_due(0)
        await managing.remove_endpoint(stand.ledger, made.endpoint.id)
        await all_are(stand, another, DeliveryState.GIVEN_UP, made.endpoint.id)
        (left,) = await deliveries(stand, another, made.endpoint.id)
        assert left.trouble == "the endpoint was removed"
        assert await again(stand, another) == [Outcome.REFUSED]


@in_both_ways
async def test_where_temporal_does_not_take_it_it_stays_undelivered(stand: Stage, listening: Unreliable) -> None:
    listening.down = True
    story = await Story.begin(stand, DAILY, first_charge_in=timedelta(days=2))
    await all_are(stand, story, DeliveryState.GIVEN_UP)
    by_workflow = not await has_standalone_activities(stand.client)
    refusing = Deliveries(stand.client, "longer than a queue's name may be" * 100, by_workflow=by_workflow)
    search = DeliverySearch(charge_permission_id=story.charge_permission_id, undelivered=True)

    with pytest.raises(RPCError):
        await anext(SendingAgain(stand.ledger, refusing, Region.NA).all_of(search))

    (left,) = await find_deliveries(stand.ledger, search)
    assert left.trouble == "Temporal did not take it when it was to be sent again"
    listening.down = False
    assert await again(stand, story) == [Outcome.DONE]
    await all_are(stand, story, DeliveryState.DELIVERED)
