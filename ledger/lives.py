"""Whether a subscription has lived under a charge permission before, for as long as the ledger is kept."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.ledger.database import reading
from perennial_billing.ledger.finding import Found, found_of
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import entries, states, subscriptions

AT_ONCE: Final = 500
"""Subscriptions that are read at a time."""

_BEGINS: Final = (NoticeType.SUBSCRIPTION_STARTED.value, NoticeType.SUBSCRIPTION_CONTINUED.value)


@dataclass(frozen=True, slots=True)
class EarlierLife:
    """What the ledger has of the subscriptions that have lived under a charge permission.

    Attributes:
        found: how the last of them stood when it last told something.
        every: the interval of a regular period, such as `1 month`; None where it told before summaries were kept.
        lives: how many there were.
        told: the number of the last notice.
        last_paid: the period that was paid last, counted from 0; None where none was.
        last_paid_due: when that fell due (UTC).
        is_kept: whether all that it knew is kept as well.
    """

    found: Found
    every: str | None
    lives: int
    told: int
    last_paid: int | None
    last_paid_due: datetime | None
    is_kept: bool

    @property
    def has_ended(self) -> bool:
        """Whether it ended by itself, or by somebody's wish; else nobody has told it to."""
        return self.found.status is not None and self.found.status.has_ended


async def earlier_life(ledger: Ledger, charge_permission_id: str) -> EarlierLife | None:
    """Looks up whether a subscription has ever told anything; None where none has.

    Raises:
        LedgerError: the database cannot be used now, or is of another release.
    """
    await ledger.check_version()
    told = entries.c
    whose = told.charge_permission_id == charge_permission_id
    async with reading(ledger.engine) as connection:
        known = select(subscriptions).where(subscriptions.c.charge_permission_id == charge_permission_id)
        row = (await connection.execute(known)).mappings().first()
        if row is None:
            return None
        # Told again after Temporal was set back, it is the same one under the same number.
        lives = select(func.count(told.number.distinct())).where(whose, told.type.in_(_BEGINS))
        last = select(func.max(told.number)).where(whose)
        paid = select(told.period, told.due).where(whose, told.type == NoticeType.PERIOD_PAID.value)
        kept = select(func.count()).where(states.c.charge_permission_id == charge_permission_id)
        newest = (await connection.execute(paid.order_by(told.id.desc()).limit(1))).first()
        return EarlierLife(
            found=found_of(dict(row)),
            every=f"{row['interval_count']} {row['interval_unit']}" if row["interval_unit"] else None,
            lives=max(1, await connection.scalar(lives) or 0),
            told=await connection.scalar(last) or 0,
            last_paid=newest[0] if newest else None,
            last_paid_due=newest[1] if newest else None,
            is_kept=bool(await connection.scalar(kept)),
        )


async def not_ended(ledger: Ledger) -> AsyncIterator[str]:
    """The charge permissions under which a subscription lives by the ledger, in their order.

    Raises:
        LedgerError: the database cannot be used now, or is of another release.
    """
    await ledger.check_version()
    column, after = subscriptions.c, ""
    while True:
        query = select(column.charge_permission_id).where(
            column.charge_permission_id > after, column.ended_at.is_(None), column.status.is_not(None)
        )
        async with reading(ledger.engine) as connection:
            page = query.order_by(column.charge_permission_id).limit(AT_ONCE)
            found = [*(await connection.execute(page)).scalars()]
        for name in found:
            yield name
        if len(found) < AT_ONCE:
            return
        after = found[-1]
