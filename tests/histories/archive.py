"""Where histories are kept: one archive a version, with three files a story."""

import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.client import WorkflowHistory

from tests.histories.replayed import Replayed

FOLDER: Final = Path(__file__).parent
VERSION: Final = version("perennial-billing")
"""Under which the histories of this code are kept."""

MOST_EVENTS: Final = 600
"""Longer histories show nothing that shorter ones do not."""

_IN_A_ROW: Final = 3

_HISTORY, _COMMANDS, _END = "history.pb", "commands.json", "end.json"


@dataclass(frozen=True)
class Story:
    """One run of one workflow, and what it did.

    Attributes:
        name: its number within the archive, and what it was.
        history: as Temporal kept it.
        replayed: what the code did that wrote it.
    """

    name: str
    history: WorkflowHistory
    replayed: Replayed


def archive_of(version: str) -> Path:
    """The file of a version's histories."""
    return FOLDER / version / "stories.tar.xz"


def versions() -> list[str]:
    """Those whose histories are kept."""
    return sorted(path.parent.name for path in FOLDER.glob("*/stories.tar.xz"))


def turns_of(history: WorkflowHistory) -> set[tuple[str, ...]]:
    """What happened right after what: any three things in a row, and nothing of when, to whom and how much."""
    kinds = [_kind_of(event) for event in history.events]
    return {tuple(kinds[at : at + _IN_A_ROW]) for at in range(len(kinds))}


def _kind_of(event: HistoryEvent) -> str:
    """The type of an event, and by which name it goes where there are several."""
    name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    match event.event_type:
        case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            return f"{name} {event.activity_task_scheduled_event_attributes.activity_type.name}"
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            return f"{name} {event.workflow_execution_signaled_event_attributes.signal_name}"
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
            return f"{name} {event.workflow_execution_started_event_attributes.workflow_type.name}"
    return name


def write(path: Path, stories: Iterable[Story]) -> None:
    """Writes an archive that is the same for the same stories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:xz", preset=9) as archive:
        for story in stories:
            files = {
                _HISTORY: History(events=story.history.events).SerializeToString(deterministic=True),
                _COMMANDS: json.dumps(story.replayed.commands, sort_keys=True).encode(),
                _END: json.dumps(story.replayed.end, sort_keys=True).encode(),
            }
            for name, content in files.items():
                member = tarfile.TarInfo(f"{story.name}/{name}")
                member.size = len(content)
                archive.addfile(member, BytesIO(content))


def read(path: Path) -> Iterator[Story]:
    """The stories of an archive, in order."""
    files: dict[str, dict[str, bytes]] = {}
    with tarfile.open(path, "r:xz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            story, _, name = member.name.partition("/")
            files.setdefault(story, {})[name] = content.read()
    for name, of in files.items():
        events = list(History.FromString(of[_HISTORY]).events)
        identifier = events[0].workflow_execution_started_event_attributes.workflow_id
        replayed = Replayed(json.loads(of[_COMMANDS]), json.loads(of[_END]))
        yield Story(name, WorkflowHistory(identifier, events), replayed)
