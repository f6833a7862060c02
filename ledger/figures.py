"""What stands in the ledger now, in the few numbers that are watched: read each half minute, so by indexes alone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from perennial_billing.billing.status import Status
from perennial_billing.ledger.database import reading
from perennial_billing.ledger.deliveries import DeliveryState
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import deliveries, subscriptions

LATE_AFTER: Final = timedelta(hours=1)
"""So long after it was due a charge is overdue that nothing was told of: more than a payday takes at Amazon's limits of
most merchants, and before anybody asks."""

_NOT_TAKEN: Final = (DeliveryState.QUEUED, DeliveryState.GIVEN_UP, DeliveryState.NOT_SENT)


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Notices that an endpoint has not taken, of one state.

    Attributes:
        count: how many.
        oldest: when the one was begun that waits for longest (UTC).
    """

    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """How many subscriptions, by merchant account.

    Attributes:
        past_due: that owe a period which could not be collected at once.
        needing_attention: that somebody has to look at.
        on_hold: of which the merchant alone can mend what is in the way.
        overdue: whose next charge was due more than `LATE_AFTER` ago.
        undelivered: notices by endpoint and state.
        read_at: when (UTC, the process's clock).
    """

    past_due: Mapping[str, int]
    needing_attention: Mapping[str, int]
    on_hold: Mapping[str, int]
    overdue: Mapping[str, int]
    undelivered: Mapping[tuple[str, DeliveryState], Undelivered]
    read_at: datetime


async def read_figures(ledger: Ledger) -> Figures:
    """Reads them, all of one moment.

    Raises:
        LedgerError: the database cannot be used now, or is of another release.
    """
    await ledger.check_version()
    column, now = subscriptions.c, ledger.now()
    async with reading(ledger.engine) as connection:
        return Figures(
            past_due=await _counted(connection, column.past_due_since.is_not(None)),
            needing_attention=await _counted(connection, column.needs_attention == true()),
            on_hold=await _counted(connection, column.status == Status.ON_HOLD.value),
            overdue=await _counted(connection, column.next_charge_at < now - LATE_AFTER),
            undelivered=await _undelivered(connection),
            read_at=now,
        )


async def _counted(connection: AsyncConnection, chosen: ColumnElement[bool]) -> Mapping[str, int]:
    account = subscriptions.c.merchant_account
    query = select(account, func.count()).where(chosen).group_by(account)
    found: Counter[str] = Counter()
    for name, count in await connection.execute(query):
        found[name] = count
    return found


async def _undelivered(connection: AsyncConnection) -> Mapping[tuple[str, DeliveryState], Undelivered]:
    column = deliveries.c
    query = (
        select(column.endpoint, column.state, func.count(), func.min(column.since))
        .where(column.state.in_([state.value for state in _NOT_TAKEN]))
        .group_by(column.endpoint, column.state)
    )
    rows = await connection.execute(query)
    return {(endpoint, DeliveryState(state)): Undelivered(count, since) for endpoint, state, count, since in rows}
