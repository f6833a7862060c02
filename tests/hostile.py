"""A server on loopback that does to its clients what a broken or hostile one may do, until it comes back."""

import asyncio
import contextlib
import gzip
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Final

DRIP_SECONDS: Final = 0.02
MEBIBYTE: Final = 1024 * 1024


class Manner(Enum):
    """What happens to a request."""

    ANSWERS = auto()
    SILENT = auto()
    DRIPS_HEAD = auto()
    DRIPS_BODY = auto()
    RESETS = auto()
    CUTS_OFF = auto()
    NO_HTTP = auto()
    ENDLESS_HEAD = auto()
    ENDLESS_INTERIM = auto()
    ENDLESS_BODY = auto()
    TINY_CHUNKS = auto()
    BOMB = auto()


ENDS_BY_TIME: Final = (Manner.SILENT, Manner.DRIPS_HEAD, Manner.DRIPS_BODY)
ENDS_BY_ITSELF: Final = tuple(manner for manner in Manner if manner not in (*ENDS_BY_TIME, Manner.ANSWERS))


def bomb() -> bytes:
    """Half a gibibyte in a few bytes: gzip within gzip, as a list of encodings unpacks it."""
    inner = gzip.compress(bytes(16 * MEBIBYTE))
    return gzip.compress(gzip.compress(inner * 32))


def answer(body: bytes, *headers: str) -> bytes:
    """An orderly answer, after which the connection stays open."""
    lines = ["HTTP/1.1 200 OK", f"content-length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Hostile:
    """The server.

    Attributes:
        manner: towards every request from now on.
        body: of an orderly answer; JSON.
        origin: where it listens.
        asked: how many requests came.
        bomb: what a request is answered with that asks for no packed answer.
    """

    def __init__(self, manner: Manner = Manner.ANSWERS, body: Mapping[str, object] | None = None) -> None:
        self.manner = manner
        self.body = json.dumps(body or {}).encode()
        self.origin = ""
        self.asked = 0
        self.bomb = bomb()

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["Hostile"]:
        """Listens while the context is open."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls, backlog=4096)
        async with server:
            host, port = server.sockets[0].getsockname()
            self.origin = f"{'https' if tls else 'http'}://{host}:{port}"
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError), contextlib.closing(writer):
            while await self._treat(reader, writer):
                pass

    async def _treat(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Treats one request; true when the connection may bring another."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = head.partition("content-length: ")[2].partition("\r\n")[0]
        await reader.readexactly(int(length or 0))
        self.asked += 1
        if self.manner is Manner.ANSWERS:
            writer.write(answer(self.body))
            await writer.drain()
            return True
        await _DOES[self.manner](reader, writer)
        if self.manner is Manner.BOMB:
            writer.write(answer(self.bomb, "content-encoding: gzip, gzip, gzip"))
            await writer.drain()
        return False


async def _keeps_silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _resets(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    taken: socket.socket = writer.get_extra_info("socket")
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _says(said: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def say(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    return say


def _says_for_ever(
    first: bytes, then: bytes, pause: float = 0.0
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while not writer.is_closing() and not reader.at_eof():
            writer.write(then)
            await writer.drain()
            await asyncio.sleep(pause)

    return say


_DOES: Final = {
    Manner.SILENT: _keeps_silent,
    Manner.DRIPS_HEAD: _says_for_ever(b"HTTP/1.1 200 OK\r\nx-long: ", b"x", DRIP_SECONDS),
    Manner.DRIPS_BODY: _says_for_ever(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b" ", DRIP_SECONDS),
    Manner.RESETS: _resets,
    Manner.CUTS_OFF: _says(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"),
    Manner.NO_HTTP: _says(b"\x00\x01\x02 what is this?\r\n\r\n"),
    Manner.ENDLESS_HEAD: _says_for_ever(b"HTTP/1.1 200 OK\r\nx-long: ", b"x" * 65_536),
    Manner.ENDLESS_INTERIM: _says_for_ever(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 500),
    Manner.ENDLESS_BODY: _says_for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536),
    Manner.TINY_CHUNKS: _says_for_ever(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 500),
    Manner.BOMB: _says(b""),
}
