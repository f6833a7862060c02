"""Amazon's SNS hosts on loopback: a proxy that every connection of a client goes through, and TLS behind it.

Only Amazon's host names are allowed, and tests may not reach them. So a client is given a proxy, which answers in the
host's place and keeps who was asked for: sockets, TLS and HTTP are real, and a host that may not be asked would show.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from perennial_billing.ipn.certificates import CERTIFICATE_SECONDS, MOST_FETCHES

HOST: Final = "sns.us-east-1.amazonaws.com"
CHINESE_HOST: Final = "sns.cn-north-1.amazonaws.com.cn"
CERTIFICATE_URL: Final = f"https://{HOST}/SimpleNotificationService-0123456789abcdef.pem"

_MAY_SIGN: Final = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,  # it is its own authority, which newer Pythons are strict about
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)

CertificateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def certificate(
    key: CertificateKey, begins: timedelta = timedelta(days=-1), ends: timedelta = timedelta(days=1)
) -> x509.Certificate:
    """A self-signed certificate for the SNS hosts; its dates are relative to now."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST), x509.DNSName(CHINESE_HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_MAY_SIGN, critical=True)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )


def pem(subject: x509.Certificate) -> bytes:
    """The certificate as SNS serves it."""
    return subject.public_bytes(serialization.Encoding.PEM)


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """The bytes of an orderly HTTP answer."""
    lines = [f"HTTP/1.1 {status} Loopback", f"content-length: {len(body)}", "connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class AmazonOnLoopback:
    """What stands in for Amazon's hosts.

    Attributes:
        proxy: the address to give to a client as its proxy.
        trusted: the file with the certificate that the TLS behind it shows.
        answer: what every request is answered with; None keeps silent.
        answers: what a request for one path is answered with instead; in plain http, for one address.
        endless: what is sent again and again after the answer, until the client leaves.
        asked: the first line of every connection, such as `CONNECT host:443 HTTP/1.1` or `GET http://host/ HTTP/1.1`.
        paths: of the requests that were made inside.
    """

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self.proxy = ""
        self.trusted = folder / "tls.pem"
        self.answer: bytes | None = b""
        self.answers: dict[str, bytes] = {}
        self.endless = b""
        self.asked: list[str] = []
        self.paths: list[str] = []
        self.trusted.write_bytes(pem(certificate(key)))
        key_file = folder / "tls-key.pem"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.trusted, key_file)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["AmazonOnLoopback"]:
        """Listens while the context is open."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            self.proxy = "http://{}:{}".format(*server.sockets[0].getsockname())
            yield self

    def client(self, *, trusting: bool = True) -> httpx.AsyncClient:
        """A client that reaches nothing but this, whatever host it is told."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if trusting:
            tls.load_verify_locations(self.trusted)
        return bounded_client(
            at_once=MOST_FETCHES, bounds=Bounds(seconds=CERTIFICATE_SECONDS), proxy=self.proxy, verify=tls
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError), contextlib.closing(writer):
            first = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode("latin-1")
            self.asked.append(first)
            if not first.startswith("CONNECT "):
                writer.write(self.answers.get(first.split(" ")[1], b""))
                await writer.drain()
                return
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            await writer.start_tls(self._tls)
            request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = request.split(" ")[1]
            self.paths.append(path)
            said = self.answers.get(path, self.answer)
            if said is None:
                await reader.read()
                return
            writer.write(said)
            await writer.drain()
            while self.endless:
                writer.write(self.endless)
                await writer.drain()
