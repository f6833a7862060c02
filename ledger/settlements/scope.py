"""Which settlements are meant."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement

from perennial_billing.ledger.tables import settlements

SETTLED_WITHIN: Final = timedelta(days=14)
"""After how long a charge stands in a settlement: Amazon first settles an account 14 days after its first transaction,
and daily from then on ("set up reports", settlement window)."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which settlements are reconciled.

    Attributes:
        account: the short name of the account that was settled.
        since: settlements that end then or later (UTC).
        until: settlements that begin before then (UTC); all when not given.
        settled_within: after how long a charge is expected in a settlement.
        is_shared: whether the account takes other orders as well: what is under no charge permission of this ledger is
            no difference then, and is counted.
    """

    account: str
    since: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    until: datetime | None = None
    settled_within: timedelta = SETTLED_WITHIN
    is_shared: bool = False


def in_scope(scope: Scope) -> ColumnElement[bool]:
    """The condition on the table of settlements."""
    chosen = (settlements.c.merchant_account == scope.account) & (settlements.c.ends_at >= scope.since)
    return chosen & (settlements.c.starts_at < scope.until) if scope.until else chosen
