"""What the ledger has kept of a subscription, for whoever brings it back."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from perennial_billing.billing.subscription import Subscription
from perennial_billing.ledger.database import reading
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.states import unpacked
from perennial_billing.ledger.tables import entries, states


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one.

    Attributes:
        told: how many notices it had told when it told something last; 0 where it has told none.
        last: the highest number of a notice, also of what was told after its end.
        recorded_at: when it told something last (UTC, the clock of the process that wrote it).
        subscription: all that it knew then; None, as is the time, where it has told nothing since that is kept.
    """

    told: int
    last: int
    recorded_at: datetime | None = None
    subscription: Subscription | None = None


async def kept_of(ledger: Ledger, charge_permission_id: str) -> Kept:
    """What is kept of a subscription.

    Raises:
        LedgerError: the database cannot be used now, or is of another release.
    """
    await ledger.check_version()
    last = select(func.max(entries.c.number)).where(entries.c.charge_permission_id == charge_permission_id)
    state = select(states).where(states.c.charge_permission_id == charge_permission_id)
    async with reading(ledger.engine) as connection:
        number = await connection.scalar(last) or 0
        row = (await connection.execute(state)).mappings().first()
    if row is None:
        return Kept(number, number)
    return Kept(row["told"], number, row["recorded_at"], unpacked(row["state"]))
