"""Histories of whole stories replay: the workflow makes the same commands again, whatever came in between.

Also where the zones' rules have changed meanwhile: what fired decides, not what is reckoned anew.
"""

import contextlib
from datetime import timedelta

import pytest

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    Change,
    ChangePlan,
    PauseSubscription,
    ResumeSubscription,
    SkipPeriod,
    UndoChanges,
    When,
)
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.errors import RequestRefusedError
from perennial_billing.workflows.life import PERIODS_PER_RUN
from tests.scenarios.story import Story, pending_charge_of
from tests.workflows.replaying import replay_all


@pytest.mark.parametrize(
    "script",
    [
        (),
        ("SoftDeclined", "ProcessingFailure"),
        ("HardDeclined",),
        pytest.param(("AuthorizationInitiated",), marks=pytest.mark.long),
        pytest.param(("PeriodicAmountExceeded",), marks=pytest.mark.long),
        pytest.param(("AmazonRejected",), marks=pytest.mark.long),
        pytest.param(("TransactionTimedOut", "TransactionTimedOut"), marks=pytest.mark.long),
        pytest.param(("ACodeThatNobodyKnows",), marks=pytest.mark.long),
    ],
)
async def test_the_history_of_a_story_replays(house: Stage, script: tuple[str, ...]) -> None:
    story = await Story.begin(house, script=script)
    status = await story.until_due(0)
    if status.status is Status.PENDING:
        await house.simulator.decide_charge(pending_charge_of(status), "HardDeclined", at=await story.now())
        status = await story.quiet()
    if not status.has_ended:
        await story.after(timedelta(days=3))
        if status.status is not Status.AWAITING_CHECKOUT:
            await story.mend_card()
        status = await story.after(timedelta(days=40))
        if not status.has_ended:
            await story.cancel()

    assert await replay_all(house.client, story.handle.id)


async def test_both_histories_of_a_hand_over_replay(house: Stage) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    new = (await house.simulator.open_permission()).charge_permission_id
    await house.subscriptions.replace_charge_permission(story.charge_permission_id, new)
    after = Story(house, story.terms.model_copy(update={"charge_permission_id": new}))
    await after.until_due(1)
    await after.cancel()

    for life in (story, after):
        assert await replay_all(house.client, life.handle.id) == 1


async def test_the_history_of_changes_replays(house: Stage) -> None:
    """Those that ask Amazon first, or tell it after, run beside the life of the subscription."""
    story = await Story.begin(house)
    await story.until_due(0)
    dearer = Plan.of("dearer", Money.parse("20 USD"), Interval(unit=Unit.WEEK, count=2))
    changes: tuple[Change, ...] = (
        ChangePlan(quantity=2),
        ChangePlan(plan=dearer, when=When.NOW),
        AddItem(amount=Money.parse("30 USD"), what="gift", when=When.NOW),
        SkipPeriod(),
        UndoChanges(),
        PauseSubscription(until=story.terms.anchor + timedelta(days=100)),
        ResumeSubscription(),
        Cancel(when=story.terms.anchor + timedelta(days=70)),
    )
    taken = []
    for change in changes:
        with contextlib.suppress(RequestRefusedError):
            await house.subscriptions.change(story.charge_permission_id, change)
            taken.append(change)
        await story.after(timedelta(days=1))
    status = await story.after(timedelta(days=80))

    assert (status.status, len(taken)) == (Status.CANCELED, len(changes) - 1)  # nothing was left to be undone
    assert await replay_all(house.client, story.handle.id)


async def test_every_run_of_a_long_life_replays(house: Stage) -> None:
    story = await Story.begin(house)
    for period in range(PERIODS_PER_RUN + 1):
        await story.until_due(period)

    assert await replay_all(house.client, story.handle.id) == 2
