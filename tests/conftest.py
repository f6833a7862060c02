"""The whole system on loopback, once per test session: Temporal server, simulator, IPN receiver, worker.

Every test takes charge permissions of its own, so tests share the servers and disturb each other in nothing.
"""

from collections.abc import AsyncIterator

import pytest_asyncio

from starter.cli.demo.stage import Stage, stage


@pytest_asyncio.fixture(scope="session")
async def house() -> AsyncIterator[Stage]:
    """Everything, with a worker in this process."""
    async with stage() as set_up:
        yield set_up
