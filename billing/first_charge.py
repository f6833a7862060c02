"""A checkout's own charge as what has paid period 0, so that a shop which charges with the checkout charges once.

Nothing is counted by its name alone: the charge is read at Amazon first, as whoever starts a subscription with a
charge that is pending, of another buyer or of another amount gives a period away, or takes it twice.
"""

from datetime import datetime
from typing import Final

from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome, PeriodRecord
from perennial_billing.billing.plan.plan import Amounts
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.subscription import Subscription

FIELD: Final = "first_charge"

_NOT_CAPTURED: Final = {
    ChargeOutcome.PENDING: (
        "Amazon has not decided on it, or is still capturing it: start the subscription once it is captured",
        Kind.NOT_NOW,
    ),
    ChargeOutcome.AUTHORIZED: (
        "it is authorized and not captured: capture it at Amazon, then start; or cancel it there, and start without it",
        Kind.NOT_NOW,
    ),
    ChargeOutcome.DECLINED: (
        "it was declined or canceled, so nothing was paid: start without it, and period 0 is charged when it is due",
        Kind.INVALID,
    ),
}


def begun_with(terms: Terms, charge_id: str, answer: ChargeAnswer, now: datetime) -> Subscription:
    """A new subscription whose period 0 is paid by a charge that was made with the checkout.

    Args:
        terms: what was agreed; the anchor is when period 0 begins, and need not be when the charge was made.
        charge_id: Amazon's id of the charge.
        answer: the charge as it was read.
        now: when (UTC).

    Raises:
        Refused: the charge cannot have paid period 0; says why, and what to do.
    """
    subscription = Subscription.begin(terms)
    price = subscription.price(0)
    amount = _taken(terms, charge_id, answer, price, asked=subscription.plan.amounts is Amounts.ASKED)
    made_at = answer.created_at or now
    record = PeriodRecord(
        period=0,
        due=subscription.schedule.due(0),
        amount=amount,
        outcome=PeriodOutcome.PAID,
        settled_at=made_at,
        charge_id=charge_id,
        cut_at=subscription.cut_at(0),
    )
    return subscription.but(
        ledger=subscription.ledger.settled([record]), permission=subscription.permission.charged(made_at)
    )


def _taken(terms: Terms, charge_id: str, answer: ChargeAnswer, price: Money, *, asked: bool) -> Money:
    """What the charge has taken, which is what period 0 costs."""

    def refused(why: str, kind: Kind = Kind.INVALID) -> Refused:
        return Refused(FIELD, charge_id, why, kind)

    if price.is_zero:
        raise refused("period 0 costs nothing, so no charge can be its: start without it")
    if answer.outcome is ChargeOutcome.REFUSED:
        raise refused(f"Amazon does not show it ({answer.reason_code}): is its id right, and is it of this merchant?")
    if answer.charge_permission_id != terms.charge_permission_id:
        under = answer.charge_permission_id or "one that Amazon does not name"
        raise refused(f"it was made under another charge permission, {under}: that of the same checkout is accepted")
    if answer.outcome in _NOT_CAPTURED:
        why, kind = _NOT_CAPTURED[answer.outcome]
        raise refused(f"{why} ({answer.reason_code})" if answer.reason_code else why, kind)
    if answer.refunded is not None:
        raise refused(f"{answer.refunded} of it has gone back: a charge that the merchant has kept is accepted")
    taken = answer.captured or answer.amount
    if taken is None:
        raise refused("Amazon does not say how much was captured in a currency that is known here")
    is_right = taken == price or (asked and taken.currency == price.currency and taken.amount <= price.amount)
    if not is_right:
        at_most = " at most" if asked else ""
        raise refused(f"it has taken {taken}, and period 0 costs {price}{at_most}: a charge of that is accepted")
    return taken
