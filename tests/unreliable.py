"""A merchant's endpoint on loopback that drops, delays and rejects what it is sent, each webhook as often as is said.

It speaks HTTP by hand: what is dropped has no answer at all. It believes only what the official library verifies.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from standardwebhooks import Webhook

from tests.endpoint import SECRET

HUNG_SECONDS: Final = 2.0
"""Longer than whoever posts here waits."""


class Mischief(Enum):
    """What becomes of a post that is not simply taken."""

    DROPPED = "dropped"
    """The connection ends before anything is answered, and nothing was looked at."""
    ANSWER_LOST = "answer lost"
    """It was taken, and the answer to that never arrives."""
    HUNG = "hung"
    """It was taken, and the answer to that comes too late."""
    REJECTED = "rejected"
    """A database of the merchant's is away: 503."""
    REDIRECTED = "redirected"
    """To where nobody is to be led."""


@dataclass
class Unreliable:
    """Keeps what it was told.

    Attributes:
        url: where it listens.
        most: how often one webhook is met with mischief at the most.
        seed: of the dice.
        gone: it answers 410 to everything.
        down: nothing is answered to anything.
        attempts: how often each webhook came.
        taken: bodies by the ids of their webhooks, in the order in which they were taken first.
    """

    url: str = ""
    most: int = 0
    seed: int = 20270614
    gone: bool = False
    down: bool = False
    attempts: Counter[str] = field(default_factory=Counter)
    met: Counter[Mischief] = field(default_factory=Counter)
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    _plans: dict[str, list[Mischief]] = field(default_factory=dict)

    def numbers(self, charge_permission_id: str) -> list[int]:
        """Of a subscription's notices, in the order in which they were taken."""
        every = (event["data"] for event in self.taken.values())
        return [data["number"] for data in every if data["charge_permission_id"] == charge_permission_id]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head, body = await _request(reader)
            status = await self._status_for(head, body)
            if status is not None:
                writer.write(f"HTTP/1.1 {status} Said\r\nconnection: close\r\ncontent-length: 0\r\n".encode())
                writer.write(b"location: http://127.0.0.1:9/elsewhere\r\n\r\n" if status == 307 else b"\r\n")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever posted has given up waiting
        finally:
            writer.close()

    async def _status_for(self, head: dict[str, str], body: bytes) -> int | None:
        identifier = head["webhook-id"]
        self.attempts[identifier] += 1
        if self.down:
            return None
        if self.gone:
            return 410
        plan = self._plans.setdefault(identifier, self._plan_for(identifier))
        mischief = plan.pop() if plan else None
        if mischief is not None:
            self.met[mischief] += 1
        match mischief:
            case Mischief.DROPPED:
                return None
            case Mischief.REJECTED:
                return 503
            case Mischief.REDIRECTED:
                return 307
        event = Webhook(SECRET).verify(body, head)
        known = self.taken.setdefault(identifier, event)
        assert known == event, "the same id, and something else is said"
        if mischief is Mischief.HUNG:
            await asyncio.sleep(HUNG_SECONDS)
        return None if mischief is Mischief.ANSWER_LOST else 204

    def _plan_for(self, identifier: str) -> list[Mischief]:
        dice = random.Random(f"{self.seed} {len(self._plans)}")
        return [dice.choice(list(Mischief)) for _ in range(dice.randint(0, self.most))]


async def _request(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
    head: dict[str, str] = defaultdict(str)
    for line in lines:
        name, _, value = line.partition(":")
        head[name.strip().lower()] = value.strip()
    return head, await reader.readexactly(int(head["content-length"]))


@asynccontextmanager
async def unreliable(most: int = 0) -> AsyncIterator[Unreliable]:
    """One that listens while the context is open."""
    listening = Unreliable(most=most)
    server = await asyncio.start_server(listening.serve, "127.0.0.1", 0)
    async with server:
        listening.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/notices"
        yield listening
