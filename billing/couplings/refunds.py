"""Money has gone back, or has not: the account and the merchant learn of it."""

from datetime import datetime, timedelta
from typing import Any, Final

from billing.couplings.credits import with_what_is_due
from billing.couplings.telling import telling
from billing.parts.refunds import Refund
from billing.protocol.answers import RefundAnswer, RefundState
from billing.protocol.commands import CreateRefund, ReadRefund
from billing.protocol.notices import NoticeType
from billing.subscription import Subscription

EARLIER_REFUND: Final = "EarlierRefund"
"""Our own reason beside Amazon's codes: it answers with a refund that it took before this one was asked for."""

_CLOCKS_MAY_DIFFER: Final = timedelta(minutes=2)


def _of_now(refund: Refund, answer: RefundAnswer) -> RefundAnswer:
    """The answer, unless it is the saved one to an older request under the same key: then nothing goes back now."""
    is_older = answer.created_at is not None and answer.created_at < refund.requested_at - _CLOCKS_MAY_DIFFER
    return answer.but(state=RefundState.FAILED, reason_code=EARLIER_REFUND) if is_older else answer


def refund_answered(
    subscription: Subscription, command: CreateRefund | ReadRefund, answer: RefundAnswer, now: datetime
) -> Subscription:
    """Takes what Amazon said of a refund."""
    before = subscription.refunds.numbered(command.number)
    if before is None:
        return subscription
    refund = before.answered(_of_now(before, answer), now)
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
