"""What the HTTP API has answered under an idempotency key: the same again, also after a crash, for a stated time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, select

from perennial_billing.ledger.database import reading, writing
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import api_answers

KEPT_FOR: Final = timedelta(days=30)
"""After that a key is not recognised any more; what it asked for still is, by the request's id, for far longer."""


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


async def kept_answer(ledger: Ledger, api_key: str, idempotency_key: str) -> KeptAnswer | None:
    """What was answered under a key; None where nothing was, or too long ago.

    Raises:
        LedgerError: that cannot be found out now.
    """
    await ledger.check_version()
    column = api_answers.c
    query = select(column.wish, column.status, column.body).where(
        column.api_key == api_key,
        column.idempotency_key == idempotency_key,
        column.answered_at > datetime.now(UTC) - KEPT_FOR,
    )
    async with reading(ledger.engine) as connection:
        row = (await connection.execute(query)).first()
    return KeptAnswer(*row) if row is not None else None


async def keep_answer(ledger: Ledger, api_key: str, idempotency_key: str, answer: KeptAnswer) -> KeptAnswer:
    """Keeps an answer; where another process was first, its answer is the one.

    Raises:
        LedgerError: it is not kept.
    """
    await ledger.check_version()
    now = datetime.now(UTC)
    row = {
        "api_key": api_key,
        "idempotency_key": idempotency_key,
        "wish": answer.wish,
        "status": answer.status,
        "body": answer.body,
        "answered_at": now,
    }
    column = api_answers.c
    mine = (column.api_key == api_key, column.idempotency_key == idempotency_key)
    async with writing(ledger.engine) as connection:
        await connection.execute(delete(api_answers).where(*mine, column.answered_at <= now - KEPT_FOR))
        await connection.execute(ledger.insert(api_answers).values(row).on_conflict_do_nothing())
        query = select(column.wish, column.status, column.body).where(*mine)
        return KeptAnswer(*(await connection.execute(query)).one())


async def forget_old_answers(ledger: Ledger) -> int:
    """Forgets those that are older than they are kept; says how many.

    Raises:
        LedgerError: none were forgotten.
    """
    await ledger.check_version()
    old = delete(api_answers).where(api_answers.c.answered_at <= datetime.now(UTC) - KEPT_FOR)
    async with writing(ledger.engine) as connection:
        return (await connection.execute(old)).rowcount
