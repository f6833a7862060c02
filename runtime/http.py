"""Serving an ASGI application until the context is left."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import uvicorn

from runtime.errors import StartupError

SHUTDOWN_SECONDS: Final = 5

AsgiApp = Callable[..., Any]  # Any: ASGI's three callables are not typed more closely by the server either


class _Server(uvicorn.Server):
    """Leaves signals to the process that it runs in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """Takes a port before anything else is started; 0 takes any free one.

    Raises:
        StartupError: the port is taken, or the address is not this machine's.
    """
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise StartupError(
            f"{host}:{port}: cannot listen there ({error.strerror or error}); choose another port or stop what uses it"
        ) from None


def origin_of(listener: socket.socket) -> str:
    """The `http://host:port` that a listening socket is reached at."""
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


@asynccontextmanager
async def serving(app: AsgiApp, listener: socket.socket) -> AsyncIterator[str]:
    """Serves while the context is open and gives the origin; requests under way are finished.

    Raises:
        StartupError: the application did not start.
    """
    server = _Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=SHUTDOWN_SECONDS))
    with listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                if task.done():
                    raise StartupError(f"the HTTP server did not start: {task.exception() or 'see the log'}")
                await asyncio.sleep(0.01)
            yield origin_of(listener)
        finally:
            server.should_exit = True
            await task
