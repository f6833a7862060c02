"""The worker dies in the middle of a charge: the promise must hold on real processes, by real signals."""

import asyncio
import signal

import pytest

from amazon_pay_simulator.books import ScriptedAnswer
from perennial_billing.sandbox.comparison import compare
from perennial_billing.sandbox.stage import stage
from perennial_billing.starter import clock
from tests.scenarios.story import Story
from tests.worker.processes import finished, perennial

ANSWER_DELAY_SECONDS = 30.0
"""Long enough that the worker is dead before Amazon's answer leaves."""


async def test_a_worker_killed_in_the_middle_of_a_charge_leaves_every_period_charged_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "LOOK_EVERY_SECONDS", 0.5)  # the charge is under way for half a minute
    async with stage(with_worker=False) as house:
        environment = house.worker_environment()
        story = await Story.begin(house, script=[None, ScriptedAnswer(delay_seconds=ANSWER_DELAY_SECONDS)])
        async with perennial("worker", environment=environment) as doomed:
            await story.until_due(0)
            moving = asyncio.create_task(story.after(story.terms.schedule.due(1) - story.terms.schedule.due(0)))
            while len(await story.calls()) < 2:
                await asyncio.sleep(0.05)
            assert len(await story.charges()) == 2, "the charge was made, and its answer is on its way"
            doomed.send_signal(signal.SIGKILL)
            await doomed.wait()
            async with perennial("worker", environment=environment) as survivor:
                await moving
                for period in range(2, 4):
                    await story.until_due(period)
                result = compare("story", await story.status(), await house.simulator.books(), await story.now())
                calls = await story.calls()
                survivor.send_signal(signal.SIGTERM)
                code, _, _ = await finished(survivor)

    assert result.differences == ()
    assert (result.periods_due, result.periods_paid, result.charges_captured) == (4, 4, 4)
    assert [call.replayed for call in calls] == [False, False, True, False, False]
    assert calls[1].idempotency_key == calls[2].idempotency_key
    assert code == 0


@pytest.mark.long
async def test_a_worker_told_to_stop_finishes_the_charge_under_way_first() -> None:
    async with stage(with_worker=False) as house:
        story = await Story.begin(house, script=[ScriptedAnswer(delay_seconds=2.0)])
        async with perennial("worker", environment=house.worker_environment()) as worker:
            moving = asyncio.create_task(story.until_due(0))
            while not await story.calls():
                await asyncio.sleep(0.05)
            worker.send_signal(signal.SIGTERM)
            code, _, err = await finished(worker)
            assert code == 0, err
            async with perennial("worker", environment=house.worker_environment()):
                status = await moving
        calls = await story.calls()

    assert status.periods_paid == 1
    assert len(calls) == 1, "the first worker took the answer, so nothing was sent again"
