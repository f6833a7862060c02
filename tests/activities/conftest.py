"""A simulator, a client and the activities over it, once a session; every test takes permissions of its own."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import AmazonPayClient, Region
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.activities.accounts import OneAccount
from perennial_billing.activities.amazon_pay import AmazonPayCalls
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.ledger import Ledger
from tests.activities.requests import AGREEING
from tests.client.loopback import Loopback
from tests.simulator.merchant import KEY_ID
from tests.simulator.running import running_simulator


@pytest.fixture(scope="session")
def private_key() -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session", autouse=True)
def _no_proxy() -> Iterator[None]:
    """A proxy named in the environment would stand between client and loopback."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield


@pytest_asyncio.fixture(scope="session")
async def simulator(private_key: RSAPrivateKey) -> AsyncIterator[SimulatorHandle]:
    async with running_simulator(private_key, NotificationSigner.create()) as handle:
        yield handle


@pytest_asyncio.fixture(scope="session")
async def calls(simulator: SimulatorHandle, private_key: RSAPrivateKey) -> AsyncIterator[AmazonPayCalls]:
    """The activities, calling the simulator."""
    async with AmazonPayClient(
        public_key_id=KEY_ID, private_key=private_key, region=Region.NA, origin=simulator.origin
    ) as client:
        yield AmazonPayCalls(OneAccount(client), AGREEING)


@pytest.fixture
async def wire() -> AsyncIterator[Loopback]:
    """A server that answers with whatever bytes a test wants, also none."""
    async with Loopback() as loopback:
        yield loopback


@pytest.fixture
async def calls_by_wire(wire: Loopback, private_key: RSAPrivateKey) -> AsyncIterator[AmazonPayCalls]:
    """The activities, calling that server."""
    async with AmazonPayClient(
        public_key_id=KEY_ID, private_key=private_key, region=Region.NA, origin=wire.origin
    ) as client:
        yield AmazonPayCalls(OneAccount(client), AGREEING)


@pytest.fixture
async def ledger(empty_ledger: Path, tmp_path: Path) -> AsyncIterator[Ledger]:
    """An empty ledger in a file."""
    async with Ledger.open(file_url(Path(shutil.copy(empty_ledger, tmp_path / "ledger.db")))) as opened:
        yield opened


@pytest.fixture
async def permission(simulator: SimulatorHandle) -> str:
    """The id of a charge permission in USD that can be charged."""
    return (await simulator.open_permission()).charge_permission_id
