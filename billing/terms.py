"""What a merchant and a buyer agreed on when a subscription began."""

from datetime import UTC, datetime
from typing import Annotated, Final, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from billing.plan import Plan
from billing.schedule import MOST_UNITS, Agreement, BillingDay, Schedule
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
        quantity: how many units of it.
        anchor: the instant of the first charge; every due date is reckoned from it. Whole seconds, UTC.
        billing_day: a day of the month that charges are moved to, wherever the anchor is.
        ends_at: nothing falls due at or after this instant (UTC); the last period is charged whole.
        zone: IANA zone in which months, days and wall times are counted.
        merchant_reference: the merchant's own reference (customer, order). Never personal data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    charge_permission_id: ChargePermissionId
    plan: Plan
    quantity: Annotated[int, Field(ge=1, le=MOST_UNITS)] = 1
    anchor: AwareDatetime
    billing_day: BillingDay | None = None
    ends_at: AwareDatetime | None = None
    zone: ZoneName = "UTC"
    merchant_reference: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/#-]{0,128}$")] = ""

    @field_validator("anchor", "ends_at")
    @classmethod
    def _whole_seconds_in_utc(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        if not EARLIEST_ANCHOR_YEAR <= value.year <= LATEST_ANCHOR_YEAR:
            raise ValueError(
                f"{value.isoformat()} is not accepted; years from {EARLIEST_ANCHOR_YEAR} to {LATEST_ANCHOR_YEAR} are"
            )
        return value.astimezone(UTC).replace(microsecond=0)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.ends_at is not None and self.ends_at <= self.anchor:
            raise ValueError(f"ends_at: {self.ends_at.isoformat()} is not after the anchor, {self.anchor.isoformat()}")
        return self

    @property
    def agreement(self) -> Agreement:
        """What holds from period 0 on."""
        return Agreement(starts_at=self.anchor, plan=self.plan, quantity=self.quantity, billing_day=self.billing_day)

    @property
    def schedule(self) -> Schedule:
        """The periods as they were agreed on; what changed since is the subscription's to know."""
        return Schedule([self.agreement], self.zone, self.ends_at)
