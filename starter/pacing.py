"""Doing something not more often than so many times a second."""

import asyncio


class Pace:
    """Lets nobody through faster than so often a second.

    Args:
        per_second: how often; None for no limit.
    """

    def __init__(self, per_second: float | None) -> None:
        self._distance = 1 / per_second if per_second else 0.0
        self._next = 0.0

    async def wait(self) -> None:
        """Returns when it is this caller's turn."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        self._next = turn + self._distance
        await asyncio.sleep(turn - now)
