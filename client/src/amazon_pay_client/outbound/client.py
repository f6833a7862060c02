"""The one way to a client of the HTTP library's: one that is awaited, or one that blocks."""

import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

from amazon_pay_client.outbound.blocking_transport import BlockingTransport
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.library import httpx
from amazon_pay_client.outbound.proxies import Proxies
from amazon_pay_client.outbound.transport import MOST_UNUSED, BoundedTransport


def bounded_client(
    *,
    at_once: int,
    bounds: Bounds,
    headers: Mapping[str, str] | None = None,
    verify: ssl.SSLContext | None = None,
    proxy: str | None = None,
    base_url: str = "",
    most_unused: int = MOST_UNUSED,
    public_only: bool = False,
) -> httpx.AsyncClient:
    """A client that sends within bounds: over HTTP/1.1, follows no redirects, and keeps no cookies.

    Args:
        at_once: exchanges under way at a time.
        bounds: of requests that bring none of their own as `extensions`.
        headers: of every request.
        verify: whom to trust, where it is not the usual certificate authorities.
        proxy: the address of the proxy to every host, where it is not what the environment says.
        base_url: what the addresses of requests are below.
        most_unused: connections that are kept for the next request.
        public_only: whether only addresses of the internet's are connected to, for hosts that others name. Where a
            proxy leads out, it looks the host up, and has to see to that itself.

    Raises:
        ValueError: the address of a proxy is none.
    """
    transport = BoundedTransport(
        at_once=at_once,
        bounds=bounds,
        tls=verify or httpx.create_ssl_context(),
        proxies=Proxies(proxy),
        most_unused=most_unused,
        public_only=public_only,
    )
    return httpx.AsyncClient(
        headers=_headers(headers),
        cookies=_no_cookies(),
        transport=transport,
        base_url=base_url,
        timeout=None,
        follow_redirects=False,
    )


def bounded_blocking_client(
    *,
    at_once: int,
    bounds: Bounds,
    headers: Mapping[str, str] | None = None,
    verify: ssl.SSLContext | None = None,
    proxy: str | None = None,
    base_url: str = "",
    most_unused: int = MOST_UNUSED,
) -> httpx.Client:
    """The same for threads that wait: as `bounded_client`.

    Raises:
        ValueError: the address of a proxy is none.
    """
    transport = BlockingTransport(
        at_once=at_once,
        bounds=bounds,
        tls=verify or httpx.create_ssl_context(),
        proxies=Proxies(proxy),
        most_unused=most_unused,
    )
    return httpx.Client(
        headers=_headers(headers),
        cookies=_no_cookies(),
        transport=transport,
        base_url=base_url,
        timeout=None,
        follow_redirects=False,
    )


def _headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    # Unpacked, an answer could be of any size; what is asked of here answers in a few kilobytes anyway.
    return {"accept-encoding": "identity", **(headers or {})}


def _no_cookies() -> CookieJar:
    # What an answer sets would be kept, and sent, for as long as the process runs.
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))
