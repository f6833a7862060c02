"""What several requests have in common: when, and whether anything may be changed at all."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, StringConstraints

from billing.machine import ask
from billing.money import Money
from billing.refusals import Kind, Refused
from billing.requests import Request
from billing.subscription import Subscription

Words = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,128}$")]
"""A line of text. Never personal data: it is shown in the Web UI."""


class When(StrEnum):
    """When something takes effect, where that is no instant."""

    NOW = "now"
    RENEWAL = "renewal"
    """When the next period begins: with the next charge, or at the end of the paid period."""


Moment = When | AwareDatetime
"""When something takes effect: now, at the renewal, or at an instant."""


def check_changeable(subscription: Subscription, now: datetime) -> None:
    """Whether anything can be changed.

    Args:
        subscription: stays as it is.
        now: when (UTC): what has lasted to its end is not changed, even where nobody has noticed the end yet.

    Raises:
        Refused: it is ending, has ended, or waits for a new charge permission.
    """
    lifecycle, number = subscription.lifecycle, subscription.next_period
    if lifecycle.ending is not None:
        raise _no_more(subscription, lifecycle.ending.reason_code or lifecycle.ending.status.value)
    if subscription.is_over and subscription.schedule.due(number) <= now:
        raise _no_more(subscription, f"all {number} periods of the plan are over")
    if lifecycle.cancellation is not None:
        raise _no_more(subscription, "a cancellation was asked for")
    if subscription.awaits_checkout or lifecycle.successor is not None:
        raise Refused(
            "subscription",
            subscription.status.value,
            "the charge permission is closed or being replaced: change it under the new one",
            Kind.NOT_NOW,
        )


def _no_more(subscription: Subscription, why: str) -> Refused:
    return Refused("subscription", subscription.status.value, f"{why}: nothing can be changed any more", Kind.NOT_NOW)


def check_sums(subscription: Subscription) -> None:
    """Whether everything that may come together in one charge, or in one credit, can be charged.

    Raises:
        Refused: it is more than any charge; says how much is left.
    """
    first, currency = subscription.first_to_come, subscription.terms.plan.currency
    dearest = Money.rounded(subscription.schedule.most(first), currency)
    dearest.plus(subscription.balance.items_in_all(currency))
    owed = subscription.collection.credit if subscription.collection else None
    if owed is not None and subscription.balance.credit is not None:
        owed.plus(subscription.balance.credit)  # it comes back where the period is written off


def renewal_or_now(field: str, when: Moment) -> When:
    """The moment, where an instant makes no sense.

    Raises:
        Refused: it is an instant.
    """
    if not isinstance(when, When):
        raise Refused("when", when.isoformat(), f"now or renewal is, for {field}")
    return when


def dearest_charge(request: Request, subscription: Subscription, now: datetime) -> Money | None:
    """What the dearest charge to come would cost, where a request makes it dearer: Amazon's limit is to be asked for.

    Raises:
        Refused: it cannot be asked so; says why.
    """
    dearest = ask(subscription, request, now).most_to_come
    return dearest if dearest.amount > subscription.most_to_come.amount else None
