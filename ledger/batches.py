"""What many ask of the database at the same time, done for all of them in one transaction (a group commit).

While one batch is under way the next one gathers, so that nobody waits for company, and a commit's wait for the disk is
shared by as many as came meanwhile. Each is told its own result, and only once its batch is committed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Told = TypeVar("Told")


class Batches(Generic[Asked, Told]):
    """Does for many at once what each asks for by itself; of one event loop.

    Args:
        do: does it for several, and answers as many results in their order. Where it fails, it has done nothing, and
            each of them is told so.
        most: so many at once.
    """

    def __init__(self, do: Callable[[Sequence[Asked]], Awaitable[Sequence[Told]]], most: int = 100) -> None:
        self._do = do
        self._most = most
        self._waiting: list[tuple[Asked, asyncio.Future[Told]]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, asked: Asked) -> Told:
        """The result of one; whoever gives up waiting takes nothing back.

        Raises:
            Exception: what doing it has raised.
        """
        told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, told))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await told

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._one(batch)
        finally:
            self._running = None
            for _, told in self._waiting:  # none, but where the loop is being taken down
                told.cancel()
            self._waiting.clear()

    async def _one(self, batch: Sequence[tuple[Asked, "asyncio.Future[Told]"]]) -> None:
        try:
            results = await self._do([asked for asked, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is raised by each who waits for it
            for _, told in batch:
                if not told.done():
                    told.set_exception(error)
            return
        except BaseException:
            for _, told in batch:
                told.cancel()
            raise
        for (_, told), result in zip(batch, results, strict=True):
            if not told.done():
                told.set_result(result)
