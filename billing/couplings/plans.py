"""Another plan holds from a period on: the merchant is told, and Amazon will be."""

from datetime import datetime

from perennial_billing.billing.contract.contract import Contract
from perennial_billing.billing.couplings.telling import telling
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import Subscription


def agreeing(subscription: Subscription, contract: Contract, first: int, now: datetime) -> Subscription:
    """Another plan, quantity or billing day holds from a period on: the merchant is told, and Amazon will be."""
    agreed = subscription.but(contract=contract)
    if contract.recurrence != subscription.contract.recurrence:
        agreed = agreed.but(permission=agreed.permission.plan_changed(now))
    schedule, before = contract.schedule, agreed.ledger.record(first - 1)
    return telling(
        agreed,
        NoticeType.PLAN_CHANGED,
        now,
        period=first,
        due=schedule.due(first),
        amount=schedule.amount(first),
        credited=before.credited if before else None,
        reason=str(contract.agreement(first)),
    )
