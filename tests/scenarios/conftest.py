"""In the end stories are replayed as if the zones' rules had changed since: what lies behind stays as it was."""

from collections.abc import AsyncIterator
from typing import Final

import pytest_asyncio
from temporalio.client import WorkflowHistory

from perennial_billing.sandbox.stage import Stage
from tests.workflows.replaying import OTHER_RULES, other_rules, replayer

MOST_REPLAYED: Final = 15
"""Of a process's stories, evenly among them: which process gets which story differs from run to run."""


@pytest_asyncio.fixture(scope="session", autouse=True)
async def stories_replay_under_other_rules(house: Stage) -> AsyncIterator[None]:
    yield

    runs = [execution async for execution in house.client.list_workflows("")]

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for run in runs[:: 1 + len(runs) // MOST_REPLAYED]:
            yield await house.client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()

    with other_rules(OTHER_RULES[0]):
        replayed = await replayer().replay_workflows(histories(), raise_on_replay_failure=False)
    assert replayed.replay_failures == {}
