"""What happens when a charge fails, as data: schedules, caps, deadlines and the final action."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)

Delay = Annotated[timedelta, Field(ge=_MINUTE, le=60 * _DAY)]


class FinalAction(StrEnum):
    """What becomes of a subscription whose period could not be collected."""

    PAUSE = "pause"
    """Nothing is charged any more until the buyer mends the payment method or the merchant cancels."""
    CANCEL = "cancel"
    """The charge permission is closed and the subscription ends."""
    MARK_UNPAID = "mark_unpaid"
    """The period is given up and the next one is charged when it falls due."""


class CollectionPolicy(BaseModel):
    """How one owed period is collected. Frozen for a period when its first attempt fails.

    Amazon Pay's documentation names no number of retries and no spacing; these defaults are ours.

    Attributes:
        processing_failure_delays: waits after each ProcessingFailure, Amazon's own trouble, before it counts as a
            soft decline.
        soft_decline_delays: waits after each soft decline; each counts from the failure before it.
        payment_method_deadline: how long the buyer has to mend the payment method, from the first failure.
        payment_method_poll: how often the permission is read while waiting, in case every notification is lost.
        max_attempts: charges for one period at the most.
        collect_within: no attempt later than this after the first failure.
        final_action: what happens then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    processing_failure_delays: tuple[Delay, ...] = (5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 8 * _HOUR)
    soft_decline_delays: tuple[Delay, ...] = (12 * _HOUR, _DAY, 2 * _DAY, 4 * _DAY, 7 * _DAY, 7 * _DAY)
    payment_method_deadline: Delay = 21 * _DAY
    payment_method_poll: Delay = _DAY
    max_attempts: Annotated[int, Field(ge=1, le=99)] = 15
    collect_within: Delay = 30 * _DAY
    final_action: FinalAction = FinalAction.PAUSE
