"""Which links of the buyer's page were used to do something, so that each does one thing.

A link is used in two steps. It is begun before the subscription is asked, and done once that has answered. Where the
process dies between the two, the link is begun and not done, and whoever sends it again is let through: the
subscription is asked under an id that is made of the same nonce, so it recognises what it was asked before, and does
nothing twice.
"""

from datetime import UTC, datetime

from sqlalchemy import delete, select, update

from perennial_billing.ledger.database import reading, writing
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import portal_acts


async def begin(ledger: Ledger, nonce: str, expires_at: datetime) -> bool:
    """Whether something may be done by a link: not where it was done already. Once this returns, it is on the disk.

    Args:
        ledger: where that is kept.
        nonce: the link's.
        expires_at: when the link does (UTC); until then it is kept.

    Raises:
        LedgerError: that cannot be found out now, so nothing may be done.
    """
    await ledger.check_version()
    column = portal_acts.c
    add = ledger.insert(portal_acts).values(nonce=nonce, expires_at=expires_at)
    async with writing(ledger.engine) as connection:
        await connection.execute(add.on_conflict_do_nothing(index_elements=(column.nonce,)))
        done_at = await connection.scalar(select(column.done_at).where(column.nonce == nonce))
    return done_at is None


async def finish(ledger: Ledger, nonce: str) -> None:
    """What was begun is done, or was refused for good: the link does nothing any more.

    Raises:
        LedgerError: that is not kept; sent again, the link is let through, and the subscription recognises it.
    """
    column = portal_acts.c
    done = update(portal_acts).where(column.nonce == nonce, column.done_at.is_(None))
    async with writing(ledger.engine) as connection:
        await connection.execute(done.values(done_at=datetime.now(UTC)))


async def is_done(ledger: Ledger, nonce: str) -> bool:
    """Whether a link was used.

    Raises:
        LedgerError: that cannot be found out now.
    """
    await ledger.check_version()
    column = portal_acts.c
    async with reading(ledger.engine) as connection:
        return await connection.scalar(select(column.done_at).where(column.nonce == nonce)) is not None


async def forget_expired(ledger: Ledger) -> int:
    """Forgets those whose links nobody takes any more; says how many.

    Raises:
        LedgerError: none were forgotten.
    """
    await ledger.check_version()
    old = delete(portal_acts).where(portal_acts.c.expires_at <= datetime.now(UTC))
    async with writing(ledger.engine) as connection:
        return (await connection.execute(old)).rowcount
