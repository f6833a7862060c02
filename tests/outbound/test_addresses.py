"""A host that others name leads to the internet, or nothing is sent: looked at when the connection is made."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from amazon_pay_client.outbound import addresses
from amazon_pay_client.outbound.addresses import is_public
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_client.outbound.errors import AddressRefusedError
from amazon_pay_client.outbound.library import httpx
from tests.client.tls_loopback import TlsLoopback, server_context

BOUNDS = Bounds(seconds=10.0)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "10.1.2.3",
        "172.16.0.9",
        "192.168.178.1",
        "169.254.169.254",
        "100.64.3.2",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::7",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:0:a00:1::1",
        "localhost",
        "",
    ],
)
def test_an_address_of_ones_own_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answers on loopback; its port, and what came."""
    came: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], came


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Names lead to these addresses, from look to look; gives the names that were looked up."""
    looked_up: list[str] = []
    left = list(answers)

    async def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        looked_up.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up, raising=False)
    return looked_up


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
async def test_nothing_is_sent_to_this_machine_however_it_is_called(host: str) -> None:
    async with listening() as (port, came), bounded_client(at_once=1, bounds=BOUNDS, public_only=True) as http:
        with pytest.raises(httpx.ConnectError):
            await http.post(f"http://{host}:{port}/notices")

        assert (await bounded_post(port)).status_code == 204
    assert len(came) == 1


async def bounded_post(port: int) -> httpx.Response:
    """The same, where any address may be connected to."""
    async with bounded_client(at_once=1, bounds=BOUNDS) as http:
        return await http.post(f"http://127.0.0.1:{port}/notices")


async def test_a_name_with_one_address_of_ones_own_among_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as (port, came), bounded_client(at_once=1, bounds=BOUNDS, public_only=True) as http:
        resolving(monkeypatch, ["93.184.215.14", "127.0.0.1"])
        with pytest.raises(AddressRefusedError, match=r"^shop\.example has an address that is not public$"):
            await http.post(f"http://shop.example:{port}/notices")
    assert came == []


async def test_a_name_that_leads_elsewhere_from_look_to_look_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: were it looked up again to be connected to, loopback would be reached."""
    with monkeypatch.context() as patch:
        # What is public for this test, so that something is connected to.
        patch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1")
        async with listening() as (port, came), bounded_client(at_once=1, bounds=BOUNDS, public_only=True) as http:
            looked_up = resolving(patch, ["127.0.0.1"], ["127.0.0.2"])
            answer = await http.post(f"http://shop.example:{port}/notices")

            assert (answer.status_code, looked_up[0]) == (204, "shop.example")
            assert b"host: shop.example" in came[0].lower()
            with pytest.raises(AddressRefusedError):
                await http.post(f"http://shop.example:{port}/notices")
    assert [name for name in looked_up if name == "shop.example"] == ["shop.example"] * 2
    assert len(came) == 1


async def test_a_certificate_must_be_of_the_name_and_not_of_the_address_that_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1")
    context = server_context(tmp_path, rsa.generate_private_key(public_exponent=65537, key_size=2048), ["http/1.1"])
    trusted = ssl.create_default_context(cafile=tmp_path / "ca.pem")  # a certificate of 127.0.0.1's
    async with (
        TlsLoopback(context) as server,
        bounded_client(at_once=1, bounds=BOUNDS, verify=trusted, public_only=True) as http,
    ):
        port = httpx.URL(server.origin).port
        assert (await http.get(f"https://127.0.0.1:{port}/")).status_code == 200
        resolving(monkeypatch, ["127.0.0.1"])
        with pytest.raises(httpx.ConnectError, match=r"Hostname mismatch.*shop\.example"):
            await http.get(f"https://shop.example:{port}/")
    assert len(server.received) == 1


async def test_a_redirect_into_the_own_network_is_not_followed() -> None:
    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:{port}/\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with listening() as (port, came), bounded_client(at_once=1, bounds=BOUNDS) as http:
        server = await asyncio.start_server(redirect, "127.0.0.1", 0)
        async with server:
            answer = await http.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/notices")
    assert (answer.status_code, came) == (307, [])


async def test_a_name_that_nobody_knows_is_an_ordinary_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bounded_client(at_once=1, bounds=BOUNDS, public_only=True) as http:
        with pytest.raises(httpx.ConnectError) as failed:
            await http.post("http://nobody.invalid/notices")
    assert not isinstance(failed.value, AddressRefusedError)
