"""What earlier code wrote is gone on with as it was: the same commands, and the same end."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from temporalio.api.enums.v1 import EventType

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import view_of
from perennial_billing.runtime.payloads import DATA_CONVERTER
from perennial_billing.workflows import life
from tests.histories.archive import VERSION, Story, archive_of, read, versions
from tests.histories.replayed import replay
from tests.workflows.replaying import OTHER_RULES, other_rules, replayer

STORIES = list(read(archive_of(VERSION)))


async def test_each_story_of_this_version_makes_the_same_commands_and_ends_alike() -> None:
    """A failure is a mistake, or what the workflow does was changed on purpose: then raise the package's version, and
    keep its histories by `python -m tests.histories`."""
    differences = [each for story in STORIES async for each in _differences(story)]
    assert not differences, "\n".join(differences[:5])


async def _differences(story: Story) -> Any:  # an async iterator of texts
    try:
        replayed = await replay(story.history)
    except Exception as error:  # noqa: BLE001 - whatever keeps a history from being replayed is what is looked for
        yield f"{story.name}: does not replay: {error}"
        return
    for number, (was, now) in enumerate(zip(story.replayed.commands, replayed.commands, strict=False)):
        if not _agrees(was, now):
            yield f"{story.name}: step {number}: {_first_difference(was, now)}"
    if story.replayed.end is not None:
        for name, value in story.replayed.end.items():
            if not _agrees(value, replayed.end.get(name)):
                yield f"{story.name}: ends with {name} {replayed.end.get(name)!r}, and ended with {value!r}"


def _agrees(was: Any, now: Any) -> bool:
    """Whether all that was is still so; a field that came since is no other thing."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        return all(name in now and _agrees(value, now[name]) for name, value in was.items())
    if isinstance(was, list) and isinstance(now, list):
        return len(was) == len(now) and all(map(_agrees, was, now))
    return bool(was == now)


def _first_difference(was: Sequence[Any], now: Sequence[Any]) -> str:
    if len(was) != len(now):
        return f"{len(now)} commands, and were {len(was)}"
    return next(f"{after}, was {before}" for before, after in zip(was, now, strict=True) if not _agrees(before, after))


@pytest.mark.parametrize("moved", OTHER_RULES)
async def test_stories_replay_under_other_rules_of_the_zones(moved: timedelta) -> None:
    some = STORIES[OTHER_RULES.index(moved) :: len(OTHER_RULES)]
    with other_rules(moved):
        for story in some:
            await replayer().replay_workflow(story.history)


@pytest.mark.parametrize("version", versions())
def test_every_state_that_a_version_began_a_run_with_is_read_and_gone_on_with(version: str) -> None:
    converter = DATA_CONVERTER.payload_converter
    read_states = 0
    for story in read(archive_of(version)):
        started = story.history.events[0].workflow_execution_started_event_attributes
        if started.workflow_type.name != "SubscriptionWorkflow":
            continue
        (subscription,) = converter.from_payloads(started.input.payloads, [Subscription])
        view = view_of(subscription)
        assert view.has_ended or next_command(subscription) is not None or view.needs_attention, story.name
        read_states += 1
    assert read_states > 0


async def test_a_changed_duration_that_no_replay_notices_is_noticed_here() -> None:
    story = next(each for each in STORIES if each.name.endswith("-SubscriptionWorkflow") and _has_local_activity(each))
    with patch.object(life, "ANNOUNCE_TIMEOUT", timedelta(seconds=6)):
        assert any("announce" in each for each in [found async for found in _differences(story)])


def _has_local_activity(story: Story) -> bool:
    return any(event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED for event in story.history.events)


async def test_a_command_more_is_noticed() -> None:
    story = next(each for each in STORIES if _charges(each))
    performed = life.Life._perform

    async def more(self: life.Life, command: Any) -> Any:
        await asyncio.sleep(1)
        return await performed(self, command)

    with patch.object(life.Life, "_perform", more):
        assert [each async for each in _differences(story)]


def _charges(story: Story) -> bool:
    return any(
        event.activity_task_scheduled_event_attributes.activity_type.name == "create_charge"
        for event in story.history.events
    )
