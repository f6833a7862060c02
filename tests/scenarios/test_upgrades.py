"""A release takes over from another, and gives back: nobody is stalled, and what lies behind stays as it was."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.sandbox.comparison import compare
from perennial_billing.workflows.memo import initial_memo
from perennial_billing.workflows.names import workflow_id
from tests.scenarios.moving import House, moving
from tests.scenarios.story import Story
from tests.workflows.replaying import other_rules, replay_all

DAILY = Plan.of("daily", Money.parse("1.30 USD"), Interval(unit=Unit.DAY))
HOURS = timedelta(hours=3)


@pytest_asyncio.fixture(scope="module")
async def moving_house() -> AsyncIterator[House]:
    async with moving() as house:
        yield house


async def differences(story: Story, status: SubscriptionView) -> tuple[str, ...]:
    """What the books hold against the account."""
    books = await story.stage.simulator.books()
    return compare("story", status, books, await story.now()).differences


async def test_other_rules_of_the_zones_move_the_dates_to_come_and_none_that_lie_behind(moving_house: House) -> None:
    """The next date was waited for already; those after it are reckoned by the new rules, and by the old ones again."""
    story = await Story.begin(moving_house.stage, DAILY)
    due = story.terms.schedule.due
    begun = await story.until_due(1)
    with other_rules(HOURS):
        await moving_house.restart_worker()
        upgraded = await story.until(due(2))
        moved = await story.until(due(3) + HOURS)
    await moving_house.restart_worker()
    back = await story.until(due(4) + HOURS)
    again = await story.until(due(5))

    def next_at(status: SubscriptionView) -> datetime | None:
        return status.next.at if status.next else None

    assert [next_at(status) for status in (begun, upgraded, moved, back, again)] == [
        due(2), due(3) + HOURS, due(4) + HOURS, due(5), due(6),
    ]  # fmt: skip
    assert [record.due for record in again.ledger] == [
        due(0), due(1), due(2), due(3) + HOURS, due(4) + HOURS, due(5),
    ]  # fmt: skip
    assert (again.status, again.periods_paid) == (Status.ACTIVE, 6)
    assert await differences(story, again) == ()
    assert await replay_all(moving_house.stage.client, story.handle.id) >= 2


@pytest.mark.long  # in the suite: a newer one and an older one
async def test_a_release_with_other_rules_takes_over_while_overdue_periods_are_caught_up(moving_house: House) -> None:
    """They were due already: whether one fell due is not asked again."""
    story = await Story.begin(moving_house.stage, DAILY, first_charge_at=datetime.now(UTC) - timedelta(days=4, hours=1))
    await story.after(timedelta(hours=13))
    with other_rules(HOURS):
        await moving_house.restart_worker()
        await story.after(timedelta(hours=13))
    await moving_house.restart_worker()
    with other_rules(-HOURS):
        await moving_house.restart_worker()
        for _ in range(8):
            await story.after(timedelta(hours=13))
    await moving_house.restart_worker()
    status = await story.after(timedelta(days=2))

    assert [record.period for record in status.ledger] == list(range(status.next_period))
    assert status.periods_paid == status.next_period >= 9
    assert await differences(story, status) == ()
    assert await replay_all(moving_house.stage.client, story.handle.id)


async def test_what_a_newer_release_started_is_worked_on_by_an_older_one(moving_house: House) -> None:
    """Fields that nobody knows here are left aside, in the state and wherever they stand in it."""
    stage = moving_house.stage
    permission = (await stage.simulator.open_permission()).charge_permission_id
    known = Story(stage, (await Story.begin(stage)).terms.but(charge_permission_id=permission))
    state = Subscription.begin(known.terms).model_dump(mode="json", exclude_none=True)
    state |= {"version": 7, "loyalty": {"points": 12}}
    state["contract"]["terms"]["plan"]["collection"]["calls_the_buyer"] = True
    state["contract"]["terms"]["gift_of"] = "another"
    memo = {
        name: terms.model_dump(mode="json") | {"gift_of": None} for name, terms in initial_memo(known.terms).items()
    }
    await stage.client.start_workflow(
        "SubscriptionWorkflow", state, id=workflow_id(permission), task_queue=stage.settings.task_queue, memo=memo
    )

    status = await known.until_due(1)
    repeated = await stage.subscriptions.start(known.terms)

    assert (status.status, status.periods_paid) == (Status.ACTIVE, 2)
    assert repeated.already, "what was agreed is the same, whatever a release has added"
    assert await differences(known, status) == ()
