"""The merchant is told of the next period before it falls due, and asked what it costs."""

from datetime import datetime

from perennial_billing.billing.couplings.telling import telling
from perennial_billing.billing.foresight import foreseen
from perennial_billing.billing.subscription import Subscription


def tell_ahead(subscription: Subscription, now: datetime) -> Subscription:
    """Tells what is to be told by now, each once; what is overdue already is told by its charge."""
    told, number = subscription, subscription.next_period
    for each in foreseen(subscription):
        if each.at > now:
            continue
        told = told.but(renewal=told.renewal.noticing(each.label))
        if each.due > now:
            told = telling(told, each.kind, now, period=number, due=each.due, amount=each.amount)
    return told


def ask_ahead(subscription: Subscription, now: datetime) -> Subscription:
    """The merchant is asked what the next period costs, before it falls due."""
    return subscription.but(renewal=subscription.renewal.ask(subscription.next_period, now))
