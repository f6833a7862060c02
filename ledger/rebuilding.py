"""Making the rows of the subscriptions anew from the entries, and telling which were otherwise."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from perennial_billing.ledger.database import writing
from perennial_billing.ledger.entries import Row
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.projection import folded
from perennial_billing.ledger.tables import entries, subscriptions

AT_ONCE: Final = 200
"""Subscriptions a transaction: whoever records waits for so many at most."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A column of a subscription's row that was not what its entries make of it.

    Attributes:
        charge_permission_id: whose row it is.
        column: which; empty where there was no row, or no entry.
        stood: what stood there.
        expected: what the entries make of it.
    """

    charge_permission_id: str
    column: str
    stood: Any  # Any: columns have different types
    expected: Any  # Any: as above


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Some subscriptions whose rows are right now.

    Attributes:
        subscriptions: how many.
        differences: what was not right before.
    """

    subscriptions: int
    differences: Sequence[Difference]


async def rebuild(ledger: Ledger, *, writes: bool = True) -> AsyncIterator[Rebuilt]:
    """Goes through all subscriptions, some at a time, while others may be recorded.

    Args:
        ledger: whose.
        writes: False only looks.

    Raises:
        LedgerUnavailableError: the database cannot be used now; what was gone through is right.
    """
    after = ""
    while True:
        async with writing(ledger.engine) as connection:
            names = await _next_names(connection, after)
            if not names:
                return
            differences = [each for name in names for each in await _rebuilt(ledger, connection, name, writes=writes)]
        yield Rebuilt(len(names), differences)
        after = names[-1]


async def _next_names(connection: AsyncConnection, after: str) -> list[str]:
    """Of subscriptions that have an entry or a row."""
    told = select(entries.c.charge_permission_id).where(entries.c.charge_permission_id > after).distinct()
    rows = select(subscriptions.c.charge_permission_id).where(subscriptions.c.charge_permission_id > after)
    found: set[str] = set()
    for query in (told, rows):
        ordered = query.order_by("charge_permission_id").limit(AT_ONCE)
        found |= set((await connection.execute(ordered)).scalars())
    return sorted(found)[:AT_ONCE]


async def _rebuilt(ledger: Ledger, connection: AsyncConnection, name: str, *, writes: bool) -> list[Difference]:
    chosen = select(subscriptions).where(subscriptions.c.charge_permission_id == name).with_for_update()
    found = (await connection.execute(chosen)).mappings().first()
    told = select(entries).where(entries.c.charge_permission_id == name).order_by(entries.c.id)
    rows = [dict(each) for each in (await connection.execute(told)).mappings()]
    expected = folded(None, rows) if rows else None
    differences = list(differences_between(name, dict(found) if found else None, expected))
    if differences and writes:
        await connection.execute(delete(subscriptions).where(subscriptions.c.charge_permission_id == name))
        if expected is not None:
            await ledger.put(connection, expected)
    return differences


def differences_between(name: str, stood: Row | None, expected: Row | None) -> list[Difference]:
    """In which columns a subscription's row is otherwise than its entries make it."""
    if stood is None or expected is None:
        return [] if stood is expected else [Difference(name, "", stood and "a row", expected and "a row")]
    return [
        Difference(name, column, stood[column], expected[column])
        for column in expected
        if stood[column] != expected[column]
    ]
