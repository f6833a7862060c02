"""All that each subscription knew when it told something last, for when Temporal has forgotten it.

Written with what is told, in the same transaction. What a subscription does next follows from it alone, so it can be
brought back by it as it was: what was sent since and not told yet is sent again under the same idempotency key.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from perennial_billing.billing.subscription import Subscription
from perennial_billing.ledger.database import reading
from perennial_billing.ledger.tables import states

_LEVEL: Final = 1
"""Of zlib: a state of 6 kB becomes 1.5 kB in 0.1 ms; a higher one saves little and takes long."""


@dataclass(frozen=True, slots=True)
class KeptSubscription:
    """A subscription as the ledger has kept it.

    Attributes:
        told: the number of the last notice that was told with it.
        recorded_at: when that was (UTC, the clock of the process that wrote it).
        subscription: all that it knew then.
    """

    told: int
    recorded_at: datetime
    subscription: Subscription


def packed(state: str) -> bytes:
    """A state as it is kept."""
    return zlib.compress(state.encode(), _LEVEL)


async def kept_subscription(engine: AsyncEngine, charge_permission_id: str) -> KeptSubscription | None:
    """What is kept of a subscription; None where it has told nothing since that is kept.

    Raises:
        LedgerUnavailableError: the database cannot be used now.
    """
    query = select(states).where(states.c.charge_permission_id == charge_permission_id)
    async with reading(engine) as connection:
        row = (await connection.execute(query)).mappings().first()
    if row is None:
        return None
    subscription = Subscription.model_validate_json(zlib.decompress(row["state"]), extra="ignore")
    return KeptSubscription(row["told"], row["recorded_at"], subscription)
