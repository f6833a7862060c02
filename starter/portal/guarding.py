"""What stands before every page: how often, how long, and what a browser may do with it.

The log has a line of each request, with its route and never its address, as that holds a link.
"""

import ipaddress
import time
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Final

import structlog
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY_BYTES: Final = 16 * 1024
NOT_COUNTED: Final = ("/health", "/favicon.ico", "/portal.css", "/colours/", "/logos/")
"""What costs nothing to answer, and belongs to each page."""

_NETWORK_BITS: Final = 64
"""Of an IPv6 address: what is one customer's (RFC 6177)."""

_log = structlog.get_logger("portal")

Refuse = Callable[[Request, int, str, dict[str, str]], Awaitable[Response]]
"""Makes the page that says no: of a status, a message and headers."""


class Guard:
    """A bare ASGI application around the pages.

    Args:
        app: makes them.
        requests_per_minute: that are taken from one address, by this process.
        policy: of the header Content-Security-Policy.
        framed: whether others may show the page within theirs.
        refuse: makes the page that says no.
    """

    def __init__(self, app: ASGIApp, *, requests_per_minute: int, policy: str, framed: bool, refuse: Refuse) -> None:
        self._app, self._refuse = app, refuse
        self._limit = parse(f"{requests_per_minute}/minute")
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._headers = {
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex, nofollow",
            "Cross-Origin-Resource-Policy": "same-origin",
        } | ({} if framed else {"X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Takes one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, status = Request(scope), None

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refused = await self._refused(request)
        await (refused or self._app)(scope, receive, guarded)
        route = scope.get("route")
        _log.info("request", method=request.method, route=getattr(route, "path", None), status=status)

    async def _refused(self, request: Request) -> Response | None:
        """The page that says no, where there is one."""
        if not request.url.path.startswith(NOT_COUNTED):
            who = network_of(request.client.host if request.client else "")
            if not await self._limiter.hit(self._limit, who):
                window = await self._limiter.get_window_stats(self._limit, who)
                again = str(max(1, ceil(window.reset_time - time.time())))
                return await self._refuse(request, 429, "error.often", {"Retry-After": again})
        length = request.headers.get("content-length", "0")
        is_bounded = (
            length.isdigit() and int(length) <= LARGEST_BODY_BYTES and "transfer-encoding" not in request.headers
        )
        return None if is_bounded else await self._refuse(request, 413, "error.fault", {})


def network_of(address: str) -> str:
    """Who an address is of: itself, and of IPv6 the network of a customer."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, _NETWORK_BITS), strict=False))
    return str(found)
