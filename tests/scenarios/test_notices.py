"""What the merchant is told of each story: these notices, in this order, and no others."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import ActivityExecutionStatus

from amazon_pay_client import Region
from perennial_billing.activities.deliveries import Deliveries
from perennial_billing.activities.endpoints import Endpoints, OwnEndpoint
from perennial_billing.activities.notices import Announcer
from perennial_billing.activities.signatures import DELIVER, Announcement
from perennial_billing.billing.changes import PauseSubscription
from perennial_billing.billing.plan.policy import CollectionPolicy, FinalAction
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.workflows.names import notices_queue
from tests.activities.requests import run
from tests.endpoint import SECRET, Endpoint, endpoint, number_of
from tests.scenarios.restoring import back_up, set_back
from tests.scenarios.story import Story, pending_charge_of


async def told(notices: Endpoint, story: Story) -> list[dict[str, Any]]:
    """All that the merchant was told of a story so far."""
    status = await story.status()
    events = await notices.told(story.charge_permission_id, status.notices_told)
    assert [event["data"]["number"] for event in events] == list(range(1, status.notices_told + 1))
    return events


async def kinds(notices: Endpoint, story: Story) -> list[str]:
    return [event["type"] for event in await told(notices, story)]


async def test_a_healthy_subscription_is_told_of_as_it_starts_pays_and_ends(house: Stage, notices: Endpoint) -> None:
    story = await Story.begin(house)
    due = story.terms.schedule.due
    await story.until_due(0)
    await story.until_due(1)
    await story.cancel("moved away")

    started, first, second, ended = await told(notices, story)

    assert (started["type"], started["data"]["next_action_at"]) == ("subscription.started", iso(due(0)))
    assert first["type"] == second["type"] == "period.paid"
    (charge, _) = await story.charges()
    assert first["data"] == {
        "charge_permission_id": story.charge_permission_id,
        "merchant_reference": f"order-{story.charge_permission_id}",
        "plan_id": "monthly",
        "number": 2,
        "period": 0,
        "due": iso(due(0)),
        "amount": {"amount": "9.99", "currency": "USD"},
        "attempt": 1,
        "charge_id": charge.charge_id,
        "next_action_at": iso(due(1)),
    }
    assert (ended["type"], ended["data"]["status"], ended["data"]["reason"]) == (
        "subscription.ended",
        "canceled",
        "moved away",
    )


async def test_a_soft_decline_says_when_it_is_tried_again(house: Stage, notices: Endpoint) -> None:
    story = await Story.begin(house, script=["SoftDeclined"])
    status = await story.until_due(0)
    assert status.next is not None
    retry_at = status.next.at
    await story.until(retry_at)

    _, declined, paid = await told(notices, story)

    assert (declined["type"], declined["data"]["reason_code"], declined["data"]["attempt"]) == (
        "charge.declined",
        "SoftDeclined",
        1,
    )
    assert declined["data"]["next_action_at"] == iso(retry_at)
    assert (paid["type"], paid["data"]["attempt"]) == ("period.paid", 2)


async def test_a_hard_decline_brings_the_buyers_page_reminders_and_the_end_of_waiting(
    house: Stage, notices: Endpoint
) -> None:
    story = await Story.begin(house, script=["HardDeclined"])
    await story.until_due(0)
    await story.after(timedelta(days=22))

    events = await told(notices, story)

    assert [event["type"] for event in events] == [
        "subscription.started",
        "payment_method.needed",
        "payment_method.reminder",
        "payment_method.reminder",
        "grace.ended",
        "payment_method.reminder",
        "payment_method.reminder",
        "subscription.unpaid",
    ]
    needed = events[1]["data"]
    assert needed["update_url"] == f"{house.simulator.origin}/jr/your-account/ba/{story.charge_permission_id}"
    assert needed["deadline"] is not None
    due = story.terms.schedule.due(0)
    days = [(when(event) - due).days for event in events[2:]]
    assert days == [3, 7, 7, 14, 20, 21]


async def test_a_mended_card_is_told_and_then_the_payment(house: Stage, notices: Endpoint) -> None:
    story = await Story.begin(house, script=["HardDeclined"])
    await story.until_due(0)
    await story.mend_card()

    assert (await kinds(notices, story))[1:] == ["payment_method.needed", "payment_method.mended", "period.paid"]


async def test_a_card_that_breaks_between_billing_dates_is_told_at_once_and_nothing_is_charged(
    house: Stage, notices: Endpoint
) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    await house.simulator.break_payment_method(story.charge_permission_id, "PaymentMethodExpired", await story.now())
    await story.quiet()
    await house.simulator.mend_payment_method(story.charge_permission_id, await story.now())
    await story.quiet()

    events = (await told(notices, story))[2:]

    assert [event["type"] for event in events] == ["payment_method.needed", "payment_method.mended"]
    assert events[0]["data"]["reason_code"] == "PaymentMethodExpired"
    assert "period" not in events[0]["data"], "nothing is owed yet"
    assert len(await story.calls()) == 1


async def test_a_pending_charge_is_told_and_then_how_it_ended(house: Stage, notices: Endpoint) -> None:
    story = await Story.begin(house, script=["AuthorizationInitiated"])
    status = await story.until_due(0)
    await house.simulator.decide_charge(pending_charge_of(status), at=await story.now())
    await story.quiet()

    _, pending, paid = await told(notices, story)

    assert (pending["type"], paid["type"]) == ("charge.pending", "period.paid")
    assert pending["data"]["charge_id"] == paid["data"]["charge_id"] == pending_charge_of(status)


async def test_a_monthly_limit_and_trouble_of_the_merchants_own_are_told_once(house: Stage, notices: Endpoint) -> None:
    story = await Story.begin(house, script=["PeriodicAmountExceeded"])
    await story.until_due(0)
    held = await Story.begin(house, script=["InvalidAccountStatus"] * 3)
    await held.until_due(0)
    await held.after(timedelta(hours=1))
    await held.after(timedelta(hours=1))
    await held.after(timedelta(hours=1))

    assert (await kinds(notices, story))[1:] == ["monthly_limit.reached"]
    assert (await kinds(notices, held))[1:] == ["subscription.held", "period.paid"]


async def test_a_buyer_who_closes_the_permission_is_told_of_at_once(house: Stage, notices: Endpoint) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    await house.simulator.close_by_buyer(story.charge_permission_id, await story.now())
    await story.quiet()

    events = (await told(notices, story))[2:]

    assert [event["type"] for event in events] == ["charge_permission.closed"]
    assert events[0]["data"]["reason_code"] == "BuyerClosed"
    assert events[0]["data"]["deadline"] == events[0]["data"]["next_action_at"]


async def test_a_period_that_is_given_up_is_told(house: Stage, notices: Endpoint) -> None:
    policy = CollectionPolicy(soft_decline_delays=(timedelta(hours=1),), final_action=FinalAction.MARK_UNPAID)
    story = await Story.begin(house, script=["SoftDeclined"] * 2, collection=policy)
    await story.until_due(0)
    await story.after(timedelta(hours=1))

    assert (await kinds(notices, story))[1:] == ["charge.declined", "period.written_off"]


async def test_a_dead_endpoint_delays_no_billing_and_its_deliveries_can_be_seen() -> None:
    async with endpoint() as dead:
        url = dead.url
    async with stage(webhook_url=url, webhook_secret=SECRET) as house:
        story = await Story.begin(house)
        for period in range(2):
            await story.until_due(period)
        status = await story.until_due(2)
        waiting = [execution async for execution in house.client.list_activities(f"ActivityType = '{DELIVER}'")]

        assert (status.periods_paid, status.notices_waiting) == (3, 0)
        assert len(waiting) == status.notices_told == 4
        assert {execution.status for execution in waiting} == {ActivityExecutionStatus.RUNNING}


async def test_an_endpoint_that_refuses_is_asked_again_with_the_same_notice_and_one_that_is_gone_is_not() -> None:
    async with endpoint() as moody, stage(webhook_url=moody.url, webhook_secret=SECRET) as house:
        moody.statuses = [500, 204, 410]
        story = await Story.begin(house)
        while not moody.posts:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        (refused,) = moody.posts
        assert number_of(refused) == f"{story.charge_permission_id}-1"
        await moody.told(story.charge_permission_id, 1)
        await story.until_due(0)
        lost = f"ActivityType = '{DELIVER}' AND ExecutionStatus = 'Failed'"
        async with asyncio.timeout(60):
            while not [execution async for execution in house.client.list_activities(lost)]:
                await asyncio.sleep(0.1)

    assert list(map(number_of, moody.posts)) == [f"{story.charge_permission_id}-{number}" for number in (1, 1, 2)]
    assert moody.posts[:2] == [refused, refused]


async def test_a_notice_that_a_worker_made_before_it_died_is_not_told_again_when_it_is_made_anew(
    house: Stage, notices: Endpoint
) -> None:
    made_anew = datetime(2027, 3, 14, 9, 30, tzinfo=UTC)
    deliveries = Deliveries(house.client, notices_queue(house.settings.task_queue), by_workflow=False)
    endpoints = Endpoints(house.ledger, OwnEndpoint(notices.url, SECRET))

    async def region_of(_account: str) -> Region:
        return Region.NA

    announcer = Announcer(deliveries, region_of, house.ledger, endpoints)
    for made_at in (made_anew - timedelta(seconds=11), made_anew):
        notice = Notice(number=1, type=NoticeType.PERIOD_PAID, at=made_at, period=4, charge_id="P01-5-6-C000004")
        announcement = Announcement(
            charge_permission_id="C01-1122334-5566778", merchant_reference="", plan_id="tea", notices=(notice,)
        )
        await run(announcer.announce, announcement)

    (told_once,) = await notices.told("C01-1122334-5566778", 1)
    await asyncio.sleep(0.5)

    assert when(told_once) == made_anew - timedelta(seconds=11)
    assert [number_of(each) for each in notices.posts].count("C01-1122334-5566778-1") == 1


async def test_what_happens_after_a_restore_is_told_under_the_same_number_and_another_id(tmp_path: Path) -> None:
    database, kept = tmp_path / "temporal.db", tmp_path / "kept.db"
    async with endpoint() as listening:

        async def pauses_for(house: Stage, story: Story, days: int) -> None:
            pause = PauseSubscription(until=story.terms.anchor + timedelta(days=days))
            await house.subscriptions.change(story.charge_permission_id, pause)

        async with stage(database=database, webhook_url=listening.url, webhook_secret=SECRET) as house:
            story = await Story.begin(house, first_charge_in=timedelta(days=30))
            await listening.told(story.charge_permission_id, 1)
            await story.quiet()
            back_up(database, kept)
            await pauses_for(house, story, 40)
            before = (await listening.told(story.charge_permission_id, 2))[1]
        set_back(database, kept)
        async with stage(database=database, webhook_url=listening.url, webhook_secret=SECRET) as house:
            story = Story(house, story.terms)
            await pauses_for(house, story, 75)
            async with asyncio.timeout(60):
                while len(listening.posts) < 3:
                    await asyncio.sleep(0.02)
            after = (await listening.told(story.charge_permission_id, 2))[1]

    assert before["type"] == after["type"] == "subscription.paused"
    assert before["data"]["number"] == after["data"]["number"] == 2
    assert before["data"]["deadline"] != after["data"]["deadline"]
    assert len(set(listening.posts)) == 3


def iso(instant: datetime) -> str:
    """As a notice's JSON has it."""
    return instant.isoformat().replace("+00:00", "Z")


def when(event: dict[str, Any]) -> datetime:
    """A notice's own time."""
    return datetime.fromisoformat(event["timestamp"])
