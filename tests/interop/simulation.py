"""A simulator that other people's clients talk to: over TLS, with its files where `--keys` puts them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from starlette.types import Receive, Scope, Send

from amazon_pay_simulator import SimulatorConfig, create_app
from amazon_pay_simulator.books import ExportedBooks
from amazon_pay_simulator.certificates import tls_files
from amazon_pay_simulator.merchant_key import MERCHANT_KEY_FILE, merchant_key
from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.runtime.http import AsgiApp, Tls, bind, origin_of, serving

HOST: Final = "127.0.0.1"


@dataclass(frozen=True)
class Simulation:
    """A simulator that is served.

    Attributes:
        address: its host and port.
        app: the same simulator without the wire, for reading its books.
        private_key_file: the merchant's.
        private_key: the same.
        paths: every path that was asked for so far.
    """

    address: str
    app: AsgiApp
    private_key_file: Path
    private_key: RSAPrivateKey
    paths: list[str]

    async def books(self) -> ExportedBooks:
        """Read in the process: the simulator's certificate is its own, and this client would not trust it."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://simulator") as http:
            return ExportedBooks.model_validate_json((await http.get("/simulator/books")).content)


@asynccontextmanager
async def simulating(keys: Path, public_key_ids: Sequence[str], *, secure: bool = True) -> AsyncIterator[Simulation]:
    """One with books of its own, on any free port.

    Args:
        keys: the folder of its keys and certificates; made there when new.
        public_key_ids: whose requests are accepted, all by the merchant's one key.
        secure: serve https.
    """
    key, tls, signer = merchant_key(keys), Tls(*tls_files(keys, HOST)), NotificationSigner.load_or_create(keys)
    with bind(HOST, 0) as listener:
        origin = origin_of(listener, secure=secure)
        public_keys = dict.fromkeys(public_key_ids, key.public_key())
        app = create_app(
            SimulatorConfig(public_keys=public_keys, merchant_id="A1MERCHANT", origin=origin, signer=signer)
        )
        paths: list[str] = []

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                paths.append(scope["path"])
            await app(scope, receive, send)

        async with serving(watched, listener, tls if secure else None):
            yield Simulation(origin.partition("://")[2], app, keys / MERCHANT_KEY_FILE, key, paths)
