"""What happens when a charge fails, as data: schedules, caps, deadlines and the final action."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.values import Value

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)

Delay = Annotated[timedelta, Field(ge=_MINUTE, le=60 * _DAY)]


class FinalAction(StrEnum):
    """What becomes of a subscription whose period could not be collected."""

    PAUSE = "pause"
    """It is unpaid: nothing is charged any more until the buyer mends the payment method or the merchant cancels."""
    CANCEL = "cancel"
    """The charge permission is closed and the subscription ends."""
    MARK_UNPAID = "mark_unpaid"
    """The period is written off and the next one is charged when it falls due."""


class NextDue(StrEnum):
    """What becomes of a period that falls due while an older one is owed."""

    WAIT = "wait"
    """It is charged once the older one is settled."""
    SKIP = "skip"
    """It is not owed."""
    REPLACE = "replace"
    """The older one is written off for it."""


class CatchUp(StrEnum):
    """What becomes of several periods that fell due while nothing could be charged, as in an outage of the workers."""

    EACH = "each"
    """Each is charged, the oldest first."""
    LATEST = "latest"
    """Only the latest is charged; the others are not owed."""
    HOLD = "hold"
    """Nothing is charged until the merchant says so."""


class OnDispute(StrEnum):
    """What a subscription does when one of its charges is disputed."""

    CONTINUE = "continue"
    """It goes on; the merchant decides."""
    PAUSE = "pause"
    """Nothing that falls due is owed until the merchant resumes it; what is owed already is still collected."""
    STOP = "stop"
    """As `pause`, and what is owed already is not tried any more either, until the merchant asks to try it again."""


class HourWindow(Value):
    """Hours of the day, from `start` up to but not including `end`, in the subscription's zone."""

    start: Annotated[int, Field(ge=0, le=23)]
    end: Annotated[int, Field(ge=1, le=24)]

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        if self.start >= self.end:
            raise Refused("", self, "a window within one day is, such as 8 to 20")
        return self

    def __str__(self) -> str:
        return f"{self.start:02}:00 to {self.end:02}:00"


class CollectionPolicy(Value):
    """How one owed period is collected. Frozen for a period when its first attempt fails.

    Amazon Pay's documentation names no number of retries and no spacing; these defaults are ours.

    Attributes:
        collection_window: over how long first attempts are spread, from the due date on, each subscriber's always at
            the same part of it; not that of period 0, for which the buyer waits.
        processing_failure_delays: waits after each ProcessingFailure, Amazon's own trouble, before it counts as a
            soft decline.
        soft_decline_delays: waits after each soft decline; each counts from the failure before it.
        pending_after_timeout: after TransactionTimedOut the next attempt lets Amazon take up to 24 hours, which
            declines less.
        retry_hours: the hours of the day in which a retry is made; one that falls outside waits for the next.
        retry_jitter: retries are spread over so long, each subscriber's always by the same part of it.
        payment_method_deadline: how long the buyer has to mend the payment method, from the first failure.
        payment_method_reminders: when the merchant is reminded that the buyer has not, from the first failure.
        new_checkout_deadline: how long the buyer has to approve a new charge permission once theirs is closed; zero
            ends the subscription at once.
        payment_method_poll: how often the permission is read while waiting, in case every notification is lost; once it
            is unpaid, once a week at the most.
        max_attempts: charges for one period at the most.
        collect_within: no attempt later than this after the first failure.
        final_action: what happens then.
        grace: how long the subscriber keeps what was bought, from the first failure; the merchant is told of the end.
        next_due: what becomes of a period that falls due while an older one is owed.
        catch_up: what becomes of several periods that were missed.
        catch_up_spacing: at least so long between the charges of two periods that are both overdue, but never more
            than half an interval, so that no buyer meets a burst and a short interval is caught up with.
        cancel_pending_charges: a cancellation also cancels what Amazon has not decided on, and what is authorized and
            not captured; otherwise their outcome is awaited.
        on_dispute: whether it goes on when the buyer's bank takes a charge back, and whether what is owed is tried.
    """

    collection_window: Annotated[timedelta, Field(ge=timedelta(0), le=12 * _HOUR)] = timedelta(0)
    processing_failure_delays: tuple[Delay, ...] = (5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 8 * _HOUR)
    soft_decline_delays: tuple[Delay, ...] = (12 * _HOUR, _DAY, 2 * _DAY, 4 * _DAY, 7 * _DAY, 7 * _DAY)
    pending_after_timeout: bool = True
    retry_hours: HourWindow | None = None
    retry_jitter: Annotated[timedelta, Field(ge=timedelta(0), le=12 * _HOUR)] = timedelta(0)
    payment_method_deadline: Delay = 21 * _DAY
    payment_method_reminders: tuple[Delay, ...] = (3 * _DAY, 7 * _DAY, 14 * _DAY, 20 * _DAY)
    new_checkout_deadline: Annotated[timedelta, Field(ge=timedelta(0), le=60 * _DAY)] = 21 * _DAY
    payment_method_poll: Delay = _DAY
    max_attempts: Annotated[int, Field(ge=1, le=99)] = 15
    collect_within: Delay = 30 * _DAY
    final_action: FinalAction = FinalAction.PAUSE
    grace: Annotated[timedelta, Field(ge=timedelta(0), le=60 * _DAY)] = 7 * _DAY
    next_due: NextDue = NextDue.WAIT
    catch_up: CatchUp = CatchUp.EACH
    catch_up_spacing: Annotated[timedelta, Field(ge=timedelta(0), le=60 * _DAY)] = _DAY
    cancel_pending_charges: bool = False
    on_dispute: OnDispute = OnDispute.CONTINUE
