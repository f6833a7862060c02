"""What is dear to make and shared: keys, certificate, server and connection, once a session.

Every test takes charge permissions and idempotency keys of its own, so tests disturb each other in nothing.
"""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from simulator import SimulatorHandle
from simulator.notifications import NotificationSigner
from tests.simulator.merchant import Merchant
from tests.simulator.running import running_simulator


@pytest.fixture(scope="session")
def private_key() -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def signer() -> NotificationSigner:
    return NotificationSigner.create()


@pytest.fixture(scope="session", autouse=True)
def _no_proxy() -> Iterator[None]:
    """A proxy named in the environment would stand between client and loopback."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield


@pytest_asyncio.fixture(scope="session")
async def simulator(private_key: RSAPrivateKey, signer: NotificationSigner) -> AsyncIterator[SimulatorHandle]:
    async with running_simulator(private_key, signer) as handle:
        yield handle


@pytest_asyncio.fixture(scope="session")
async def merchant(simulator: SimulatorHandle, private_key: RSAPrivateKey) -> AsyncIterator[Merchant]:
    async with httpx.AsyncClient(base_url=simulator.origin) as http:
        yield Merchant(http, private_key)


@pytest.fixture
async def permission(simulator: SimulatorHandle) -> str:
    """The id of a charge permission in USD that can be charged."""
    return (await simulator.open_permission()).charge_permission_id
