"""A plugin for pytest that keeps the histories of all stories that are lived on the house's server."""

from collections.abc import AsyncIterator

import pytest_asyncio

from perennial_billing.sandbox.stage import Stage
from tests.histories.archive import MOST_EVENTS, VERSION, Story, archive_of, turns_of, write
from tests.histories.replayed import replay

_TYPES = "WorkflowType IN ('SubscriptionWorkflow', 'EndedSubscriptionWorkflow')"


@pytest_asyncio.fixture(scope="session", autouse=True)
async def _keep(house: Stage) -> AsyncIterator[None]:
    """Those in which something comes after something as in none before, the shortest first."""
    yield
    kept: list[Story] = []
    seen: set[tuple[str, ...]] = set()
    runs = [run async for run in house.client.list_workflows(_TYPES)]
    for run in sorted(runs, key=lambda run: (run.history_length, run.start_time)):
        if run.history_length > MOST_EVENTS:
            break
        history = await house.client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        if not turns_of(history) <= seen:
            seen |= turns_of(history)
            kept.append(Story(f"{len(kept):04}-{run.workflow_type}", history, await replay(history)))
    write(archive_of(VERSION), kept)
