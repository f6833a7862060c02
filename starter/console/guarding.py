"""What every answer says to the browser, and which names the console answers to."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final = {
    # Nothing from elsewhere, nothing within the page: what somebody wrote into a reference is never a program.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # An id in an address is nobody else's business. Without any, browsers would hide a form's origin, too.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_PAGES: Final = "no-store"
"""A page of a customer's is not left in a browser's cache, where the next person finds it."""

_FILES: Final = "public, max-age=31536000, immutable"
"""Their addresses name their contents."""


class EachAnswer:
    """Adds the headers, and takes no request that is for another host.

    A page of somebody else's that names a host of theirs with this machine's address would otherwise be let in by a
    browser as if it were one of ours.

    Args:
        app: the application.
        origin: scheme and host under which it is reached.
        files: where the path of what never changes begins.
    """

    def __init__(self, app: ASGIApp, origin: str, files: str) -> None:
        self._app, self._files = app, files
        self._host = urlsplit(origin).netloc.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Takes one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caching = _FILES if scope["path"].startswith(self._files) else _PAGES

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers["Cache-Control"] = caching if message["status"] == 200 else _PAGES  # noqa: PLR2004 - found
            await send(message)

        host = Headers(scope=scope).get("host", "").lower()
        is_ours = host == self._host or scope["path"] == "/health"
        refusal = PlainTextResponse(f"This console is reached at {self._host}.\n", status_code=421)
        await (self._app if is_ours else refusal)(scope, receive, with_headers)
