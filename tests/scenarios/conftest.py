"""In the end every story is replayed as if the zones' rules had changed since: what lies behind stays as it was."""

from collections.abc import AsyncIterator

import pytest_asyncio
from temporalio.client import WorkflowHistory

from sandbox.stage import Stage
from tests.workflows.replaying import OTHER_RULES, other_rules, replayer


@pytest_asyncio.fixture(scope="session", autouse=True)
async def every_story_replays_under_other_rules(house: Stage) -> AsyncIterator[None]:
    yield

    async def histories() -> AsyncIterator[WorkflowHistory]:
        async for execution in house.client.list_workflows(""):
            yield await house.client.get_workflow_handle(execution.id, run_id=execution.run_id).fetch_history()

    with other_rules(OTHER_RULES[0]):
        replayed = await replayer().replay_workflows(histories(), raise_on_replay_failure=False)
    assert replayed.replay_failures == {}
