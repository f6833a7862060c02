"""A charge permission that nothing renews, on a real server: told in time, closed by Amazon, and what is refused."""

from datetime import timedelta

import pytest

from perennial_billing.billing.calendar import Interval, Unit, permission_expiry
from perennial_billing.billing.changes import PauseSubscription, SkipPeriod
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.errors import RequestRefusedError
from perennial_billing.workflows.subscription import SubscriptionWorkflow
from tests.endpoint import Endpoint
from tests.scenarios.story import Story
from tests.scenarios.test_notices import kinds, told

YEARLY = Plan.of("yearly", Money.parse("99.00 USD"), Interval(unit=Unit.YEAR))


async def test_whoever_is_paused_without_an_end_is_told_of_weeks_before_amazon_closes_the_permission(
    house: Stage, notices: Endpoint
) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    await house.subscriptions.ask(story.charge_permission_id, PauseSubscription())
    expires = permission_expiry(story.terms.schedule.due(0))

    status = await story.until(expires - timedelta(days=29))
    assert (await kinds(notices, story))[-1] == "subscription.paused"
    status = await story.until(expires - timedelta(days=27))

    expiring = (await told(notices, story))[-1]
    assert expiring["type"] == "charge_permission.expiring"
    assert status.permission_expires_at is not None
    assert abs(status.permission_expires_at - expires) < timedelta(minutes=5)  # as Amazon says, to the second
    assert status.next is None, "it was told, and nothing else is to be done"

    await story.until(expires + timedelta(days=1))
    await story.handle.signal(SubscriptionWorkflow.instrument_updated)
    status = await story.quiet()
    assert (status.status, status.last_reason) == (Status.AWAITING_CHECKOUT, "Expired")


@pytest.mark.long  # the rule: tests/billing/test_expiry.py
async def test_a_year_that_is_skipped_is_refused_as_the_next_charge_would_come_too_late(house: Stage) -> None:
    story = await Story.begin(house, YEARLY)
    status = await story.until_due(0)

    with pytest.raises(RequestRefusedError, match="13 months after its last charge"):
        await house.subscriptions.ask(story.charge_permission_id, SkipPeriod())
    with pytest.raises(RequestRefusedError, match="13 months after its last charge"):
        await house.subscriptions.dry_run(story.charge_permission_id, SkipPeriod())

    assert (status.skips, (await story.status()).skips) == ((), ())
    await story.until_due(1)
    assert len(await story.charges()) == 2
