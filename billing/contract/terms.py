"""What a merchant and a buyer agreed on when a subscription began."""

from datetime import UTC, datetime
from typing import Annotated, Final, Self

from pydantic import (
    AwareDatetime,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from perennial_billing.billing.contract.agreement import MOST_UNITS, Agreement, BillingDay
from perennial_billing.billing.contract.schedule import Schedule
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.plan.plan import SharedPlan
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.values import Value
from perennial_billing.billing.zones import ZoneName

EARLIEST_ANCHOR_YEAR: Final = 1970
LATEST_ANCHOR_YEAR: Final = 2199
"""A subscription may have begun long before it came here, but no calendar is asked beyond its last year."""

ChargePermissionId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
"""Amazon's id of a charge permission."""


ACCOUNT_NAME: Final = r"^[a-z0-9][a-z0-9-]{0,31}$"

MerchantAccount = Annotated[str, StringConstraints(pattern=ACCOUNT_NAME)]
"""The short name of a merchant's Amazon Pay account."""

DEFAULT_ACCOUNT: Final = "default"
"""Of a deployment that has one account."""


class Terms(Value):
    """What was agreed when the subscription began.

    Attributes:
        charge_permission_id: Amazon's id of the recurring charge permission; it is the subscription's identity.
        plan: what is charged, how often, for how long.
        quantity: how many units of it.
        anchor: the instant of the first charge; every due date is reckoned from it. Whole seconds, UTC.
        billing_day: a day of the month that charges are moved to, wherever the anchor is.
        ends_at: nothing falls due at or after this instant (UTC); the plan says whether a period that it cuts short is
            charged whole.
        zone: IANA zone in which months, days and wall times are counted.
        merchant_reference: the merchant's own reference (customer, order). Never personal data.
        merchant_account: the short name of the Amazon Pay account that is charged for.
        life: counted from 1: which of the subscriptions that have lived under this charge permission, one after the
            other. Each has idempotency keys of its own.
    """

    charge_permission_id: ChargePermissionId
    plan: SharedPlan
    quantity: Annotated[int, Field(ge=1, le=MOST_UNITS)] = 1
    anchor: AwareDatetime
    billing_day: BillingDay | None = None
    ends_at: AwareDatetime | None = None
    zone: ZoneName = "UTC"
    merchant_reference: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/#-]{0,128}$")] = ""
    merchant_account: MerchantAccount = DEFAULT_ACCOUNT
    life: Annotated[int, Field(ge=1)] = 1

    @field_validator("anchor", "ends_at")
    @classmethod
    def _whole_seconds_in_utc(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        if not EARLIEST_ANCHOR_YEAR <= value.year <= LATEST_ANCHOR_YEAR:
            raise Refused("", value.isoformat(), f"years from {EARLIEST_ANCHOR_YEAR} to {LATEST_ANCHOR_YEAR} are")
        return value.astimezone(UTC).replace(microsecond=0)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.ends_at is not None and self.ends_at <= self.anchor:
            raise Refused(
                "ends_at", self.ends_at.isoformat(), f"instants after the anchor, {self.anchor.isoformat()}, are"
            )
        return self

    @model_validator(mode="after")
    def _can_be_charged(self) -> Self:
        check_quantity(self.plan, self.quantity)
        return self

    @property
    def agreement(self) -> Agreement:
        """What holds from period 0 on."""
        return Agreement(starts_at=self.anchor, plan=self.plan, quantity=self.quantity, billing_day=self.billing_day)

    @property
    def schedule(self) -> Schedule:
        """The periods as they were agreed on; what changed since is the contract's to know."""
        return Schedule([self.agreement], self.zone, self.ends_at)


def check_quantity(plan: Plan, quantity: int) -> None:
    """Whether so many units of a plan can be charged, in each of its phases.

    Raises:
        Refused: no charge can be so large.
    """
    for phase in plan.phases:
        phase.amount.times(quantity)


def check_anchor(terms: Terms, now: datetime) -> None:
    """Whether a new subscription begins no more than a period ago; what fell due before would be charged at once.

    Args:
        terms: what was agreed.
        now: when it is started (UTC).

    Raises:
        Refused: it begins earlier; says how much would be charged.
    """
    fallen_due = terms.schedule.periods_due(now)
    if fallen_due > 1:
        raise Refused(
            "anchor",
            terms.anchor.isoformat(),
            f"{fallen_due} periods have fallen due since then and would be charged, as soon as they may: the running "
            "one's begin is, or one to come; say that it is backdated where each is owed, or import who was billed "
            "elsewhere until now",
        )
