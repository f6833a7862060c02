"""The base of every value in `billing`.

Values are frozen: a transition gives a new one. They refuse fields that nobody knows, as people write plan files and
requests with typing errors in them; only on the way through Temporal are the fields of a newer release left aside
(see `runtime.payloads`), so that two releases can work side by side.
"""

from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict

_LONGEST_TEXT: Final = 200
"""Characters; what a proxy answers instead of Amazon may be a whole page."""


class Value(BaseModel):
    """A frozen value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def but(self, **changes: Any) -> Self:  # Any: the fields' types differ
        """The same with some fields changed. What was reckoned from the old ones and kept is forgotten."""
        changed = self.model_copy(update=changes)
        for name in changed.__dict__.keys() - type(changed).model_fields.keys():
            del changed.__dict__[name]
        return changed


def in_a_line(text: str) -> str:
    """What somebody else said, as it is kept: on one line, and not without bound."""
    return " ".join(text.split())[:_LONGEST_TEXT]
