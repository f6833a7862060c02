"""A release that is broken: nobody is billed wrongly, who looks sees it, and the one before cures it."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from perennial_billing.runtime.http import bind
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.errors import HinderedError
from tests.scenarios.story import Story
from tests.scenarios.test_hindered import audited, command, kept
from tests.scenarios.test_releases import releasing
from tests.sight.rules import alerts, metrics_in
from tests.worker.processes import perennial

COUNTED: Final = re.compile(r"^temporal_workflow_task_execution_failed_total\{(.*)\} [1-9]", re.MULTILINE)
HOST: Final = "127.0.0.1"


def free_port() -> int:
    with bind(HOST, 0) as listener:
        port: int = listener.getsockname()[1]
    return port


@asynccontextmanager
async def broken(house: Stage, kind: str, environment: Mapping[str, str]) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.scenarios.broken_release", kind,
        env={**os.environ, **house.worker_environment(), **environment},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def until_hindered(*stories: Story) -> None:
    async with asyncio.timeout(100):
        for story in stories:
            while await kept(story) is None:
                await asyncio.sleep(0.3)


async def checked(house: Stage) -> dict[str, dict[str, Any]]:
    """What `perennial check` says, by the thing. Any: a check as data."""
    said = await command(house, "check", "--json")
    assert said.code in {0, 1}, said.err
    assert said.data["right"] == (said.code == 0)
    return {each["name"]: each for each in said.data["checks"]}


async def metrics(port: int) -> str:
    """What a process serves for Prometheus; nothing before it does."""
    async with httpx.AsyncClient() as http:
        try:
            return (await http.get(f"http://{HOST}:{port}/metrics")).text
        except httpx.TransportError:
            return ""


def named_in_alerts() -> set[str]:
    """Of the SDK's own metrics; `tests/sight` looks at ours."""
    named = {name for alert in alerts() for name in metrics_in(alert.expression)}
    return {name for name in named if name.startswith("temporal_")}


async def test_what_the_alerts_watch_is_served_by_a_worker_and_counts_the_failures_of_a_broken_release() -> None:
    async with releasing() as releases:
        house, port = releases.stage, free_port()
        story = await Story.begin(house, first_charge_in=timedelta(0))
        async with broken(house, "raises", {"PERENNIAL_METRICS_ADDRESS": f"{HOST}:{port}"}):
            async with asyncio.timeout(60):
                while not (counted := COUNTED.search(served := await metrics(port))):
                    await asyncio.sleep(0.2)
            there = set(re.findall(r"^\w+", served, re.MULTILINE))
        assert await story.charges() == []

    assert named_in_alerts() - there <= {"temporal_request_failure_total"}, "none has failed yet"
    assert "temporal_workflow_task_execution_failed_total" in named_in_alerts()
    assert 'failure_reason="WorkflowError"' in counted[1]
    assert 'workflow_type="SubscriptionWorkflow"' in counted[1]
    assert 'task_queue="perennial"' in counted[1]


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_release_with_one_command_more_stops_what_it_cannot_replay_and_the_one_before_goes_on_with_it() -> None:
    """Where workers are no releases: it is given what another has begun."""
    async with releasing() as releases:
        house = releases.stage
        async with perennial("worker", environment=house.worker_environment()):
            stories = [await Story.begin(house) for _ in range(2)]
            for story in stories:
                await story.until_due(0)
        due = [asyncio.create_task(story.until_due(1)) for story in stories]
        async with broken(house, "more", {}):
            await until_hindered(*stories)
            [story, _] = stories
            name = story.charge_permission_id
            found = await kept(story)
            assert found is not None
            assert (found.how.value, found.by) == ("failing", None)
            assert "non deterministic error: [TMPRL1100]" in (found.why or "")

            shown = await command(house, "show", name)
            assert shown.code != 0
            assert f"charge permission {name}: its workflow makes no progress since" in shown.err
            assert "`perennial deploy rollback` goes back to the release before" in shown.err
            for options in ((), ("--live",)):
                lines = (await command(house, "list", "--json", *options)).data
                assert [each["hindered"] for each in lines] == ["failing"] * 2, options
            assert "workers fail at 2, which make no progress" in (await command(house, "list", "--live")).out
            findings = {each.rule: each.says for each in (await audited(story)).findings}
            assert "its workflow makes no progress since" in findings["no-progress"]
            failing = (await checked(house))["failing workflows"]
            assert failing["state"] == "wrong"
            assert failing["found"].startswith("workers fail at 2, which make no progress, such as C01-")
            assert "perennial deploy rollback" in failing["to_do"]
            with pytest.raises(HinderedError, match="its workflow makes no progress since"):  # as the API answers
                await house.subscriptions.standing(name)
            recovered = await command(house, "recover", name)
            assert (recovered.code, "its workers fail at it" in recovered.err) == (1, True)

            assert [len(await each.charges()) for each in stories] == [1, 1], "nobody is billed by it"

        async with perennial("worker", environment=house.worker_environment()):
            assert [(await each).periods_paid for each in due] == [2, 2]
            for story in stories:
                assert await kept(story) is None
                assert len(await story.charges()) == 2
                assert (await audited(story)).findings == ()
            assert (await checked(house))["failing workflows"]["state"] == "done"
