"""What is dear to make and shared: keys, certificate, server and connection, once a session.

Every test takes charge permissions and idempotency keys of its own, so tests disturb each other in nothing.
"""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.notifications import NotificationSigner
from tests.simulator.merchant import Merchant, merchant_of
from tests.simulator.receiver import Receiver, receiving
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
    async with merchant_of(simulator, private_key) as its_merchant:
        yield its_merchant


@pytest.fixture
async def permission(simulator: SimulatorHandle) -> str:
    """The id of a charge permission in USD that can be charged."""
    return (await simulator.open_permission()).charge_permission_id


@pytest_asyncio.fixture(scope="session")
async def _listening() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def receiver(_listening: Receiver) -> Receiver:
    """One who receives notifications, and has received none yet."""
    _listening.forget()
    return _listening


@pytest_asyncio.fixture(scope="session")
async def _lent(
    private_key: RSAPrivateKey, signer: NotificationSigner, _listening: Receiver
) -> AsyncIterator[SimulatorHandle]:
    async with running_simulator(private_key, signer, receiver_url=_listening.url) as handle:
        yield handle


@pytest.fixture
async def amazon(_lent: SimulatorHandle, receiver: Receiver) -> SimulatorHandle:
    """A simulator that is the test's own, whose clock it may move; it notifies the receiver, and nobody else.

    Each test gets it as it was at its start: that costs a tenth of another one.
    """
    await _lent.reset()
    receiver.forget()
    return _lent


@pytest.fixture
async def shop(amazon: SimulatorHandle, private_key: RSAPrivateKey) -> AsyncIterator[Merchant]:
    """The merchant of the test's own simulator."""
    async with merchant_of(amazon, private_key) as its_merchant:
        yield its_merchant
