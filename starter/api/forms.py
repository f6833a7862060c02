"""What is sent and answered, where that is not a value of the rules themselves."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from perennial_billing.billing.contract.agreement import BillingDay
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT, ChargePermissionId, Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.protocol.notices import Notice
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.ledger.finding import EntryFound, Found
from perennial_billing.starter.hindered import Hindered, Hindrance
from perennial_billing.starter.stopped import How, Stopped

Item = TypeVar("Item")

NOBODY = "C01-0000000-0000000"
"""A plan is looked at without a buyer."""


class Form(BaseModel):
    """A form. A field that nobody knows is refused: it is a typing error more often than not."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Agreed(Form):
    """What was agreed with a buyer, whoever that is."""

    plan: Plan = Field(description="The plan, as a plan file has it.")
    quantity: int = 1
    anchor: AwareDatetime | None = Field(default=None, description="The first charge; now when not given.")
    billing_day: BillingDay | None = None
    ends_at: AwareDatetime | None = None
    zone: str = Field(default="UTC", description="IANA zone in which months and days are counted.")
    merchant_reference: str = Field(default="", description="Your own reference; never personal data.")
    merchant_account: str = DEFAULT_ACCOUNT

    def terms(self, charge_permission_id: str) -> Terms:
        """The terms under a charge permission.

        Raises:
            ValidationError: they cannot be agreed on.
        """
        given = {name: getattr(self, name) for name in Agreed.model_fields} | {
            "anchor": self.anchor or datetime.now(UTC)
        }
        return Terms(charge_permission_id=charge_permission_id, **given)


class Begin(Agreed):
    """A subscription is to begin."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "charge_permission_id": "C01-1234567-1234567",
                    "plan": {
                        "plan_id": "coffee-monthly",
                        "phases": [
                            {
                                "amount": {"amount": "9.99", "currency": "EUR"},
                                "interval": {"unit": "month", "count": 1},
                            }
                        ],
                    },
                    "zone": "Europe/Berlin",
                    "merchant_reference": "order-4711",
                }
            ]
        },
    )

    charge_permission_id: ChargePermissionId | None = Field(
        default=None, description="Amazon's id of the recurring charge permission; or the checkout session is given."
    )
    checkout_session_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")] | None = Field(
        default=None,
        description="Of the checkout from which the buyer comes back: it is completed, also where it was before.",
    )
    checkout_amount: Money | None = Field(
        default=None, description="What the checkout session was made for; it must be said to complete it."
    )
    first_charge: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")] | None = Field(
        default=None,
        description="A charge that was made with the checkout, and has paid period 0: it is read, and counts. Of a "
        "checkout session that is completed here, its charge is found by itself.",
    )
    unchecked: bool = Field(
        default=False, description="Start without reading the charge permission at Amazon; for those who know."
    )
    backdated: bool = Field(
        default=False, description="It began more than a period ago, and all that fell due since is owed."
    )


class Began(BaseModel):
    """A subscription that runs."""

    charge_permission_id: str
    workflow_id: str = Field(description="In Temporal, for engineers.")
    same_reference: tuple[str, ...] = Field(
        default=(), description="Other running subscriptions with this merchant reference: one customer may pay twice."
    )


class StoppedAt(BaseModel):
    """How a subscription's workflow was ended from outside."""

    how: How
    at: AwareDatetime
    by: str | None = Field(default=None, description="Who did it, as Temporal knows them.")
    why: str | None = Field(default=None, description="The reason that they gave, or what failed.")
    to_do: str = Field(description="What brings it back.")

    @classmethod
    def of(cls, found: Stopped) -> Self:
        """As it is told."""
        return cls(how=found.how, at=found.at, by=found.by, why=found.why, to_do=found.advice)


class HinderedSince(BaseModel):
    """What keeps a subscription's workflow from going on."""

    how: Hindrance
    at: AwareDatetime | None = Field(default=None, description="Since when, where Temporal tells.")
    by: str | None = Field(default=None, description="Who paused it, as Temporal knows them.")
    why: str | None = Field(default=None, description="The reason that they gave, or what its workers fail with.")
    to_do: str = Field(description="What lets it go on.")

    @classmethod
    def of(cls, found: Hindered) -> Self:
        """As it is told."""
        return cls(how=found.how, at=found.at, by=found.by, why=found.why, to_do=found.advice)


class Standing(SubscriptionView):
    """How a subscription stands, and whether anybody bills it."""

    stopped: StoppedAt | None = Field(
        default=None, description="Its workflow was ended from outside, so nobody bills it until it is recovered."
    )
    hindered: HinderedSince | None = Field(
        default=None, description="Its workflow runs and makes no progress, so nobody bills it meanwhile."
    )

    @classmethod
    def of(cls, view: SubscriptionView, found: Stopped | None, kept: Hindered | None) -> Self:
        """A view, with what Temporal says of the workflow."""
        return cls(
            **dict(view),
            stopped=StoppedAt.of(found) if found is not None else None,
            hindered=HinderedSince.of(kept) if kept is not None else None,
        )


class Recorded(BaseModel):
    """A subscription as it stood when it last told something; see the ledger."""

    charge_permission_id: str
    merchant_account: str
    merchant_reference: str
    plan_id: str
    price: Money | None = None
    quantity: int | None = None
    status: Status | None = None
    past_due_since: AwareDatetime | None = None
    needs_attention: bool = False
    last_reason: str | None = None
    next_action: str | None = None
    next_action_at: AwareDatetime | None = None
    next_charge_at: AwareDatetime | None = None
    began_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    successor: str | None = None
    charged: Money | None = None
    refunded: Money | None = None
    written_off: Money | None = None
    periods_paid: int = 0
    told: int = 0
    as_of: AwareDatetime = Field(description="When it last told something.")

    @classmethod
    def of(cls, found: Found) -> Self:
        """A row of the ledger."""
        return cls.model_validate({name: getattr(found, name) for name in cls.model_fields if hasattr(found, name)})


class Entry(BaseModel):
    """Something that happened, as the ledger has it."""

    id: int
    charge_permission_id: str
    recorded_at: AwareDatetime
    notice: Notice

    @classmethod
    def of(cls, found: EntryFound) -> Self:
        """An entry of the ledger."""
        return cls.model_validate({name: getattr(found, name) for name in cls.model_fields})


class Page(BaseModel, Generic[Item]):
    """One page of many."""

    data: Sequence[Item]
    next_cursor: str | None = Field(default=None, description="Of the next page; none where this is the last.")
