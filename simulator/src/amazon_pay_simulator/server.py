"""The simulator as one ASGI application."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from amazon_pay_simulator.answers import answer_invalid, answer_refusal, refused
from amazon_pay_simulator.config import SimulatorConfig
from amazon_pay_simulator.control import PREFIX, control_router
from amazon_pay_simulator.merchants import PAGES_OF, MerchantAccount
from amazon_pay_simulator.notifications import CERTIFICATE_FILE
from amazon_pay_simulator.recording import recorded
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.routes import PATH_PREFIXES
from amazon_pay_simulator.simulation import Simulation

_DOCS: Final = "/docs"
_DOCUMENTS: Final = (PREFIX, _DOCS, "/openapi.json", "/static-offline-docs")
"""Whose paths begin so is answered by the control API; the documentation brings its own scripts along."""

_KEY_ID: Final = re.compile(rb"PublicKeyId=([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class Simulator:
    """The ASGI application: Amazon's API under its own paths, the control API, and the buyer's pages.

    Attributes:
        simulation: what is simulated.
        control: the control API and its documentation.
    """

    simulation: Simulation
    control: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on to whom it is for."""
        if scope["type"] != "http" or scope["path"] == "/" or scope["path"].startswith(_DOCUMENTS):
            await self.control(scope, receive, send)
        elif scope["path"].startswith(PATH_PREFIXES):
            account = self._signed_by(scope)
            await recorded(account.api, account.merchant.merchant_id, self.simulation.journal, scope, receive, send)
        else:
            await self._show_page(scope, receive, send)

    def _signed_by(self, scope: Scope) -> MerchantAccount:
        for name, value in scope["headers"]:
            if name == b"authorization":
                found = _KEY_ID.search(value)
                return self.simulation.signed_by(found[1].decode() if found else "")
        return self.simulation.first

    async def _show_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The buyer's pages: of the first merchant at the top, of each other beneath its name."""
        path: str = scope["path"]
        if not path.startswith(PAGES_OF):
            await self.simulation.first.pages(scope, receive, send)
            return
        merchant_id = path.removeprefix(PAGES_OF).partition("/")[0]
        try:
            account = self.simulation.account_of(merchant_id)
        except Refusal as refusal:
            await refused(refusal)(scope, receive, send)
            return
        beneath = {**scope, "root_path": f"{scope.get('root_path', '')}{PAGES_OF}{merchant_id}"}
        await account.pages(beneath, receive, send)


def create_app(config: SimulatorConfig) -> Simulator:
    """Makes a simulator.

    Raises:
        sqlite3.Error: the database cannot be used.
        Refusal: two merchants have one id or one key.
    """
    simulation = Simulation(config, f"{config.origin}{PREFIX}/{CERTIFICATE_FILE}")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with simulation.running():
            yield

    app = FastAPIOffline(
        title="Amazon Pay simulator",
        description="Amazon Pay API v2 under its own paths; the control API under /simulator.",
        lifespan=lifespan,
        docs_url=_DOCS,
        redoc_url=None,
    )
    app.include_router(control_router(simulation))
    # Whoever opens the address that was printed sees what is asked of it.
    app.add_api_route("/", lambda: RedirectResponse(PREFIX), include_in_schema=False)
    app.add_exception_handler(Refusal, answer_refusal)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    return Simulator(simulation, app)
