"""Requests that no orderly sender makes, on raw sockets: each gets an answer or an end, soon, and troubles nobody."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from perennial_billing.ipn.app import LARGEST_BODY_BYTES
from perennial_billing.sandbox.stage import Stage


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """An orderly client beside them."""
    async with httpx.AsyncClient() as client:
        yield client


async def _still_serves(house: Stage, http: httpx.AsyncClient) -> bool:
    answer = await http.get(house.ipn_url.removesuffix("/ipn") + "/health")
    return answer.is_success


async def _first_line(house: Stage, head: str, *chunks: bytes, leaves: bool = False) -> bytes:
    """What is answered to a request that may have no end; empty where the connection is closed instead."""
    address = urlsplit(house.ipn_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(f"POST {address.path} HTTP/1.1\r\nhost: receiver\r\n{head}\r\n\r\n".encode())
        for chunk in chunks:
            writer.write(chunk)
        if leaves:
            writer.write_eof()
        async with asyncio.timeout(60):
            return await reader.readline()
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.mark.parametrize("framing", ["content-length: 1000000000", "transfer-encoding: chunked"])
async def test_a_message_too_large_is_refused_before_it_was_sent(house: Stage, framing: str) -> None:
    """Its end never comes: the answer has to."""
    address = urlsplit(house.ipn_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    chunk = b"x" * 0x10000
    writer.write(f"POST {address.path} HTTP/1.1\r\nhost: receiver\r\n{framing}\r\n\r\n".encode())
    for _ in range(LARGEST_BODY_BYTES // len(chunk) + 1):
        writer.write(b"10000\r\n" + chunk + b"\r\n" if "chunked" in framing else chunk)
    async with asyncio.timeout(60):
        first = await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert b" 413 " in first


async def test_a_sender_that_leaves_in_the_middle_does_not_trouble_the_receiver(
    house: Stage, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    address = urlsplit(house.ipn_url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"POST {address.path} HTTP/1.1\r\nhost: receiver\r\ncontent-length: 100\r\n\r\n{{".encode())
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)

    assert (await http.get(house.ipn_url.removesuffix("/ipn") + "/health")).json() == {"status": "ok"}
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_body_that_does_not_end_is_for_later(
    house: Stage, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the network's fault or ours, so SNS is asked to send it again."""
    monkeypatch.setattr("perennial_billing.ipn.app.BODY_SECONDS", 0.2)

    assert b" 503 " in await _first_line(house, "content-length: 100", b'{"Type":')
    assert await _still_serves(house, http)


async def test_a_body_that_drips_is_for_later(
    house: Stage, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time counts as a whole, not from byte to byte."""
    monkeypatch.setattr("perennial_billing.ipn.app.BODY_SECONDS", 0.5)
    address = urlsplit(house.ipn_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"POST {address.path} HTTP/1.1\r\nhost: receiver\r\ncontent-length: 10000\r\n\r\n".encode())

    answered = asyncio.create_task(reader.readline())
    async with asyncio.timeout(60):
        while not answered.done():
            writer.write(b" ")
            await asyncio.sleep(0.05)
    writer.close()

    assert b" 503 " in answered.result()
    assert await _still_serves(house, http)


@pytest.mark.parametrize(
    "head",
    [
        "content-length: -1",
        "content-length: ten",
        "content-length: 1\r\ncontent-length: 2",
        "content-length: \u0665",
        "content-length: 99999999999999999999999999999999",
        "transfer-encoding: gzip",
    ],
    ids=["negative", "a word", "two of them", "other digits", "beyond any number", "unknown encoding"],
)
async def test_a_length_that_is_none_is_refused(house: Stage, http: httpx.AsyncClient, head: str) -> None:
    answered = await _first_line(house, head, b"{}")

    assert answered.split(b" ")[1:2] in ([b"400"], [b"413"], [b"501"])
    assert await _still_serves(house, http)


async def test_a_body_shorter_than_announced_is_no_message(house: Stage, http: httpx.AsyncClient) -> None:
    answered = await _first_line(house, "content-length: 100", b"{}", leaves=True)

    assert answered == b"" or b" 400 " in answered
    assert await _still_serves(house, http)


async def test_a_body_longer_than_announced_is_cut_where_it_was_announced_to_end(
    house: Stage, http: httpx.AsyncClient
) -> None:
    assert b" 400 " in await _first_line(house, "content-length: 2", b'{}{"Type": "Notification"}')
    assert await _still_serves(house, http)


@pytest.mark.parametrize(
    "bomb",
    [
        b"[" * 200_000,
        b'{"a":' * 40_000,
        b'{"Type":"Notification","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"Type":' + b"1" * 200_000 + b"}",
        b'{"Type":"' + b"\\u0000" * 40_000 + b'"}',
        json.dumps({f"key-{number}": number for number in range(12_000)}).encode(),
    ],
    ids=["lists", "objects", "balanced", "digits", "escapes", "keys"],
)
async def test_a_json_bomb_is_malformed(house: Stage, http: httpx.AsyncClient, bomb: bytes) -> None:
    assert len(bomb) <= LARGEST_BODY_BYTES
    async with asyncio.timeout(60):
        answer = await http.post(house.ipn_url, content=bomb)

    assert answer.status_code == 400
    assert len(answer.text) < 200
    assert await _still_serves(house, http)


async def test_a_compressed_body_is_not_unpacked(house: Stage, http: httpx.AsyncClient) -> None:
    answer = await http.post(house.ipn_url, content=b"\x1f\x8b" + b"\x00" * 100, headers={"content-encoding": "gzip"})

    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/metrics", "/ipn/", "/"])
async def test_the_receiver_describes_itself_to_nobody(house: Stage, http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(house.ipn_url.removesuffix("/ipn") + path, follow_redirects=False)

    assert answer.status_code in {404, 307}
