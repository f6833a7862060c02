"""In the end every story is replayed as if the zones' rules had changed since: what lies behind stays as it was."""

from collections.abc import AsyncIterator

import pytest_asyncio

from sandbox.stage import Stage
from tests.workflows.replaying import OTHER_RULES, histories_of, other_rules, replay


@pytest_asyncio.fixture(scope="session", autouse=True)
async def every_story_replays_under_other_rules(house: Stage) -> AsyncIterator[None]:
    yield
    identifiers = {execution.id async for execution in house.client.list_workflows("")}
    strayed = {}
    with other_rules(OTHER_RULES[0]):
        for identifier in sorted(identifiers):
            async for history in histories_of(house.client, identifier):
                try:
                    await replay(history)
                except Exception as error:  # noqa: BLE001 - all of them are told
                    strayed[f"{identifier}, run {history.run_id}"] = str(error)
    assert strayed == {}
