"""Answers that never arrive as they should. Needs uvicorn: only a server's own connection can be cut."""

import asyncio
import contextlib
import socket
import struct
from typing import Any, Final

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Send

SLOW_BODY_SECONDS: Final = 0.02
"""Between two bytes."""

_CLOSE_WITH_RESET: Final = struct.pack("ii", 1, 0)
"""Linger on, for no time: the kernel then resets the connection instead of closing it."""


async def cut(receive: Receive, send: Send, *, reset: bool) -> None:
    """Ends the connection without an answer: by a reset, or by an orderly close."""
    transport = _transport_of(send)
    if reset:
        connection = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_WITH_RESET)
        transport.abort()
    else:
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport_of(send: Send) -> Any:  # Any: a detail of the server's
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None:
        raise RuntimeError("faults at the wire need the simulator to be served by uvicorn, with nothing in between")
    return transport


def slowly(response: Response) -> StreamingResponse:
    """The same answer, byte by byte."""

    async def trickle() -> Any:  # Any: an iterator of bytes
        for byte in bytes(response.body):
            yield bytes((byte,))
            await asyncio.sleep(SLOW_BODY_SECONDS)

    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return StreamingResponse(trickle(), response.status_code, headers)
