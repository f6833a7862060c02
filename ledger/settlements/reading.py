"""What the ledger keeps of settlements: what each comes to, and their lines, for whoever keeps books elsewhere."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from perennial_billing.ledger.database import reading
from perennial_billing.ledger.entries import Row
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.settlements.amounts import decimal
from perennial_billing.ledger.settlements.lines import TAKEN_BACK, LineKind
from perennial_billing.ledger.settlements.scope import Scope, in_scope
from perennial_billing.ledger.tables import settlement_lines, settlements

AT_ONCE: Final = 2_000
"""Lines that are read together."""

COLUMNS: Final = (
    "merchant_account",
    "settlement_id",
    "starts_at",
    "ends_at",
    "line",
    "posted_at",
    "kind",
    "type",
    "transaction_id",
    "charge_permission_id",
    "merchant_reference",
    "currency",
    "amount",
    "percentage_fee",
    "fixed_fee",
    "fee",
    "net",
)
"""Of a line that is exported, in their order. A later release adds columns at the end, and takes none away."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What a settlement comes to in one currency, in minor units.

    Attributes:
        merchant_account: whose settlement.
        settlement_id: Amazon's.
        starts_at: of the settlement (UTC).
        ends_at: of the settlement (UTC).
        currency: of these figures.
        charged_minor: what buyers paid.
        refunded_minor: what went back to them.
        taken_back_minor: chargebacks, claims and disputes.
        fees_minor: what Amazon kept.
        other_minor: adjustments, reserves, debts; below zero where the merchant pays.
        paid_out_minor: what was transferred to the bank account.
    """

    merchant_account: str
    settlement_id: str
    starts_at: datetime
    ends_at: datetime
    currency: str
    charged_minor: int = 0
    refunded_minor: int = 0
    taken_back_minor: int = 0
    fees_minor: int = 0
    other_minor: int = 0
    paid_out_minor: int = 0


async def sums(ledger: Ledger, scope: Scope) -> list[Sums]:
    """What each settlement comes to, the earliest first.

    Raises:
        LedgerError: the database cannot be used now.
    """
    await ledger.check_version()
    of_lines = settlement_lines.c
    query = (
        select(
            settlements.c.settlement_id,
            settlements.c.starts_at,
            settlements.c.ends_at,
            of_lines.currency,
            of_lines.kind,
            func.sum(of_lines.amount_minor).label("amount"),
            func.sum(of_lines.fee_minor).label("fees"),
        )
        .join_from(settlements, settlement_lines)
        .where(in_scope(scope))
        .group_by(settlements.c.id, of_lines.currency, of_lines.kind)
        .order_by(settlements.c.starts_at, settlements.c.id, of_lines.currency)
    )
    found: dict[tuple[str, str], dict[str, Any]] = {}  # Any: a row's columns have different types
    async with reading(ledger.engine) as connection:
        for row in (await connection.execute(query)).mappings():
            about = {name: row[name] for name in ("settlement_id", "starts_at", "ends_at", "currency")}
            into = found.setdefault(
                (row["settlement_id"], row["currency"]),
                {**about, "merchant_account": scope.account, **dict.fromkeys(_FIGURES, 0)},
            )
            column, sign = _ADDED_TO.get(LineKind(row["kind"]), ("other_minor", 1))
            into[column] += sign * int(row["amount"])
            into["fees_minor"] -= int(row["fees"])
    return [Sums(**each) for each in found.values()]


_FIGURES: Final = (
    "charged_minor",
    "refunded_minor",
    "taken_back_minor",
    "fees_minor",
    "other_minor",
    "paid_out_minor",
)
_ADDED_TO: Final = {
    LineKind.CAPTURE: ("charged_minor", 1),
    LineKind.REFUND: ("refunded_minor", -1),
    LineKind.TRANSFER: ("paid_out_minor", -1),
    **dict.fromkeys(TAKEN_BACK, ("taken_back_minor", -1)),
}


async def lines(ledger: Ledger, scope: Scope) -> AsyncIterator[list[Row]]:
    """The lines, settlement by settlement, some at a time; amounts are decimal numbers as texts, instants are aware.

    Raises:
        LedgerError: the database cannot be used now.
    """
    await ledger.check_version()
    about = {name: settlements.c[name] for name in COLUMNS if name in settlements.c}
    own = [column for column in settlement_lines.c if column.name not in about]
    every = (
        select(*about.values(), *own)
        .join_from(settlements, settlement_lines)
        .where(in_scope(scope))
        .order_by(settlement_lines.c.id)
        .limit(AT_ONCE)
    )
    async with reading(ledger.engine) as connection:
        page = every
        while rows := [dict(row) for row in (await connection.execute(page)).mappings()]:
            yield [_exported(row) for row in rows]
            page = every.where(settlement_lines.c.id > rows[-1]["id"])


def _exported(row: Row) -> Row:
    return {name: row[name] if name in row else str(decimal(row[f"{name}_minor"], row["currency"])) for name in COLUMNS}
