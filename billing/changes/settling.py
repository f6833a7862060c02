"""What an operator settles by hand: an attempt that is held, and a period that is not to be collected any more."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from perennial_billing.billing.changes.rules import ChargeId, check_stays
from perennial_billing.billing.couplings.periods import settle
from perennial_billing.billing.parts.collection import Collection
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.parts.stages import CheckingCharge, Stage
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription

_BY_HAND = "written off by the merchant"
_NOTHING_TAKEN = "the merchant says that nothing was taken"


class Resolve(Request):
    """A held attempt is settled by somebody who has looked; one of the three ways.

    Attributes:
        charge_id: this charge has paid the period: it is read, checked and counted.
        new_attempt: nothing was taken: another attempt is made, under another key.
        write_off: the period is not collected any more.
    """

    kind: Literal["resolve"] = "resolve"
    charge_id: ChargeId | None = None
    new_attempt: bool = False
    write_off: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum((self.charge_id is not None, self.new_attempt, self.write_off)) != 1:
            raise Refused("resolve", "", "one is: a charge that has paid the period, a new attempt, or a write-off")
        return self

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, str | None]:
        """See the module; answers the charge's id, where one is named."""
        check_stays(subscription)
        collection = _held(subscription)
        if self.write_off:
            return settle(subscription, PeriodOutcome.WRITTEN_OFF, now, reason=_BY_HAND), None
        if self.charge_id is not None:
            return subscription.but(collection=collection.naming(self.charge_id, now)), self.charge_id
        _check_can_be_charged(subscription)
        return subscription.but(collection=collection.tried_anew(now, _NOTHING_TAKEN)), None


class WriteOff(Request):
    """A period that is owed is not collected any more, or one that has fallen due and waits for its turn.

    Attributes:
        period: counted from 0.
    """

    kind: Literal["write_off"] = "write_off"
    period: Annotated[int, Field(ge=0)]

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, None]:
        """See the module."""
        check_stays(subscription)
        collection, number = subscription.collection, subscription.next_period
        fallen_due = subscription.schedule.periods_due(now)
        if not number <= self.period < max(fallen_due, subscription.first_to_come):
            owed = f"{number} to {fallen_due - 1}" if fallen_due > number else "none"
            raise Refused("period", self.period, f"periods that are owed can be: {owed}", Kind.NOT_NOW)
        if collection is None or collection.period != self.period:
            return subscription.but(contract=subscription.contract.skipping([self.period])), None
        if collection.open_attempt is not None:
            held = " (perennial resolve)" if _is_held(collection) else ""
            why = f"attempt {collection.attempts} has no outcome yet; await it, or settle it where it is held{held}"
            raise Refused("period", self.period, why, Kind.NOT_NOW)
        return settle(subscription, PeriodOutcome.WRITTEN_OFF, now, reason=_BY_HAND), None


def _held(subscription: Subscription) -> Collection:
    """The collection whose attempt is held.

    Raises:
        Refused: there is none.
    """
    collection = subscription.collection
    if collection is None or not _is_held(collection):
        why = "no attempt is held; what is owed can be tried again (retry) or written off (write-off)"
        raise Refused("resolve", "", why, Kind.NOT_NOW)
    if isinstance(collection.stage, CheckingCharge) and collection.stage.pays:
        raise Refused("resolve", "", f"charge {collection.stage.charge_id} is being read", Kind.NOT_NOW)
    return collection


def _is_held(collection: Collection) -> bool:
    return collection.word is Stage.ON_HOLD or collection.held_for is not None


def _check_can_be_charged(subscription: Subscription) -> None:
    if not subscription.can_be_ended or subscription.awaits_checkout:
        status = subscription.status.value
        raise Refused("subscription", status, "nothing can be charged under its charge permission", Kind.NOT_NOW)
