"""What is paid for days that are not served is credited, once: a refund of the same days is taken off."""

from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.refunds import credit_due
from perennial_billing.billing.subscription import Subscription


def with_unused(subscription: Subscription, period: int, unused: Money) -> Subscription:
    """A change cuts a paid period short: what its unused days are worth is taken off the next charges."""
    record = subscription.ledger.record(period)
    if record is None:
        raise AssertionError(f"period {period} is not in the account")
    ledger = subscription.ledger.amended(record.but(unused=unused))
    return with_what_is_due(subscription.but(ledger=ledger), period)


def with_what_is_due(subscription: Subscription, period: int) -> Subscription:
    """What a period's unused days are worth, less what goes back for it, is credited, as far as it was not yet."""
    record = subscription.ledger.record(period)
    if record is None or record.unused is None:
        return subscription
    due = credit_due(record, subscription.refunds.latest)
    more = due.less(record.credited) if record.credited else due
    if more.is_zero:
        return subscription
    credited = record.credited.plus(more) if record.credited else more
    return subscription.but(
        ledger=subscription.ledger.amended(record.but(credited=credited)),
        balance=subscription.balance.with_credit(more),
    )
