"""What a merchant wants done with charges: capture an authorized one, give money back, try an owed one again."""

import re
from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.changes.refunding import with_refund
from perennial_billing.billing.changes.rules import ChargeId, check_stays
from perennial_billing.billing.couplings.periods import missed_are_wanted
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.collection import Collection
from perennial_billing.billing.parts.refunds import check_amount, paid_record
from perennial_billing.billing.parts.stages import AwaitingBuyer, LeftToMerchant, Stage, Unpaid, UsedUp
from perennial_billing.billing.protocol.recollection import Recollection
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.register import REFERENCE, Reference
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription

_REFERENCE: Final = re.compile(REFERENCE)

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
        charge_id: Amazon's, of the charge that paid it; either this or the period is given.
        amount: how much.
        goodwill: more than was paid may go back, as far as Amazon lets it.
        reference: the merchant's own name for it: asking again with the same one is asking for the same refund.
    """

    kind: Literal["refund"] = "refund"
    period: Annotated[int, Field(ge=0)] | None = None
    charge_id: ChargeId | None = None
    amount: Money | None = None
    goodwill: bool = False
    reference: Reference | None = None

    @model_validator(mode="after")
    def _one_charge(self) -> Self:
        if (self.period is None) == (self.charge_id is None):
            raise Refused("refund", "", "one is: a period, or a charge")
        return self

    @property
    def references(self) -> tuple[str, ...]:
        """See `Request.references`."""
        return (self.reference,) if self.reference else ()

    def named(self, request_id: str) -> "RefundPeriod":
        """The same, named by its request's id where the merchant has none: the ledger keeps it for ever."""
        if self.reference is not None or not _REFERENCE.fullmatch(request_id):
            return self
        return self.but(reference=request_id)

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, int]:
        """See the module; answers the refund's number."""
        check_stays(subscription)
        record = paid_record(subscription.ledger, self.period, self.charge_id)
        amount = check_amount(record, subscription.refunds.latest, self.amount, goodwill=self.goodwill)
        refunding = with_refund(subscription, record, amount, now, self.reference)
        return refunding, refunding.refunds.asked

    def looks_up(self, subscription: Subscription) -> Recollection | None:
        """A charge of longer ago than the subscription remembers."""
        ledger = subscription.ledger
        if self.period is not None:
            remembered = any(record.period == self.period for record in ledger.records)
            if remembered or not ledger.joined_with <= self.period < ledger.next_period:
                return None
        elif any(record.charge_id == self.charge_id for record in ledger.records):
            return None
        permission = subscription.terms.charge_permission_id
        return Recollection(charge_permission_id=permission, period=self.period, charge_id=self.charge_id)


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
