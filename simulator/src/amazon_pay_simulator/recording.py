"""Writes what goes over the wire into the journal, in passing: an ASGI application around the API."""

from time import perf_counter
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amazon_pay_simulator.journal import Journal, RawRequest, now

LARGEST_KEPT_BYTES: Final = 64 * 1024
"""Of a body; of more, the journal has the beginning. A charge has 500 bytes."""


class _Exchange:
    """One request and its answer, listened to."""

    __slots__ = (
        "_answer",
        "_at",
        "_began",
        "_body",
        "_is_written",
        "_journal",
        "_merchant_id",
        "_receive",
        "_scope",
        "_send",
    )

    def __init__(self, journal: Journal, merchant_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._journal = journal
        self._merchant_id = merchant_id
        self._scope = scope
        self._receive = receive
        self._send = send
        self._at, self._began = now(), perf_counter()
        self._body = b""
        self._answer: tuple[int | None, bytes] = (None, b"")
        self._is_written = False

    @property
    def transport(self) -> Any:  # Any: a detail of the server's
        """The connection, for whom wants to cut it (`wire.cut`)."""
        return getattr(getattr(self._send, "__self__", None), "transport", None)

    async def receive(self) -> Message:
        """What the server hands on of the request."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._body += message.get("body", b"")
        return message

    async def send(self, message: Message) -> None:
        """Hands on a part of the answer. Whoever has the whole of it finds it in the journal, so that comes first."""
        status, body = self._answer
        if message["type"] == "http.response.start":
            self._answer = (message["status"], body)
        else:
            self._answer = (status, body + message.get("body", b""))
            if not message.get("more_body", False):
                self.write()
        await self._send(message)

    def write(self) -> None:
        """Notes what has been seen; once."""
        if self._is_written:
            return
        self._is_written = True
        status, answer = self._answer
        self._journal.write(
            RawRequest(
                at=self._at,
                seconds=perf_counter() - self._began,
                merchant_id=self._merchant_id,
                method=self._scope["method"],
                path=self._scope["path"],
                query=self._scope["query_string"],
                headers=self._scope["headers"],
                body=self._body[:LARGEST_KEPT_BYTES],
                status=status,
                answer=answer[:LARGEST_KEPT_BYTES],
            )
        )


async def recorded(
    app: ASGIApp, merchant_id: str, journal: Journal, scope: Scope, receive: Receive, send: Send
) -> None:
    """Lets an application answer a request, and notes both; also where the connection ends without an answer."""
    exchange = _Exchange(journal, merchant_id, scope, receive, send)
    try:
        await app(scope, exchange.receive, exchange.send)
    finally:
        exchange.write()
