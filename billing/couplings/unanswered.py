"""A call to Amazon was not answered in good time: that is seen and told, and the call goes on being made.

What may have taken the owed period's money is asked again at once, with the same key, before everything else and for as
long as it takes. What else is asked waits an hour, so that it holds up nothing that falls due meanwhile.
"""

from datetime import datetime
from typing import Any

from perennial_billing.billing.couplings.captures import authorization_answered
from perennial_billing.billing.couplings.charges import charge_read
from perennial_billing.billing.couplings.disputes import dispute_answered
from perennial_billing.billing.couplings.refunds import refund_answered
from perennial_billing.billing.couplings.telling import about_collection, telling
from perennial_billing.billing.parts.lifecycle import Lifecycle
from perennial_billing.billing.parts.unanswered import OUTCOME_UNKNOWN
from perennial_billing.billing.protocol.answers import (
    ChargeAnswer,
    ChargeOutcome,
    DisputeAnswer,
    PermissionAnswer,
    PermissionState,
    RefundAnswer,
    RefundState,
)
from perennial_billing.billing.protocol.commands import (
    CaptureAuthorized,
    CaptureCharge,
    ClosePermission,
    Command,
    CreateCharge,
    CreateRefund,
    ReadAuthorized,
    ReadCharge,
    ReadDispute,
    ReadPermission,
    ReadRefund,
    ReadSuccessor,
    UpdatePermission,
)
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import Subscription

_UNKNOWN_CHARGE = ChargeAnswer(outcome=ChargeOutcome.REFUSED, reason_code=OUTCOME_UNKNOWN)


def not_answered(subscription: Subscription, command: Command, why: str | None, now: datetime) -> Subscription:
    """Notes that a call was not answered; the merchant is told once, until it is answered."""
    calls = subscription.unanswered.noting(command, why)
    before, call = subscription.unanswered.find(command), calls.find(command)
    waiting = _asked_again(subscription.but(unanswered=calls), command, now)
    is_news = call is not None and call.is_seen and not (before is not None and before.is_seen)
    told_already = waiting.outbox.told != subscription.outbox.told
    if not is_news or told_already:
        return waiting
    about = _about(waiting, command)
    return telling(
        waiting, NoticeType.SUBSCRIPTION_HELD, now, **about, reason_code=OUTCOME_UNKNOWN, reason=f"{call}; asked again"
    )


def _about(subscription: Subscription, command: Command) -> dict[str, Any]:  # Any: fields of a notice
    """What a notice about a call names."""
    match command:
        case CreateCharge() | CaptureCharge() | ReadCharge() | ReadPermission(planned=True) if subscription.collection:
            return {**about_collection(subscription.collection), "charge_id": subscription.collection.pending_charge_id}
        case CreateRefund() | CaptureAuthorized() | ReadAuthorized():
            return {"period": command.period, "charge_id": command.charge_id}
        case _:
            return {}


def _asked_again(subscription: Subscription, command: Command, now: datetime) -> Subscription:
    """The parts as they are then: each asks again in its own time."""
    match command:
        case ReadCharge():
            return charge_read(subscription, _UNKNOWN_CHARGE, now)
        case CaptureAuthorized() | ReadAuthorized():
            return authorization_answered(subscription, command, _UNKNOWN_CHARGE, now)
        case CreateRefund():
            return subscription.but(refunds=subscription.refunds.not_answered(command.number, now))
        case ReadRefund():
            return refund_answered(subscription, command, RefundAnswer(state=RefundState.PENDING), now)
        case ReadDispute():
            return dispute_answered(subscription, command, DisputeAnswer(refused=OUTCOME_UNKNOWN), now)
        case ReadPermission():
            looked = subscription.but(permission=subscription.permission.not_read(now))
            owed = subscription.collection
            return looked.but(collection=owed.permission_unread(now)) if owed and command.planned else looked
        case UpdatePermission():
            return subscription.but(permission=subscription.permission.not_told(now))
        case ReadSuccessor() | ClosePermission():
            return subscription.but(lifecycle=_life_asks_again(subscription.lifecycle, command, now))
        case CreateCharge() | CaptureCharge():
            return subscription  # it still stands, and is made again at once
        case _:
            raise AssertionError(f"{type(command).__name__} is asked for until it is answered")


def _life_asks_again(lifecycle: Lifecycle, command: ReadSuccessor | ClosePermission, now: datetime) -> Lifecycle:
    if isinstance(command, ReadSuccessor):
        return lifecycle.successor_unread(now)
    return lifecycle.close_refused(PermissionAnswer(state=PermissionState.UNKNOWN, refused=OUTCOME_UNKNOWN), now)
