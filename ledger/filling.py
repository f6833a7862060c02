"""Writing down what the ledger once knew and has lost, as where its database was restored from a copy.

What was told since stays as it is; the subscription's row is made anew of all entries, in the order of their numbers.
Nothing is sent to anybody again.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from perennial_billing.ledger.database import reading, writing
from perennial_billing.ledger.entries import Row, Told, entries_of
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.projection import folded
from perennial_billing.ledger.tables import entries


async def numbers_of(ledger: Ledger, charge_permission_id: str) -> set[int]:
    """The numbers of a subscription's notices that are recorded.

    Raises:
        LedgerError: the database cannot be used now, or is of another release.
    """
    await ledger.check_version()
    query = select(entries.c.number).where(entries.c.charge_permission_id == charge_permission_id)
    async with reading(ledger.engine) as connection:
        return {*(await connection.execute(query)).scalars()}


async def fill(ledger: Ledger, charge_permission_id: str, told: Iterable[Told]) -> int:
    """Records of what was told what is not recorded; the number of entries that this made.

    Raises:
        LedgerError: nothing was recorded.
    """
    await ledger.check_version()
    rows = {row["number"]: row for each in told for row in entries_of(each, ledger.now())}
    async with writing(ledger.engine) as connection:
        known = await _rows(connection, charge_permission_id)
        new = [row for number, row in sorted(rows.items()) if number not in {each["number"] for each in known}]
        if not new:
            return 0
        newest = max((each["number"] for each in known), default=0)
        for row in new:
            if row["number"] < newest:
                row["summary"] = None  # how it stood then; how it stands now is known
        await connection.execute(ledger.insert(entries), new)
        await ledger.put(connection, folded(None, await _rows(connection, charge_permission_id)))
    return len(new)


async def _rows(connection: AsyncConnection, charge_permission_id: str) -> Sequence[Row]:
    query = select(entries).where(entries.c.charge_permission_id == charge_permission_id).order_by(entries.c.number)
    return [dict(row) for row in (await connection.execute(query)).mappings()]
