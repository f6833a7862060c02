"""One thing that a deployment needs at a server: how it stood, what was done, and what is left to somebody."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What was done about it."""

    THERE = "there already"
    MADE = "made"
    TO_MAKE = "would be made"
    """It was only looked at."""
    BY_YOU = "must be made by you"
    LATER = "comes later"
    """It cannot be made before something else runs."""
    FAILED = "not made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What became of it.

    Attributes:
        name: the thing, in a few words.
        state: what was done.
        told: how it stands now, in a line.
        lines: what somebody types, or puts into a file, where it is left to somebody; each a line.
    """

    name: str
    state: State
    told: str
    lines: tuple[str, ...] = ()

    @property
    def is_left(self) -> bool:
        """Whether it is not as it is to be, and nobody will make it so."""
        return self.state in {State.BY_YOU, State.FAILED}

    def as_data(self) -> dict[str, object]:
        """The same for machines."""
        return {"name": self.name, "state": self.state.value, "told": self.told, "lines": list(self.lines)}


def left(items: Iterable[Item]) -> list[Item]:
    """Those that somebody has to make."""
    return [each for each in items if each.is_left]
