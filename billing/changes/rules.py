"""What several requests have in common: when, and whether anything may be changed at all."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, StringConstraints

from perennial_billing.billing.agenda import hands_over
from perennial_billing.billing.money import Money
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.subscription import Subscription

Words = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,128}$")]
"""A line of text. Never personal data: it is shown in the Web UI."""


ChargeId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
"""Amazon's id of a charge."""


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
        raise _no_more(subscription, f"the periods of the plan are over ({number})")
    if lifecycle.cancellation is not None:
        raise _no_more(subscription, "a cancellation was asked for")
    if subscription.awaits_checkout or lifecycle.successor is not None:
        raise Refused(
            "subscription",
            subscription.status.value,
            "the charge permission is closed or being replaced: change it under the new one",
            Kind.NOT_NOW,
        )


def check_goes_on(subscription: Subscription, at: datetime) -> None:
    """Whether it is not to end before something takes effect (UTC).

    Raises:
        Refused: it is; the cancellation would have to be taken back first.
    """
    lifecycle = subscription.lifecycle
    if lifecycle.planned_end is not None and not lifecycle.goes_on_at(at):
        why = f"it is to end on {lifecycle.planned_end.at:%Y-%m-%d}, and nothing falls due after that: take the "
        raise Refused("subscription", subscription.status.value, f"{why}cancellation back first", Kind.CONFLICT)


def check_not_paused(subscription: Subscription, instead: str) -> None:
    """Whether something can be charged now.

    Raises:
        Refused: it is paused; says what can be done instead.
    """
    if subscription.lifecycle.is_paused:
        raise Refused("when", "now", f"the subscription is paused: {instead}", Kind.NOT_NOW)


def check_no_rest(subscription: Subscription, field: str, value: str, instead: str) -> None:
    """Whether the running period ends as the plan's do: not where an end had cut it short and was taken back since.

    Raises:
        Refused: what is left of it is charged by itself, then; says what can be done instead.
    """
    first = subscription.first_to_come
    if subscription.is_rest(first):
        since = f"the days from {subscription.schedule.due(first):%Y-%m-%d} on"
        why = f"{since} are charged by themselves, as an end then was taken back: {instead}"
        raise Refused(field, value, why, Kind.NOT_NOW)


def check_stays(subscription: Subscription) -> None:
    """Whether what is asked would still be done here.

    Raises:
        Refused: it is just being started under another charge permission, with the state of before.
    """
    successor = subscription.lifecycle.successor
    if successor is not None and hands_over(subscription):
        why = f"it is just going on under {successor.charge_permission_id}: ask it there, in a moment"
        raise Refused("subscription", subscription.status.value, why, Kind.NOT_NOW)


def moment_of(when: Moment, subscription: Subscription, now: datetime) -> datetime:
    """The instant that is meant (UTC).

    Raises:
        Refused: it is over.
    """
    if when is When.NOW:
        return now
    if isinstance(when, When):
        return subscription.schedule.due(subscription.first_not_begun(now))
    if when < now:
        raise Refused("when", when.isoformat(), f"instants from now on are; it is {now:%Y-%m-%dT%H:%M:%SZ}")
    return when


def _no_more(subscription: Subscription, why: str) -> Refused:
    return Refused("subscription", subscription.status.value, f"{why}: nothing can be changed any more", Kind.NOT_NOW)


def check_sums(subscription: Subscription) -> None:
    """Whether everything that may come together in one charge, or in one credit, can be charged.

    Raises:
        Refused: it is more than any charge; says how much is left.
    """
    first, currency = subscription.first_to_come, subscription.terms.plan.currency
    dearest = Money.rounded(subscription.schedule.most(first), currency)
    balance = subscription.balance
    if subscription.collection is not None:  # its items and its credit come back where it is not charged
        balance = balance.taken_back(subscription.collection.bill, "")
    dearest.plus(balance.items_in_all(currency))


def renewal_or_now(field: str, when: Moment) -> When:
    """The moment, where an instant makes no sense.

    Raises:
        Refused: it is an instant.
    """
    if not isinstance(when, When):
        raise Refused("when", when.isoformat(), f"now or renewal is, for {field}")
    return when


def gets_dearer(before: Subscription, after: Subscription) -> bool:
    """Whether a charge to come costs more than any did, so that Amazon's limit has to be read."""
    return after.most_to_come.amount > before.most_to_come.amount
