"""What Amazon's documentation leaves open, as settings with the assumption as default.

Everything here is a guess that a biller must survive either way; tests turn them.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, ClassVar, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from amazon_pay_client.models import Currency
from amazon_pay_simulator.durations import FixedDuration


def _known(zone: str) -> str:
    if zone not in available_timezones():
        raise ValueError(f"{zone} is not an IANA time zone")
    return zone


class Assumptions(BaseModel):
    """How the simulator behaves where no page says. One for all of a simulator, whose parts see each change at once."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", validate_assignment=True, use_attribute_docstrings=True
    )

    saves_declines: bool = True
    """A decline is saved under its idempotency key, so a repetition is answered the same."""
    saves_server_errors: bool = False
    """So is an answer of 500 or 503 other than a ProcessingFailure."""
    clock_skew: FixedDuration = timedelta(minutes=15)
    """How far a request's date may be from the present."""
    month_zone: Annotated[str, AfterValidator(_known)] = "UTC"
    """The IANA zone whose calendar months the monthly limit counts."""
    permission_lives_months: Annotated[int, Field(ge=1)] = 13
    """A recurring permission closes after so many months without a charge."""
    pending_takes: FixedDuration = timedelta(seconds=30)
    """How long a pending charge of a sandbox test card takes to be decided."""
    refund_takes: FixedDuration = timedelta(seconds=30)
    """How long a refund takes; refunds are always asynchronous."""
    late_capture_takes: FixedDuration = timedelta(seconds=30)
    """How long a capture takes that came later than Amazon captures at once."""
    total_order_amount_always_required: bool = False
    """Complete Checkout Session needs a totalOrderAmount though the session has none, as the reference's table may be
    read; the guides ask for it only where the session has one, and the official .NET SDK cannot send it."""
    completed_sessions_stay_bare: bool = True
    """A completed session is read as Complete Checkout Session answered it, without what buyer and merchant gave."""
    used_up_reason: str = "AmazonClosed"
    """Why a permission for one time is closed once all of its order amount was captured."""
    ledger_currency: Currency = Currency.USD
    """Of the monthly limit of a Saved Wallet that was set up without any amount."""
    report_takes: FixedDuration = timedelta(seconds=30)
    """How long a report takes that was ordered or scheduled."""
    settlement_period: Annotated[FixedDuration, Field(gt=timedelta(0))] = timedelta(days=1)
    """How often a merchant is settled in Live, by the clock of UTC; Amazon's first settlement comes after 14 days."""
    settlement_fee_percent: Annotated[Decimal, Field(ge=0, le=100)] = Decimal("2.9")
    """What Amazon keeps of each capture, in percent; it is in the merchant's contract, and no API tells it."""
    settlement_fee_fixed: Annotated[Decimal, Field(ge=0)] = Decimal("0.30")
    """What Amazon keeps of each capture beside that, in its currency; rounded to whole yen."""
    settlement_fee_returned: bool = True
    """A refund gives the percentage back, never the fixed fee."""
    settlement_separator: Literal["comma", "tab"] = "comma"
    """What stands between the columns of a settlement's file."""

    def follow(self, others: "Assumptions") -> None:
        """Becomes like others."""
        for name in type(self).model_fields:
            setattr(self, name, getattr(others, name))
