"""What became of deliveries, and beginning one again: paged by their ids."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, func, select, update

from perennial_billing.billing.protocol.notices import Notice
from perennial_billing.ledger.database import reading, writing
from perennial_billing.ledger.deliveries import DeliveryState, is_undelivered
from perennial_billing.ledger.entries import Row, Told
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import deliveries, entries, subscriptions

PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class DeliverySearch:
    """Which deliveries; of what is not given, any.

    Attributes:
        charge_permission_id: whose.
        number: of the notice.
        endpoint: to which.
        state: where they stand.
        undelivered: they will not be delivered unless somebody has them sent again.
        merchant_accounts: of these accounts' subscriptions; of all where it is empty.
    """

    charge_permission_id: str | None = None
    number: int | None = None
    endpoint: str | None = None
    state: DeliveryState | None = None
    undelivered: bool = False
    merchant_accounts: Sequence[str] = ()

    def conditions(self, now: datetime) -> list[ColumnElement[bool]]:
        """As SQL has them."""
        column = deliveries.c
        found: list[ColumnElement[bool]] = [
            column[name] == value
            for name, value in (
                ("charge_permission_id", self.charge_permission_id),
                ("number", self.number),
                ("endpoint", self.endpoint),
                ("state", self.state.value if self.state else None),
            )
            if value is not None
        ]
        if self.undelivered:
            found.append(is_undelivered(now))
        if self.merchant_accounts:
            theirs = subscriptions.c.merchant_account.in_(self.merchant_accounts)
            found.append(column.charge_permission_id.in_(select(subscriptions.c.charge_permission_id).where(theirs)))
        return found


@dataclass(frozen=True, slots=True)
class DeliveryFound:
    """One delivery.

    Attributes:
        id: the delivery's.
        number: of the notice.
        type: of the notice; None where the ledger does not have it.
        endpoint: to which.
        state: where it stands.
        attempts: how often it was tried.
        trouble: with what it failed last, in a few words.
        since: when it was begun, or begun again (UTC).
        updated_at: when something became of it (UTC).
        sending: how often it was begun.
    """

    id: str
    charge_permission_id: str
    number: int
    type: str | None
    endpoint: str
    state: DeliveryState
    attempts: int
    trouble: str | None
    since: datetime
    updated_at: datetime
    sending: int


async def find_deliveries(
    ledger: Ledger, search: DeliverySearch, *, after: str = "", limit: int = PAGE
) -> list[DeliveryFound]:
    """A page of the deliveries that are searched for, by their ids.

    Args:
        ledger: where.
        search: which.
        after: the last one of the page before.
        limit: how many at most.

    Raises:
        LedgerError: the database cannot be used now, or is of another release.
    """
    await ledger.check_version()
    column = deliveries.c
    chosen = and_(*search.conditions(ledger.now()), column.id > after)
    query = select(deliveries, _type_of_it()).where(chosen).order_by(column.id).limit(limit)
    async with reading(ledger.engine) as connection:
        return [_found(dict(row)) for row in (await connection.execute(query)).mappings()]


async def count_deliveries(ledger: Ledger, search: DeliverySearch) -> int:
    """How many they are.

    Raises:
        LedgerError: the database cannot be used now, or is of another release.
    """
    await ledger.check_version()
    query = select(func.count()).select_from(deliveries).where(*search.conditions(ledger.now()))
    async with reading(ledger.engine) as connection:
        return int((await connection.execute(query)).scalar_one())


async def told_of(ledger: Ledger, charge_permission_id: str, number: int) -> Told | None:
    """The notice with a number, as it was told; the last one where Temporal's database was set back in between.

    Raises:
        LedgerError: the database cannot be used now, or is of another release.
    """
    await ledger.check_version()
    column = entries.c
    query = (
        select(entries)
        .where(column.charge_permission_id == charge_permission_id, column.number == number)
        .order_by(column.id.desc())
        .limit(1)
    )
    async with reading(ledger.engine) as connection:
        row = (await connection.execute(query)).mappings().first()
    if row is None:
        return None
    return Told(
        charge_permission_id=charge_permission_id,
        merchant_account=row["merchant_account"],
        merchant_reference=row["merchant_reference"],
        plan_id=row["plan_id"],
        notices=(Notice.model_validate(row["notice"]),),
    )


async def begin_again(ledger: Ledger, found: DeliveryFound) -> int | None:
    """A delivery is about to be sent again; which sending that is. None where somebody else has just begun it.

    Raises:
        LedgerError: it is not to be sent.
    """
    column, now = deliveries.c, ledger.now()
    begun = {
        "state": DeliveryState.QUEUED.value,
        "attempts": 0,
        "trouble": None,
        "since": now,
        "updated_at": now,
        "sending": found.sending + 1,
    }
    async with writing(ledger.engine) as connection:
        chosen = update(deliveries).where(column.id == found.id, column.sending == found.sending).values(begun)
        return found.sending + 1 if (await connection.execute(chosen)).rowcount else None


def _type_of_it() -> ColumnElement[str]:
    column = entries.c
    return (
        select(column.type)
        .where(column.charge_permission_id == deliveries.c.charge_permission_id, column.number == deliveries.c.number)
        .order_by(column.id.desc())
        .limit(1)
        .scalar_subquery()
        .label("type")
    )


def _found(row: Row) -> DeliveryFound:
    given = {field.name: row[field.name] for field in fields(DeliveryFound)}
    return DeliveryFound(**given | {"state": DeliveryState(row["state"])})
