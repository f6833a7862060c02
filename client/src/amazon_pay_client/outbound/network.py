"""The network beneath the HTTP library, on which every wait ends when the exchange's time does.

The library's own limits count from one packet to the next, so an answer that drips never reaches them; and to cancel a
request from outside loses a place of the library's pool (httpcore issue 1093). Here each read, write and connection
gets the time that is left, and the library meets an ordinary timeout where it expects one, and closes the connection
itself.
"""

import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.library import httpcore

NO_TIME: Final = 0.0

READ_BYTES: Final = 16 * 1024
"""At a time. What one reading brings is taken apart in one go, and others wait meanwhile."""

OVERHEAD_BYTES: Final = 48 * 1024
"""What may be read of a connection beyond the answer's body: headers, interim answers, the lengths of chunks, and what
has come already of the rest. Servers send heads of 8 or 16 KiB at the most; each interim answer and each tiny chunk
costs as much time as a large one."""

SocketOptions = Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]]


class EndlessAnswerError(httpcore.RemoteProtocolError):
    """Bytes came over the connection, and hardly any of them for the body."""


@dataclass(slots=True)
class Allowance:
    """What is left to one exchange, in time and in bytes.

    Attributes:
        ends: when its time is up, on `time.monotonic`.
        connected_by: when a connection must stand.
        bytes_left: how many may still be read from the connection until a part of the body comes of it.
    """

    ends: float = NO_TIME
    connected_by: float = NO_TIME
    bytes_left: int = 0

    @classmethod
    def of(cls, bounds: Bounds, ends: float) -> "Allowance":
        """At the start of an exchange, when its turn has come."""
        connected_by = min(ends, time.monotonic() + bounds.connect_seconds)
        return cls(ends, connected_by, OVERHEAD_BYTES)

    def part_of_the_body_came(self, length: int) -> None:
        """As much again may be read, and a little for what surrounds it: a body in tiny chunks is mostly framing."""
        self.bytes_left += length + length // 4


class Network(httpcore.AsyncNetworkBackend):
    """The network of one place: one exchange at a time, which says what it may take.

    Attributes:
        allowance: of the exchange that is under way.
    """

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()
        self.allowance = Allowance()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the library's signature; the allowance counts
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects within the time for it.

        Raises:
            httpcore.ConnectTimeout: that time is up.
            httpcore.ConnectError: nobody listens there.
        """
        left = _left(self.allowance.connected_by, httpcore.ConnectTimeout)
        stream = await self._inner.connect_tcp(host, port, left, local_address, socket_options)
        return _Stream(stream, self)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection, on which every wait is for the exchange that has it now."""

    def __init__(self, inner: httpcore.AsyncNetworkStream, network: Network) -> None:
        self._inner = inner
        self._network = network

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the library's signature; the allowance counts
    ) -> bytes:
        allowance = self._network.allowance
        left = _left(allowance.ends, httpcore.ReadTimeout)
        try:
            data = await self._inner.read(min(max_bytes, READ_BYTES), left)
        except OSError as error:  # of TLS: the library knows those of the handshake only
            raise httpcore.ReadError(str(error)) from error
        allowance.bytes_left -= len(data)
        if allowance.bytes_left < 0:
            raise EndlessAnswerError("the answer is hardly more than what surrounds a body")
        return data

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the library's signature; the allowance counts
    ) -> None:
        left = _left(self._network.allowance.ends, httpcore.WriteTimeout)
        try:
            await self._inner.write(buffer, left)
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the library's signature; the allowance counts
    ) -> httpcore.AsyncNetworkStream:
        try:
            left = _left(self._network.allowance.connected_by, httpcore.ConnectTimeout)
            return _Stream(await self._inner.start_tls(ssl_context, server_hostname, left), self._network)
        except BaseException:
            await self._inner.aclose()  # behind a proxy the library leaves it open
            raise

    def get_extra_info(self, info: str) -> Any:  # Any: the library's signature
        return self._inner.get_extra_info(info)


def _left(ends: float, up: type[httpcore.TimeoutException]) -> float:
    """The seconds until then; a server that always has another byte ready is never waited for, so it is asked here."""
    left = ends - time.monotonic()
    if left <= 0:
        raise up("the time of the exchange is up")
    return left
