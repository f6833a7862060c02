"""What the buyer reads of each charge, on a real server against the simulator's books; and that a repeated attempt says
what it said before, whatever has happened since.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import pytest
import pytest_asyncio

from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.faults import Fault
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import ChangePlan, RefundPeriod
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Capture, Plan, Texts
from perennial_billing.billing.status import Status
from perennial_billing.billing.zones import zone as rules_of
from perennial_billing.sandbox.stage import Stage
from perennial_billing.workflows.names import workflow_id
from tests.scenarios.moving import House, moving
from tests.scenarios.story import Story
from tests.simulator.witness import charges_of
from tests.starter.command_line import joined_to, typed
from tests.workflows.replaying import histories_of, other_rules, replay_all

ZONE: Final = "Asia/Tokyo"
PLAN: Final = Plan.of(
    "coffee",
    Money.parse("9.99 USD"),
    Interval(unit=Unit.MONTH),
    texts=Texts(
        soft_descriptor="COFFEE {nth}",
        note_to_buyer="Coffee from {start} to {last_day}, {merchant_reference}",
        merchant_store_name="The Coffee Club",
        custom_information="period {period} of {plan}",
    ),
)
KEPT: Final = ScriptedAnswer(code="ANewCode", status=422)
"""An answer that nobody knows and that stands for its key: the attempt is sent again each hour, and with other values
it would be answered DuplicateIdempotencyKey."""


@pytest_asyncio.fixture(scope="module")
async def moving_house() -> AsyncIterator[House]:
    async with moving() as house:
        yield house


async def read_by_the_buyer(story: Story) -> list[tuple[str | None, str | None]]:
    """Descriptor and note of each charge in the books."""
    charges = await charges_of(story.stage.simulator, story.charge_permission_id)
    return [
        (charge.soft_descriptor, charge.merchant_metadata.note_to_buyer if charge.merchant_metadata else None)
        for charge in charges
    ]


def note(story: Story, period: int) -> str:
    """What the plan says of a period."""
    tz = rules_of(ZONE)
    start, end = (story.terms.schedule.due(each).astimezone(tz).date() for each in (period, period + 1))
    return f"Coffee from {start} to {end - timedelta(days=1)}, {story.terms.merchant_reference}"


async def test_each_charge_says_which_period_it_is_for(house: Stage) -> None:
    story = await Story.begin(house, PLAN, zone=ZONE)
    await story.until_due(0)
    upcoming = ("upcoming", story.charge_permission_id, "--count", "1")
    said = await typed(*upcoming, COLUMNS="250", **joined_to(house))
    told = await typed(*upcoming, "--json", **joined_to(house))
    status = await story.until_due(1)

    assert "Texts of the first charge, period 1" in said.out
    assert "AMZ* COFFEE 2" in said.out
    (next_charge,) = told.data
    assert (next_charge["texts"]["soft_descriptor"], next_charge["texts"]["note_to_buyer"]) == (
        "COFFEE 2",
        note(story, 1),
    )
    assert status.periods_paid == 2
    assert await read_by_the_buyer(story) == [("COFFEE 1", note(story, 0)), ("COFFEE 2", note(story, 1))]
    (charge, _) = await charges_of(house.simulator, story.charge_permission_id)
    assert charge.merchant_metadata is not None
    assert charge.merchant_metadata.merchant_store_name == "The Coffee Club"
    assert charge.merchant_metadata.custom_information == "period 0 of coffee"
    assert charge.merchant_metadata.merchant_reference_id == story.terms.merchant_reference


async def test_a_charge_whose_answer_was_lost_is_sent_again_as_it_was(house: Stage) -> None:
    story = await Story.begin(house, PLAN, zone=ZONE, script=[ScriptedAnswer(fault=Fault.LOST_ANSWER)])

    status = await story.until_due(0)

    assert status.periods_paid == 1
    assert [call.replayed for call in await story.calls()] == [False, True]
    assert await read_by_the_buyer(story) == [("COFFEE 1", note(story, 0))]


@pytest.mark.long  # the rule: tests/billing/test_texts.py
async def test_an_attempt_is_repeated_as_it_was_although_the_plan_was_changed_meanwhile(house: Stage) -> None:
    story = await Story.begin(house, PLAN, zone=ZONE, script=[KEPT])
    await story.until_due(0)
    other = PLAN.but(texts=Texts(note_to_buyer="Other words"))
    await house.subscriptions.change(story.charge_permission_id, ChangePlan(plan=other))

    status = await story.after(timedelta(hours=3))

    assert (status.status, status.last_reason) == (Status.ON_HOLD, "ANewCode")
    assert len(await story.calls()) >= 3
    assert {call.replayed for call in (await story.calls())[1:]} == {True}


@pytest.mark.long  # the rule: tests/billing/test_texts.py
async def test_an_attempt_is_repeated_as_it_was_by_a_release_with_other_rules_of_the_zones(moving_house: House) -> None:
    """By the new rules the period begins on another day: what was said of it stands."""
    story = await Story.begin(moving_house.stage, PLAN, zone=ZONE, script=[KEPT])
    await story.until_due(0)

    with other_rules(timedelta(hours=3)):
        await moving_house.restart_worker()
        status = await story.after(timedelta(hours=3))
    await moving_house.restart_worker()

    assert (status.status, status.last_reason) == (Status.ON_HOLD, "ANewCode")
    assert len(await story.calls()) >= 3
    assert {call.replayed for call in (await story.calls())[1:]} == {True}
    assert await replay_all(moving_house.stage.client, story.handle.id)


async def test_a_capture_and_a_refund_say_what_the_charge_was_for(house: Stage) -> None:
    story = await Story.begin(house, PLAN.but(capture=Capture.LATER), zone=ZONE)
    await story.until_due(0)
    assert await read_by_the_buyer(story) == [(None, note(story, 0))]

    await house.subscriptions.capture(story.charge_permission_id, 0)
    await story.quiet()
    await house.subscriptions.refund(story.charge_permission_id, RefundPeriod(period=0))
    await story.quiet()

    assert await read_by_the_buyer(story) == [("COFFEE 1", note(story, 0))]
    (charge,) = await charges_of(house.simulator, story.charge_permission_id)
    refunds = [each for each in (await house.simulator.books()).refunds if each.charge_id == charge.charge_id]
    assert [each.soft_descriptor for each in refunds] == ["COFFEE 1"]


async def test_what_is_said_to_the_buyer_stands_in_no_id_summary_or_search_attribute(house: Stage) -> None:
    story = await Story.begin(house, PLAN, zone=ZONE)
    await story.until_due(0)

    description = await story.handle.describe()
    shown = [str(description.typed_search_attributes), story.handle.id, await description.static_summary() or ""]
    async for history in histories_of(house.client, workflow_id(story.charge_permission_id)):
        shown += [str(event.user_metadata) for event in history.events]

    assert [text for text in shown if "Coffee" in text or "COFFEE" in text] == []
