"""The way out through a proxy, as the environment says or as it is told."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_blocking_client, bounded_client
from amazon_pay_client.outbound.proxies import Proxies
from tests.client.tls_loopback import server_context

BOUNDS: Final = Bounds(seconds=30.0)
NAMES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, *(name.lower() for name in NAMES)):
        monkeypatch.delenv(name, raising=False)


class Proxy:
    """Takes every connection, and answers in the place of whoever is asked."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[str] = []
        self.open = 0
        self.address = ""
        self._tls = tls

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            self.address = "{}:{}".format(*server.sockets[0].getsockname())
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with contextlib.suppress(asyncio.IncompleteReadError, OSError), contextlib.closing(writer):
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            if self._tls is not None:
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                await writer.start_tls(self._tls)
                await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            await writer.drain()
            await reader.read()
        self.open -= 1


def to(address: str, given: str | None = None) -> bytes | None:
    proxy = Proxies(given).to(httpx.URL(address))
    return proxy.url.origin.host + b":%d" % proxy.url.origin.port if proxy else None


def test_without_a_word_in_the_environment_there_is_none() -> None:
    assert to("https://amazon.example/") is None


def test_each_scheme_has_its_own_and_one_stands_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://secure.example:1")
    monkeypatch.setenv("ALL_PROXY", "all.example:2")

    assert to("https://amazon.example/") == b"secure.example:1"
    assert to("http://amazon.example/") == b"all.example:2"
    assert to("http://amazon.example/", given="http://given.example:3") == b"given.example:3"


@pytest.mark.parametrize("unless", ["amazon.example", ".example", "localhost, amazon.example", "*", "x.example,*"])
def test_what_no_proxy_names_is_reached_without(unless: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://all.example:2")
    monkeypatch.setenv("NO_PROXY", unless)

    assert to("https://amazon.example/") is None


def test_another_host_than_no_proxy_names_is_reached_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://all.example:2")
    monkeypatch.setenv("NO_PROXY", "amazon.example")

    assert to("https://notamazon.example/") == b"all.example:2"


@pytest.mark.parametrize(
    "address", ["ftp://all.example:2", "socks5://all.example:2", "http://", "http://user:s3cret@all.example:port"]
)
def test_a_proxy_that_cannot_be_spoken_to_is_refused_at_the_start(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", address)

    with pytest.raises(ValueError, match=r"^proxy: ") as caught:
        bounded_client(at_once=1, bounds=BOUNDS)

    assert "s3cret" not in str(caught.value)


async def test_who_one_is_is_said_to_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Proxy().serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:secret@{proxy.address}")
        async with bounded_client(at_once=1, bounds=BOUNDS) as http:
            assert (await http.get("http://amazon.example/a?b=c")).text == "{}"

    assert proxy.heads[0].startswith("GET http://amazon.example/a?b=c HTTP/1.1\r\n")
    assert "proxy-authorization: basic dxnlcjpzzwnyzxq=" in proxy.heads[0].lower()


async def test_tls_that_fails_behind_a_proxy_costs_no_one_a_place_and_leaves_no_connection(tmp_path: Path) -> None:
    tls = server_context(tmp_path, rsa.generate_private_key(65537, 2048), ["http/1.1"])
    async with (
        Proxy(tls).serving() as proxy,
        bounded_client(at_once=2, bounds=BOUNDS, proxy=f"http://{proxy.address}") as http,
    ):
        for _ in range(6):
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await http.get("https://127.0.0.1/")

        assert [head.split("\r\n")[0] for head in proxy.heads] == ["CONNECT 127.0.0.1:443 HTTP/1.1"] * 6
        while proxy.open:
            await asyncio.sleep(0.01)


async def test_a_thread_that_waits_reaches_a_host_by_tls_behind_a_proxy(tmp_path: Path) -> None:
    tls = server_context(tmp_path, rsa.generate_private_key(65537, 2048), ["http/1.1"])
    trust = ssl.create_default_context(cafile=tmp_path / "ca.pem")

    def get(verify: ssl.SSLContext | None) -> str:
        with bounded_blocking_client(at_once=1, bounds=BOUNDS, proxy=f"http://{proxy.address}", verify=verify) as http:
            return http.get("https://127.0.0.1/").text

    async with Proxy(tls).serving() as proxy:
        assert await asyncio.to_thread(get, trust) == "{}"
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await asyncio.to_thread(get, None)

        assert [head.split("\r\n")[0] for head in proxy.heads] == ["CONNECT 127.0.0.1:443 HTTP/1.1"] * 2
        while proxy.open:
            await asyncio.sleep(0.01)


async def test_a_thread_that_waits_takes_the_first_address_of_a_host_that_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Proxy().serving() as server:
        port = int(server.address.rpartition(":")[2])
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.9", "127.0.0.1")]
        monkeypatch.setattr(
            "amazon_pay_client.outbound.blocking_network.socket.getaddrinfo", lambda *_given, **_named: found
        )

        def get() -> str:
            with bounded_blocking_client(at_once=1, bounds=BOUNDS) as http:
                return http.get(f"http://several.example:{port}/").text

        monkeypatch.setenv("NO_PROXY", "*")
        assert await asyncio.to_thread(get) == "{}"
    assert "host: several.example" in server.heads[0].lower()
