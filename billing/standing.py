"""Whether a subscription stands already as a change would have it, told by its view.

Who asks many for one change, and is broken off, asks all of them again: whom it holds for is left alone then.
"""

from datetime import datetime

from perennial_billing.billing.changes import Cancel, Change, ChangePlan, PauseSubscription, ResumeSubscription, When
from perennial_billing.billing.contract.agreement import Agreement
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import SubscriptionView


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
