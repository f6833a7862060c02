"""The network beneath the HTTP library, on which every wait ends when the exchange's time does.

The library's own limits count from one packet to the next, so an answer that drips never reaches them; and to cancel a
request from outside loses a place of the library's pool (httpcore issue 1093). Here each read, write and connection
gets the time that is left, and the library meets an ordinary timeout where it expects one, and closes the connection
itself.
"""

import ssl
from typing import Any

from amazon_pay_client.outbound.allowance import READ_BYTES, Allowance, SocketOptions, seconds_until
from amazon_pay_client.outbound.library import httpcore


class Network(httpcore.AsyncNetworkBackend):
    """The network of one place: one exchange at a time, which says what it may take.

    Attributes:
        allowance: of the exchange that is under way.
    """

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()
        self.allowance: Allowance = Allowance()

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
        left = seconds_until(self.allowance.connected_by, httpcore.ConnectTimeout)
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
        left = seconds_until(allowance.ends, httpcore.ReadTimeout)
        try:
            data = await self._inner.read(min(max_bytes, READ_BYTES), left)
        except OSError as error:  # of TLS: the library knows those of the handshake only
            raise httpcore.ReadError(str(error)) from error
        allowance.came(len(data))
        return data

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the library's signature; the allowance counts
    ) -> None:
        left = seconds_until(self._network.allowance.ends, httpcore.WriteTimeout)
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
            left = seconds_until(self._network.allowance.connected_by, httpcore.ConnectTimeout)
            return _Stream(await self._inner.start_tls(ssl_context, server_hostname, left), self._network)
        except BaseException:
            await self._inner.aclose()  # behind a proxy the library leaves it open
            raise

    def get_extra_info(self, info: str) -> Any:  # Any: the library's signature
        return self._inner.get_extra_info(info)
