"""Serving an ASGI application until the context is left."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn

from perennial_billing.runtime.connections import Connection, Connections
from perennial_billing.runtime.errors import StartupError

SHUTDOWN_SECONDS: Final = 5
KEEP_ALIVE_SECONDS: Final = 75
"""Longer than clients and load balancers keep an idle connection (httpx 5 s, AWS's 60 s): whoever closes first while
the other one sends, loses a request."""

LARGEST_PORT: Final = 65535

AsgiApp = Callable[..., Any]  # Any: ASGI's three callables are not typed more closely by the server either


class _Server(uvicorn.Server):
    """Bounds its connections, and leaves signals to the process that it runs in."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state = Connections()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """Takes a port before anything else is started; 0 takes any free one.

    Raises:
        StartupError: the port is taken, or the address is not this machine's.
    """
    if not 0 <= port <= LARGEST_PORT:
        raise StartupError(f"{host}:{port}: {port} is not a port; 0 to {LARGEST_PORT} are accepted")
    try:
        listener = socket.create_server((host, port), backlog=2048)
    except (OSError, UnicodeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise StartupError(
            f"{host}:{port}: cannot listen there ({why}); choose another port or stop what uses it"
        ) from None
    # Made anew from its file descriptor, the socket knows that it is TCP, and asyncio then sets TCP_NODELAY on its
    # connections. Otherwise the second packet of every answer waits 40 ms for an acknowledgement.
    return socket.socket(fileno=listener.detach())


def origin_of(listener: socket.socket, *, secure: bool = False) -> str:
    """The `http://host:port`, or `https`, that a listening socket is reached at."""
    host, port = listener.getsockname()[:2]
    return f"{'https' if secure else 'http'}://{host}:{port}"


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of a server's certificate and private key (PEM)."""

    certificate: Path
    private_key: Path


@asynccontextmanager
async def serving(
    app: AsgiApp, listener: socket.socket, tls: Tls | None = None, *, believes_proxies: bool = True
) -> AsyncIterator[str]:
    """Serves while the context is open and gives the origin; requests under way are finished.

    Args:
        app: what is served.
        listener: where; it is closed in the end.
        tls: with which certificate, if with any.
        believes_proxies: whether a proxy on this machine may say who asks (`X-Forwarded-For`); who does not believe it
            sees the address that a connection comes from.

    Raises:
        StartupError: the application did not start.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            proxy_headers=believes_proxies,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.private_key if tls else None,
        )
    )
    with listener:
        task = asyncio.create_task(_serve(server, listener))
        try:
            while not server.started:
                if task.done():
                    raise StartupError(f"the HTTP server did not start: {task.exception() or 'it ended at once'}")
                await asyncio.sleep(0.01)
            yield origin_of(listener, secure=tls is not None)
        finally:
            server.should_exit = True
            await asyncio.wait({task})
        task.result()


async def _serve(server: _Server, listener: socket.socket) -> None:
    """Runs the server; what would end the whole process is an ordinary error here."""
    try:
        await server.serve(sockets=[listener])
    except SystemExit:
        raise StartupError("its application failed, see the log") from None
