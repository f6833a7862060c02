"""What takes a while to add up is kept for some seconds, for everybody who opens the same page meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

SECONDS: Final = 30.0
MOST: Final = 200
"""Of several accounts' figures; where there are more, all are made anew."""

Figures = TypeVar("Figures")


@dataclass(frozen=True, slots=True)
class _Made:
    until: float
    task: "asyncio.Task[Any]"  # Any: what was made


class Kept:
    """Figures that were just made; who asks while they are being made waits for the same ones."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._made: dict[Hashable, _Made] = {}

    async def get(self, of: Hashable, make: Callable[[], Awaitable[Figures]], seconds: float | None = None) -> Figures:
        """Those of a name, or what making them comes to; what failed is tried anew the next time.

        Args:
            of: their name.
            make: makes them.
            seconds: how long they are kept, where that is another time than that of all.
        """
        kept = self._made.get(of)
        failed = kept is not None and kept.task.done() and (kept.task.cancelled() or kept.task.exception() is not None)
        if kept is None or failed or kept.until < time.monotonic():
            if len(self._made) >= MOST:
                self._made.clear()
            task = asyncio.ensure_future(_awaited(make))
            kept = self._made[of] = _Made(time.monotonic() + (self._seconds if seconds is None else seconds), task)
        # Whoever gives up waiting does not take it from the others.
        return cast("Figures", await asyncio.shield(kept.task))


async def _awaited(make: Callable[[], Awaitable[Figures]]) -> Figures:
    return await make()
