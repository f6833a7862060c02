"""What a merchant and a buyer agreed on when a subscription began."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, field_validator

from billing.calendar import BillingCalendar
from billing.plan import Plan
from billing.zones import ZoneName

EARLIEST_ANCHOR_YEAR: Final = 1970
LATEST_ANCHOR_YEAR: Final = 2199
"""A subscription may have begun long before it came here, but no calendar is asked beyond its last year."""

ChargePermissionId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
"""Amazon's id of a charge permission."""


class Terms(BaseModel):
    """What was agreed when the subscription began.

    Attributes:
        charge_permission_id: Amazon's id of the recurring charge permission; it is the subscription's identity.
        plan: what is charged, how often, for how long.
        anchor: the instant of the first charge; every due date is reckoned from it. Whole seconds, UTC.
        zone: IANA zone in which months, days and wall times are counted.
        merchant_reference: the merchant's own reference (customer, order). Never personal data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    charge_permission_id: ChargePermissionId
    plan: Plan
    anchor: AwareDatetime
    zone: ZoneName = "UTC"
    merchant_reference: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/#-]{0,128}$")] = ""

    @field_validator("anchor")
    @classmethod
    def _whole_seconds_in_utc(cls, value: datetime) -> datetime:
        if not EARLIEST_ANCHOR_YEAR <= value.year <= LATEST_ANCHOR_YEAR:
            raise ValueError(
                f"{value.isoformat()} is not accepted; years from {EARLIEST_ANCHOR_YEAR} to {LATEST_ANCHOR_YEAR} are"
            )
        return value.astimezone(UTC).replace(microsecond=0)

    @property
    def calendar(self) -> BillingCalendar:
        return BillingCalendar(anchor=self.anchor, zone=self.zone, interval=self.plan.interval)

    def periods_due(self, now: datetime) -> int:
        """How many periods of the plan have fallen due until now, the instant itself included."""
        fallen_due = 0 if now < self.anchor else self.calendar.period_containing(now).number + 1
        return fallen_due if self.plan.periods is None else min(fallen_due, self.plan.periods)
