"""What the control API has set, kept across restarts: the clock, the faults, the assumptions, the merchants.

What was set counts until the configuration says something else than it did then: who starts a simulator with another
option means that option, and who starts it with the same ones wants it back as it was.
"""

import sqlite3
from typing import Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from amazon_pay_simulator.storage import StorePart

Value = TypeVar("Value")
_SHELF: Final = "kept"


class _Kept(BaseModel):
    """One thing that was set, both as JSON.

    Attributes:
        configured: what the configuration said at the time.
        current: what it was set to.
    """

    configured: str
    current: str


class Keeper:
    """Remembers in a store, or not at all without one."""

    def __init__(self, store: StorePart | None) -> None:
        self._store = store
        self._configured: dict[str, str] = {}

    def recall(self, name: str, kind: TypeAdapter[Value], configured: Value) -> Value:
        """What was set under a name, as long as the configuration is what it was; else what is configured now.

        Raises:
            sqlite3.DatabaseError: what the store holds is not of that kind.
        """
        text = self._configured[name] = kind.dump_json(configured).decode()
        kept = dict(self._store.items(_SHELF)).get(name) if self._store is not None else None
        if kept is None:
            return configured
        try:
            found = _Kept.model_validate_json(kept)
            return kind.validate_json(found.current) if found.configured == text else configured
        except ValidationError:
            raise sqlite3.DatabaseError(f"its {name} are not those of this simulator") from None

    def keep(self, name: str, kind: TypeAdapter[Value], current: Value) -> None:
        """Remembers what was set, of something that was recalled before."""
        if self._store is not None:
            item = _Kept(configured=self._configured[name], current=kind.dump_json(current).decode())
            self._store.put(_SHELF, name, item.model_dump_json())
