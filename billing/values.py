"""The base of every value in `billing`.

Values are frozen: a transition gives a new one. They refuse fields that nobody knows, as people write plan files and
requests with typing errors in them; only on the way through Temporal are the fields of a newer release left aside
(see `runtime.payloads`), so that two releases can work side by side.
"""

from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict

_WHAT_WAS_GIVEN: Final[set[str]] = set()
"""In place of the names of the fields that were given, which pydantic keeps with each value in a set of its own: nobody
asks a state for them, and they were a quarter of what Python holds for a subscription that sleeps."""


class Value(BaseModel):
    """A frozen value. Which of its fields were given is not known: one that was not is its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_post_init(self, _context: object) -> None:
        """Forgets which fields were given."""
        object.__setattr__(self, "__pydantic_fields_set__", _WHAT_WAS_GIVEN)

    def but(self, **changes: Any) -> Self:  # Any: the fields' types differ
        """The same with some fields changed. What was reckoned from the old ones and kept is forgotten."""
        fields = type(self).model_fields
        changed = type(self).__new__(type(self))
        object.__setattr__(changed, "__dict__", {name: self.__dict__[name] for name in fields} | changes)
        object.__setattr__(changed, "__pydantic_fields_set__", self.__pydantic_fields_set__)
        object.__setattr__(changed, "__pydantic_extra__", None)
        object.__setattr__(changed, "__pydantic_private__", None)
        return changed
