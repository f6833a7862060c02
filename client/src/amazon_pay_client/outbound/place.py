"""A place for one exchange at a time, with at most one connection: what failed in it is thrown away with it."""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from amazon_pay_client.outbound.allowance import Allowance, EndlessAnswerError
from amazon_pay_client.outbound.blocking_network import BlockingNetwork
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.errors import AddressRefusedError, AnswerTooLargeError, PrivateAddressError
from amazon_pay_client.outbound.library import httpcore, httpx
from amazon_pay_client.outbound.network import Network
from amazon_pay_client.outbound.shelf import KEPT_SECONDS, Origin

_IN_THE_LIBRARY: Final[tuple[tuple[type[Exception], type[httpx.TransportError]], ...]] = (
    (EndlessAnswerError, AnswerTooLargeError),
    (httpcore.PoolTimeout, httpx.PoolTimeout),
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (PrivateAddressError, AddressRefusedError),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ReadError, httpx.ReadError),
    (httpcore.WriteError, httpx.WriteError),
    (httpcore.ProxyError, httpx.ProxyError),
    (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
    # What has no closer word of its own.
    (httpcore.TimeoutException, httpx.ReadTimeout),
    (httpcore.NetworkError, httpx.NetworkError),
    (httpcore.ProtocolError, httpx.ProtocolError),
)
_OF_THE_NETWORK: Final = tuple(kind for kind, _ in _IN_THE_LIBRARY)


@contextmanager
def in_the_librarys_words() -> Iterator[None]:
    """Makes the HTTP library's errors of those of the network beneath it.

    Raises:
        httpx.TransportError: instead of an error of `httpcore`.
    """
    try:
        yield
    except _OF_THE_NETWORK as error:
        meant = next(meant for kind, meant in _IN_THE_LIBRARY if isinstance(error, kind))
        raise meant(str(error)) from error


class Place:
    """One pool of the library's for one connection to one origin. Whoever has the place has it alone.

    The pool counts its connections, and loses count where a request is cancelled at the wrong moment or TLS fails
    behind a proxy. So no pool outlives a failure: nothing in it can be lost that anybody would wait for.

    Args:
        origin: scheme, host and port, as `httpx.URL` has them.
        tls: whom to trust.
        proxy: what leads there, if anything does.
        public_only: whether only addresses of the internet's are connected to. A proxy is connected to wherever it is:
            it looks up the host, and whom it lets through is its own matter.
    """

    def __init__(
        self, origin: Origin, tls: ssl.SSLContext, proxy: httpcore.Proxy | None, *, public_only: bool = False
    ) -> None:
        self.origin = origin
        self.unused_since: float = 0.0
        self._network = Network(public_only=public_only and proxy is None)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            proxy=proxy,
            max_connections=1,
            keepalive_expiry=KEPT_SECONDS,
            http2=False,  # streams that were cancelled are never reset (httpcore issue 1022)
            network_backend=self._network,
        )

    async def send(self, request: httpx.Request, bounds: Bounds, ends: float) -> httpcore.Response:
        """Sends, and reads the answer's head.

        Args:
            request: to the place's origin.
            bounds: of the exchange.
            ends: when its time is up, on `time.monotonic`.

        Raises:
            httpx.TransportError: no answer.
        """
        self._network.allowance = Allowance.of(bounds, ends)
        with in_the_librarys_words():
            return await self._pool.handle_async_request(_beneath(request, ends))

    def part_of_the_body_came(self, length: int) -> None:
        """See `Allowance`."""
        self._network.allowance.part_of_the_body_came(length)

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._pool.aclose()


class BlockingPlace:
    """The same for a thread that waits."""

    def __init__(self, origin: Origin, tls: ssl.SSLContext, proxy: httpcore.Proxy | None) -> None:
        self.origin = origin
        self.unused_since: float = 0.0
        self._network = BlockingNetwork()
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            proxy=proxy,
            max_connections=1,
            keepalive_expiry=KEPT_SECONDS,
            http2=False,
            network_backend=self._network,
        )

    def send(self, request: httpx.Request, bounds: Bounds, ends: float) -> httpcore.Response:
        """Sends, and reads the answer's head; as `Place.send`.

        Raises:
            httpx.TransportError: no answer.
        """
        self._network.allowance = Allowance.of(bounds, ends)
        with in_the_librarys_words():
            return self._pool.handle_request(_beneath(request, ends))

    def part_of_the_body_came(self, length: int) -> None:
        """See `Allowance`."""
        self._network.allowance.part_of_the_body_came(length)

    def close(self) -> None:
        """Closes the connection."""
        self._pool.close()


def _beneath(request: httpx.Request, ends: float) -> httpcore.Request:
    """The request as the network beneath the library takes it."""
    url = request.url
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
        extensions={"timeout": {"pool": max(ends - time.monotonic(), 0.0)}},
    )
