"""A pause, its end, and a period that is left out."""

from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import AwareDatetime

from perennial_billing.billing.changes.rules import (
    Moment,
    When,
    check_changeable,
    check_goes_on,
    check_no_rest,
    moment_of,
)
from perennial_billing.billing.couplings.pauses import pause_begins, resume
from perennial_billing.billing.parts.lifecycle import Pause
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription

LONGEST_PAUSE: Final = timedelta(days=3_653)
"""Ten years. Each period within is kept as not owed when the pause ends: of days, and of centuries, that is more than a
workflow can carry, or look ahead over within the two seconds that Temporal gives it."""


class PauseSubscription(Request):
    """Nothing that falls due is owed until it is resumed.

    What is owed already goes on being collected, unless the merchant wants that to wait too: it was owed before anybody
    thought of a pause, mostly for what was delivered, and a pause is no gift.

    Attributes:
        when: from now on, from the end of the paid period, or from an instant.
        until: when it is resumed by itself (UTC), within ten years; by a request only when not given.
        keeps_anchor: whether the due dates stay where they are; else they move by as long as the pause lasts, so that
            no day that is paid is lost.
        stops_collecting: what is owed already waits too, and is tried again when it is resumed.
    """

    kind: Literal["pause"] = "pause"
    when: Moment = When.NOW
    until: AwareDatetime | None = None
    keeps_anchor: bool = True
    stops_collecting: bool = False

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        """See the module."""
        check_changeable(subscription, now)
        planned = subscription.lifecycle.pause
        if planned is not None:
            why = f"it is to be paused from {planned.since:%Y-%m-%d %H:%M} UTC on"
            raise Refused("pause", "", why, Kind.CONFLICT)
        since = moment_of(self.when, subscription, now)
        check_goes_on(subscription, since)
        if _was_just_changed(subscription, since):
            since += datetime.resolution  # what it began with is owed: its days were credited
        if not self.keeps_anchor:
            _check_can_be_moved(subscription, now)
        if self.until is not None and self.until <= since:
            accepted = f"instants after the pause begins, {since:%Y-%m-%dT%H:%M:%SZ}, are"
            raise Refused("until", self.until.isoformat(), accepted)
        if self.until is not None and self.until - since > LONGEST_PAUSE:
            accepted = f"instants up to {since + LONGEST_PAUSE:%Y-%m-%d}, ten years on, are; or none, and it is resumed"
            raise Refused("until", self.until.isoformat(), accepted)
        pause = Pause(since=since, until=self.until, keeps_anchor=self.keeps_anchor)
        pause = pause.but(stops_collecting=self.stops_collecting)
        asked = subscription.but(lifecycle=subscription.lifecycle.pausing(pause))
        return pause_begins(asked, now) if since <= now + datetime.resolution else asked, since


class ResumeSubscription(Request):
    """A paused subscription goes on; one that is to be paused is not.

    Attributes:
        keeps_anchor: as when it was paused when not given.
    """

    kind: Literal["resume"] = "resume"
    keeps_anchor: bool | None = None

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        """See the module."""
        check_changeable(subscription, now)
        if subscription.lifecycle.pause is None:
            raise Refused("resume", "", "the subscription is not paused by request", Kind.NOT_NOW)
        if self.keeps_anchor is False:
            _check_can_be_moved(subscription, now)
        return resume(subscription, now, keeps_anchor=self.keeps_anchor), now


class SkipPeriod(Request):
    """The next period is not owed, or is owed after all; not what is left of a period, which may be no day at all.

    Attributes:
        undo: it is owed after all.
    """

    kind: Literal["skip"] = "skip"
    undo: bool = False

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        """See the module."""
        check_changeable(subscription, now)
        number, contract = subscription.first_not_begun(now), subscription.contract
        while subscription.schedule.has_period(number) and subscription.is_rest(number):
            number += 1
        if not subscription.schedule.has_period(number):
            raise Refused("skip", "", "there is no next period", Kind.NOT_NOW)
        check_goes_on(subscription, subscription.schedule.due(number))
        if (number in contract.skips) != self.undo:
            why = f"period {number} is {'not ' if self.undo else ''}skipped already"
            raise Refused("skip", "", why, Kind.CONFLICT)
        changed = contract.owing(number) if self.undo else contract.skipping([number])
        return subscription.but(contract=changed), subscription.schedule.due(number)


def _check_can_be_moved(subscription: Subscription, now: datetime) -> None:
    """Whether due dates can be moved: a planned end would stay, and cut off days that are paid; what is left
    of a period would be a whole one.

    Raises:
        Refused: an end is planned, or one that had cut off some days was taken back.
    """
    planned, first = subscription.lifecycle.planned_end, subscription.first_to_come
    if planned is not None:
        why = f"it is to end on {planned.at:%Y-%m-%d}: keep the due dates, or take the cancellation back first"
        raise Refused("keeps_anchor", "false", why, Kind.CONFLICT)
    if subscription.schedule.due(first) > now:
        check_no_rest(subscription, "keeps_anchor", "false", "keep the due dates")


def _was_just_changed(subscription: Subscription, since: datetime) -> bool:
    """Whether a change that holds at once begins at this very instant, and is not being collected yet."""
    first = subscription.first_to_come
    cut = subscription.ledger.record(first - 1)
    return cut is not None and cut.unused is not None and subscription.schedule.due(first) == since
