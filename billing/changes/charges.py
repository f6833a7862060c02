"""What a merchant wants done with charges: capture an authorized one, give money back, try an owed one again."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.changes.rules import check_stays
from perennial_billing.billing.contract.texts import texts_of
from perennial_billing.billing.couplings.periods import missed_are_wanted
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.collection import Collection
from perennial_billing.billing.parts.refunds import Refund, check_refund
from perennial_billing.billing.parts.stages import AwaitingBuyer, LeftToMerchant, Stage, Unpaid, UsedUp
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.register import Reference
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription

WHY_RETRIED = "the merchant asked to try again"


class Capture(Request):
    """A period's authorized charge is captured: all of it where no amount is given, and the rest is released."""

    kind: Literal["capture"] = "capture"
    period: Annotated[int, Field(ge=0)]
    amount: Money | None = None

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, str]:
        """See the module; answers the charge's id."""
        check_stays(subscription)
        for authorization in subscription.authorizations:
            if authorization.record.period == self.period:
                after = authorization.capturing(self.amount, now)
                changed = tuple(after if each is authorization else each for each in subscription.authorizations)
                return subscription.but(authorizations=changed), authorization.charge_id
        waiting = ", ".join(str(each.record.period) for each in subscription.authorizations) or "none"
        why = f"it has no authorized charge; those that wait to be captured: {waiting}"
        raise Refused("period", self.period, why, Kind.NOT_NOW)


class RefundPeriod(Request):
    """Money goes back: all that is left of a paid period where no amount is given.

    Attributes:
        period: counted from 0.
        amount: how much.
        goodwill: more than was paid may go back, as far as Amazon lets it.
        reference: the merchant's own name for it: asking again with the same one is asking for the same refund.
    """

    kind: Literal["refund"] = "refund"
    period: Annotated[int, Field(ge=0)]
    amount: Money | None = None
    goodwill: bool = False
    reference: Reference | None = None

    @property
    def references(self) -> tuple[str, ...]:
        """See `Request.references`."""
        return (self.reference,) if self.reference else ()

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, int]:
        """See the module; answers the refund's number."""
        check_stays(subscription)
        refunds = subscription.refunds
        record, amount = check_refund(
            subscription.ledger, refunds.latest, self.period, self.amount, goodwill=self.goodwill
        )
        number, permission = refunds.asked + 1, subscription.terms.charge_permission_id
        texts = texts_of(subscription.contract, self.period)
        descriptor = texts.soft_descriptor if texts else None
        refund = Refund.of(record, amount, number, permission, now, self.reference, descriptor)
        return subscription.but(refunds=refunds.requested(refund)), number


class RetryNow(Request):
    """What is owed is tried again now, instead of when the schedule says; also releases periods that were held.

    Where only the buyer can mend it, the charge permission is read, and charged if it can be.
    """

    kind: Literal["retry"] = "retry"

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, None]:
        """See the module."""
        check_stays(subscription)
        collection = self._tried(subscription)
        match collection.stage:
            case LeftToMerchant():
                released = subscription.but(collection=collection.released(now, WHY_RETRIED))
                return missed_are_wanted(released, now), None
            case AwaitingBuyer() | Unpaid():
                return subscription.but(permission=subscription.permission.may_have_changed(now, None)), None
            case _:
                return subscription.but(collection=collection.asked_now(now, WHY_RETRIED)), None

    def _tried(self, subscription: Subscription) -> Collection:
        """What is owed, where it can be tried."""
        status, collection = subscription.status, subscription.collection
        if not subscription.can_be_ended:
            raise Refused("subscription", status.value, "nothing is charged any more", Kind.NOT_NOW)
        if subscription.awaits_checkout:
            raise Refused("subscription", status.value, "only a new charge permission can be charged", Kind.NOT_NOW)
        if collection is None:
            command = next_command(subscription)
            raise Refused("retry", "", "nothing is owed" + (f"; next: {command.why}" if command else ""), Kind.NOT_NOW)
        if collection.word in {Stage.CHARGING, Stage.PENDING}:
            raise Refused("retry", "", "a charge is under way; its outcome is awaited", Kind.NOT_NOW)
        if isinstance(collection.stage, UsedUp):
            raise Refused("retry", "", "the time to collect is over; the policy's final action follows", Kind.NOT_NOW)
        return collection
