"""All that each subscription knew when it told something last, for when Temporal has forgotten it.

Written with what is told, in the same transaction. What a subscription does next follows from it alone, so it can be
brought back by it as it was: what was sent since and not told yet is sent again under the same idempotency key.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from perennial_billing.billing.protocol.moment import Moment
from perennial_billing.billing.subscription import Subscription

_LEVEL: Final = 1
"""Of zlib: a state of 6 kB becomes 1.5 kB in 0.1 ms; a higher one saves little and takes long."""


LOST_WITHIN: Final = timedelta(minutes=1)
"""So soon a task of a workflow that was lost is worked on again where workers run: Temporal misses it after 10 s. What
a restore takes is longer."""


@dataclass(frozen=True, slots=True)
class Stood:
    """When a subscription told something last.

    Attributes:
        told: how many notices it had told then.
        recorded_at: when (UTC, the clock of the process that wrote it).
        run_id: in which run of its workflow.
        history_length: how many events that had.
    """

    told: int
    recorded_at: datetime
    run_id: str
    history_length: int


def is_worked_on_again(stood: Stood, moment: Moment | None, now: datetime) -> bool:
    """Whether what was told last was told by a task of a workflow that was lost, and is worked on again at a moment.

    The history has all that it had then, so it was not set back by more than that task; and it is only seconds ago.
    """
    if moment is None or now - stood.recorded_at > LOST_WITHIN:
        return False
    return stood.run_id == moment.before or (stood.run_id == moment.run and stood.history_length <= moment.length)


def packed(state: str) -> bytes:
    """A state as it is kept."""
    return zlib.compress(state.encode(), _LEVEL)


def unpacked(state: bytes) -> Subscription:
    """A subscription as it is kept; also one of a newer release, as far as it is known here."""
    return Subscription.model_validate_json(zlib.decompress(state), extra="ignore")
