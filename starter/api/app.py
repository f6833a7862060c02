"""The application, put together."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import perf_counter
from typing import Final
from uuid import uuid4

import structlog
from fastapi import FastAPI, Request
from fastapi_offline import FastAPIOffline
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from temporalio.common import MetricMeter

from perennial_billing.ledger.api_answers import forget_old_answers
from perennial_billing.ledger.errors import LedgerError
from perennial_billing.runtime.tracing import span
from perennial_billing.starter.api import codec
from perennial_billing.starter.api.access import Keys
from perennial_billing.starter.api.counting import ApiMetrics
from perennial_billing.starter.api.problems import ProblemError, answer_with, answers_with_problems
from perennial_billing.starter.api.repeating import Repetitions
from perennial_billing.starter.api.routes import (
    asking,
    checkout,
    clock,
    looking,
    many,
    notices,
    plans,
    portal,
    recovering,
    reports,
    sending,
    starting,
)
from perennial_billing.starter.api.services import Services

TITLE: Final = "Perennial"
VERSION: Final = "1"
"""Of the API's form: `/v1`. What is there stays; what is new is added."""

LARGEST_BODY_BYTES: Final = 256 * 1024
FORGETS_EVERY_SECONDS: Final = 24 * 3600.0
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ABOUT: Final = """\
Durable subscription billing for merchants who take Amazon Pay.

Send a key as `Authorization: Bearer perennial_...` (`perennial keys make`), and with every POST that does something an
`Idempotency-Key` of your own. What goes wrong is a problem by RFC 9457. Amounts are texts such as `"9.99"` with their
currency; instants carry their offset from UTC, and answers are in UTC.
"""

_log = structlog.get_logger("api")


def create_app(services: Services, meter: MetricMeter = MetricMeter.noop) -> FastAPI:
    """Makes the API.

    Args:
        services: that it works with.
        meter: of this process; counts nowhere when there is none.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        forgetting = asyncio.create_task(_forget_daily(services))
        yield
        forgetting.cancel()
        with suppress(asyncio.CancelledError):
            await forgetting

    app = FastAPIOffline(
        title=TITLE, version=VERSION, description=_ABOUT, lifespan=lifespan, separate_input_output_schemas=False
    )
    app.state.services = services
    app.state.repetitions = Repetitions(services.ledger)
    app.state.keys = Keys(services.settings.api_requests_per_minute)
    answers_with_problems(app)
    app.add_middleware(EachRequest, metrics=ApiMetrics(meter))
    for router in (
        checkout.router,
        portal.router,
        looking.router,
        starting.router,
        asking.router,
        recovering.router,
        many.router,
        clock.router,
        plans.router,
        reports.router,
        notices.router,
        sending.router,
    ):
        app.include_router(router)
    app.mount(codec.PATH, codec.codec_app(services, app.state.keys))

    @app.get("/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        """It runs."""
        return {"status": "ok"}

    return app


class EachRequest:
    """Names each request, bounds what it brings, counts it, and writes a line about it; never what it says.

    A bare ASGI application around the other: Starlette's helper for this makes a task and a queue of each request.
    """

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Takes one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        given = request.headers.get("x-request-id", "")
        request.state.request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        status = None

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request.state.request_id
            await send(message)

        began, about = perf_counter(), {"request_id": request.state.request_id}
        with (
            structlog.contextvars.bound_contextvars(**about),
            span(f"HTTP {request.method}", about, request.headers) as told,
        ):
            app = self._app if _is_bounded(request) else _too_large(request)
            try:
                await app(scope, receive, named)
            finally:
                route = getattr(scope.get("route"), "path", None)
                self._metrics.answered(request.method, route, status, perf_counter() - began)
                told.set_attribute("http.route", route or "unknown")
                told.set_attribute("http.response.status_code", status or 0)
            _log.info(
                "request",
                method=request.method,
                path=route,
                status=status,
                actor=getattr(request.state, "api_key", None),
            )


def _is_bounded(request: Request) -> bool:
    if request.method not in {"POST", "PUT", "PATCH"}:
        return True
    length = request.headers.get("content-length", "0")
    return length.isdigit() and int(length) <= _largest(request) and "transfer-encoding" not in request.headers


def _largest(request: Request) -> int:
    is_history = request.url.path.startswith(f"{codec.PATH}/")
    return codec.LARGEST_BODY_BYTES if is_history else LARGEST_BODY_BYTES


def _too_large(request: Request) -> JSONResponse:
    error = ProblemError(
        413, "too-large", "The body is too large", f"at most {_largest(request)} bytes are taken, of a stated length"
    )
    return answer_with(request, error)


async def _forget_daily(services: Services) -> None:
    while True:
        try:
            await forget_old_answers(services.ledger)
        except LedgerError as error:
            _log.warning("old answers were not forgotten", why=str(error))
        await asyncio.sleep(FORGETS_EVERY_SECONDS)
