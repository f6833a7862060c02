"""What became of a request that was accepted, as far as that is known."""

from functools import reduce

from perennial_billing.billing.agenda import next_that_matters
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.parts.refunds import Refunds
from perennial_billing.billing.protocol.answers import RefundState
from perennial_billing.billing.protocol.commands import Next
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.register import Entry
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import RefundView
from perennial_billing.workflows.messages import (
    CaptureResult,
    Changed,
    Outcome,
    Refunding,
    Refusal,
    Replaced,
    Resolved,
    Retried,
    Underway,
    Unknown,
    changed_at,
)


def outcome_of(subscription: Subscription, request_id: str) -> Outcome:
    """What became of the request with an id."""
    entry = subscription.references.find(request_id)
    if entry is None:
        return Unknown()
    match entry.kind:
        case "refund":
            return outcome_of_refund(entry, subscription.refunds)
        case "capture":
            return _of_capture(subscription, str(entry.result))
        case "replace":
            return _of_replacement(subscription, str(entry.result))
        case "retry":
            return Retried()
        case "resolve" if entry.result is not None:
            return _of_named_charge(subscription, str(entry.result))
        case "resolve" | "write_off":
            return Resolved()
        case _:
            command, at = next_that_matters(subscription), changed_at(entry.result)
            agreed = str(subscription.contract.agreement_at(at)) if entry.kind == "plan" else None
            going = [refund.amount for refund in subscription.refunds.under_way] if entry.kind == "cancel" else []
            refunding = reduce(Money.plus, going) if going else None
            return Changed(
                effective_at=at, agreed=agreed, next=Next.of(command) if command else None, refunding=refunding
            )


def outcome_of_refund(entry: Entry | None, refunds: Refunds) -> Outcome:
    """What became of a refund that was asked for; unknown where nobody has, or it is forgotten."""
    number = entry.result if entry and isinstance(entry.result, int) else 0
    refund = refunds.numbered(number)
    if refund is None:
        return Unknown()
    return Underway() if refund.state is RefundState.REQUESTED else Refunding(refund=RefundView.of(refund))


def _of_capture(subscription: Subscription, charge_id: str) -> Outcome:
    for authorization in subscription.authorizations:
        if authorization.charge_id == charge_id:
            still, failed_for = PeriodOutcome.AUTHORIZED, authorization.failed_for
            known = CaptureResult(charge_id=charge_id, outcome=still, reason_code=failed_for)
            return Underway() if authorization.is_capturing else known
    record = subscription.ledger.of_charge(charge_id)
    if record is None:
        return Unknown()
    return CaptureResult(charge_id=charge_id, outcome=record.outcome, reason_code=record.reason)


def _of_named_charge(subscription: Subscription, charge_id: str) -> Outcome:
    owed = subscription.collection
    if owed is not None and owed.stage.charge_in_question == charge_id and owed.is_being_checked:
        return Underway()
    if subscription.ledger.of_charge(charge_id) is not None and (owed is None or owed.not_counted is None):
        return Resolved(charge_id=charge_id)
    if owed is None or owed.not_counted is None:
        return Unknown()
    return Refusal.of(Refused("charge_id", charge_id, owed.not_counted, Kind.CONFLICT))


def _of_replacement(subscription: Subscription, wanted: str) -> Outcome:
    successor, refused = subscription.lifecycle.successor, subscription.lifecycle.refused_successor
    if refused is not None and refused.charge_permission_id == wanted:
        return Refusal.of(Refused("charge_permission_id", wanted, refused.why, refused.kind))
    if successor is None or successor.charge_permission_id != wanted:
        why = "it was refused, and another was named since, or this one ended first"
        return Refusal.of(Refused("charge_permission_id", wanted, why, Kind.CONFLICT))
    return Replaced(charge_permission_id=wanted) if subscription.lifecycle.goes_on_under else Underway()
