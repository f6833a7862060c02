"""Money has gone back, or has not: the account and the merchant learn of it."""

from datetime import datetime

from perennial_billing.billing.couplings.credits import with_what_is_due
from perennial_billing.billing.couplings.telling import telling
from perennial_billing.billing.parts.refunds import news_of, news_of_reported
from perennial_billing.billing.protocol.answers import RefundAnswer, RefundState
from perennial_billing.billing.protocol.commands import CreateRefund, ReadRefund
from perennial_billing.billing.subscription import Subscription


def refund_answered(
    subscription: Subscription, command: CreateRefund | ReadRefund, answer: RefundAnswer, now: datetime
) -> Subscription:
    """Takes what Amazon said of a refund."""
    if command.number is None:
        return _reported_read(subscription, command.refund_id, answer, now)
    before = subscription.refunds.numbered(command.number)
    if before is None:
        return subscription
    refund = before.answered(answer, now)
    answered = subscription.but(refunds=subscription.refunds.with_(refund))
    if refund.is_open:
        return answered
    kind, about = news_of(refund)
    if refund.state is RefundState.FAILED:
        answered = with_what_is_due(answered, refund.period)  # it was taken for the unused days, and has not gone back
        record = answered.ledger.record(refund.period)
        return telling(answered, kind, now, **about, credited=record.credited if record else None)
    record = answered.ledger.record(refund.period)
    ledger = answered.ledger.amended(record.with_refund(refund.amount)) if record else answered.ledger
    return telling(answered.but(ledger=ledger), kind, now, **about)


def _reported_read(subscription: Subscription, refund_id: str, answer: RefundAnswer, now: datetime) -> Subscription:
    """One that was not asked for here: it counts like any other once it is settled."""
    known = subscription.but(refunds=subscription.refunds.read(refund_id, answer, now))
    if answer.state is RefundState.PENDING:
        return known
    record = known.ledger.of_charge(answer.charge_id)
    kind, about = news_of_reported(refund_id, answer, record)
    if record is not None and answer.amount is not None and answer.state is RefundState.REFUNDED:
        known = known.but(ledger=known.ledger.amended(record.with_refund(answer.amount)))
    return telling(known, kind, now, **about)
