"""Amazon's monthly limit on a real server, where Amazon counts months elsewhere than the subscriber does."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from amazon_pay_simulator.assumptions import Assumptions
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage, stage
from tests.endpoint import SECRET, Endpoint, endpoint
from tests.scenarios.story import Story
from tests.scenarios.test_notices import kinds, told

WEEKLY: Final = Plan.of("weekly", Money.parse("300.00 USD"), Interval(unit=Unit.WEEK))
"""Three periods fit into a month's limit of 1,000.00 USD."""


@pytest_asyncio.fixture(scope="module")
async def own_notices() -> AsyncIterator[Endpoint]:
    """Where that stage sends its notices: its charge permissions have the names of the house's."""
    async with endpoint() as listening:
        yield listening


@pytest_asyncio.fixture(scope="module")
async def counting_in_seattle(own_notices: Endpoint) -> AsyncIterator[Stage]:
    """Everything, with an Amazon whose months turn in Seattle."""
    seattle = Assumptions(month_zone="America/Los_Angeles")
    async with stage(webhook_url=own_notices.url, webhook_secret=SECRET, assumptions=seattle) as set_up:
        yield set_up


@pytest.mark.parametrize(
    "zone",
    [
        "Pacific/Honolulu",
        pytest.param("Europe/Berlin", marks=pytest.mark.long),  # the rule: tests/billing/test_months.py
    ],
)
async def test_no_month_is_lost_where_amazon_turns_it_elsewhere(
    counting_in_seattle: Stage, own_notices: Endpoint, zone: str
) -> None:
    last = datetime.now(UTC).replace(day=1, hour=9, minute=0, second=0, microsecond=0) + timedelta(days=62)
    first = last.replace(day=1) - timedelta(days=2)  # in the end of a month, two or three from now
    story = await Story.begin(counting_in_seattle, WEEKLY, zone=zone, first_charge_at=first)

    status = await story.until(first + timedelta(days=7 * 7, hours=1))

    months = [charge.creation_timestamp for charge in await story.charges() if charge.creation_timestamp]
    seattle = [f"{at.astimezone(ZoneInfo('America/Los_Angeles')):%m}" for at in months]
    assert [seattle.count(month) for month in dict.fromkeys(seattle)] == [1, 3, 3]
    assert status.periods_paid == 7
    assert (await kinds(own_notices, story)).count("monthly_limit.reached") <= 2


@pytest.mark.long  # the rule: tests/billing/test_months.py
async def test_an_amount_that_no_month_bears_is_held_in_plain_sight_with_the_limit(
    house: Stage, notices: Endpoint
) -> None:
    dear = Plan.of("dear", Money.parse("1200.00 USD"), Interval(unit=Unit.MONTH))
    story = await Story.begin(house, dear, unchecked=True)

    status = await story.until_due(0)

    assert (status.status, status.last_reason, status.needs_attention) == (Status.ON_HOLD, "AmountAboveLimit", True)
    assert status.owed is not None
    because = "1200.00 USD is more than the charge permission allows in any calendar month, 1000.00 USD"
    assert status.owed.held_because == because
    held = (await told(notices, story))[-1]
    assert (held["type"], held["data"]["reason"]) == ("subscription.held", because)
    assert len(await story.calls()) == 1
