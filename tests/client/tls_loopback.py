"""A real TLS server on loopback: offers what it is told by ALPN, speaks HTTP/1.1, has a certificate of its own."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.client.loopback import Received

HTTP_1_1: Final = "http/1.1"
HTTP_2: Final = "h2"


def server_context(folder: Path, private_key: RSAPrivateKey, offers: Sequence[str]) -> ssl.SSLContext:
    """A server's TLS with a fresh certificate for 127.0.0.1, which is left in the folder as `ca.pem`."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private_key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    key = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(key + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.set_alpn_protocols(list(offers))
    return context


class TlsLoopback:
    """The server, on a port of its own.

    Attributes:
        body: the JSON that every request is answered with.
        received: every request, in order, with the protocol that was chosen for it in `protocols`.
        connections: how many clients came.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.body: Mapping[str, object] = {}
        self.received: list[Received] = []
        self.protocols: list[str | None] = []
        self.connections = 0
        self.origin = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.origin = "https://{}:{}".format(*self._server.sockets[0].getsockname())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                await self._answer_one(reader, writer, chosen)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chosen: str | None) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        method, target, _ = first.split(" ")
        self.received.append(Received(method, target, headers, await reader.readexactly(length)))
        self.protocols.append(chosen)
        content = json.dumps(self.body).encode()
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content)
        await writer.drain()
