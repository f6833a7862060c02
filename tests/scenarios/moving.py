"""The stage with a worker that can be replaced, as a crash or a new release does."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.worker.wiring import amazon_pay_client, billing_workers


class House:
    """The stage, and a worker that can be replaced: the new one knows nothing and replays what it is given."""

    def __init__(self, set_up: Stage) -> None:
        self.stage = set_up
        self._worker = AsyncExitStack()

    async def start_worker(self) -> None:
        amazon_pay = await self._worker.enter_async_context(amazon_pay_client(self.stage.settings))
        workers = await self._worker.enter_async_context(
            billing_workers(self.stage.client, amazon_pay, self.stage.ledger, self.stage.settings)
        )
        await self._worker.enter_async_context(workers.running())

    async def stop_worker(self) -> None:
        await self._worker.aclose()
        self._worker = AsyncExitStack()

    async def restart_worker(self) -> None:
        await self.stop_worker()
        await self.start_worker()


@asynccontextmanager
async def moving() -> AsyncIterator[House]:
    """A stage of its own, with a worker that works."""
    async with stage(with_worker=False) as set_up:
        house = House(set_up)
        await house.start_worker()
        try:
            yield house
        finally:
            await house.stop_worker()
