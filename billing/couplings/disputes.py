"""A charge is disputed: the merchant learns of it, and the policy may pause the subscription, or stop it altogether."""

from datetime import datetime
from typing import Final

from perennial_billing.billing.couplings.pauses import pause_until_resumed
from perennial_billing.billing.couplings.telling import about_collection, telling
from perennial_billing.billing.parts.disputes import Dispute, news_of
from perennial_billing.billing.plan.policy import OnDispute
from perennial_billing.billing.protocol.answers import DisputeAnswer
from perennial_billing.billing.protocol.commands import ReadDispute
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import Subscription

DISPUTED: Final = "Disputed"
"""Our own reason beside Amazon's codes: a charge is disputed, so what is owed is not tried any more."""


def dispute_answered(
    subscription: Subscription, command: ReadDispute, answer: DisputeAnswer, now: datetime
) -> Subscription:
    """Takes a dispute as it was read; what is news is told, also that Amazon does not show it."""
    before = subscription.disputes.find(command.dispute_id)
    if before is None:
        return subscription  # forgotten for newer ones
    record = subscription.ledger.of_charge(answer.charge_id)
    after = before.answered(answer, record.period if record else before.period, now)
    known = subscription.but(disputes=subscription.disputes.with_(after.but(is_told=True)))
    news = news_of(before, after, answer)
    if news is None:
        return known
    kind, about = news
    told = telling(known, kind, now, **about)
    return _acting(told, after, now) if before.is_unheard else told


def stopped(subscription: Subscription, now: datetime) -> Subscription:
    """What is owed is left to the merchant for a dispute, once no attempt's outcome is open any more."""
    dispute_id, owed = subscription.disputes.stops, subscription.collection
    if dispute_id is None or (owed is not None and owed.open_attempt is not None):
        return subscription
    done = subscription.but(disputes=subscription.disputes.but(stops=None))
    if owed is None or not subscription.can_be_ended or subscription.awaits_checkout:
        return done
    left = done.but(collection=owed.left_to_merchant(DISPUTED, now))
    why = f"dispute {dispute_id}: period {owed.period} is not tried any more before you ask for it"
    return telling(left, NoticeType.SUBSCRIPTION_HELD, now, **about_collection(owed), reason_code=DISPUTED, reason=why)


def _acting(subscription: Subscription, dispute: Dispute, now: datetime) -> Subscription:
    """What the policy wants where a dispute is news."""
    acts, acted = subscription.policy.on_dispute, subscription
    if acts is OnDispute.CONTINUE or not subscription.can_be_ended or subscription.is_over:
        return subscription
    if acts is OnDispute.STOP:
        acted = subscription.but(disputes=subscription.disputes.but(stops=dispute.dispute_id))
    return pause_until_resumed(acted, now, why=f"dispute {dispute.dispute_id}")
