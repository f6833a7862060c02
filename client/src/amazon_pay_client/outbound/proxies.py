"""Which proxy leads to a host: the one that was given, or what HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say."""

import importlib.util
from typing import Final
from urllib.request import getproxies, proxy_bypass

from amazon_pay_client.outbound.library import httpcore, httpx

_ALL: Final = "all"


class Proxies:
    """The proxies of one client.

    Args:
        given: the address of the one for every host; None for what the environment says now.

    Raises:
        ValueError: an address is none, or of a kind that needs a package which is not there.
    """

    def __init__(self, given: str | None) -> None:
        self._given = _proxy(given) if given is not None else None
        self._by_scheme: dict[str, httpcore.Proxy] = {}
        environment = getproxies()
        unless = {host.strip() for host in environment.get("no", "").split(",")}
        if given is None and "*" not in unless:
            self._by_scheme = {
                scheme: _proxy(environment[scheme]) for scheme in ("http", "https", _ALL) if environment.get(scheme)
            }

    def to(self, url: httpx.URL) -> httpcore.Proxy | None:
        """The one that leads there; None where none is wanted."""
        if self._given is not None or not self._by_scheme or proxy_bypass(url.host):
            return self._given
        return self._by_scheme.get(url.scheme) or self._by_scheme.get(_ALL)


def _proxy(address: str) -> httpcore.Proxy:
    try:
        told = httpx.Proxy(address if "://" in address else f"http://{address}")
    except (ValueError, httpx.InvalidURL):
        told = None
    if told is None or not told.url.host:  # not repeated: it may hold a password
        raise ValueError("proxy: it is not the address of one; such as http://proxy.example:3128 is needed")
    if told.url.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise ValueError("proxy: it speaks SOCKS, for which the package socksio is needed")
    return httpcore.Proxy(
        httpcore.URL(scheme=told.url.raw_scheme, host=told.url.raw_host, port=told.url.port, target=told.url.raw_path),
        auth=told.raw_auth,
        headers=told.headers.raw,
    )
