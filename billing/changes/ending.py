"""The end of a subscription: now, at the end of the paid period, or at an instant; and taking that back."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from billing.changes.rules import Moment, When, check_changeable
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
            if not subscription.can_be_ended:
                raise Refused("subscription", subscription.status.value, "its end is decided already", Kind.NOT_NOW)
            return subscription.but(lifecycle=subscription.lifecycle.canceled(self.reason, now)), now
        check_changeable(subscription, now)
        at = subscription.schedule.due(subscription.first_not_begun(now)) if isinstance(self.when, When) else self.when
        if at < now:
            raise Refused("when", at.isoformat(), f"instants from now on are; it is {now:%Y-%m-%dT%H:%M:%SZ}")
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
        return subscription.but(lifecycle=subscription.lifecycle.with_planned_end(None)), now
