"""A subscriber's story in virtual time: begins it, and reads from the books what was charged.

A story reads top to bottom: given a plan, when time passes and things happen, then these charges and no others.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

from amazon_pay_client.models import ChargeState, Currency
from amazon_pay_simulator.books import BookedCall, ScriptedAnswer
from amazon_pay_simulator.objects import Charge
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.contract.agreement import BillingDay
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.sandbox.stage import Stage
from perennial_billing.sandbox.subscriber import Subscriber

MONTHLY = Plan.of("monthly", Money.parse("9.99 USD"), Interval(unit=Unit.MONTH))


class Story(Subscriber):
    """One subscriber, and what the books say of them."""

    @classmethod
    async def begin(
        cls,
        house: Stage,
        plan: Plan = MONTHLY,
        *,
        script: Sequence[ScriptedAnswer | str | None] = (),
        zone: str = "UTC",
        first_charge_in: timedelta = timedelta(hours=1),
        first_charge_at: datetime | None = None,
        collection: CollectionPolicy | None = None,
        billing_day: BillingDay | None = None,
        ends_at: datetime | None = None,
        quantity: int = 1,
        unchecked: bool = False,
    ) -> Self:
        """A buyer approves a charge permission and the merchant starts the subscription."""
        permission = await house.simulator.open_permission(Currency(plan.currency))
        identifier = permission.charge_permission_id
        await house.simulator.script(identifier, script)
        terms = Terms(
            charge_permission_id=identifier,
            plan=plan.model_copy(update={"collection": collection}) if collection else plan,
            anchor=first_charge_at or datetime.now(UTC) + first_charge_in,
            billing_day=billing_day,
            ends_at=ends_at,
            quantity=quantity,
            zone=zone,
            merchant_reference=f"order-{identifier}",
        )
        await house.subscriptions.start(terms, backdated=True, unchecked=unchecked)
        return cls(house, terms)

    async def charges(self) -> list[Charge]:
        """What the books say was captured from this subscriber, oldest first."""
        books = await self.stage.simulator.books()
        return [
            charge
            for charge in books.charges
            if charge.charge_permission_id == self.charge_permission_id
            and charge.status_details.state == ChargeState.CAPTURED
        ]

    async def calls(self) -> list[BookedCall]:
        """Every Create Charge call that the simulator got for this subscriber."""
        books = await self.stage.simulator.books()
        return [call for call in books.calls if call.charge_permission_id == self.charge_permission_id]

    async def permission_state(self) -> str:
        """The charge permission's state in the books."""
        books = await self.stage.simulator.books()
        return next(
            str(permission.status_details.state)
            for permission in books.permissions
            if permission.charge_permission_id == self.charge_permission_id
        )

    async def assert_charged_at(self, *instants: datetime) -> None:
        """The books show exactly one captured charge within two minutes of each of these, and no others."""
        actual = [charge.creation_timestamp for charge in await self.charges()]
        assert len(actual) == len(instants), f"charged at {actual}, expected at {instants}"
        for charged, expected in zip(actual, instants, strict=True):
            assert charged is not None
            assert timedelta(0) <= charged - expected <= timedelta(minutes=2), f"charged at {actual}, not {instants}"


def pending_charge_of(subscription: SubscriptionView) -> str:
    """The charge that Amazon is deciding on."""
    assert subscription.owed is not None
    assert subscription.owed.pending_charge_id is not None
    return subscription.owed.pending_charge_id
