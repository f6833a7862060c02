"""A subscription whose workflow runs and makes no progress: seen wherever one looks, and let go on."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest, PauseWorkflowExecutionRequest

from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.faults import Fault
from perennial_billing.billing.changes import SkipPeriod
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.sandbox.witness import BooksWitness
from perennial_billing.starter.audit.auditor import Audited, Auditor
from perennial_billing.starter.audit.presence import Workflows
from perennial_billing.starter.errors import HinderedError
from perennial_billing.starter.hindered import Hindered, Hindrance, every_hindered, hindered
from perennial_billing.starter.unpausing import Unpausing
from tests.scenarios.story import Story
from tests.starter.command_line import Said, joined_to, typed


def in_days(days: float) -> datetime:
    return (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)


async def pause(story: Story) -> None:
    """As `temporal workflow pause` does."""
    client = story.stage.client
    await client.workflow_service.pause_workflow_execution(
        PauseWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_id=story.handle.id,
            identity="jane",
            reason="looking into it",
            request_id="one",
        )
    )


async def kept(story: Story) -> Hindered | None:
    client = story.stage.client
    return await hindered(client.workflow_service, client.namespace, story.charge_permission_id)


async def listed(house: Stage) -> dict[str, Hindrance]:
    client = house.client
    return {name: how async for name, how in every_hindered(client.workflow_service, client.namespace)}


async def until_listed(story: Story, how: Hindrance | None) -> None:
    """As soon as the visibility store has it."""
    async with asyncio.timeout(60):
        while (await listed(story.stage)).get(story.charge_permission_id) is not how:
            await asyncio.sleep(0.2)


async def audited(story: Story) -> Audited:
    house = story.stage

    async def time_of(_charge_permission_id: str) -> datetime:
        return await story.now()

    witness = BooksWitness(await house.simulator.books())
    auditor = Auditor(house.ledger, Workflows(house.client, house.subscriptions), witness=witness, time_of=time_of)
    return await auditor.one(story.charge_permission_id)


async def command(house: Stage, *arguments: str) -> Said:
    return await typed(*arguments, COLUMNS="400", **joined_to(house) | house.worker_environment())


async def test_a_workflow_that_is_paused_is_seen_everywhere_and_goes_on_when_it_is_recovered(house: Stage) -> None:
    story = await Story.begin(house, first_charge_at=in_days(2))
    name = story.charge_permission_id
    await story.until_due(0)
    await pause(story)

    found = await kept(story)
    assert found is not None
    assert (found.how, found.by, found.why) == (Hindrance.PAUSED, "jane", "looking into it")
    await until_listed(story, Hindrance.PAUSED)
    shown = await command(house, "show", name)
    assert f"its workflow is paused since {found.at:%Y-%m-%d %H:%M} UTC by jane (looking into it)" in shown.trouble
    assert f"`perennial recover {name}` lets it go on" in shown.trouble
    with pytest.raises(HinderedError, match=r"its workflow is paused since .* by jane"):  # as the API answers
        await house.subscriptions.standing(name)
    with pytest.raises(HinderedError, match="its workflow is paused in Temporal: `perennial recover"):
        await house.subscriptions.ask(name, SkipPeriod())
    for options in ((), ("--live",)):
        lines = (await command(house, "list", "--json", *options)).data
        assert [each["hindered"] for each in lines if each["charge_permission_id"] == name] == ["paused"], options
    assert "no-progress" in [finding.rule for finding in (await audited(story)).findings]
    tried = await command(house, "recover", name, "--dry-run")
    assert tried.code == 0, tried.err
    assert f"{name} would go on. Its workflow is paused since" in tried.out
    assert await kept(story) is not None
    assert (await command(house, "recover", name, "--reason", "looked into")).code == 0
    assert await kept(story) is None
    await until_listed(story, None)
    assert (await story.until_due(1)).periods_paid == 2
    assert (await audited(story)).findings == ()
    await story.assert_charged_at(story.terms.schedule.due(0), story.terms.schedule.due(1))


async def test_what_falls_due_while_a_workflow_is_paused_is_charged_once_it_goes_on(house: Stage) -> None:
    story = await Story.begin(house, first_charge_in=timedelta(seconds=4))
    await pause(story)
    await asyncio.sleep(6)
    assert await story.charges() == []

    unpausing = Unpausing(house.client)
    found = await unpausing.paused(story.charge_permission_id)
    assert found is not None
    await unpausing.unpause(found)
    status = await story.quiet()

    assert (status.status, status.periods_paid) == (Status.ACTIVE, 1)
    assert len(await story.charges()) == 1


async def test_an_activity_that_is_paused_is_seen_and_goes_on(house: Stage) -> None:
    story = await Story.begin(house, script=[ScriptedAnswer(fault=Fault.UNAVAILABLE)] * 3, first_charge_in=timedelta(0))
    name, client = story.charge_permission_id, house.client
    async with asyncio.timeout(60):
        while not (await story.handle.describe()).raw_description.pending_activities:
            await asyncio.sleep(0.02)
    [activity] = (await story.handle.describe()).raw_description.pending_activities
    await client.workflow_service.pause_activity(
        PauseActivityRequest(
            namespace=client.namespace,
            execution=WorkflowExecution(workflow_id=story.handle.id),
            identity="jane",
            id=activity.activity_id,
            reason="Amazon is away",
        )
    )

    found = await kept(story)
    assert found is not None
    assert (found.how, found.by) == (Hindrance.ACTIVITY_PAUSED, "jane")
    assert "Amazon is away" in found.happened
    await until_listed(story, Hindrance.ACTIVITY_PAUSED)
    assert "an activity of its workflow is paused" in (await command(house, "show", name)).out
    assert (await command(house, "recover", name)).code == 0

    assert await kept(story) is None
    status = await story.quiet()
    assert status.periods_paid == 1
    assert len(await story.charges()) == 1
