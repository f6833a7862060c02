"""The console, put together."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI
from starlette.middleware.sessions import SessionMiddleware
from starlette.staticfiles import StaticFiles
from temporalio.common import MetricMeter

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import PREFIX, Settings
from perennial_billing.starter.api.app import EachRequest
from perennial_billing.starter.api.counting import ApiMetrics
from perennial_billing.starter.api.problems import answers_with_problems
from perennial_billing.starter.api.services import Services
from perennial_billing.starter.console.access import check_form
from perennial_billing.starter.console.guarding import EachAnswer
from perennial_billing.starter.console.jobs import Jobs
from perennial_billing.starter.console.keeping import Kept
from perennial_billing.starter.console.pages import FILES, STATIC, trouble
from perennial_billing.starter.console.people import PROXY_SECRET_HEADER, Door, OpenDoor, ProxyDoor
from perennial_billing.starter.console.routes import asking, clock, finding, looking, many, reports, today

COOKIE: Final = "perennial_console"
SECURE_COOKIE: Final = "__Host-perennial_console"
"""As browsers take it from this host alone, and over TLS alone (RFC 6265bis, section 4.1.3.2)."""

_SECRET_BYTES: Final = 32
_HOUR_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class Entrance:
    """How people get in.

    Attributes:
        door: tells who they are.
        how: for whoever is not let in: what to do.
        says: for whoever is: what is to be known of how they got in; nothing where that is as usual.
    """

    door: Door
    how: str
    says: str = ""


def by_proxy(settings: Settings) -> Entrance:
    """People sign in to a proxy of the merchant's.

    Raises:
        StartupError: nothing says which proxy may be believed.
    """
    if settings.console_proxy_secret is None and not settings.console_trusted_peers:
        raise StartupError(
            f"{PREFIX}CONSOLE_PROXY_SECRET or {PREFIX}CONSOLE_TRUSTED_PEERS: one must be set, so that nobody but your "
            "proxy says who somebody is; docs/console.md tells how"
        )
    door = ProxyDoor(
        settings.console_user_header,
        settings.console_roles_header,
        settings.console_proxy_secret,
        settings.console_trusted_peers,
    )
    how = (
        f"The console is opened through your company's proxy, which says who you are ({settings.console_user_header})."
        f" If you came through it, {PROXY_SECRET_HEADER} or its address is not the one that is set here."
    )
    return Entrance(door, how)


def for_one(name: str) -> Entrance:
    """Whoever reaches it is one person: on a machine of one's own."""
    return Entrance(OpenDoor(name), "", "No login: this console is for this machine alone")


def create_console(services: Services, entrance: Entrance, origin: str) -> FastAPI:
    """Makes the console.

    Args:
        services: what the API works with.
        entrance: how people get in.
        origin: scheme and host under which browsers reach it.
    """
    settings, is_secure = services.settings, urlsplit(origin).scheme == "https"
    jobs = Jobs()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await jobs.close()

    app = FastAPI(
        lifespan=lifespan,
        title="Perennial console",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(check_form)],
    )
    app.state.services, app.state.door = services, entrance.door
    app.state.how_to_sign_in, app.state.door_says = entrance.how, entrance.says
    app.state.origin, app.state.kept, app.state.jobs = origin.rstrip("/"), Kept(), jobs
    answers_with_problems(app, trouble)
    secret = settings.console_secret.get_secret_value() if settings.console_secret else None
    app.add_middleware(
        SessionMiddleware,
        secret_key=secret or secrets.token_urlsafe(_SECRET_BYTES),
        session_cookie=SECURE_COOKIE if is_secure else COOKIE,
        max_age=int(settings.console_session_hours * _HOUR_SECONDS),
        same_site="lax",
        https_only=is_secure,
    )
    app.add_middleware(EachRequest, metrics=ApiMetrics(MetricMeter.noop), log="console")
    app.add_middleware(EachAnswer, origin=app.state.origin, files="/static/")
    for router in (
        today.router,
        finding.router,
        asking.router,
        clock.router,
        looking.router,
        reports.router,
        many.router,
    ):
        app.include_router(router)
    app.mount(STATIC, StaticFiles(directory=FILES), name="static")

    @app.get("/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        """It runs."""
        return {"status": "ok"}

    return app
