"""The same network for threads that wait: see `network`."""

import socket
import ssl
from typing import Any

from amazon_pay_client.outbound.allowance import READ_BYTES, Allowance, SocketOptions, seconds_until
from amazon_pay_client.outbound.library import httpcore


class BlockingNetwork(httpcore.NetworkBackend):
    """The network of one place: one exchange at a time, which says what it may take.

    Attributes:
        allowance: of the exchange that is under way.
    """

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()
        self.allowance: Allowance = Allowance()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the library's signature; the allowance counts
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.NetworkStream:
        """Connects within the time for it, to the first of the host's addresses that answers.

        What nobody can bound in a thread is the search for the addresses; the resolver has limits of its own.

        Raises:
            httpcore.ConnectTimeout: that time is up.
            httpcore.ConnectError: nobody listens there.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for number, address in enumerate(addresses):
            # Each has its share, so that one that keeps silent leaves time for the others.
            share = seconds_until(self.allowance.connected_by, httpcore.ConnectTimeout) / (len(addresses) - number)
            try:
                return _Stream(self._inner.connect_tcp(address, port, share, local_address, socket_options), self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses) - 1:
                    raise
        raise httpcore.ConnectError("the host has no address")


class _Stream(httpcore.NetworkStream):
    """A connection, on which every wait is for the exchange that has it now."""

    def __init__(self, inner: httpcore.NetworkStream, network: BlockingNetwork) -> None:
        self._inner = inner
        self._network = network

    def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ARG002 - the library's signature; the allowance counts
    ) -> bytes:
        allowance = self._network.allowance
        data = self._inner.read(min(max_bytes, READ_BYTES), seconds_until(allowance.ends, httpcore.ReadTimeout))
        allowance.came(len(data))
        return data

    def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ARG002 - the library's signature; the allowance counts
    ) -> None:
        # In parts: the library gives each sending of a part the whole time anew.
        for begin in range(0, len(buffer), READ_BYTES):
            left = seconds_until(self._network.allowance.ends, httpcore.WriteTimeout)
            self._inner.write(buffer[begin : begin + READ_BYTES], left)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the library's signature; the allowance counts
    ) -> httpcore.NetworkStream:
        try:
            left = seconds_until(self._network.allowance.connected_by, httpcore.ConnectTimeout)
            return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._network)
        except BaseException:
            self._inner.close()
            raise

    def get_extra_info(self, info: str) -> Any:  # Any: the library's signature
        return self._inner.get_extra_info(info)
