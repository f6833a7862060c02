"""The base of every value in `billing`.

Values are frozen: a transition gives a new one. They refuse fields that nobody knows, as people write plan files and
requests with typing errors in them; only on the way through Temporal are the fields of a newer release left aside
(see `runtime.payloads`), so that two releases can work side by side.
"""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def but(self, **changes: Any) -> Self:  # Any: the fields' types differ
        """The same with some fields changed. What was reckoned from the old ones and kept is forgotten."""
        changed = self.model_copy(update=changes)
        for name in changed.__dict__.keys() - type(changed).model_fields.keys():
            del changed.__dict__[name]
        return changed
