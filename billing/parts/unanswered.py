"""Calls to Amazon that were not answered in good time: what came of them is not known, and that is to be seen.

Each goes on being made, with the same key, until Amazon answers; then nothing of it is left here. Why it was not
answered is known in words where a worker could say so: Amazon answers 503 or 403, or cannot be reached.
"""

from collections.abc import Collection
from typing import Final

from pydantic import AwareDatetime

from perennial_billing.billing.protocol.commands import Action, Command, Elapse
from perennial_billing.billing.protocol.foreign import as_prose
from perennial_billing.billing.values import Value

OUTCOME_UNKNOWN: Final = "OutcomeUnknown"
"""Our own reason beside Amazon's codes: Amazon has not said what came of a call."""

NOT_TAKEN: Final = "no worker has taken it: none runs for it, or more is waiting than Amazon takes in that time"

_TAKES_MONEY: Final = frozenset({Action.CHARGE, Action.CAPTURE})
"""Calls of the owed period's attempt that may have taken its money."""

_SEEN_FROM: Final = {Action.UPDATE_PERMISSION: 2}
"""How often a call is made in vain before it is seen, where that is not once: this one is given up after a minute, and
made again an hour later."""


class Call(Value):
    """One call that was not answered in good time.

    Attributes:
        does: what kind of thing it does.
        about: which of its kind, where there may be several.
        since: since when it is made (UTC).
        times: how often it was made in vain.
        why: what came instead of an answer, in words.
    """

    does: Action
    about: str = ""
    since: AwareDatetime
    times: int = 1
    why: str

    @property
    def is_seen(self) -> bool:
        """Whether that has lasted so long that people are to see it."""
        return self.times >= _SEEN_FROM.get(self.does, 1)

    @property
    def takes_money(self) -> bool:
        """Whether it may have taken the money of the owed period."""
        return self.does in _TAKES_MONEY

    def __str__(self) -> str:
        return f"{self.does.value}: not answered since {self.since:%Y-%m-%d %H:%M} UTC ({self.why})"


class Unanswered(Value):
    """The calls that were not answered in good time, the oldest first."""

    calls: tuple[Call, ...] = ()

    @property
    def seen(self) -> tuple[Call, ...]:
        """Those that people are to see."""
        return tuple(call for call in self.calls if call.is_seen)

    @property
    def outcome_is_open(self) -> bool:
        """Whether one of them may have taken the money of the owed period: nothing may overtake it."""
        return any(call.takes_money for call in self.calls)

    def find(self, command: Command) -> Call | None:
        """What is noted of a command; None where it is asked for the first time."""
        return next((call for call in self.calls if _names(call) == name_of(command)), None)

    def noting(self, command: Command, why: str | None) -> "Unanswered":
        """A command was not answered in good time; `why` is what its performer said, if there was one."""
        known, said = self.find(command), as_prose(why or NOT_TAKEN)
        if known is None:
            does, about = name_of(command)
            return Unanswered(calls=(*self.calls, Call(does=does, about=about, since=command.at, why=said)))
        again = known.but(times=known.times + 1, why=said)
        return Unanswered(calls=tuple(again if call is known else call for call in self.calls))

    def answered(self, command: Command) -> "Unanswered":
        """It was answered."""
        if not self.calls or isinstance(command, Elapse):
            return self
        return Unanswered(calls=tuple(call for call in self.calls if _names(call) != name_of(command)))

    def of_those(self, commands: Collection[Command]) -> "Unanswered":
        """Only what still stands: what is not made any more is not waited for."""
        standing = {name_of(command) for command in commands if not isinstance(command, Elapse)}
        return Unanswered(calls=tuple(call for call in self.calls if _names(call) in standing))


def name_of(command: Command) -> tuple[Action, str]:
    """What a call does, and to which of its kind; the same however often it is made."""
    return command.does, command.about


def _names(call: Call) -> tuple[Action, str]:
    return call.does, call.about
