"""Serving the simulator by itself: a listening socket, and uvicorn with its own handling of signals."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import uvicorn

from amazon_pay_simulator.server import Simulator

KEEP_ALIVE_SECONDS: Final = 75
"""Longer than clients keep an idle connection: whoever closes first while the other one sends, loses a request."""
SHUTDOWN_SECONDS: Final = 5
_BACKLOG: Final = 2048


class TlsFiles(NamedTuple):
    """The files of a server's certificate and private key (PEM)."""

    certificate: Path
    private_key: Path


class CannotListenError(Exception):
    """The port is taken, or the address is not this machine's; the message is one line."""


def listening(host: str, port: int) -> socket.socket:
    """Takes a port before anything else is started; 0 takes any free one.

    Raises:
        CannotListenError: it cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
        # Told that it is TCP: asyncio then sets TCP_NODELAY on its connections, and no answer waits for an
        # acknowledgement.
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise CannotListenError(
            f"{host}:{port}: cannot listen there ({why}); choose another port or stop what uses it"
        ) from None
    return listener


def origin_of(listener: socket.socket, *, secure: bool) -> str:
    """Where a listening socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


class Server(uvicorn.Server):
    """Tells when it serves; in the main thread it ends by SIGTERM and SIGINT."""

    def __init__(self, app: Simulator, tls: TlsFiles | None, when_it_serves: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                ws="none",
                log_config=None,
                access_log=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
                ssl_certfile=tls.certificate if tls else None,
                ssl_keyfile=tls.private_key if tls else None,
            )
        )
        self._when_it_serves = when_it_serves

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to serve."""
        await super().startup(sockets)
        if self.started:
            self._when_it_serves()
