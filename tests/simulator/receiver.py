"""Somebody on loopback who receives notifications and answers what a test tells it to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from amazon_pay_client.ipn import Envelope, Notification
from perennial_billing.runtime.http import bind, serving


@dataclass
class Receiver:
    """Keeps what was posted.

    Attributes:
        url: where it listens.
        statuses: the answers to the next posts; afterwards 200.
        posted: each body with its content type, also of refused posts.
    """

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    posted: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def envelopes(self) -> list[Envelope]:
        return [Envelope.model_validate_json(body) for _, body in self.posted]

    @property
    def notifications(self) -> list[Notification]:
        return [Notification.model_validate_json(envelope.message) for envelope in self.envelopes]

    async def received(self, number: int) -> Sequence[Notification]:
        """Waits until so many posts have come."""
        await _until(lambda: len(self.posted) >= number)
        return self.notifications

    def forget(self) -> None:
        """Has received nothing yet, and takes whatever comes."""
        self.posted.clear()
        self.statuses.clear()

    async def take(self, request: Request) -> Response:
        self.posted.append((request.headers["content-type"], await request.body()))
        return Response(status_code=self.statuses.pop(0) if self.statuses else 200)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens while the context is open."""
    receiver = Receiver()
    app = Starlette(routes=[Route("/ipn", receiver.take, methods=["POST"])])
    with bind("127.0.0.1", 0) as listener:
        async with serving(app, listener) as origin:
            receiver.url = f"{origin}/ipn"
            yield receiver


async def _until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_true():
            await asyncio.sleep(0.01)
