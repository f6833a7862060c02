"""A shop that has workers of its own already hosts its subscriptions in one of them.

    python examples/own_worker.py

What the shop's worker does is up to the shop; the plugin is all that subscriptions need of it. It is configured as
`perennial worker` is, by the environment (docs/reference/settings.md): PERENNIAL_PUBLIC_KEY_ID,
PERENNIAL_PRIVATE_KEY_PATH, PERENNIAL_REGION, and TEMPORAL_ADDRESS where Temporal is not on this machine.
"""

import asyncio

from temporalio import workflow
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from perennial_billing.worker.plugin import SubscriptionsPlugin


@workflow.defn
class PackParcel:
    """What the shop has been doing with Temporal all along."""

    @workflow.run
    async def run(self, order: str) -> str:
        """Answers what was packed."""
        return f"packed {order}"


def worker_of(client: Client) -> Worker:
    """The shop's worker, with subscriptions beside it."""
    return Worker(client, task_queue="shop", workflows=[PackParcel], plugins=[SubscriptionsPlugin()])


async def main() -> None:
    """Works until the process is ended."""
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    await worker_of(client).run()


if __name__ == "__main__":
    asyncio.run(main())
