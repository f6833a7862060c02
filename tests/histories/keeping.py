"""A plugin for pytest that keeps the histories of all stories that are lived on the house's server."""

from collections.abc import AsyncIterator

import pytest_asyncio

from perennial_billing.sandbox.stage import Stage
from tests.histories.archive import MOST_EVENTS, VERSION, Story, archive_of, shape_of, write
from tests.histories.replayed import replay

_TYPES = "WorkflowType IN ('SubscriptionWorkflow', 'EndedSubscriptionWorkflow')"


@pytest_asyncio.fixture(scope="session", autouse=True)
async def _keep(house: Stage) -> AsyncIterator[None]:
    """One of each shape, in the order in which they are told."""
    yield
    kept: dict[tuple[str, ...], Story] = {}
    runs = [run async for run in house.client.list_workflows(_TYPES)]
    for run in sorted(runs, key=lambda run: (run.start_time, run.run_id)):
        history = await house.client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        shape = shape_of(history)
        if shape not in kept and len(shape) <= MOST_EVENTS:
            kept[shape] = Story(f"{len(kept):04}-{run.workflow_type}", history, await replay(history))
    write(archive_of(VERSION), kept.values())
