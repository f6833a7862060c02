"""The end of a subscription: now, at the end of the paid period, or at an instant; and taking that back."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from billing.calendar import days_between
from billing.changes.rules import Moment, When, check_changeable, check_stays, moment_of
from billing.parts.lifecycle import Cancellation
from billing.refusals import Kind, Refused
from billing.requests import Request
from billing.subscription import Subscription

ClosureReason = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,255}$")]
"""A line of text, as long as Amazon takes (Close Charge Permission, `closureReason`). Never personal data."""


class Cancel(Request):
    """The subscription ends, and its charge permission is closed. A charge under way is awaited first.

    Attributes:
        when: at the end of the paid period, now, or at an instant.
        reason: told to Amazon as the closure reason.
    """

    kind: Literal["cancel"] = "cancel"
    when: Moment = When.RENEWAL
    reason: ClosureReason = "Canceled by the merchant"

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        """See the module."""
        if self.when is When.NOW:
            check_stays(subscription)
            if not subscription.can_be_ended:
                raise Refused("subscription", subscription.status.value, "its end is decided already", Kind.NOT_NOW)
            return subscription.but(lifecycle=subscription.lifecycle.canceled(self.reason, now)), now
        check_changeable(subscription, now)
        if subscription.lifecycle.moves_dates:
            why = "a pause moves the due dates, so no end of the paid period is known: resume it first, or cancel now"
            raise Refused("when", str(self.when), why, Kind.CONFLICT)
        at = moment_of(self.when, subscription, now)
        planned = Cancellation(at=at, reason=self.reason)
        return subscription.but(lifecycle=subscription.lifecycle.with_planned_end(planned)), at


class UndoCancellation(Request):
    """The planned end is taken back."""

    kind: Literal["undo_cancel"] = "undo_cancel"

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        """See the module."""
        check_changeable(subscription, now)
        if subscription.lifecycle.planned_end is None:
            raise Refused("undo", "", "no cancellation is planned", Kind.NOT_NOW)
        undone = subscription.but(lifecycle=subscription.lifecycle.with_planned_end(None))
        return _with_rest_of_last(undone), now


def _with_rest_of_last(subscription: Subscription) -> Subscription:
    """Where only the days until the end were charged, those after it are a period of their own, that falls due then."""
    owed, records, first = subscription.collection, subscription.ledger.records, subscription.first_to_come
    cut_at = owed.cut_at if owed is not None else records[-1].cut_at if records else None
    if cut_at is None or subscription.contract.agreement(first - 1).once is not None:
        return subscription
    begins, ends = subscription.schedule.due(first - 1), subscription.contract.whole_end(first - 1)
    whole = days_between(begins, ends, subscription.terms.zone)
    contract = subscription.contract.changed_now(first, cut_at, None, None, keeps_dates=True, whole_days=whole)
    if owed is not None:
        return subscription.but(contract=contract, collection=owed.but(cut_at=None))
    ledger = subscription.ledger.amended(records[-1].but(cut_at=None))
    return subscription.but(contract=contract, ledger=ledger)
