"""What the HTTP API has answered under an idempotency key: the same again, also after a crash, for a stated time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Final

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from perennial_billing.ledger.batches import Batches
from perennial_billing.ledger.database import reading, writing
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import api_answers

KEPT_FOR: Final = timedelta(days=30)
"""After that a key is not recognised any more; what it asked for still is, by the request's id, for far longer."""

Key = tuple[str, str]
"""The id of an API key, and an idempotency key of whoever has it."""

_KEY: Final = (api_answers.c.api_key, api_answers.c.idempotency_key)
_ANSWER: Final = ("wish", "status", "body", "answered_at")


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer.

    Attributes:
        wish: recognises what was asked for.
        status: of HTTP.
        body: as it was sent.
    """

    wish: str
    status: int
    body: str


class Answers:
    """The answers of one process: what requests at the same time look up, and keep, is one transaction.

    Args:
        ledger: where they are.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._found = Batches(self._find)
        self._kept = Batches(self._keep)

    async def kept(self, api_key: str, idempotency_key: str) -> KeptAnswer | None:
        """What was answered under a key; None where nothing was, or too long ago.

        Raises:
            LedgerError: that cannot be found out now.
        """
        return await self._found.ask((api_key, idempotency_key))

    async def keep(self, api_key: str, idempotency_key: str, answer: KeptAnswer) -> KeptAnswer:
        """Keeps an answer; where another process was first, its answer is the one.

        Once this returns, the answer is on the disk.

        Raises:
            LedgerError: it is not kept.
        """
        return await self._kept.ask(((api_key, idempotency_key), answer))

    async def _find(self, keys: Sequence[Key]) -> list[KeptAnswer | None]:
        await self._ledger.check_version()
        async with reading(self._ledger.engine) as connection:
            found = await _found(connection, keys, datetime.now(UTC) - KEPT_FOR)
        return [found.get(key) for key in keys]

    async def _keep(self, answered: Sequence[tuple[Key, KeptAnswer]]) -> list[KeptAnswer]:
        await self._ledger.check_version()
        now = datetime.now(UTC)
        rows = [
            {
                "api_key": api_key,
                "idempotency_key": idempotency_key,
                "wish": answer.wish,
                "status": answer.status,
                "body": answer.body,
                "answered_at": now,
            }
            for (api_key, idempotency_key), answer in sorted(answered, key=itemgetter(0))  # two that meet do not cross
        ]
        add = self._ledger.insert(api_answers)
        is_forgotten = api_answers.c.answered_at <= now - KEPT_FOR
        add = add.on_conflict_do_update(
            index_elements=_KEY, set_={name: add.excluded[name] for name in _ANSWER}, where=is_forgotten
        )
        keys = [key for key, _ in answered]
        async with writing(self._ledger.engine) as connection:
            await connection.execute(add, rows)
            found = await _found(connection, keys, now - KEPT_FOR)
        return [found[key] for key in keys]


async def _found(connection: AsyncConnection, keys: Sequence[Key], since: datetime) -> dict[Key, KeptAnswer]:
    column = api_answers.c
    query = select(*_KEY, column.wish, column.status, column.body).where(
        tuple_(*_KEY).in_(keys), column.answered_at > since
    )
    return {(row[0], row[1]): KeptAnswer(*row[2:]) for row in await connection.execute(query)}


async def forget_old_answers(ledger: Ledger) -> int:
    """Forgets those that are older than they are kept; says how many.

    Raises:
        LedgerError: none were forgotten.
    """
    await ledger.check_version()
    old = delete(api_answers).where(api_answers.c.answered_at <= datetime.now(UTC) - KEPT_FOR)
    async with writing(ledger.engine) as connection:
        return (await connection.execute(old)).rowcount
