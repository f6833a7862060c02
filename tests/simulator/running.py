"""A simulator of a test's own, on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import Environment
from amazon_pay_simulator import SimulatorConfig, SimulatorHandle, create_app
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.faults import FaultPlan
from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.runtime.http import bind, origin_of, serving
from tests.simulator.merchant import KEY_ID

MERCHANT_ID = "A1MERCHANT"


@asynccontextmanager
async def running_simulator(
    private_key: RSAPrivateKey,
    signer: NotificationSigner,
    *,
    receiver_url: str | None = None,
    signature_version: str = "2",
    key_id: str = KEY_ID,
    database: Path | None = None,
    throttled_as: Environment | None = None,
    faults: FaultPlan | None = None,
    assumptions: Assumptions | None = None,
) -> AsyncIterator[SimulatorHandle]:
    """Serves a simulator that takes requests signed with the private key; an empty one without a database."""
    with bind("127.0.0.1", 0) as listener:
        config = SimulatorConfig(
            public_keys={key_id: private_key.public_key()},
            merchant_id=MERCHANT_ID,
            receivers=[receiver_url] if receiver_url else [],
            origin=origin_of(listener),
            signer=signer,
            signature_version=signature_version,
            database=database,
            throttled_as=throttled_as,
            faults=faults or FaultPlan(),
            assumptions=assumptions or Assumptions(),
        )
        async with serving(create_app(config), listener) as origin, SimulatorHandle(origin) as handle:
            yield handle
