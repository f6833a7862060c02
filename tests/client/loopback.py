"""A real HTTP/1.1 server on loopback that keeps what came, byte for byte, and answers what a test tells it to.

It is written on bare streams, not on a framework, because the tests also need answers that no framework would
send: cut ones, silent ones, and random bytes. It may not know anything of `amazon_pay_client`.
"""

import asyncio
import contextlib
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

KEY_ID: Final = "SANDBOX-LOOPBACKKEY"
NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody. A client that never meets TLS need not load all certificate authorities for each test."""

_AUTHORIZATION: Final = re.compile(r"(\S+) PublicKeyId=([^,]+), SignedHeaders=([^,]+), Signature=(\S+)")


@dataclass(frozen=True)
class Authorization:
    """An authorization header, taken to pieces."""

    algorithm: str
    public_key_id: str
    signed_headers: list[str]
    signature: str

    @classmethod
    def parse(cls, header: str) -> Self:
        match = _AUTHORIZATION.fullmatch(header)
        assert match is not None, header
        algorithm, public_key_id, names, signature = match.groups()
        return cls(algorithm, public_key_id, names.split(";"), signature)


@dataclass(frozen=True)
class Received:
    """One request as it came: the target is not decoded, the headers are not merged."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given.lower() == name]

    @property
    def merged_headers(self) -> dict[str, str]:
        return {name.lower(): ",".join(self.values(name.lower())) for name, _ in self.headers}

    @property
    def authorization(self) -> Authorization:
        return Authorization.parse(self.merged_headers["authorization"])


def answer(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of an orderly answer."""
    all_headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    all_headers |= headers or {}
    lines = [f"HTTP/1.1 {status} Loopback", *(f"{name}: {value}" for name, value in all_headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Loopback:
    """The server, on a port of its own; every connection carries one request.

    Attributes:
        answer: the bytes to answer with before the connection is closed; None stays silent until the client leaves.
        first_answers: taken before `answer`, one for each request.
        received: every request, in order.
    """

    def __init__(self) -> None:
        self.answer: bytes | None = b""
        self.first_answers: list[bytes] = []
        self.received: list[Received] = []
        self.origin = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.origin = "http://{}:{}".format(*self._server.sockets[0].getsockname())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        await self._server.wait_closed()

    def answers(
        self, body: Mapping[str, object] | None, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answers every request with this JSON, or with an empty body."""
        self.answer = answer(status, json.dumps(body).encode() if body is not None else b"", headers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError), contextlib.closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip("\r\n").split("\r\n")
            headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
            length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
            body = await reader.readexactly(length)
            method, target, _ = first.split(" ")
            self.received.append(Received(method, target, headers, body))
            answer_now = self.first_answers.pop(0) if self.first_answers else self.answer
            if answer_now is None:
                await reader.read()
            else:
                writer.write(answer_now)
                await writer.drain()
