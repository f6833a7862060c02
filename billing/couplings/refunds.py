"""Money has gone back, or has not: the account and the merchant learn of it."""

from datetime import datetime
from typing import Any

from perennial_billing.billing.couplings.credits import with_what_is_due
from perennial_billing.billing.couplings.telling import telling
from perennial_billing.billing.protocol.answers import RefundAnswer, RefundState
from perennial_billing.billing.protocol.commands import CreateRefund, ReadRefund
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import Subscription


def refund_answered(
    subscription: Subscription, command: CreateRefund | ReadRefund, answer: RefundAnswer, now: datetime
) -> Subscription:
    """Takes what Amazon said of a refund."""
    before = subscription.refunds.numbered(command.number)
    if before is None:
        return subscription
    refund = before.answered(answer, now)
    answered = subscription.but(refunds=subscription.refunds.with_(refund))
    if refund.is_open:
        return answered
    about: dict[str, Any] = {  # Any: fields of a notice
        "period": refund.period,
        "amount": refund.amount,
        "charge_id": refund.charge_id,
        "refund_id": refund.refund_id,
    }
    if refund.state is RefundState.FAILED:
        answered = with_what_is_due(answered, refund.period)  # it was taken for the unused days, and has not gone back
        return telling(answered, NoticeType.REFUND_FAILED, now, **about, reason_code=refund.reason_code)
    record = answered.ledger.record(refund.period)
    ledger = answered.ledger.amended(record.with_refund(refund.amount)) if record else answered.ledger
    return telling(answered.but(ledger=ledger), NoticeType.REFUND_COMPLETED, now, **about)
