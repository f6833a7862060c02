"""What Amazon's documentation leaves open, as settings with the assumption as default.

Everything here is a guess that a biller must survive either way; tests turn them.
"""

from datetime import timedelta
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from amazon_pay_client.models import Currency


def _known(zone: str) -> str:
    if zone not in available_timezones():
        raise ValueError(f"{zone} is not an IANA time zone")
    return zone


Duration = Annotated[timedelta, Field(ge=timedelta(0))]


class Assumptions(BaseModel):
    """How the simulator behaves where no page says.

    Attributes:
        saves_declines: a decline is saved under its idempotency key, so a repetition is answered the same.
        saves_server_errors: so is an answer of 500 or 503 other than a ProcessingFailure.
        clock_skew: how far a request's date may be from the present.
        month_zone: the IANA zone whose calendar months the monthly limit counts.
        permission_lives_months: a recurring permission closes after so many months without a charge.
        pending_takes: how long a pending charge of a sandbox test card takes to be decided.
        refund_takes: how long a refund takes; refunds are always asynchronous.
        late_capture_takes: how long a capture takes that came later than Amazon captures at once.
        total_order_amount_always_required: Complete Checkout Session needs a totalOrderAmount though the session has
            none, as the reference's table may be read; the guides ask for it only where the session has one, and the
            official .NET SDK cannot send it.
        completed_sessions_stay_bare: a completed session is read as Complete Checkout Session answered it, without what
            buyer and merchant gave.
        used_up_reason: why a permission for one time is closed once all of its order amount was captured.
        ledger_currency: of the monthly limit of a Saved Wallet that was set up without any amount.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    saves_declines: bool = True
    saves_server_errors: bool = False
    clock_skew: Duration = timedelta(minutes=15)
    month_zone: Annotated[str, AfterValidator(_known)] = "UTC"
    permission_lives_months: Annotated[int, Field(ge=1)] = 13
    pending_takes: Duration = timedelta(seconds=30)
    refund_takes: Duration = timedelta(seconds=30)
    late_capture_takes: Duration = timedelta(seconds=30)
    total_order_amount_always_required: bool = False
    completed_sessions_stay_bare: bool = True
    used_up_reason: str = "AmazonClosed"
    ledger_currency: Currency = Currency.USD
