"""One change for all subscriptions that match a query.

It may be broken off and asked for again. Whom it holds for already is then told as such and left alone: asking twice
for another plan at once would be a second period, and a second charge.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from billing.changes import Cancel, Change, ChangePlan, PauseSubscription, ResumeSubscription, When
from billing.contract.agreement import Agreement
from billing.status import Status
from billing.view import SubscriptionView
from starter.client import Subscriptions
from starter.errors import NoWorkerError, SubscriptionEndedError, SubscriptionError
from starter.listing import STORE_LAG
from starter.many.runner import Outcome, Result

Doing = Callable[[str], Awaitable[Result]]


async def matching(subscriptions: Subscriptions, query: str) -> AsyncIterator[str]:
    """The charge permissions of the running subscriptions that match, each once, in no order.

    Args:
        subscriptions: the merchant's way in.
        query: a condition over search attributes, such as `Plan = 'coffee' AND SubscriptionStatus = 'active'`.

    Raises:
        SubscriptionError: it is not a query.
    """
    async for listed in subscriptions.list(query=query, lag=STORE_LAG):
        yield listed.charge_permission_id


def changing(subscriptions: Subscriptions, change: Change) -> Doing:
    """Changes one."""

    async def change_one(charge_permission_id: str) -> Result:
        try:
            why = why_already(await subscriptions.status(charge_permission_id), change, datetime.now(UTC))
            if why is not None:
                return Result(charge_permission_id, Outcome.ALREADY, why)
            changed = await subscriptions.change(charge_permission_id, change)
        except SubscriptionError as error:
            return Result(charge_permission_id, Outcome.REFUSED, str(error))
        return Result(charge_permission_id, Outcome.DONE, f"takes effect {changed.effective_at:%Y-%m-%d %H:%M} UTC")

    return change_one


def canceling(subscriptions: Subscriptions, reason: str) -> Doing:
    """Cancels one now."""

    async def cancel_one(charge_permission_id: str) -> Result:
        try:
            with suppress(NoWorkerError):  # the signal is safe without one, and asking twice ends it once
                view = await subscriptions.status(charge_permission_id)
                why = why_already(view, Cancel(when=When.NOW), datetime.now(UTC))
                if why is not None:
                    return Result(charge_permission_id, Outcome.ALREADY, why)
            await subscriptions.cancel(charge_permission_id, reason)
        except SubscriptionEndedError:
            return Result(charge_permission_id, Outcome.ALREADY, "it has ended already")
        except SubscriptionError as error:
            return Result(charge_permission_id, Outcome.REFUSED, str(error))
        return Result(charge_permission_id, Outcome.DONE, "asked to cancel")

    return cancel_one


async def matching_only(charge_permission_id: str) -> Result:
    """Does nothing: what a dry run does."""
    return Result(charge_permission_id, Outcome.DONE, "would be changed")


def why_already(view: SubscriptionView, change: Change, now: datetime) -> str | None:
    """In words, that a subscription stands as a change would have it; None where it does not, or nobody can tell.

    Args:
        view: how it stands.
        change: what is asked for.
        now: when (UTC).
    """
    match change:
        case PauseSubscription():
            return _paused_already(view, change)
        case ResumeSubscription():
            return "it is not paused" if view.pause is None and not view.has_ended else None
        case ChangePlan():
            return _agreed_already(view, change, now)
        case Cancel():
            return _ends_already(view, change)
        case _:
            return None


def _paused_already(view: SubscriptionView, change: PauseSubscription) -> str | None:
    pause = view.pause
    wanted = (change.until, change.keeps_anchor, change.stops_collecting)
    if pause is None or (pause.until, pause.keeps_anchor, pause.stops_collecting) != wanted:
        return None
    begins_so = {When.NOW: pause.has_begun, When.RENEWAL: True}
    begins = begins_so[change.when] if isinstance(change.when, When) else pause.since == change.when
    return f"it is paused from {pause.since:%Y-%m-%d %H:%M} UTC on" if begins else None


def _agreed_already(view: SubscriptionView, change: ChangePlan, now: datetime) -> str | None:
    """Whether the plan is what holds from the instant on that is meant, or what it is to change to then."""

    def is_it(agreed: Agreement) -> bool:
        same_plan = change.plan is None or agreed.plan == change.plan
        return same_plan and (change.quantity is None or agreed.quantity == change.quantity)

    regular = [each for each in (view.agreed, *view.changes) if each.once is None]
    if change.when is When.NOW:
        running = [view.running] if view.running is not None and view.running.once is None else []
        meant = [*running, *(each for each in regular if each.starts_at <= now)][-1:]
    elif change.when is When.RENEWAL:
        meant = regular[:2][-1:]
    else:
        first = next((date.due for date in view.dates if date.due >= change.when), change.when)
        meant = [each for each in regular if each.starts_at <= first][-1:]
    if not meant or not is_it(meant[0]):
        return None
    return f"it has that plan from {meant[0].starts_at:%Y-%m-%d %H:%M} UTC on"


def _ends_already(view: SubscriptionView, change: Cancel) -> str | None:
    if view.ending is not None and view.status in {Status.ENDING, Status.CANCELED}:
        return "its end is decided already"
    if view.planned_end is None or change.when is When.NOW:
        return None
    due = next((date.due for date in view.dates if date.period >= _first_to_come(view)), None)
    at = due if isinstance(change.when, When) else change.when
    return f"it ends {view.planned_end.at:%Y-%m-%d %H:%M} UTC" if view.planned_end.at == at else None


def _first_to_come(view: SubscriptionView) -> int:
    """The first period that has not begun."""
    return view.next_period + (view.owed is not None)
