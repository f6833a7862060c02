"""A connection is bounded in everything that its other side decides. Raw sockets, as no client does any of this."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response

from perennial_billing.runtime import connections
from perennial_billing.runtime.http import bind, serving

REQUEST = b"GET /hello HTTP/1.1\r\nhost: server\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def an_application() -> FastAPI:
    """Says hello, tells how long a body was, and has an answer that fills any connection."""
    app = FastAPI()

    @app.get("/hello")
    async def hello() -> Response:
        return Response("hello")

    @app.post("/length")
    async def length(request: Request) -> Response:
        return Response(str(len(await request.body())))

    @app.get("/much")
    async def much() -> Response:
        return Response(bytes(64 * 1024 * 1024))

    return app


@asynccontextmanager
async def a_server() -> AsyncIterator[tuple[str, int]]:
    """Host and port of a running one."""
    with bind("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        async with serving(an_application(), listener):
            yield host, port


async def everything(reader: asyncio.StreamReader) -> bytes:
    """What the server says until it closes."""
    said = b""
    try:
        async with asyncio.timeout(30):
            while more := await reader.read(1 << 20):
                said += more
    except ConnectionError:
        pass
    return said


async def pour(writer: asyncio.StreamWriter, piece: bytes, at_most: int) -> int:
    """Sends a piece again and again until the server takes no more; how many bytes it took."""
    sent = 0
    try:
        while sent < at_most and not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
    except ConnectionError:
        pass
    return sent


async def says_hello(address: tuple[str, int]) -> bool:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(REQUEST)
    async with asyncio.timeout(15):
        answer = await reader.readuntil(b"hello")
    writer.close()
    return answer.startswith(b"HTTP/1.1 200")


CHUNKED = b"POST /length HTTP/1.1\r\nhost: server\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /hello HTTP/1.1\r\nhost: server\r\nx-endless: ",
        b"GET /hello HTTP/1.1\r\nx-endless",
        b"GET /",
        CHUNKED + b"5;",
        CHUNKED + b"5\r\nhello\r\n0\r\nx-endless: ",
    ],
    ids=["a value", "a name", "an address", "what a chunk is wrapped in", "a trailer"],
)
async def test_what_never_ends_is_cut(begin: bytes) -> None:
    async with a_server() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(begin)
        sent = await pour(writer, b"a" * 65_536, 64 * 1024 * 1024)

        assert (await everything(reader))[:12] in {b"", b"HTTP/1.1 400", b"HTTP/1.1 431"}
        assert sent < 16 * 1024 * 1024, "the kernel's buffers took some"
        assert await says_hello(address)
        writer.close()


async def test_a_head_that_ends_but_is_too_large_is_refused() -> None:
    fields = b"".join(b"x-%d: %s\r\n" % (number, b"a" * 100) for number in range(500))
    async with a_server() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(REQUEST[:-2] + fields + b"\r\n")

        assert (await everything(reader)).startswith(b"HTTP/1.1 4")
        writer.close()


async def test_a_head_as_large_as_cookies_make_it_is_taken() -> None:
    async with a_server() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(REQUEST[:-2] + b"cookie: " + b"a" * 30_000 + b"\r\nconnection: close\r\n\r\n")

        assert (await everything(reader)).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_of_requests_sent_at_once_a_few_are_answered_in_order_and_then_it_is_closed() -> None:
    async with a_server() as address:
        reader, writer = await asyncio.open_connection(*address)
        answered = asyncio.create_task(everything(reader))
        await pour(writer, REQUEST * 1000, 200_000 * len(REQUEST))

        assert (await answered).count(b"hello") <= connections.MOST_WAITING_REQUESTS + 1
        assert await says_hello(address)
        writer.close()


async def test_a_handful_of_requests_sent_at_once_is_answered() -> None:
    async with a_server() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(REQUEST * 5 + REQUEST[:-2] + b"connection: close\r\n\r\n")

        assert (await everything(reader)).count(b"hello") == 6
        writer.close()


async def test_a_request_that_arrives_byte_by_byte_is_waited_for_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.4)
    async with a_server() as address:
        reader, writer = await asyncio.open_connection(*address)
        answered = asyncio.create_task(everything(reader))
        async with asyncio.timeout(20):
            for byte in REQUEST * 100:
                if answered.done():
                    break
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)

        assert (await answered).startswith(b"HTTP/1.1 408 ")
        writer.close()


@pytest.mark.parametrize("said", [b"", REQUEST], ids=["at once", "after a request"])
async def test_a_connection_that_only_goes_on_is_closed(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """Silent, or with the empty lines that may stand before a request."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.4)
    async with a_server() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(said)
        answered = asyncio.create_task(everything(reader))
        async with asyncio.timeout(20):
            while not answered.done():
                writer.write(b"\r\n" if said else b"")
                await asyncio.sleep(0.05)

        assert b" 408 " in await answered
        writer.close()


async def test_a_body_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.4)
    async with a_server() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"POST /length HTTP/1.1\r\nhost: server\r\ncontent-length: 100\r\n\r\nhello")

        assert (await everything(reader)).startswith(b"HTTP/1.1 408 ")
        writer.close()


@pytest.mark.parametrize("size", [1000, 10])
async def test_a_body_in_small_chunks_is_taken(size: int) -> None:
    pieces = 20_000 // size
    body = b"".join(b"%x\r\n%s\r\n" % (size, b"a" * size) for _ in range(pieces)) + b"0\r\n\r\n"
    async with a_server() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(CHUNKED + body)
        async with asyncio.timeout(15):
            assert await reader.readuntil(b"%d" % (size * pieces))
        writer.close()


async def test_an_answer_that_nobody_reads_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.3)
    async with a_server() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(REQUEST.replace(b"hello", b"much"))
        await asyncio.sleep(1)

        assert len(await everything(reader)) < 64 * 1024 * 1024
        writer.close()


@pytest.mark.parametrize(("limit", "patience"), [("MANY_CONNECTIONS", 0.01), ("MOST_CONNECTIONS", 60.0)])
async def test_what_waits_longest_makes_room_for_who_has_something_to_say(
    monkeypatch: pytest.MonkeyPatch, limit: str, patience: float
) -> None:
    monkeypatch.setattr(connections, limit, 5)
    monkeypatch.setattr(connections, "PATIENCE_SECONDS", patience)
    async with a_server() as address:
        silent: list[Streams] = []
        for number in range(50):
            silent.append(await asyncio.open_connection(*address))
            silent[-1][1].write(REQUEST[:20])
            if number % 10 == 9:
                assert await says_hello(address)
        await asyncio.sleep(0.2)
        gone = [reader for reader, _ in silent[:40]]

        assert all([await everything(reader) == b"" for reader in gone])
        assert not any(reader.at_eof() for reader, _ in silent[-4:])
        for _, writer in silent:
            writer.close()


async def test_who_came_in_the_middle_of_a_burst_does_not_go_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MANY_CONNECTIONS", 5)
    async with a_server() as address:
        reader, writer = await asyncio.open_connection(*address)
        silent = [await asyncio.open_connection(*address) for _ in range(50)]
        writer.write(REQUEST)

        async with asyncio.timeout(15):
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        for _, each in [(reader, writer), *silent]:
            each.close()


async def test_a_flood_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    async with a_server() as address:
        with caplog.at_level(logging.WARNING):
            for _ in range(30):
                reader, writer = await asyncio.open_connection(*address)
                writer.write(b"\x16\x03\x01 not HTTP\r\n\r\n")
                assert (await everything(reader)).startswith(b"HTTP/1.1 400 ")
                writer.close()

    assert [record.getMessage() for record in caplog.records] == ["connections were cut"]


async def test_a_connection_that_asks_for_another_protocol_is_answered_and_closed() -> None:
    async with a_server() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(REQUEST[:-2] + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n" + b"\x81\x05hello" * 1000)
        said = await everything(reader)

        assert said.startswith(b"HTTP/1.1 200")
        assert said.count(b"HTTP/1.1") == 1
        writer.close()


def test_where_few_files_may_be_open_fewer_connections_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, most in ((256, 128), (100_000, connections.MOST_CONNECTIONS), (64, 1)):
        monkeypatch.setattr("resource.getrlimit", lambda _, files=files: (files, files))
        assert connections.most_connections() == most
