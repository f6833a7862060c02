"""`perennial watch`: how a subscription stands and what it tells, live, until it ends or nobody wants to see more."""

import asyncio
import json
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perennial_billing.billing.view import SubscriptionView
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.errors import NoWorkerError, SubscriptionNotFoundError
from perennial_billing.starter.watching import Seen, Watcher
from tests.scenarios.story import Story
from tests.starter.command_line import joined_to, typed
from tests.starter.test_advancing import NOBODY, with_ledger
from tests.worker.processes import finished, perennial

OFTEN = timedelta(milliseconds=50)


async def test_each_look_tells_what_is_new_since_the_look_before(house: Stage) -> None:
    story = await Story.begin(house)
    await story.quiet()
    watcher = Watcher(house.subscriptions, house.ledger, story.charge_permission_id)

    first = await watcher.look()
    await story.until_due(0)
    second, third = await watcher.look(), await watcher.look()

    assert [notice.type.value for notice in first.notices] == ["subscription.started"]
    assert [(notice.number, notice.type.value) for notice in second.notices] == [(2, "period.paid")]
    assert (third.notices, third.missing) == ((), 0)


async def test_it_is_followed_until_it_has_ended_and_all_is_told(house: Stage) -> None:
    story = await Story.begin(house)
    watcher = Watcher(house.subscriptions, house.ledger, story.charge_permission_id)
    seen: list[Seen] = []

    async def follow() -> None:
        async for each in watcher.until_it_ends(OFTEN):
            assert isinstance(each, Seen)
            seen.append(each)

    following = asyncio.create_task(follow())
    await story.until_due(0)
    await story.cancel()
    async with asyncio.timeout(30):
        await following

    told = [notice.type.value for each in seen for notice in each.notices]
    assert told == ["subscription.started", "period.paid", "subscription.ended"]
    assert seen[-1].view.has_ended


class Leaving(Subscriptions):
    """Those whose worker goes away after the first look, for one look."""

    looks = 0

    async def status(self, charge_permission_id: str) -> SubscriptionView:
        self.looks += 1
        if self.looks == 2:
            raise NoWorkerError("no worker answers")
        return await super().status(charge_permission_id)


async def test_a_worker_that_is_away_for_a_while_is_no_end(house: Stage) -> None:
    story = await Story.begin(house)
    leaving = Leaving(house.client, house.settings.task_queue)
    looks = Watcher(leaving, house.ledger, story.charge_permission_id).until_it_ends(OFTEN)

    kinds = [type(await anext(looks)) for _ in range(3)]

    assert kinds == [Seen, NoWorkerError, Seen]


async def test_who_is_not_there_cannot_be_followed(house: Stage) -> None:
    with pytest.raises(SubscriptionNotFoundError):
        await anext(Watcher(house.subscriptions, house.ledger, NOBODY).until_it_ends(OFTEN))
    said = await typed("watch", NOBODY, **with_ledger(house))
    assert (said.code, NOBODY in said.trouble) == (1, True)


async def test_one_that_has_ended_is_shown_with_all_that_it_told_and_the_command_ends(house: Stage) -> None:
    story = await Story.begin(house)
    await story.until_due(0)
    await story.cancel()

    said = await typed("watch", story.charge_permission_id, "--all", **with_ledger(house))
    short = await typed("watch", story.charge_permission_id, "--json", **with_ledger(house))

    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert ["subscription.started" in lines[0], "period.paid" in lines[1]] == [True, True]
    assert "canceled" in lines[-1]
    (standing,) = [json.loads(line) for line in short.out.splitlines()]
    assert (standing["kind"], standing["status"], standing["next"]) == ("standing", "canceled", None)


async def test_another_ledger_than_the_workers_is_noticed_once(house: Stage, tmp_path: Path) -> None:
    story = await Story.begin(house)
    await story.cancel()

    there = joined_to(house) | {"PERENNIAL_DATA_FOLDER": str(tmp_path)}
    said = await typed("watch", story.charge_permission_id, **there)

    assert said.code == 0
    assert said.err.count("mind: 2 notices that it told are not in this ledger") == 1


async def test_lines_come_as_things_happen_and_ctrl_c_ends_it(house: Stage) -> None:
    story = await Story.begin(house)
    await story.quiet()
    options = ["watch", story.charge_permission_id, "--json", "--every", "0.1"]

    async with perennial(*options, environment=with_ledger(house)) as process:
        assert process.stdout is not None
        lines: list[dict[str, Any]] = []  # Any: as JSON has it

        async def read() -> dict[str, Any]:  # Any: as above
            assert process.stdout is not None
            async with asyncio.timeout(60):
                lines.append(json.loads(await process.stdout.readline()))
            return lines[-1]

        first = await read()
        await story.until_due(0)
        while (await read())["kind"] != "notice":
            pass
        process.send_signal(signal.SIGINT)
        code, _, err = await finished(process)

    assert (first["kind"], first["status"]) == ("standing", "active")
    assert (lines[-1]["type"], lines[-1]["period"], lines[-1]["number"]) == ("period.paid", 0, 2)
    assert (code, err) == (130, "")
