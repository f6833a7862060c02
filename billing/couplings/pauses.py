"""A pause begins and ends: what falls due within it is not owed."""

from datetime import datetime
from typing import Final

from perennial_billing.billing.couplings.telling import telling
from perennial_billing.billing.parts.lifecycle import Pause
from perennial_billing.billing.parts.stages import LeftToMerchant, Lost
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import Subscription

ASKED_FOR: Final = "asked for"
PAUSED: Final = "Paused"
"""Our own reason beside Amazon's codes: as somebody asked, what is owed is not tried within the pause."""


def pause_begins(subscription: Subscription, now: datetime, *, why: str = ASKED_FOR) -> Subscription:
    """What falls due from now on is not owed."""
    pause = subscription.lifecycle.pause
    if pause is None:
        raise AssertionError("no pause was asked for")
    begun = subscription.but(lifecycle=subscription.lifecycle.pausing(pause.but(has_begun=True)))
    told = telling(begun, NoticeType.SUBSCRIPTION_PAUSED, now, reason=why, deadline=pause.until)
    return collecting_paused(told, now)


def collecting_paused(subscription: Subscription, now: datetime) -> Subscription:
    """What is owed waits for the end of the pause where that was asked for, once no attempt's outcome is open."""
    pause, owed = subscription.lifecycle.pause, subscription.collection
    if pause is None or not pause.has_begun or not pause.stops_collecting or owed is None:
        return subscription
    is_tried = owed.open_attempt is None and not isinstance(owed.stage, LeftToMerchant | Lost)
    if not is_tried or subscription.awaits_checkout or not subscription.can_be_ended:
        return subscription
    return subscription.but(collection=owed.left_to_merchant(PAUSED, now))


def _collecting_again(subscription: Subscription, now: datetime) -> Subscription:
    owed = subscription.collection
    if owed is None or owed.held_for != PAUSED:
        return subscription
    return subscription.but(collection=owed.released(now, "the pause is over"))


def pause_until_resumed(subscription: Subscription, now: datetime, *, why: str) -> Subscription:
    """Nothing that falls due is owed until somebody resumes it, whatever pause was agreed on before."""
    pause = subscription.lifecycle.pause
    if pause is not None and pause.has_begun:
        return subscription.but(lifecycle=subscription.lifecycle.pausing(pause.but(until=None)))
    return pause_begins(subscription.but(lifecycle=subscription.lifecycle.pausing(Pause(since=now))), now, why=why)


def resume(subscription: Subscription, now: datetime, *, keeps_anchor: bool | None = None) -> Subscription:
    """A pause is over, or will not be: what fell due within it is not owed."""
    pause = subscription.lifecycle.pause
    if pause is None:
        raise AssertionError("nothing is paused")
    resumed = subscription.but(lifecycle=subscription.lifecycle.pausing(None))
    if not pause.has_begun:
        return resumed
    keeps = pause.keeps_anchor if keeps_anchor is None else keeps_anchor
    schedule, contract = subscription.schedule, subscription.contract
    if keeps:
        fell_due = range(subscription.next_period, schedule.periods_due(now - datetime.resolution))
        contract = contract.skipping([number for number in fell_due if subscription.is_paused_over(number)])
    else:
        first = max(subscription.first_to_come, schedule.periods_due(pause.since - datetime.resolution))
        contract = contract.moved(first, pause.since, now)
        resumed = _with_end_of_running(resumed, first - 1, schedule.due(first))
    collecting = _collecting_again(resumed.but(contract=contract), now)
    return telling(collecting, NoticeType.SUBSCRIPTION_RESUMED, now)


def _with_end_of_running(subscription: Subscription, period: int, until: datetime) -> Subscription:
    """Remembers when a period would have ended whose end has moved: it was sold for the days until then."""
    record, owed = subscription.ledger.record(period), subscription.collection
    if record is not None and record.until is None:
        return subscription.but(ledger=subscription.ledger.amended(record.but(until=until)))
    if owed is not None and owed.period == period and owed.until is None:
        return subscription.but(collection=owed.but(until=until))
    return subscription
