"""Load over HTTP: requests whose bytes are ready before the clock starts, over connections that stay open."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: its body, and how long it took."""

    body: bytes
    seconds: float


def address_of(origin: str) -> Address:
    """Host and port of an `http://host:port`."""
    host, _, port = origin.removeprefix("http://").partition(":")
    return host, int(port)


def request_to(
    address: Address, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """The bytes of one request."""
    host, port = address
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}:{port}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Load:
    """Connections that stay open."""

    def __init__(self, streams: Sequence[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
        self._streams = streams

    @classmethod
    @asynccontextmanager
    async def to(cls, address: Address, connections: int) -> AsyncIterator["Load"]:
        """Opens them, and closes them in the end."""
        streams = [await asyncio.open_connection(*address) for _ in range(connections)]
        try:
            yield cls(streams)
        finally:
            for _, writer in streams:
                writer.close()

    async def send(self, requests: Sequence[bytes], expected: int) -> list[Answered]:
        """Sends all requests, each connection one after the other, and gives the answers in no order.

        Raises:
            RuntimeError: an answer has another status.
        """
        waiting, answers = iter(requests), list[Answered]()

        async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for request in waiting:
                began = time.perf_counter()
                writer.write(request)
                status, body = await _answer(reader)
                if status != expected:
                    raise RuntimeError(f"status {status} where {expected} was expected: {body[:500]!r}")
                answers.append(Answered(body, time.perf_counter() - began))

        async with asyncio.TaskGroup() as group:
            for stream in self._streams:
                group.create_task(use(*stream))
        return answers


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The status and the body of one answer that tells its length."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Keeps this process, and what it starts, on a core."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
