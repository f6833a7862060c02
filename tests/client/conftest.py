"""What is dear to make and shared: one key pair a session, one loopback server a test."""

from collections.abc import AsyncIterator, Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import AmazonPayClient, Region, SyncAmazonPayClient
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.notifications import NotificationSigner
from tests.client.loopback import KEY_ID, NO_TLS, Loopback
from tests.simulator.running import running_simulator


@pytest.fixture(scope="session")
def private_key() -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy named in the environment would stand between client and loopback."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


@pytest.fixture
async def client(server: Loopback, private_key: RSAPrivateKey) -> AsyncIterator[AmazonPayClient]:
    async with AmazonPayClient(
        public_key_id=KEY_ID, private_key=private_key, region=Region.NA, origin=server.origin, verify=NO_TLS
    ) as amazon_pay_client:
        yield amazon_pay_client


@pytest.fixture
def sync_client(server: Loopback, private_key: RSAPrivateKey) -> Iterator[SyncAmazonPayClient]:
    """Its calls block: they are made in another thread than that in which the server runs."""
    with SyncAmazonPayClient(
        public_key_id=KEY_ID, private_key=private_key, region=Region.NA, origin=server.origin, verify=NO_TLS
    ) as amazon_pay_client:
        yield amazon_pay_client


@pytest.fixture
async def books(private_key: RSAPrivateKey) -> AsyncIterator[SimulatorHandle]:
    """A simulator of the test's own, which says what was charged."""
    async with running_simulator(private_key, NotificationSigner.create()) as simulator:
        yield simulator
