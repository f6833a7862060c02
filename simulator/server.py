"""The simulator as one ASGI application."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from simulator.account import Account
from simulator.api import AmazonPayApi, answer_unknown_operation
from simulator.books import Books
from simulator.control import PREFIX, answer_refusal, control_router
from simulator.notifications import CERTIFICATE_FILE, NotificationSender, NotificationSigner
from simulator.refusals import Refusal


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """What a simulator is told.

    Attributes:
        public_keys: whose requests are accepted, by public key id.
        merchant_id: the merchant named in notifications.
        receiver_url: where notifications go; None for nowhere until the control API says otherwise.
        origin: where the simulator is reached, for the certificate's address in notifications.
        signer: signs the notifications.
        signature_version: SNS SignatureVersion, "1" or "2".
    """

    public_keys: Mapping[str, RSAPublicKey]
    merchant_id: str
    receiver_url: str | None = None
    origin: str = "http://127.0.0.1"
    signer: NotificationSigner = field(default_factory=NotificationSigner.create)
    signature_version: str = "2"


def create_app(config: SimulatorConfig) -> FastAPI:
    """Makes a simulator with empty books."""
    sender = NotificationSender(
        config.signer,
        config.merchant_id,
        config.receiver_url,
        f"{config.origin}{PREFIX}/{CERTIFICATE_FILE}",
        config.signature_version,
    )
    account = Account(Books(), sender.notify)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with sender.running():
            yield

    app = FastAPI(
        title="Amazon Pay simulator",
        description="Amazon Pay API v2 under its own paths; the control API under /simulator.",
        lifespan=lifespan,
    )
    app.include_router(control_router(account, sender, config.signer))
    app.router.routes.extend(AmazonPayApi(account, config.public_keys).routes())
    app.add_exception_handler(Refusal, answer_refusal)
    app.add_exception_handler(HTTPException, answer_unknown_operation)
    return app
