"""The network beneath the HTTP library, on which every wait ends when the exchange's time does.

The library's own limits count from one packet to the next, so an answer that drips never reaches them; and to cancel a
request from outside loses a place of the library's pool (httpcore issue 1093). Here each read, write and connection
gets the time that is left, and the library meets an ordinary timeout where it expects one, and closes the connection
itself.
"""

import ssl
from typing import Any

from amazon_pay_client.outbound.addresses import public_addresses
from amazon_pay_client.outbound.allowance import READ_BYTES, Allowance, SocketOptions, seconds_until
from amazon_pay_client.outbound.library import httpcore


class Network(httpcore.AsyncNetworkBackend):
    """The network of one place: one exchange at a time, which says what it may take.

    Args:
        public_only: whether only addresses of the internet's are connected to.

    Attributes:
        allowance: of the exchange that is under way.
    """

    def __init__(self, *, public_only: bool = False) -> None:
        self._public_only = public_only
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
            httpcore.ConnectError: nobody listens there, or it is not to be connected to.
        """
        left = seconds_until(self.allowance.connected_by, httpcore.ConnectTimeout)
        if self._public_only:
            return await self._connect_to_public(host, port, left, local_address, socket_options)
        stream = await self._inner.connect_tcp(host, port, left, local_address, socket_options)
        return _Stream(stream, self)

    async def _connect_to_public(
        self, host: str, port: int, left: float, local_address: str | None, socket_options: SocketOptions | None
    ) -> httpcore.AsyncNetworkStream:
        """To one of the addresses that were looked at, and to none that the name leads to a moment later."""
        addresses = await public_addresses(host, port, left)
        for number, address in enumerate(addresses):
            # Each has its share, so that one that keeps silent leaves time for the others.
            share = seconds_until(self.allowance.connected_by, httpcore.ConnectTimeout) / (len(addresses) - number)
            try:
                stream = await self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses) - 1:
                    raise
            else:
                return _Stream(stream, self)
        raise httpcore.ConnectError("the host has no address")


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
