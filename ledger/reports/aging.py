"""What is past due, by how long it has been due: the books' answer to what is still to come in.

A subscriber owes one period at a time, the oldest; what falls due behind it waits, and is not in here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ScalarSelect, case, func, select

from perennial_billing.billing.money import Money
from perennial_billing.ledger.database import reading
from perennial_billing.ledger.entries import money
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.selecting import total
from perennial_billing.ledger.tables import entries, subscriptions


@dataclass(frozen=True, slots=True)
class Age:
    """How many whole days something has been due.

    Attributes:
        least: days.
        most: days; None for any more.
    """

    least: int
    most: int | None

    def __str__(self) -> str:
        return f"{self.least}+" if self.most is None else f"{self.least}-{self.most}"


AGES: Final = (Age(0, 7), Age(8, 14), Age(15, 30), Age(31, 60), Age(61, None))


@dataclass(frozen=True, slots=True)
class PastDue:
    """What is past due for one reason, for so long, in one currency.

    Attributes:
        age: for how long.
        reason: the reason code of the trouble that stands; empty where none was told.
        subscriptions: how many owe a period.
        amount: what these periods come to.
    """

    age: Age
    reason: str
    subscriptions: int
    amount: Money


@dataclass(frozen=True, slots=True)
class Aging:
    """The report.

    Attributes:
        at: the instant of which ages are counted (UTC).
        past_due: by age, currency and reason, in that order.
    """

    at: datetime
    past_due: Sequence[PastDue]


async def aging(ledger: Ledger, at: datetime, *, account: str | None = None) -> Aging:
    """Makes the report.

    Args:
        ledger: of which.
        at: the instant of which ages are counted (aware).
        account: of one merchant account only.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    column = subscriptions.c
    aged = case(
        *((column.past_due_since > at - timedelta(days=age.most + 1), n) for n, age in enumerate(AGES) if age.most),
        else_=len(AGES) - 1,
    )
    each = select(
        aged.label("age"),
        column.currency,
        func.coalesce(column.last_reason, "").label("reason"),
        func.coalesce(_owed(), column.price_minor * column.quantity).label("minor"),
    ).where(column.past_due_since.is_not(None), column.currency.is_not(None))
    if account is not None:
        each = each.where(column.merchant_account == account)
    owed = each.subquery()
    by = (owed.c.age, owed.c.currency, owed.c.reason)
    query = select(*by, func.count(), total(owed.c.minor)).group_by(*by).order_by(*by)
    async with reading(ledger.engine) as connection:
        rows = (await connection.execute(query)).all()
    return Aging(
        at.astimezone(UTC),
        [
            PastDue(AGES[age], reason, count, money(int(minor), currency))
            for age, currency, reason, count, minor in rows
        ],
    )


def _owed() -> ScalarSelect[Any]:  # Any: minor units, or none
    """What the owed period comes to, as it was last told."""
    return (
        select(entries.c.amount_minor)
        .where(
            entries.c.charge_permission_id == subscriptions.c.charge_permission_id,
            entries.c.due == subscriptions.c.past_due_since,
            entries.c.amount_minor.is_not(None),
        )
        .order_by(entries.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
