"""Metered plans on a real server in virtual time: the merchant's endpoint says what each period costs."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.routing import Route

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import ChangePlan, When
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Amounts, Plan
from perennial_billing.billing.plan.lead_times import LeadTimes
from perennial_billing.billing.status import Status
from perennial_billing.runtime.http import bind, serving
from perennial_billing.sandbox.stage import Stage, stage
from tests.activities.test_amounts import Amounts as Merchant
from tests.activities.test_amounts import saying
from tests.endpoint import SECRET
from tests.scenarios.story import Story
from tests.scenarios.test_phases import charged
from tests.workflows.replaying import replay_all

MONTH = Interval(unit=Unit.MONTH)
METERED = Plan.of("metered", Money.parse("50.00 USD"), MONTH).model_copy(update={"amounts": Amounts.ASKED})


@pytest_asyncio.fixture(scope="module")
async def metered() -> AsyncIterator[tuple[Stage, Merchant]]:
    """A house whose merchant decides amounts."""
    merchant = Merchant()
    app = Starlette(routes=[Route("/amounts", merchant.decide, methods=["POST"])])
    async with (
        serving(app, bind("127.0.0.1", 0)) as origin,
        stage(amount_hook_url=f"{origin}/amounts", amount_hook_secret=SECRET) as house,
    ):
        yield house, merchant


async def amounts_of(story: Story) -> list[str]:
    return [amount for _, amount in await charged(story)]


async def test_each_period_costs_what_the_merchant_says_when_it_falls_due(metered: tuple[Stage, Merchant]) -> None:
    house, merchant = metered
    story = await Story.begin(house, METERED)
    (shown,) = await house.subscriptions.upcoming(story.charge_permission_id, 1)
    assert shown.why == "metered; at most, your endpoint says so when it falls due"

    for number, amount in enumerate(("12.34", "0.00", "50.00")):
        merchant.answer = saying(amount)
        await story.until_due(number)
    status = await story.status()

    assert await amounts_of(story) == ["12.34", "50.00"]
    assert [record.outcome.value for record in status.ledger] == ["paid", "free", "paid"]


async def test_the_answer_stands_however_often_the_period_is_tried(metered: tuple[Stage, Merchant]) -> None:
    house, merchant = metered
    merchant.answer = saying("12.34")
    story = await Story.begin(house, METERED, script=["SoftDeclined", "SoftDeclined"])
    await story.until_due(0)
    asked = len(merchant.asked)
    merchant.answer = saying("44.00")

    await story.after(timedelta(days=2))

    assert await amounts_of(story) == ["12.34"]
    assert len(merchant.asked) == asked


@pytest.mark.long  # the rule: tests/billing/test_ahead.py
async def test_an_amount_asked_for_ahead_is_what_is_told_charged_and_credited(metered: tuple[Stage, Merchant]) -> None:
    """At most 50.00 a month; 31.20 is said ten days before, and half of that is unused. Where 0.00 was said, nothing
    is."""
    house, merchant = metered
    april = datetime(datetime.now(UTC).year + 1, 4, 1, 9, tzinfo=UTC)
    ahead = METERED.but(lead_times=LeadTimes(question=timedelta(days=10)))
    flat = ChangePlan(plan=Plan.of("flat", Money.parse("60.00 USD"), MONTH), when=When.NOW)
    for said, difference in (("31.20", "14.40"), ("0.00", "30.00")):
        merchant.answer = saying(said)
        story = await Story.begin(house, ahead, first_charge_at=april)
        await story.until(april - timedelta(days=9))
        asked, subscriptions = len(merchant.asked), house.subscriptions
        (told,) = await subscriptions.upcoming(story.charge_permission_id, 1)
        assert (str(told.amount.amount), told.why) == (said, "metered")
        await story.until(april + timedelta(days=15))
        before = await subscriptions.dry_run(story.charge_permission_id, flat, await story.now())
        await subscriptions.change(story.charge_permission_id, flat)
        await story.quiet()

        assert len(merchant.asked) == asked
        (now,) = before.charged_now
        assert str(now.amount.amount) == difference
        assert await charged(story) == [*([("04-01", said)] if said != "0.00" else []), ("04-16", difference)]


async def test_an_endpoint_that_does_not_answer_holds_the_charge_in_plain_sight_and_delays_no_cancellation(
    metered: tuple[Stage, Merchant],
) -> None:
    house, merchant = metered
    merchant.status = 503
    story, other = await Story.begin(house, METERED), await Story.begin(house, METERED)
    held = await story.until_due(0)
    await other.until_due(0)

    assert (held.needs_attention, held.last_reason) == (True, "AmountUnknown")
    assert await story.calls() == []
    assert (await other.cancel()).status is Status.CANCELED
    merchant.status, merchant.answer = 200, saying("7.00")
    status = await story.after(timedelta(hours=2))

    assert await amounts_of(story) == ["7.00"]
    assert (status.needs_attention, status.last_reason) == (False, None)


async def test_what_the_endpoint_said_and_why_that_is_no_amount_can_be_seen(metered: tuple[Stage, Merchant]) -> None:
    house, merchant = metered
    merchant.status, merchant.answer = 200, saying("12.3456")
    story = await Story.begin(house, METERED)
    four_decimals = await story.until_due(0)
    merchant.answer = b"<html>sorry</html>"
    no_json = await story.after(timedelta(hours=1))
    merchant.answer = saying("12.35")
    status = await story.after(timedelta(hours=1))

    assert (four_decimals.needs_attention, four_decimals.last_reason) == (True, "AmountUnknown")
    for seen, why in ((four_decimals, "12.3456 is not accepted; 2 decimals are"), (no_json, "'<html>sorry</html>'")):
        assert seen.next is not None
        assert f"period 0 fell due, and your endpoint has not said what it costs: amount: {why}" in seen.next.why
        assert seen.next.why.endswith("; it is asked again")
    assert (status.needs_attention, status.periods_paid) == (False, 1)
    assert await amounts_of(story) == ["12.35"]
    assert await replay_all(house.client, story.handle.id) == 1
