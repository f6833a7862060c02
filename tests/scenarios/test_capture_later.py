"""A plan that captures later: authorized on the due date, captured by the merchant, in full or in part, or lapsed."""

import asyncio
from datetime import timedelta

import pytest

from amazon_pay_client.models import ChargeState
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Capture
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.errors import RequestRefusedError
from tests.endpoint import Endpoint
from tests.scenarios.story import MONTHLY, Story
from tests.scenarios.test_notices import kinds

LATER = MONTHLY.model_copy(update={"capture": Capture.LATER})
FIVE = Money.parse("5.00 USD")


async def authorized(house: Stage, collection: CollectionPolicy | None = None) -> Story:
    """The first period is authorized, and nothing was captured."""
    story = await Story.begin(house, LATER, collection=collection)
    status = await story.until_due(0)
    assert (status.status, status.periods_paid) == (Status.ACTIVE, 0)
    assert [record.outcome for record in status.ledger] == [PeriodOutcome.AUTHORIZED]
    assert await story.charges() == []
    return story


async def states(story: Story) -> list[str]:
    """How each of the story's charges stands in the books."""
    books = await story.stage.simulator.books()
    return [
        f"{charge.status_details.state} {charge.status_details.reason_code or ''}".strip()
        for charge in books.charges
        if charge.charge_permission_id == story.charge_permission_id
    ]


@pytest.mark.parametrize("amount", [None, FIVE])
async def test_the_merchant_captures_what_was_authorized(house: Stage, notices: Endpoint, amount: Money | None) -> None:
    story = await authorized(house)
    await story.after(timedelta(days=3))

    result = await house.subscriptions.capture(story.charge_permission_id, 0, amount)
    status = await story.quiet()

    assert (result.outcome, result.reason_code) == (PeriodOutcome.PAID, None)
    (charge,) = await story.charges()
    taken = amount or LATER.regular.amount
    assert charge.charge_id == result.charge_id
    assert charge.capture_amount is not None
    assert charge.capture_amount.amount == taken.amount
    assert (status.periods_paid, status.ledger[0].amount) == (1, taken)
    assert await kinds(notices, story) == [
        "subscription.started",
        "period.authorized",
        "subscription.changed",
        "period.paid",
    ]


@pytest.mark.long  # the rule: tests/billing/test_capture_later.py
async def test_each_period_is_authorized_although_the_older_ones_wait(house: Stage) -> None:
    story = await authorized(house)
    status = await story.until_due(1)
    assert [each.period for each in status.to_be_captured][-1] == 1

    results = await asyncio.gather(
        *(house.subscriptions.capture(story.charge_permission_id, each.period) for each in status.to_be_captured)
    )

    assert {result.outcome for result in results} == {PeriodOutcome.PAID}
    assert len(await story.charges()) == len(results)


async def test_asking_twice_at_once_captures_once(house: Stage) -> None:
    story = await authorized(house)

    results = await asyncio.gather(
        *(house.subscriptions.capture(story.charge_permission_id, 0) for _ in range(2)), return_exceptions=True
    )

    assert len(await story.charges()) == 1
    done = [result for result in results if not isinstance(result, BaseException)]
    assert {result.outcome for result in done} == {PeriodOutcome.PAID}
    for refused in set(results) - set(done) if len(done) < len(results) else ():
        assert isinstance(refused, RequestRefusedError), "it came after the capture was done"


@pytest.mark.long  # the rule: tests/billing/test_capture_later.py
async def test_what_is_not_captured_lapses_after_thirty_days_and_is_told(house: Stage, notices: Endpoint) -> None:
    story = await authorized(house)

    await story.after(timedelta(days=32))
    status = await story.quiet()

    assert (await states(story))[0] == "Canceled ExpiredUnused"
    assert (status.ledger[0].outcome, status.ledger[0].reason) == (PeriodOutcome.WRITTEN_OFF, "ExpiredUnused")
    assert "period.written_off" in await kinds(notices, story)
    with pytest.raises(RequestRefusedError, match="period: 0 is not possible now; it has no authorized charge"):
        await house.subscriptions.capture(story.charge_permission_id, 0)


@pytest.mark.long  # the rule: tests/billing/test_capture_later.py
async def test_more_than_was_authorized_is_refused_and_changes_nothing(house: Stage) -> None:
    story = await authorized(house)

    with pytest.raises(RequestRefusedError, match=r"at most 9\.99 USD was authorized"):
        await house.subscriptions.capture(story.charge_permission_id, 0, Money.parse("10.00 USD"))

    assert await states(story) == ["Authorized"]
    assert (await house.subscriptions.capture(story.charge_permission_id, 0)).outcome is PeriodOutcome.PAID


@pytest.mark.long  # the rule: tests/billing/test_capture_later.py
async def test_a_canceled_subscription_can_still_capture_what_was_sent(house: Stage) -> None:
    story = await authorized(house)
    status = await story.cancel()
    assert (status.status, await story.permission_state()) == (Status.ENDING, "Closed")

    await house.subscriptions.capture(story.charge_permission_id, 0)
    status = await story.quiet()

    assert (status.status, status.periods_paid) == (Status.CANCELED, 1)
    assert await states(story) == ["Captured"]


async def test_a_policy_cancels_what_was_not_captured_with_the_permission(house: Stage, notices: Endpoint) -> None:
    story = await authorized(house, CollectionPolicy(cancel_pending_charges=True))

    status = await story.cancel()

    assert status.status is Status.CANCELED
    assert await states(story) == [f"{ChargeState.CANCELED} ChargePermissionCanceled"]
    assert (await kinds(notices, story))[1:] == ["period.authorized", "period.written_off", "subscription.ended"]


@pytest.mark.long  # the rule: tests/billing/test_capture_later.py
async def test_what_waits_to_be_captured_moves_to_the_new_permission(house: Stage) -> None:
    story = await authorized(house)
    successor = (await house.simulator.open_permission()).charge_permission_id
    await house.subscriptions.replace_charge_permission(story.charge_permission_id, successor)

    result = await house.subscriptions.capture(successor, 0)

    assert result.outcome is PeriodOutcome.PAID
    assert await states(story) == ["Captured"]
