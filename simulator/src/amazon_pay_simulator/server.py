"""The simulator as one ASGI application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from amazon_pay_client import Environment
from amazon_pay_simulator.account import Account
from amazon_pay_simulator.api import AmazonPayApi
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.books import Books
from amazon_pay_simulator.clock import Clock
from amazon_pay_simulator.context import Context
from amazon_pay_simulator.control import PREFIX, answer_refusal, control_router
from amazon_pay_simulator.environments import environment_of_keys
from amazon_pay_simulator.faults import FaultPlan, Faults
from amazon_pay_simulator.notifications import CERTIFICATE_FILE, NotificationSender, NotificationSigner
from amazon_pay_simulator.pages import pages_router
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.routes import PATH_PREFIXES
from amazon_pay_simulator.throttling import Throttle

LOOK_EVERY_SECONDS: Final = 1.0
"""How often the simulator looks whether something was to happen by itself."""


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """What a simulator is told.

    Attributes:
        public_keys: whose requests are accepted, by public key id.
        merchant_id: the merchant named in notifications.
        receiver_url: where notifications go; None for nowhere until the control API says otherwise.
        origin: where the simulator is reached, for the certificate's address in notifications and the buyer's page.
        signer: signs the notifications.
        signature_version: SNS SignatureVersion, "1" or "2".
        database: an SQLite file that keeps the books across restarts; in memory when not given.
        throttled_as: the environment whose limits count; None throttles nothing.
        faults: what goes wrong; the control API can change it.
        assumptions: what the documentation leaves open.
    """

    public_keys: Mapping[str, RSAPublicKey]
    merchant_id: str
    receiver_url: str | None = None
    origin: str = "http://127.0.0.1"
    signer: NotificationSigner = field(default_factory=NotificationSigner.create)
    signature_version: str = "2"
    database: Path | None = None
    throttled_as: Environment | None = None
    faults: FaultPlan = field(default_factory=FaultPlan)
    assumptions: Assumptions = field(default_factory=Assumptions)


@dataclass(frozen=True, slots=True)
class Simulator:
    """The ASGI application: Amazon's API under its own paths, everything else for who plays Amazon and the buyer."""

    api: AmazonPayApi
    control: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on to whom it is for."""
        of_amazon = scope["type"] == "http" and scope["path"].startswith(PATH_PREFIXES)
        await (self.api if of_amazon else self.control)(scope, receive, send)


def create_app(config: SimulatorConfig) -> Simulator:
    """Makes a simulator.

    Raises:
        sqlite3.Error: the database cannot be used.
    """
    books, clock, faults = Books(config.database), Clock(), Faults(config.faults)
    sender = NotificationSender(
        config.signer,
        config.merchant_id,
        config.receiver_url,
        f"{config.origin}{PREFIX}/{CERTIFICATE_FILE}",
        config.signature_version,
        faults,
    )
    release_environment = environment_of_keys(config.public_keys)
    account = Account(Context(books, sender.notify, config.assumptions, config.origin, release_environment))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            async with sender.running(), _passing_time(account, clock):
                yield
        finally:
            books.close()

    app = FastAPI(
        title="Amazon Pay simulator",
        description="Amazon Pay API v2 under its own paths; the control API under /simulator.",
        lifespan=lifespan,
    )
    app.include_router(control_router(account, clock, faults, sender, config.signer, config.origin))
    app.include_router(pages_router(account, clock, config.public_keys))
    app.add_exception_handler(Refusal, answer_refusal)
    api = AmazonPayApi(account, config.public_keys, clock, config.assumptions, Throttle(config.throttled_as), faults)
    return Simulator(api, app)


@asynccontextmanager
async def _passing_time(account: Account, clock: Clock) -> AsyncIterator[None]:
    """Lets happen what was to happen by itself, by the simulator's clock, while the context is open."""

    async def pass_for_ever() -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            account.pass_time(clock.now())

    passing = asyncio.create_task(pass_for_ever())
    try:
        yield
    finally:
        passing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await passing
