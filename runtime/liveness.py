"""Whether a process lives, and whether it is ready: asked over HTTP at `/live` and `/ready`.

Both are answered by the process's own event loop, so that one that is stopped, or whose loop hangs, does not answer at
all. Who lives and is not ready is not mended by a new start: it waits for something else, such as a server.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

from perennial_billing.runtime.http import AsgiApp, bind, serving
from perennial_billing.runtime.settings import Settings

LIVE: Final = "/live"
READY: Final = "/ready"

WhyNotReady = Callable[[], Awaitable[str | None]]
"""What a process lacks to do its work, in a line; None where it is ready."""


@asynccontextmanager
async def answering(settings: Settings, why_not_ready: WhyNotReady) -> AsyncIterator[None]:
    """Answers at `health_host` and `health_port` while the context is open; nowhere where no port is set.

    Args:
        settings: of the process.
        why_not_ready: asked at each question whether it is ready.

    Raises:
        StartupError: it cannot listen there.
    """
    if settings.health_port is None:
        yield
        return
    with bind(settings.health_host, settings.health_port) as listener:
        async with serving(health_app(why_not_ready), listener):
            yield


def health_app(why_not_ready: WhyNotReady) -> AsgiApp:
    """The application, without a framework: its two answers are all that it has."""

    async def answer(path: str) -> tuple[HTTPStatus, dict[str, str]]:
        if path == LIVE:
            return HTTPStatus.OK, {"status": "live"}
        if path == READY:
            why = await why_not_ready()
            if why is not None:
                return HTTPStatus.SERVICE_UNAVAILABLE, {"status": "not ready", "why": why}
            return HTTPStatus.OK, {"status": "ready"}
        return HTTPStatus.NOT_FOUND, {"status": "no such address", "why": f"{LIVE} and {READY} are answered"}

    async def app(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:  # Any: ASGI
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        status, said = await answer(scope["path"])
        body = json.dumps(said).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return app
