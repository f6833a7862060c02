"""The end of a subscription: now, at the end of the paid period, or at an instant; and taking that back."""

from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import StringConstraints

from perennial_billing.billing.calendar import days_between
from perennial_billing.billing.changes.refunding import Back, what_to_look_up, with_refunds
from perennial_billing.billing.changes.rules import Moment, When, check_changeable, check_stays, moment_of
from perennial_billing.billing.parts.lifecycle import Cancellation
from perennial_billing.billing.protocol.recollection import Recollection
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription

ClosureReason = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,255}$")]
"""A line of text, as long as Amazon takes (Close Charge Permission, `closureReason`). Never personal data."""


class Cancel(Request):
    """The subscription ends, and its charge permission is closed. A charge under way is awaited first.

    Attributes:
        when: at the end of the paid period, now, or at an instant.
        reason: told to Amazon as the closure reason.
        refund: how much goes back, at once, whenever it ends; None for nothing.
    """

    kind: Literal["cancel"] = "cancel"
    when: Moment = When.RENEWAL
    reason: ClosureReason = "Canceled by the merchant"
    refund: Back | None = None

    def looks_up(self, subscription: Subscription) -> Recollection | None:
        """Charges of longer ago than the subscription remembers, where their money may have to go back."""
        return what_to_look_up(subscription, self.refund) if self.refund is not None else None

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        """See the module."""
        ending, at = self._ended(subscription, now)
        return with_refunds(ending, self.refund, now) if self.refund is not None else ending, at

    def _ended(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
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
        changed = subscription.but(
            lifecycle=subscription.lifecycle.with_planned_end(Cancellation(at=at, reason=self.reason))
        )
        cut = _last_cut(subscription)
        return _with_rest_of_last(changed) if cut is not None and at > cut.at else changed, at


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


class _Cut(NamedTuple):
    """A period that a planned end has cut short: its number, and that end (UTC)."""

    period: int
    at: datetime


def _last_cut(subscription: Subscription) -> _Cut | None:
    """The plan's last period, where an end has cut it short, and no change since that has taken the place of the rest.

    What was charged by itself since is none of the plan's.
    """
    owed = subscription.collection
    records = subscription.ledger.records
    charged = [(record.period, record.cut_at if record.unused is None else None) for record in records]
    charged += [(owed.period, owed.cut_at)] if owed is not None else []
    of_plan = ((period, at) for period, at in reversed(charged) if subscription.contract.agreement(period).once is None)
    period, at = next(of_plan, (0, None))
    return _Cut(period, at) if at is not None else None


def _with_rest_of_last(subscription: Subscription) -> Subscription:
    """Where only the days until the end were charged, those after it are a period of their own, that falls due then."""
    cut, owed, first = _last_cut(subscription), subscription.collection, subscription.first_to_come
    if cut is None:
        return subscription
    begins, ends = subscription.schedule.due(cut.period), subscription.contract.whole_end(first - 1)
    whole = days_between(begins, ends, subscription.terms.zone)
    contract = subscription.contract.changed_now(
        first, cut.at, None, None, keeps_dates=True, whole_days=whole, rest_of=cut.period
    )
    if owed is not None and owed.period == cut.period:
        return subscription.but(contract=contract, collection=owed.but(cut_at=None))
    record = subscription.ledger.record(cut.period)
    ledger = subscription.ledger.amended(record.but(cut_at=None)) if record is not None else subscription.ledger
    return subscription.but(contract=contract, ledger=ledger)
