"""That notifications of Amazon's arrive: by which topic, since when, and when the last one came. None is kept."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from sqlalchemy import select

from perennial_billing.ledger.database import reading, writing
from perennial_billing.ledger.errors import LedgerError
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import arrivals

SELDOM: Final = timedelta(minutes=10)
"""So often, at the most, a topic is noted by a process: when the last one came need not be known to the second."""

LONGEST_ARN: Final = 256
"""Characters (Amazon SNS, "topic ARN")."""

_log = logging.getLogger("ipn")


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came by a topic.

    Attributes:
        topic_arn: of it.
        first_at: when the first one came (UTC).
        last_at: when the last one came (UTC), or ten minutes before at the most.
    """

    topic_arn: str
    first_at: datetime
    last_at: datetime


async def all_arrivals(ledger: Ledger) -> Sequence[Arrival]:
    """Each topic by which notifications came, that of the last one first.

    Raises:
        LedgerError: the ledger cannot be read now.
    """
    await ledger.check_version()
    async with reading(ledger.engine) as connection:
        found = await connection.execute(select(arrivals).order_by(arrivals.c.last_at.desc()))
        return [Arrival(**each) for each in found.mappings()]


class Arrivals:
    """Notes them, beside whoever takes them: nobody waits for it, and nothing depends on it.

    Args:
        ledger: where.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._noted: dict[str, float] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def note(self, topic_arn: str) -> None:
        """One that is proven came by a topic."""
        now = time.monotonic()
        if now - self._noted.get(topic_arn, float("-inf")) < SELDOM.total_seconds():
            return
        self._noted[topic_arn] = now
        task = asyncio.create_task(self._write(topic_arn))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    @classmethod
    @asynccontextmanager
    async def noting(cls, ledger: Ledger) -> AsyncIterator[Self]:
        """Notes while the context is open, which is left when all that is under way is noted."""
        arrivals = cls(ledger)
        try:
            yield arrivals
        finally:
            await arrivals.settled()

    async def settled(self) -> None:
        """Returns when all that is under way is noted, or was given up."""
        await asyncio.gather(*self._under_way)

    async def _write(self, topic_arn: str) -> None:
        now = self._ledger.now()
        row = {"topic_arn": topic_arn[:LONGEST_ARN], "first_at": now, "last_at": now}
        put = self._ledger.insert(arrivals)
        put = put.on_conflict_do_update(index_elements=[arrivals.c.topic_arn], set_={"last_at": put.excluded.last_at})
        try:
            await self._ledger.check_version()
            async with writing(self._ledger.engine) as connection:
                await connection.execute(put, row)
        except LedgerError as error:
            self._noted.pop(topic_arn, None)  # the next one is noted
            _log.warning("that a notification arrived was not noted", extra={"why": str(error)})
