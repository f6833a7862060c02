"""What must hold of how a subscription goes on: nothing owed is forgotten, and what happens next can be seen."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from perennial_billing.billing.parts.stages import Stage
from perennial_billing.billing.parts.unanswered import OUTCOME_UNKNOWN
from perennial_billing.billing.protocol.answers import PermissionState
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.starter.audit.case import STOPPED, Case, Presence

STUCK_AFTER: Final = timedelta(minutes=70)
"""After an hour the subscription itself says that it has no answer. What is under way for longer is stuck: no worker
takes its workflow, or one of an older release waits without a word."""

LATE_AFTER: Final = timedelta(minutes=10)
"""A worker that was restarted, or a queue on the first of the month, may be behind by minutes, not by more."""

HEARD_WITHIN: Final = timedelta(hours=1)
"""Amazon's notification that a charge permission was closed may take so long; afterwards it is read each day or so."""


def no_period_is_forgotten(case: Case) -> Iterator[str]:
    """Each period due is in the account, or is being collected."""
    subscription = case.subscription
    if subscription is None:
        return
    accounted = {record.period for record in subscription.ledger}
    if subscription.owed is not None:
        accounted.add(subscription.owed.period)
    owed_until = (subscription.ending.at if subscription.ending else case.now) - LATE_AFTER
    for date in subscription.dates:
        waits = (
            not date.owed
            or subscription.status is Status.AWAITING_CHECKOUT
            or (subscription.owed is not None and subscription.owed.period < date.period)
        )
        open_ = date.due <= owed_until and date.period not in accounted and not waits
        if open_ and not _is_caught_up(subscription, case) and not case.is_busy:
            yield f"period {date.period} fell due on {date.due:%Y-%m-%d} and is forgotten"


def _is_caught_up(subscription: SubscriptionView, case: Case) -> bool:
    """Whether the oldest open period is charged soon: overdue ones follow each other at the policy's distance."""
    at, policy = subscription.next_charge_at, subscription.agreed.plan.collection
    return at is not None and case.now - LATE_AFTER <= at <= case.now + policy.catch_up_spacing


def nothing_is_overdue(case: Case) -> Iterator[str]:
    """What stands next is done when its time comes, unless Amazon's answer is awaited, which is so for an hour at most.

    What is known to be without an answer is another rule's.
    """
    if case.subscription is None:
        return
    following, allowed = case.subscription.next, STUCK_AFTER if case.is_busy else LATE_AFTER
    if following is not None and not case.subscription.unanswered and case.now - following.at > allowed:
        yield f"{following.action.value} was to be done at {following.at:%Y-%m-%d %H:%M} UTC ({following.why})"


def no_outcome_is_unknown(case: Case) -> Iterator[str]:
    """Amazon answers each call within the hour; what became of one that it has not answered nobody knows."""
    if case.subscription is None:
        row = case.record.row if case.record is not None else None
        if row is not None and row.last_reason == OUTCOME_UNKNOWN and not case.has_ended:
            yield f"what came of a call was unknown when it last told something, {row.as_of:%Y-%m-%d %H:%M} UTC"
        return
    for call in case.subscription.unanswered:
        about = f" ({call.about})" if call.about else ""
        since = f"{call.since:%Y-%m-%d %H:%M} UTC"
        yield f"{call.action.value}{about}: what came of it is unknown since {since} ({call.why})"


def no_closed_permission_is_active(case: Case) -> Iterator[str]:
    """A subscription whose permission is closed has ended, awaits a new checkout, or finds out what an attempt did."""
    subscription, permission = case.subscription, case.permission
    if subscription is None or permission is None or permission.state is not PermissionState.CLOSED:
        return
    knows = subscription.ending is not None or subscription.status is Status.AWAITING_CHECKOUT
    open_attempt = subscription.owed is not None and subscription.owed.attempt_is_open
    is_fresh = permission.last_updated is not None and case.now - permission.last_updated < HEARD_WITHIN
    if not knows and not open_attempt and not case.is_busy and not is_fresh:
        yield f"the charge permission is closed, and the subscription is {subscription.status.value}"


def no_ended_subscription_keeps_its_permission(case: Case) -> Iterator[str]:
    """What has ended can never be charged again."""
    known = case.permission is not None and case.permission.state is not PermissionState.UNKNOWN
    if known and case.permission is not None and case.has_ended and not case.permission.is_closed and case.status:
        yield f"the subscription is {case.status.value}, and the charge permission is {case.permission.state.value}"


def no_attempt_is_above_the_cap(case: Case) -> Iterator[str]:
    """The policy's cap holds."""
    owed = case.subscription.owed if case.subscription is not None else None
    if owed is not None and owed.stage is not Stage.UNPAID and owed.attempts_spent > owed.max_attempts:
        yield f"period {owed.period}: {owed.attempts_spent} attempts, {owed.max_attempts} are allowed"


def no_subscription_is_stopped(case: Case) -> Iterator[str]:
    """Nobody has terminated the workflow of a subscription that has not ended, and it has not failed."""
    if case.stopped is not None and not case.has_ended:
        yield f"{case.stopped.happened}: nobody bills it"


def no_subscription_is_hindered(case: Case) -> Iterator[str]:
    """The workflow of what runs is not paused, and its workers do not fail at it."""
    if case.hindered is not None:
        yield f"{case.hindered.happened}: nobody bills it meanwhile"


def every_open_subscription_runs(case: Case) -> Iterator[str]:
    """What has not ended by its own account runs: Temporal knows it still, and it has come to no other end."""
    row = case.record.row if case.record is not None else None
    if row is None or row.status is None or row.status.has_ended:
        return
    if case.presence not in {Presence.RUNNING, Presence.UNASKED, *STOPPED}:
        yield f"it is {row.status.value} by the ledger, and its workflow is {case.presence.value}: nobody bills it"


def every_running_subscription_is_recorded(case: Case) -> Iterator[str]:
    """What runs has told something that is in the ledger."""
    is_fresh = case.began_at is not None and case.now - case.began_at < LATE_AFTER
    if case.record is None and case.presence is Presence.RUNNING and not is_fresh:
        yield "its workflow runs, and the ledger has nothing of it"
