"""New agreements with buyers, each under a charge permission of its own."""

from datetime import UTC, datetime, timedelta

from amazon_pay_client.models import Currency
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.sandbox.stage import Stage

PLAN = Plan.of("coffee", Money.parse("9.99 USD"), Interval(unit=Unit.MONTH))


async def new_terms(house: Stage, *, plan: Plan = PLAN, zone: str = "UTC", currency: Currency = Currency.USD) -> Terms:
    """A buyer has approved a charge permission; nothing was started yet. The first charge is tomorrow's."""
    permission = await house.simulator.open_permission(currency)
    return Terms(
        charge_permission_id=permission.charge_permission_id,
        plan=plan,
        anchor=datetime.now(UTC) + timedelta(days=1),
        zone=zone,
        merchant_reference=f"order-{permission.charge_permission_id}",
    )
