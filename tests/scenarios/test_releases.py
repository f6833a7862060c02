"""Two releases of the workers side by side: subscriptions go from one to the other and back, and nobody is left."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.status import Status
from perennial_billing.runtime.payloads import DATA_CONVERTER
from perennial_billing.sandbox.comparison import compare
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.starter.deployments import Deployment, Deployments, Moved, Release, Role
from perennial_billing.worker.wiring import amazon_pay_client, billing_workers
from tests.scenarios.story import MONTHLY, Story
from tests.starter.command_line import typed

YEARLY = Plan.of("yearly", Money.parse("84.50 USD"), Interval(unit=Unit.YEAR))
PATIENCE = timedelta(seconds=12)


class Releases:
    """A stage on which workers of several releases work, each until it is stopped."""

    def __init__(self, set_up: Stage) -> None:
        self.stage = set_up
        self.deployments = Deployments(set_up.client, set_up.settings.deployment_name, set_up.settings.task_queue)
        self._working: dict[str, AsyncExitStack] = {}

    async def start(self, build_id: str) -> None:
        settings = self.stage.settings.model_copy(update={"worker_versioning": True, "build_id": build_id})
        working = self._working[build_id] = AsyncExitStack()
        amazon_pay = await working.enter_async_context(amazon_pay_client(settings))
        client = await Client.connect(self.stage.server.address, data_converter=DATA_CONVERTER)  # as another process
        workers = await working.enter_async_context(billing_workers(client, amazon_pay, self.stage.ledger, settings))
        await working.enter_async_context(workers.running())

    async def stop(self, build_id: str) -> None:
        await self._working.pop(build_id).aclose()

    async def stop_all(self) -> None:
        for build_id in list(self._working):
            await self.stop(build_id)

    async def promote(self, build_id: str) -> Moved:
        """As soon as its workers ask for work."""
        await self.promoted(build_id)
        return await self.move()

    async def promoted(self, build_id: str) -> None:
        while True:
            try:
                return await self.deployments.promote(build_id)
            except Refused:
                continue

    async def move(self) -> Moved:
        return await self.deployments.move(patience=PATIENCE, seen=lambda _: None)

    async def look(self) -> Deployment:
        return await self.deployments.look()


@asynccontextmanager
async def releasing() -> AsyncIterator[Releases]:
    async with stage(with_worker=False) as set_up:
        releases = Releases(set_up)
        try:
            yield releases
        finally:
            await releases.stop_all()


@pytest_asyncio.fixture
async def releases() -> AsyncIterator[Releases]:
    async with releasing() as set_up:
        yield set_up


@asynccontextmanager
async def broken_release(house: Stage, kind: str) -> AsyncIterator[None]:
    """A process of another release, as `tests.scenarios.broken_release` breaks it."""
    environment = {"PERENNIAL_WORKER_VERSIONING": "true", "PERENNIAL_BUILD_ID": "broken"}
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


async def build_of(story: Story) -> str:
    """The release that goes on with a subscription."""
    described = await story.handle.describe()
    return str(described.raw_description.workflow_execution_info.versioning_info.deployment_version.build_id)


async def differences(story: Story) -> tuple[str, ...]:
    books = await story.stage.simulator.books()
    return compare("story", await story.status(), books, await story.now()).differences


async def test_who_sleeps_goes_on_under_the_next_release_and_back_and_nobody_is_charged_twice(
    releases: Releases,
) -> None:
    await releases.start("one")
    await releases.promote("one")
    house = releases.stage
    monthly, yearly = await Story.begin(house, MONTHLY), await Story.begin(house, YEARLY)
    declined = await Story.begin(house, script=[None, "SoftDeclined"])
    stories = (monthly, yearly, declined)
    for story in stories:
        await story.until_due(0)
    await declined.until_due(1)  # and is retried in some days
    assert [await build_of(story) for story in stories] == ["one"] * 3

    await releases.start("two")
    moved = await releases.promote("two")
    assert (moved.left, moved.freed) == (0, 0)
    assert [await build_of(story) for story in stories] == ["two"] * 3
    standing = {each.build_id: (each.role, each.runs, each.may_be_stopped) for each in (await releases.look()).releases}
    assert standing == {"two": (Role.CURRENT, 3, False), "one": (Role.FORMER, 0, True)}
    await releases.stop("one")

    assert (await declined.until_due(2)).periods_paid == 3
    assert (await monthly.until_due(1)).periods_paid == 2
    assert (await yearly.until_due(1)).periods_paid == 2

    await releases.start("one")
    assert (await releases.promote("one")).left == 0
    await releases.stop("two")
    for story, period in ((monthly, 2), (yearly, 2), (declined, 3)):
        assert (await story.until_due(period)).periods_paid == period + 1
        assert (await story.cancel()).status is Status.CANCELED
        assert await differences(story) == ()


async def test_a_run_goes_on_with_the_release_that_began_it_until_it_wakes(releases: Releases) -> None:
    await releases.start("one")
    await releases.promote("one")
    story = await Story.begin(releases.stage)
    await story.until_due(0)
    await releases.start("two")
    await releases.promoted("two")

    assert await build_of(story) == "one"
    assert [each.runs for each in (await releases.look()).releases] == [0, 1]
    assert (await story.until_due(1)).periods_paid == 2
    assert await build_of(story) == "two"


@pytest.mark.long
def test_what_waits_for_workers_that_are_gone_is_stranded_and_what_nobody_waits_for_may_be_stopped() -> None:
    def release(role: Role, runs: int, workers: int) -> Release:
        return Release("one", role, None, None, None, runs, 0, workers)

    assert release(Role.FORMER, 1, 0).is_stranded
    assert not release(Role.FORMER, 0, 0).is_stranded
    assert not release(Role.CURRENT, 1, 1).is_stranded
    assert release(Role.FORMER, 0, 2).may_be_stopped
    assert not release(Role.FORMER, 1, 2).may_be_stopped
    assert not release(Role.CURRENT, 0, 2).may_be_stopped


async def test_a_release_that_has_no_workers_is_not_made_current_and_what_only_the_former_has_is_counted(
    releases: Releases,
) -> None:
    await releases.start("one")
    await releases.promote("one")
    await Story.begin(releases.stage)
    with pytest.raises(Refused, match="nine"):
        await releases.deployments.promote("nine")
    await releases.start("two")
    await releases.promoted("two")
    await releases.stop("one")

    (two, one) = (await releases.look()).releases
    assert (two.build_id, one.build_id) == ("two", "one")
    assert one.runs == 1


@pytest.mark.long  # in the suite: with workers that are there
async def test_who_sleeps_under_a_release_whose_workers_are_gone_is_taken_along_by_the_next(releases: Releases) -> None:
    await releases.start("one")
    await releases.promote("one")
    stories = [await Story.begin(releases.stage) for _ in range(3)]
    for story in stories:
        await story.until_due(0)
    await releases.stop("one")  # as where a container was replaced by one of another image

    await releases.start("two")
    assert await releases.promote("two") == Moved(woken=3, freed=3, left=0)
    for story in stories:
        assert (await story.until_due(1)).periods_paid == 2
        assert (await build_of(story), await differences(story)) == ("two", ())


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_what_the_next_release_did_otherwise_is_left_where_its_own_is_gone_and_goes_on_once_that_is_back(
    releases: Releases,
) -> None:
    await releases.start("one")
    await releases.promote("one")
    story = await Story.begin(releases.stage)
    await story.until_due(0)
    await releases.stop("one")
    async with broken_release(releases.stage, "more"):
        moved = await releases.promote("broken")
        assert (moved.freed, moved.left) == (0, 1)
        assert len(await story.charges()) == 1

        await releases.start("one")
        assert (await releases.promote("one")).left == 0
    assert (await story.until_due(1)).periods_paid == 2
    assert (await build_of(story), await differences(story)) == ("one", ())


@pytest.mark.long
async def test_a_release_that_does_one_thing_more_strands_nobody_and_neither_does_going_back(
    releases: Releases,
) -> None:
    await releases.start("one")
    await releases.promote("one")
    story = await Story.begin(releases.stage)
    await story.until_due(0)
    async with broken_release(releases.stage, "more"):
        assert (await releases.promote("broken")).left == 0
        assert (await story.until_due(1)).periods_paid == 2
        assert await build_of(story) == "broken"
        assert (await releases.promote("one")).left == 0
    assert (await story.until_due(2)).periods_paid == 3
    assert (await build_of(story), await differences(story)) == ("one", ())


@pytest.mark.long
async def test_who_is_stuck_in_a_broken_release_is_seen_and_goes_on_with_the_one_before(releases: Releases) -> None:
    await releases.start("one")
    await releases.promote("one")
    stories = [await Story.begin(releases.stage) for _ in range(3)]
    for story in stories:
        await story.until_due(0)
    async with broken_release(releases.stage, "raises"):
        assert (await releases.promote("broken")).left == 0
        due = [asyncio.create_task(story.until_due(1)) for story in stories[:2]]
        while sum(each.stuck for each in (await releases.look()).releases) < len(due):
            await asyncio.sleep(0.2)
        before = (await releases.look()).before
        assert before is not None
        await releases.promoted(before.build_id)
        assert await releases.move() == Moved(woken=3, freed=2, left=0)
        assert [(await each).periods_paid for each in due] == [2, 2]
    for story in stories:
        assert (await story.until_due(2)).periods_paid == 3
        assert (await build_of(story), await differences(story)) == ("one", ())


@pytest.mark.long  # in the suite: what they say, in tests/starter
async def test_the_commands_say_how_releases_stand_and_move_all(releases: Releases) -> None:
    environment = releases.stage.worker_environment()

    async def data(line: str, code: int = 0) -> Any:  # Any: what a command prints
        said = await typed(*line.split(), "--json", **environment)
        assert said.code == code, said.err
        return said.data

    assert await data("deploy status") == {
        "name": "perennial", "releases": [], "unversioned_runs": 0, "unversioned_workers": 0,
    }  # fmt: skip
    refused = await typed("deploy", "rollback", **environment)
    assert (refused.code, refused.trouble) == (
        1, "error: there is no release to go back to: none was current before the present one",
    )  # fmt: skip
    await releases.start("one")
    plain = await typed("deploy", "promote", "one", "--first", **environment)
    assert (plain.code, (await data("deploy status"))["releases"][0]["role"]) == (0, "new")
    assert "workers are no releases (PERENNIAL_WORKER_VERSIONING), so nothing is done" in plain.out
    versioned = {**environment, "PERENNIAL_WORKER_VERSIONING": "true", "PERENNIAL_BUILD_ID": "one"}
    for _ in range(2):  # again, as with each start of the stack
        assert (await typed("deploy", "promote", "--first", **versioned)).code == 0
        assert (await data("deploy status"))["releases"][0]["role"] == "current"
    later = await typed("deploy", "promote", "--first", **{**versioned, "PERENNIAL_BUILD_ID": "two"})
    assert later.code == 0
    assert "one is current already, so nothing is done; `perennial deploy promote two` makes two current" in later.out
    story = await Story.begin(releases.stage)
    await story.until_due(0)
    await releases.start("two")
    ramping = await data("deploy ramp two --percent 30")
    assert [(each["build_id"], each["role"], each["percent"]) for each in ramping["releases"]] == [
        ("one", "current", None), ("two", "ramping", 30.0),
    ]  # fmt: skip

    promoted = await data("deploy promote two --patience 12")
    assert [(each["build_id"], each["role"], each["runs"], each["workers"]) for each in promoted["releases"]] == [
        ("two", "current", 1, 1), ("one", "former", 0, 1),
    ]  # fmt: skip
    back = await data("deploy rollback --patience 12")
    assert [(each["build_id"], each["role"], each["runs"], each["may_be_stopped"]) for each in back["releases"]] == [
        ("one", "current", 1, False), ("two", "former", 0, True),
    ]  # fmt: skip
    unknown = await typed("deploy", "ramp", "nine", "--percent", "5", **environment)
    assert unknown.code == 2
    assert "two" in unknown.trouble
    assert (await story.until_due(1)).periods_paid == 2
