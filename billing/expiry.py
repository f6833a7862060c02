"""A recurring charge permission expires thirteen months after its last charge; here that is foreseen.

A healthy period renews it, and no period is longer than a year. But two free years, a skipped period of a yearly plan,
a long pause or a credit may leave so long without a charge that the next one finds the permission closed ("Expired").
What is known to come too late is refused where it is asked for, as a promise that cannot be kept; of what nobody can
know, as the end of a pause without one, the merchant is told four weeks before.

Source: Amazon Pay, "charge permission" (`expirationTimestamp`).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Final

from perennial_billing.billing.calendar import permission_expiry
from perennial_billing.billing.contract.schedule import Schedule
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.parts.lifecycle import Active
from perennial_billing.billing.protocol.commands import Command, Timer, elapse
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.subscription import Subscription

TOLD_BEFORE: Final = timedelta(days=28)
"""Time enough to charge something, to end a pause, or to win the buyer for another checkout."""

_MOST_PERIODS: Final = 1_000
"""Of these none costs anything and each is looked at singly: more than two years of days."""


def next_charge_at(subscription: Subscription) -> datetime | None:
    """When the next period falls due that is really charged (UTC), credits and pauses considered.

    None where none is known: nothing that is left costs anything, or a pause has no end. While a period is owed it is
    that one, also where it is unpaid or held: the merchant was told of that, and of what is needed for it.
    """
    if subscription.collection is not None:
        return subscription.collection.due
    return next(charges_to_come(subscription), None)


def expires_before_charge(subscription: Subscription) -> bool:
    """Whether the charge permission expires before anything is charged again, and before the subscription is over."""
    expires_at = subscription.permission.expires_at
    if expires_at is None:
        return False
    charge = next_charge_at(subscription)
    if charge is not None:
        return charge >= expires_at
    planned, over = subscription.lifecycle.planned_end, subscription.schedule.over_at
    ends_before = (planned is not None and planned.at <= expires_at) or (over is not None and over <= expires_at)
    return not ends_before


def expiry_command(subscription: Subscription) -> Command | None:
    """The instant at which the merchant is told that the charge permission will expire; None where it will not."""
    permission = subscription.permission
    if permission.expires_at is None or permission.told_of_expiry or permission.look_at is not None:
        return None
    if not isinstance(subscription.lifecycle.stage, Active) or not expires_before_charge(subscription):
        return None
    why = f"the charge permission expires on {permission.expires_at:%Y-%m-%d}, before anything is charged again"
    return elapse(Timer.EXPIRY, permission.expires_at - TOLD_BEFORE, why)


def check_charged_in_time(before: Subscription, after: Subscription, field: str) -> None:
    """Whether what is asked for leaves the charge permission alive for the next charge.

    Args:
        before: the subscription without it.
        after: with it.
        field: what is asked for, in a word.

    Raises:
        Refused: the next charge is known then, and comes too late; not where that was so before.
    """
    expires_at, charge = after.permission.expires_at, next_charge_at(after)
    if expires_at is None or charge is None or charge < expires_at or expires_before_charge(before):
        return
    accepted = (
        f"the next charge would fall due on {charge:%Y-%m-%d}, and the charge permission expires on "
        f"{expires_at:%Y-%m-%d}, 13 months after its last charge: what leaves a charge before that is accepted"
    )
    raise Refused(field, "", accepted, Kind.CONFLICT)


def expiry_warning(terms: Terms, approved_at: datetime | None = None) -> str | None:
    """Says that a plan has so long a time without a charge that the charge permission expires; None where it has not.

    It warns and does not refuse, as one-off charges within that time keep the permission alive.

    Args:
        terms: what is agreed.
        approved_at: when the buyer has approved the charge permission (UTC); at the anchor when not given.
    """
    schedule = terms.schedule
    expires_at, number = permission_expiry(approved_at or terms.anchor), 0
    while schedule.has_period(number):
        stretch = schedule.stretch(number)
        if not stretch.amount.is_zero:
            due = schedule.due(number)
            if due >= expires_at:
                return (
                    f"period {number} is charged on {due:%Y-%m-%d}, and the charge permission expires on "
                    f"{expires_at:%Y-%m-%d}, 13 months after its last charge, unless something is charged before"
                )
            if stretch.end is None:
                return None
            expires_at = permission_expiry(schedule.due(_last(schedule, number, stretch.end)))
        if stretch.end is None:
            return None
        number = stretch.end
    return None


def _last(schedule: Schedule, first: int, end: int) -> int:
    """The last period of some that are alike, which a planned end may cut short."""
    return end - 1 if schedule.has_period(end - 1) else first


def charges_to_come(subscription: Subscription) -> Iterator[datetime]:
    """When each period falls due that is charged (UTC), supposing that each charge succeeds; the open one apart."""
    schedule, balance = subscription.schedule, subscription.balance
    credit, is_first = balance.credit.amount if balance.credit else Decimal(0), True
    for number, due in islice(_owed(subscription), _MOST_PERIODS):
        costs = schedule.amount(number).amount
        if is_first:
            costs += balance.items_in_all(subscription.terms.plan.currency).amount
        is_first = False
        if costs > credit:
            yield due
        credit = max(credit - costs, Decimal(0))


def _owed(subscription: Subscription) -> Iterator[tuple[int, datetime]]:
    """The periods to come that are owed, and when they fall due (UTC); of free ones only the first of those alike."""
    schedule, lifecycle, pause = subscription.schedule, subscription.lifecycle, subscription.lifecycle.pause
    if pause is not None and pause.until is not None and not pause.keeps_anchor:
        schedule, pause = _moved(subscription, pause.since, pause.until), None
    number = subscription.first_to_come
    while schedule.has_period(number) and lifecycle.goes_on_at(schedule.due(number)):
        due, stretch, following = schedule.due(number), schedule.stretch(number), number + 1
        if pause is not None and due >= pause.since and subscription.contract.agreement(number).once is None:
            if pause.until is None:
                return
            if due < pause.until:
                number = max(following, schedule.periods_due(pause.until) - 1)
                continue
        if number not in subscription.contract.skips:
            yield number, due
            if stretch.amount.is_zero:
                if stretch.end is None:
                    return
                following = stretch.end
        number = following


def _moved(subscription: Subscription, since: datetime, until: datetime) -> Schedule:
    """The periods as they are once a pause is over that moves what falls due later."""
    due_before = subscription.schedule.periods_due(since - datetime.resolution)
    return subscription.contract.moved(max(subscription.first_to_come, due_before), since, until).schedule
