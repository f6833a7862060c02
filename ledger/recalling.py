"""What nobody remembers any more: charges of long ago, how much of each has gone back, and who has asked for it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.refunds import MOST_KNOWN
from perennial_billing.billing.protocol.answers import RefundState
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.protocol.recollection import Recalled, RecalledCharge, RecalledRefund, Recollection
from perennial_billing.billing.status import Status
from perennial_billing.ledger.database import reading
from perennial_billing.ledger.entries import Row, money
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import entries, subscriptions

MOST_PREDECESSORS: Final = 20
"""So often a buyer may have checked out anew."""

_PAID: Final = NoticeType.PERIOD_PAID.value
_STATES: Final = {
    NoticeType.REFUND_COMPLETED.value: RefundState.REFUNDED,
    NoticeType.REFUND_FAILED.value: RefundState.FAILED,
}

_CREDITED_BEFORE: Final = {NoticeType.PLAN_CHANGED.value: 1, NoticeType.REFUND_FAILED.value: 0}
"""Which notices tell how much of a period was credited, and how many periods before their own that is."""


async def recall(ledger: Ledger, wanted: Recollection) -> Recalled:
    """Looks up what is known of a subscription, under all charge permissions that it has lived under.

    Raises:
        LedgerError: the database cannot be used now, or is of another release.
    """
    await ledger.check_version()
    async with reading(ledger.engine) as connection:
        permissions = await _lineage(connection, wanted.charge_permission_id)
        found = await _charges(connection, permissions, wanted)
        charges = [row["charge_id"] for row in found]
        refunds = await _refunds(connection, charges)
        credited = await _credited(connection, permissions, found)
        return Recalled(
            **await _known(connection, wanted.charge_permission_id),
            told=await _told(connection, wanted.charge_permission_id),
            charges=tuple(_charge(row, refunds, credited.get(row["period"])) for row in found),
            refunds=tuple(map(_refund, refunds)),
            refund_ids=await _latest_refunds(connection, permissions),
        )


async def successor_of(ledger: Ledger, charge_permission_id: str) -> str | None:
    """The charge permission under which a subscription went on last; None where it did under no other.

    Raises:
        LedgerError: as `recall`.
    """
    await ledger.check_version()
    last = None
    async with reading(ledger.engine) as connection:
        for _ in range(MOST_PREDECESSORS):
            found = (await _known(connection, last or charge_permission_id)).get("successor")
            if found is None:
                break
            last = found
    return last


async def owner_of(ledger: Ledger, charge_id: str) -> str | None:
    """The charge permission whose subscription has told that a charge was captured; None where none has.

    Raises:
        LedgerError: as `recall`.
    """
    await ledger.check_version()
    query = select(entries.c.charge_permission_id).where(entries.c.charge_id == charge_id, entries.c.type == _PAID)
    async with reading(ledger.engine) as connection:
        return await connection.scalar(query.order_by(entries.c.id.desc()).limit(1))


async def is_known(ledger: Ledger, charge_permission_id: str) -> bool:
    """Whether a subscription has ever told anything.

    Raises:
        LedgerError: as `recall`.
    """
    await ledger.check_version()
    async with reading(ledger.engine) as connection:
        return bool((await _known(connection, charge_permission_id)).get("is_known"))


async def _known(connection: AsyncConnection, charge_permission_id: str) -> Mapping[str, Any]:  # Any: fields differ
    query = select(subscriptions).where(subscriptions.c.charge_permission_id == charge_permission_id)
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        return {}
    known = {name: row[name] for name in ("merchant_reference", "merchant_account", "plan_id")}
    # One that was only named may still be refused.
    return {
        "is_known": True,
        **known,
        "successor": row["successor"] if row["status"] == Status.REPLACED.value else None,
    }


async def _told(connection: AsyncConnection, charge_permission_id: str) -> int:
    query = select(func.max(entries.c.number)).where(entries.c.charge_permission_id == charge_permission_id)
    return await connection.scalar(query) or 0


async def _lineage(connection: AsyncConnection, charge_permission_id: str) -> list[str]:
    """The charge permission, and those before it."""
    lineage, before = [charge_permission_id], subscriptions.c
    for _ in range(MOST_PREDECESSORS):
        query = select(before.charge_permission_id).where(
            before.successor == lineage[-1], before.status == Status.REPLACED.value
        )
        predecessor = await connection.scalar(query.limit(1))
        if predecessor is None or predecessor in lineage:
            break
        lineage.append(predecessor)
    return lineage


async def _charges(connection: AsyncConnection, permissions: Sequence[str], wanted: Recollection) -> list[Row]:
    """The newest entry of each charge that is wanted, the oldest charge first."""
    column = entries.c
    chosen: list[ColumnElement[bool]] = [column.charge_permission_id.in_(permissions), column.type == _PAID]
    if wanted.charge_id is not None:
        chosen.append(column.charge_id == wanted.charge_id)
    elif wanted.period is not None:
        chosen.append(column.period == wanted.period)
    elif not wanted.all_charges:
        return []
    query = select(entries).where(*chosen, column.charge_id.is_not(None)).order_by(column.id)
    newest: dict[str, Row] = {}
    for row in (await connection.execute(query)).mappings():
        newest[row["charge_id"]] = dict(row)
    return sorted(newest.values(), key=lambda row: row["period"])


async def _refunds(connection: AsyncConnection, charges: Sequence[str]) -> list[Row]:
    """What became of the refunds of charges; each once, also where it was told again."""
    if not charges:
        return []
    column = entries.c
    query = select(entries).where(column.charge_id.in_(charges), column.type.in_(list(_STATES))).order_by(column.id)
    rows = [dict(row) for row in (await connection.execute(query)).mappings()]
    once: dict[object, Row] = {}
    for row in rows:
        once[row["refund_id"] or row["id"]] = row
    return list(once.values())


async def _credited(
    connection: AsyncConnection, permissions: Sequence[str], charges: Sequence[Row]
) -> dict[int, Money]:
    """How much of each charge's period was credited, the latest news of it, by the period."""
    if not charges:
        return {}
    column, periods = entries.c, [row["period"] for row in charges]
    query = (
        select(column.type, column.period, column.notice)
        .where(column.charge_permission_id.in_(permissions), column.type.in_(list(_CREDITED_BEFORE)))
        .where(column.period.between(min(periods), max(periods) + 1))
        .order_by(column.id)
    )
    credited: dict[int, Money] = {}
    for kind, period, notice in await connection.execute(query):
        if notice.get("credited") is not None:
            credited[period - _CREDITED_BEFORE[kind]] = Money.model_validate(notice["credited"])
    return credited


async def _latest_refunds(connection: AsyncConnection, permissions: Sequence[str]) -> tuple[str, ...]:
    column = entries.c
    query = (
        select(column.refund_id)
        .where(column.charge_permission_id.in_(permissions), column.refund_id.is_not(None))
        .order_by(column.id.desc())
        .limit(MOST_KNOWN)
    )
    return tuple(reversed([*dict.fromkeys((await connection.execute(query)).scalars())]))


def _charge(row: Row, refunds: Sequence[Row], credited: Money | None) -> RecalledCharge:
    gone = [
        each["amount_minor"] or 0
        for each in refunds
        if each["charge_id"] == row["charge_id"] and _STATES[each["type"]] is RefundState.REFUNDED
    ]
    return RecalledCharge(
        period=row["period"],
        due=row["due"],
        amount=_amount(row),
        attempts=row["attempt"] or 1,
        charge_id=row["charge_id"],
        settled_at=row["at"],
        refunded=money(sum(gone), row["currency"]) if gone else None,
        credit=row["notice"].get("credit"),
        credited=credited,
    )


def _refund(row: Row) -> RecalledRefund:
    return RecalledRefund(
        charge_id=row["charge_id"],
        refund_id=row["refund_id"],
        amount=_amount(row),
        state=_STATES[row["type"]],
        reference=row["notice"].get("reference"),
        reason_code=row["reason_code"],
        settled_at=row["at"],
    )


def _amount(row: Row) -> Money:
    return money(row["amount_minor"], row["currency"])
