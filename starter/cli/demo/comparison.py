"""Compares the simulator's books with a subscription's own account: the promise, checked.

Nobody is charged twice for a period, and nothing owed is forgotten.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from amazon_pay.models import Charge, ChargeState
from billing.identity import idempotency_key
from billing.subscription import PeriodOutcome, Subscription
from simulator.books import BookedCall, ExportedBooks


@dataclass(frozen=True, slots=True)
class Comparison:
    """One subscriber's figures from both sides, and every way in which they disagree.

    Attributes:
        name: who.
        charge_permission_id: the same, at Amazon.
        periods_due: periods that fell due until the subscription ended, or until now.
        periods_paid: by the subscription's own account.
        charges_captured: by the books.
        amount_paid: by the subscription's own account.
        amount_captured: by the books.
        differences: empty where the promise was kept.
    """

    name: str
    charge_permission_id: str
    periods_due: int
    periods_paid: int
    charges_captured: int
    amount_paid: Decimal
    amount_captured: Decimal
    differences: tuple[str, ...]


def compare(name: str, subscription: Subscription, books: ExportedBooks, now: datetime) -> Comparison:
    """Holds a subscription's ledger against the books.

    Args:
        name: the subscriber's, for people.
        subscription: whose ledger still holds every period.
        books: the simulator's.
        now: the subscription's time (UTC); periods due before it must be accounted for.
    """
    identifier = subscription.terms.charge_permission_id
    captured = [
        charge
        for charge in books.charges
        if charge.charge_permission_id == identifier and charge.status_details.state == ChargeState.CAPTURED
    ]
    calls = [call for call in books.calls if call.charge_permission_id == identifier and not call.replayed]
    paid = [record for record in subscription.ledger if record.outcome is PeriodOutcome.PAID]
    due = _periods_due(subscription, now)
    return Comparison(
        name=name,
        charge_permission_id=identifier,
        periods_due=due,
        periods_paid=len(paid),
        charges_captured=len(captured),
        amount_paid=sum((record.amount.amount for record in paid), Decimal(0)),
        amount_captured=sum((charge.charge_amount.amount for charge in captured), Decimal(0)),
        differences=(
            *_charged_twice(subscription, captured, calls),
            *_not_in_both(subscription, captured),
            *_forgotten(subscription, due),
        ),
    )


def _periods_due(subscription: Subscription, now: datetime) -> int:
    calendar, plan = subscription.terms.calendar, subscription.terms.plan
    until = subscription.ended_at or now
    number = 0
    while plan.has_period(number) and calendar.due(number) <= until:
        number += 1
    return number


def _charged_twice(subscription: Subscription, captured: Sequence[Charge], calls: Sequence[BookedCall]) -> list[str]:
    """Periods with two captured charges; a charge's period is read from the idempotency key it was made with."""
    identifier = subscription.terms.charge_permission_id
    attempts = subscription.terms.plan.collection.max_attempts + len(calls)
    period_of_key = {
        idempotency_key(identifier, period, attempt): period
        for period in range(subscription.next_period + 1)
        for attempt in range(1, attempts + 1)
    }
    captured_ids = {charge.charge_id for charge in captured}
    periods = Counter(period_of_key.get(call.idempotency_key) for call in calls if call.charge_id in captured_ids)
    return [
        f"period {period} was charged {count} times" if period is not None else f"{count} charges belong to no period"
        for period, count in periods.items()
        if count > 1 or period is None
    ]


def _not_in_both(subscription: Subscription, captured: Sequence[Charge]) -> list[str]:
    booked = {charge.charge_id: charge.charge_amount for charge in captured}
    accounted = {record.charge_id: record for record in subscription.ledger if record.outcome is PeriodOutcome.PAID}
    return [
        *(f"charge {charge_id} is in the books only" for charge_id in booked.keys() - accounted.keys()),
        *(f"period {accounted[lost].period} is paid in the account only" for lost in accounted.keys() - booked.keys()),
        *(
            f"period {record.period}: {record.amount} in the account, {booked[charge_id].amount} in the books"
            for charge_id, record in accounted.items()
            if charge_id in booked and booked[charge_id].amount != record.amount.amount
        ),
    ]


def _forgotten(subscription: Subscription, due: int) -> list[str]:
    """Periods that fell due and neither have a record nor are being collected."""
    accounted = {record.period for record in subscription.ledger}
    if subscription.collection is not None:
        accounted.add(subscription.collection.period)
    return [f"period {period} was forgotten" for period in range(due) if period not in accounted]
