"""A charge is disputed: the merchant learns of it, and the policy may pause the subscription."""

from datetime import datetime

from billing.couplings.pauses import pause_until_resumed
from billing.couplings.telling import telling
from billing.plan.policy import OnDispute
from billing.protocol.answers import DisputeAnswer
from billing.protocol.commands import ReadDispute
from billing.protocol.notices import NoticeType
from billing.subscription import Subscription


def dispute_answered(
    subscription: Subscription, command: ReadDispute, answer: DisputeAnswer, now: datetime
) -> Subscription:
    """Takes a dispute as it was read; what is news is told."""
    dispute_id = command.dispute_id
    before = subscription.disputes.find(dispute_id)
    if before is None:
        return subscription  # forgotten for newer ones
    record = subscription.ledger.of_charge(answer.charge_id)
    after = before.answered(answer, record.period if record else before.period, now)
    seen = subscription.but(disputes=subscription.disputes.with_(after))
    if after.seen is None or after.seen == before.seen:
        return seen
    opened = before.seen is None
    told = telling(
        seen,
        NoticeType.DISPUTE_OPENED if opened else NoticeType.DISPUTE_CHANGED,
        now,
        period=after.period,
        amount=answer.amount,
        charge_id=answer.charge_id,
        dispute_id=dispute_id,
        reason_code=answer.reason_code,
        status=answer.resolution or answer.state,
        deadline=answer.deadline,
    )
    pauses = subscription.policy.on_dispute is OnDispute.PAUSE and subscription.can_be_ended
    if opened and pauses and not subscription.is_over:
        return pause_until_resumed(told, now, why=f"dispute {dispute_id}")
    return told
