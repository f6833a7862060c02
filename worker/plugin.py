"""Subscriptions hosted by a worker that a shop has already: a plugin of Temporal's SDK.

    worker = Worker(client, task_queue="shop", workflows=[...], plugins=[SubscriptionsPlugin()])

The shop's worker goes on as it was. Beside it, over the same connection and for as long as it runs, run those of the
subscriptions, on task queues of their own: so each of Amazon's operations keeps its limit, a long payday takes no place
of the shop's tasks, and what they carry is read by whoever wrote it. `perennial worker` does the same in a process of
its own.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing

from temporalio.plugin import SimplePlugin
from temporalio.worker import Worker, WorkerConfig

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import PREFIX, Settings, load_settings
from perennial_billing.runtime.temporal import client_over
from perennial_billing.worker.accounts import Accounts
from perennial_billing.worker.books import ledger_of
from perennial_billing.worker.wiring import billing_workers, own_client


class SubscriptionsPlugin(SimplePlugin):
    """Hosts subscriptions beside the worker that it is given to: one of them, in a process.

    Args:
        settings: of the subscriptions; those of the environment when not given.

    Raises:
        StartupError: a setting is missing or wrong.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__("perennial_billing.SubscriptionsPlugin")
        self.settings = settings or load_settings()

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Nothing of the shop's worker is changed.

        Raises:
            StartupError: it asks for the work of the task queue that subscriptions have.
        """
        queue = config.get("task_queue")
        if queue == self.settings.task_queue:
            raise StartupError(
                f"{PREFIX}TASK_QUEUE: {queue} is the task queue of this worker's own, and a task would go to whichever "
                "asks first; name another for one of the two"
            )
        return super().configure_worker(config)

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:  # noqa: A002 - the SDK's name
        """Runs both until the shop's worker is shut down; where one fails, both end.

        Raises:
            StartupError: a setting or the ledger cannot be used.
        """
        settings = self.settings
        client = client_over(worker.client, settings)
        async with (
            own_client(settings) as own,
            ledger_of(settings, patient=True) as ledger,
            aclosing(Accounts(settings, ledger, own)) as accounts,
            billing_workers(client, accounts, ledger, settings) as workers,
            workers.running(),
        ):
            await next(worker)
