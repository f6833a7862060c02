"""The whole system on loopback, once per test session: Temporal server, simulator, IPN receiver, workers, and the
merchant's endpoint for notices.

Every test takes charge permissions of its own, so tests share the servers and disturb each other in nothing.
"""

from collections.abc import AsyncIterator

import pytest_asyncio
from hypothesis import settings

from sandbox.stage import Stage, stage
from tests.endpoint import SECRET, Endpoint, endpoint

settings.register_profile("soak")
"""Chosen by `--hypothesis-profile soak`: whoever has something longer to do asks for it."""


@pytest_asyncio.fixture(scope="session")
async def notices() -> AsyncIterator[Endpoint]:
    """Where the house sends its notices."""
    async with endpoint() as listening:
        yield listening


@pytest_asyncio.fixture(scope="session")
async def house(notices: Endpoint) -> AsyncIterator[Stage]:
    """Everything, with workers in this process."""
    async with stage(webhook_url=notices.url, webhook_secret=SECRET) as set_up:
        yield set_up
