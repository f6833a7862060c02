"""Taking settlements into the ledger: each whole or not at all, and once."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import Table, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from perennial_billing.ledger.database import reading, writing
from perennial_billing.ledger.entries import Row
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.settlements.lines import SettlementFile, SettlementLine
from perennial_billing.ledger.settlements.parsing import Progress, reading_settlement
from perennial_billing.ledger.settlements.refusals import refusal
from perennial_billing.ledger.tables import settlement_lines, settlements

AT_ONCE: Final = 1_000
"""Lines that are written together."""

_COLUMNS: Final = tuple(field.name for field in fields(SettlementLine))


async def take(
    ledger: Ledger,
    settlement: SettlementFile,
    account: str,
    *,
    report_id: str | None = None,
    progress: Progress | None = None,
) -> bool:
    """Takes a settlement that was checked; False where it was taken before.

    Args:
        ledger: where.
        settlement: what `parsing.checked` made of the file, which is read once more.
        account: the short name of the account that was settled.
        report_id: of the report that it was downloaded as.
        progress: is told of the lines that were written.

    Raises:
        ReportRefusedError: as `take_all`.
        LedgerError: nothing was taken.
    """
    await ledger.check_version()
    async with writing(ledger.engine, seconds=None) as connection:
        return await _taken(connection, settlement, account, report_id, progress)


async def take_all(
    ledger: Ledger, files: Sequence[SettlementFile], account: str, progress: Progress | None = None
) -> list[bool]:
    """Takes settlements that were checked, all or none; False for each that was taken before.

    An SQLite file is locked meanwhile, a second for some 30,000 lines: what is told then waits in the outboxes.

    Raises:
        ReportRefusedError: a settlement with such an id and other contents was taken before, or the account's
            settlements so far are another merchant's, or a file was changed since it was checked.
        LedgerError: nothing was taken.
    """
    await ledger.check_version()
    async with writing(ledger.engine, seconds=None) as connection:
        return [await _taken(connection, each, account, None, progress) for each in files]


async def _taken(
    connection: AsyncConnection,
    settlement: SettlementFile,
    account: str,
    report_id: str | None,
    progress: Progress | None,
) -> bool:
    await _check_account(connection, settlement, account)
    key = await _begun(connection, settlement, account, report_id)
    if key is None:
        await _check_same(connection, settlement, account, report_id)
        return False
    with reading_settlement(settlement.path, settlement.encoding) as reader:
        rows = (_row(key, line) for line in reader.lines())
        while part := list(islice(rows, AT_ONCE)):
            await connection.execute(insert(settlement_lines), part)
            if progress is not None:
                progress(len(part))
        if reader.digest.hexdigest() != settlement.digest:
            raise refusal(settlement.path, "it was changed while it was read; give it again")
    return True


async def known_reports(ledger: Ledger, account: str) -> frozenset[str]:
    """Ids of the reports that were taken: they need not be downloaded again.

    Raises:
        LedgerError: the database cannot be used now.
    """
    await ledger.check_version()
    query = select(settlements.c.report_id).where(
        settlements.c.merchant_account == account, settlements.c.report_id.is_not(None)
    )
    async with reading(ledger.engine) as connection:
        return frozenset((await connection.execute(query)).scalars())


async def settled_times(ledger: Ledger, account: str) -> list[tuple[datetime, datetime]]:
    """Start and end (UTC) of each settlement that was taken, the earliest first.

    Raises:
        LedgerError: the database cannot be used now.
    """
    await ledger.check_version()
    query = select(settlements.c.starts_at, settlements.c.ends_at).where(settlements.c.merchant_account == account)
    async with reading(ledger.engine) as connection:
        return [(row.starts_at, row.ends_at) for row in await connection.execute(query.order_by("starts_at"))]


async def _check_account(connection: AsyncConnection, settlement: SettlementFile, account: str) -> None:
    query = select(settlements.c.merchant_id).where(settlements.c.merchant_account == account).limit(1)
    known = (await connection.execute(query)).scalar()
    if known is not None and known != settlement.merchant_id:
        why = f"settlements of account {account!r} so far are of {known}; name the account that this one is of"
        raise refusal(settlement.path, why, column="SellerId", value=settlement.merchant_id)


async def _begun(
    connection: AsyncConnection, settlement: SettlementFile, account: str, report_id: str | None
) -> int | None:
    """The key of the row that was made for it; None where there is one already."""
    row = {
        "merchant_account": account,
        "merchant_id": settlement.merchant_id,
        "settlement_id": settlement.settlement_id,
        "digest": settlement.digest,
        "starts_at": settlement.starts_at,
        "ends_at": settlement.ends_at,
        "lines": settlement.lines,
        "report_id": report_id,
        "taken_at": datetime.now(UTC),
    }
    statement = _insert(connection, settlements).values(row).on_conflict_do_nothing().returning(settlements.c.id)
    return (await connection.execute(statement)).scalar()


async def _check_same(
    connection: AsyncConnection, settlement: SettlementFile, account: str, report_id: str | None
) -> None:
    """Refuses another under the same id; of the same, the report's id is kept where there was none."""
    chosen = (settlements.c.merchant_id == settlement.merchant_id) & (
        settlements.c.settlement_id == settlement.settlement_id
    )
    found = (await connection.execute(select(settlements).where(chosen))).mappings().one()
    if found["digest"] != settlement.digest:
        when = f"taken on {found['taken_at']:%Y-%m-%d}, with {found['lines']} lines"
        why = f"a settlement with this id was {when}, and says something else; compare the two files"
        raise refusal(settlement.path, why, column="SettlementId", value=settlement.settlement_id)
    if found["merchant_account"] != account:
        why = f"it was taken for account {found['merchant_account']!r}, not for {account!r}"
        raise refusal(settlement.path, why, column="SettlementId", value=settlement.settlement_id)
    if found["report_id"] is None and report_id is not None:
        await connection.execute(update(settlements).where(chosen).values(report_id=report_id))


def _insert(connection: AsyncConnection, table: Table) -> Any:  # Any: the two databases' statements share no class
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def _row(key: int, line: SettlementLine) -> Row:
    return {"settlement": key, **{name: getattr(line, name) for name in _COLUMNS}, "kind": line.kind.value}
