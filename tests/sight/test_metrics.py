"""What a deployment counts, by a story: what Amazon answered, how late, what stands in the ledger."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio

from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.ledger.figures import LATE_AFTER, read_figures
from tests.endpoint import SECRET
from tests.scenarios.story import Story
from tests.sight.house import Watched, watched


@pytest_asyncio.fixture(scope="module")
async def house() -> AsyncIterator[Watched]:
    async with watched(webhook_url="http://127.0.0.1:9/", webhook_secret=SECRET) as set_up:
        yield set_up


async def test_a_declined_charge_that_is_paid_later_is_counted_as_answered_declined_told_and_recovered(
    house: Watched,
) -> None:
    story = await Story.begin(house.stage, script=["SoftDeclined"], first_charge_in=timedelta(0))
    await story.quiet()
    await house.figures.once()

    assert await house.value("perennial_subscriptions_past_due", merchant_account="default") == 1
    assert await house.value("perennial_charge_answers_total", outcome="declined", reason_code="SoftDeclined") == 1

    await story.after(timedelta(days=3))
    await house.figures.once()

    for sample in await house.metrics():
        if sample[0].startswith("perennial_") and "bucket" not in sample[0]:
            print(sample)
    assert await house.value("perennial_charge_answers_total", action="charge", outcome="captured") == 1
