"""What these tests share: Amazon's hosts and certificates on loopback, and two who sign."""

from collections.abc import AsyncIterator
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext

import httpx
import pytest
import pytest_asyncio

from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_simulator.notifications import NotificationSigner
from tests.ipn.amazon_on_loopback import AmazonOnLoopback
from tests.ipn.authority import Authority


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Who issues the certificates of SNS."""
    return Authority()


@pytest.fixture(autouse=True)
def trusted_root(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but Amazon can be issued a certificate under its roots, so the tests' own takes their place."""
    monkeypatch.setattr("perennial_billing.ipn.chain.amazons_roots", lambda: (authority.root,))


@pytest.fixture(scope="session")
def amazon(authority: Authority) -> NotificationSigner:
    """Signs genuine messages."""
    return authority.signer()


@pytest.fixture(scope="session")
def forger() -> NotificationSigner:
    """Signs just as well, but with a key of their own."""
    return NotificationSigner.create()


@pytest_asyncio.fixture
async def hosts(tmp_path: Path) -> AsyncIterator[AmazonOnLoopback]:
    """Amazon's SNS hosts, for a client that is given their proxy."""
    async with AmazonOnLoopback(tmp_path).serving() as listening:
        yield listening


@pytest_asyncio.fixture
async def unreachable() -> AsyncIterator[httpx.AsyncClient]:
    """A client that reaches nobody, whatever host it is told: the discard port of this machine is its proxy."""
    async with bounded_client(
        at_once=1, bounds=Bounds(seconds=5.0), proxy="http://127.0.0.1:9", verify=SSLContext(PROTOCOL_TLS_CLIENT)
    ) as http:
        yield http
