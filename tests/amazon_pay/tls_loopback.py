"""A real TLS server on loopback that offers HTTP/2 by ALPN, or not, with a certificate of its own.

HTTP/2 is spoken by the `h2` library, which is not the code under test: httpx chooses, h2 answers.
"""

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

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.amazon_pay.loopback import Received, answer

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
        noise: bytes to answer with instead, straight on the connection.
        received: every request, in order, with the protocol that brought it in `protocols`.
        connections: how many clients came.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.body: Mapping[str, object] = {}
        self.noise: bytes | None = None
        self.received: list[Received] = []
        self.protocols: list[str] = []
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
        speak = self._speak_http_2 if chosen == HTTP_2 else self._speak_http_1
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, h2.exceptions.ProtocolError):
            await speak(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _speak_http_1(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        method, target, _ = first.split(" ")
        self._keep(Received(method, target, headers, await reader.readexactly(length)), HTTP_1_1)
        writer.write(answer(200, json.dumps(self.body).encode()))
        await writer.drain()

    async def _speak_http_2(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        heads: dict[int, list[tuple[str, str]]] = {}
        bodies: dict[int, bytes] = {}
        while data := await reader.read(65_536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    heads[event.stream_id] = [(str(name), str(value)) for name, value in event.headers]
                    bodies[event.stream_id] = b""
                elif isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    named = dict(heads[event.stream_id])
                    self._keep(
                        Received(
                            named[":method"],
                            named[":path"],
                            [(name, value) for name, value in heads[event.stream_id] if not name.startswith(":")],
                            bodies[event.stream_id],
                        ),
                        HTTP_2,
                    )
                    if self.noise is not None:
                        writer.write(self.noise)
                        return
                    self._answer_http_2(connection, event.stream_id)
            writer.write(connection.data_to_send())
            await writer.drain()

    def _answer_http_2(self, connection: h2.connection.H2Connection, stream_id: int) -> None:
        connection.send_headers(stream_id, [(":status", "200"), ("content-type", "application/json")])
        connection.send_data(stream_id, json.dumps(self.body).encode(), end_stream=True)

    def _keep(self, received: Received, protocol: str) -> None:
        self.received.append(received)
        self.protocols.append(protocol)
