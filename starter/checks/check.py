"""One thing that was looked at: how it stands, and what to do about it, in a line."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self


class State(StrEnum):
    """How a thing stands."""

    DONE = "done"
    MISSING = "missing"
    """It was not given."""
    WRONG = "wrong"
    """It was given, and cannot be used."""
    UNANSWERED = "no answer"
    """Somebody was asked and did not say: the same question may be answered later."""
    WAITING = "waiting"
    """It comes about later, while everything runs."""
    NOT_TRIED = "not tried"
    """Something before it has to be put right first."""


_IN_THE_WAY: Final = frozenset({State.MISSING, State.WRONG, State.UNANSWERED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was looked at. No text of it holds key material.

    Attributes:
        name: the thing, in a few words.
        state: how it stands.
        found: what was seen, in a line.
        to_do: what to do next, in a line; empty where nothing is to be done.
        is_mandatory: nothing starts without it.
    """

    name: str
    state: State
    found: str
    to_do: str = ""
    is_mandatory: bool = True

    @property
    def is_in_the_way(self) -> bool:
        """Whether nothing may start because of it."""
        return self.is_mandatory and self.state in _IN_THE_WAY

    @property
    def line(self) -> str:
        """What was seen, and what to do."""
        return f"{self.found}; {self.to_do}" if self.to_do else self.found

    def of(self, account: str) -> Self:
        """The same, named as one of a merchant account's."""
        return replace(self, name=f"{self.name} ({account})")

    def as_data(self) -> dict[str, str | bool]:
        """The same for machines."""
        return {
            "name": self.name,
            "state": self.state.value,
            "mandatory": self.is_mandatory,
            "found": self.found,
            "to_do": self.to_do,
        }


def in_the_way(checks: Iterable[Check]) -> list[Check]:
    """Those because of which nothing may start, in their order."""
    return [check for check in checks if check.is_in_the_way]


def not_tried(name: str, *, because_of: str) -> Check:
    """What cannot be looked at yet."""
    return Check(name=name, state=State.NOT_TRIED, found=f"{because_of} comes first")
