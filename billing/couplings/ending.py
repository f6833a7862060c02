"""How a subscription ends: by request, by its term, by a policy, by a closed charge permission, under another one."""

from datetime import datetime
from typing import Any, assert_never

from perennial_billing.billing.agenda import main_command
from perennial_billing.billing.couplings.periods import SKIPPED_ON_REQUEST, record_of, settle
from perennial_billing.billing.couplings.telling import about_collection, telling
from perennial_billing.billing.parts.disputes import Disputes
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.parts.lifecycle import Active, AwaitingOutcomes, Lifecycle
from perennial_billing.billing.parts.outbox import Outbox
from perennial_billing.billing.parts.stages import Stage
from perennial_billing.billing.plan.policy import FinalAction
from perennial_billing.billing.protocol.answers import PermissionAnswer
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Ending, Status
from perennial_billing.billing.subscription import Subscription


def end_as_planned(subscription: Subscription, now: datetime) -> Subscription:
    """The planned cancellation is due; it begins when no charge is under way."""
    planned = subscription.lifecycle.planned_end
    return subscription.but(lifecycle=subscription.lifecycle.canceled(planned.reason, now)) if planned else subscription


def begin_cancellation(subscription: Subscription, now: datetime) -> Subscription:
    """Stops collecting and goes on to close the charge permission."""
    asked, planned = subscription.lifecycle.cancellation, subscription.lifecycle.planned_end
    ending, collection = (
        subscription.but(lifecycle=subscription.lifecycle.with_planned_end(None)),
        subscription.collection,
    )
    if collection is not None and collection.word is not Stage.PENDING:
        known = "outcome unknown" if collection.open_attempt else "not paid"
        ending = settle(ending, PeriodOutcome.WRITTEN_OFF, now, reason=f"canceled while owed, {known}")
    # What falls due at the very instant of a planned end is not owed.
    owed_until = planned.at - datetime.resolution if planned is not None and planned.at <= now else now
    return end(ending, Status.CANCELED, asked.reason if asked else "canceled", now, owed_until=owed_until)


def used_up(subscription: Subscription, now: datetime) -> Subscription:
    """The policy's time or attempts are used up: its final action follows."""
    collection = subscription.owed
    reason = collection.last_reason or "not collected"
    match subscription.policy.final_action:
        case FinalAction.PAUSE:
            unpaid = subscription.but(collection=collection.unpaid(now))
            about = about_collection(collection)
            return telling(unpaid, NoticeType.SUBSCRIPTION_UNPAID, now, **about, reason_code=reason)
        case FinalAction.CANCEL:
            settled = settle(subscription, PeriodOutcome.WRITTEN_OFF, now, reason=reason)
            return end(settled, Status.WRITTEN_OFF, f"{reason}: not collected in time", now, reason_code=reason)
        case FinalAction.MARK_UNPAID:
            return settle(subscription, PeriodOutcome.WRITTEN_OFF, now, reason=reason)
    assert_never(subscription.policy.final_action)


def completed(subscription: Subscription, now: datetime) -> Subscription:
    """All periods of the plan are over."""
    reason = f"the periods of the plan are over ({subscription.next_period})"
    return end(
        subscription, Status.COMPLETED, reason, now, owed_until=subscription.schedule.due(subscription.next_period)
    )


def lose_permission(subscription: Subscription, why: str, reason_code: str | None, now: datetime) -> Subscription:
    """Nothing can be charged any more: the merchant is told at once, and a new checkout is awaited."""
    collection = subscription.collection
    until = now + subscription.policy.new_checkout_deadline
    lost = subscription.but(lifecycle=subscription.lifecycle.lost(until, reason_code, why))
    about = about_collection(collection) if collection else {}
    told = telling(lost, NoticeType.CHARGE_PERMISSION_CLOSED, now, **about, reason_code=reason_code, deadline=until)
    return told if until > now else given_up(told, why, reason_code, now)


def waited_long_enough(subscription: Subscription, now: datetime) -> Subscription:
    """Nobody approved a new charge permission in time."""
    reason = subscription.last_reason
    return given_up(subscription, f"{reason or 'closed'}: no new charge permission in time", reason, now)


def given_up(subscription: Subscription, why: str, reason_code: str | None, now: datetime) -> Subscription:
    """Nothing will be charged any more: what is owed is written off."""
    settled = (
        settle(subscription, PeriodOutcome.WRITTEN_OFF, now, reason=reason_code)
        if subscription.collection
        else subscription
    )
    return end(settled, Status.CLOSED, why, now, reason_code=reason_code)


def end(
    subscription: Subscription,
    status: Status,
    reason: str,
    now: datetime,
    reason_code: str | None = None,
    owed_until: datetime | None = None,
) -> Subscription:
    """The end is decided: the charge permission is to be closed, unless it is known to be.

    Args:
        subscription: stays as it is.
        status: the one to end in.
        reason: why, in words.
        now: when that is decided (UTC).
        reason_code: Amazon's, if there is one.
        owed_until: what falls due later is not owed (UTC); now where not given.
    """
    ending = Ending(status=status, at=owed_until or now, reason=reason, reason_code=reason_code)
    why = "a cancellation was asked for" if status is Status.CANCELED else reason
    closing = subscription.but(lifecycle=subscription.lifecycle.closing(ending, now, why))
    if subscription.collection is None:
        closing = writing_off_the_rest(closing, ending, now)
    return conclude(closing, now) if subscription.permission.is_closed else closing


def permission_closed(subscription: Subscription, answer: PermissionAnswer, now: datetime) -> Subscription:
    """Takes the answer to closing the charge permission; where Amazon refused, it is tried again slowly."""
    read = subscription.but(permission=subscription.permission.read(answer))
    if not answer.is_closed:
        return _not_closed(read, answer, now)
    ending = subscription.lifecycle.ending
    if ending is not None and ending.status is Status.CANCELED and subscription.policy.cancel_pending_charges:
        why = "it was canceled with the charge permission, unless it had been captured"
        read = read.but(authorizations=tuple(each.read_now(now, why) for each in subscription.authorizations))
    return conclude(read, now)


def _not_closed(subscription: Subscription, answer: PermissionAnswer, now: datetime) -> Subscription:
    """Amazon has not closed the charge permission: that is told once, and tried again slowly."""
    held = subscription.but(lifecycle=subscription.lifecycle.close_refused(answer, now))
    command = main_command(held)
    if subscription.lifecycle.close_is_refused or command is None:
        return held
    return telling(held, NoticeType.SUBSCRIPTION_HELD, now, reason_code=answer.refused, reason=command.why)


def conclude(subscription: Subscription, now: datetime) -> Subscription:
    """The charge permission is closed for good: what was under way under it is awaited."""
    closed = subscription.but(lifecycle=subscription.lifecycle.closed())
    if subscription.collection is None:
        return closed
    return closed.but(collection=subscription.collection.awaited_to_the_end(now))


def finish(subscription: Subscription, now: datetime) -> Subscription:
    """It has ended, once its charge permission is closed and nothing is under way under it any more.

    Until then the merchant may still capture, Amazon has to decide on charges and on what goes back, and a dispute that
    nobody knows of yet is told.
    """
    stage = subscription.lifecycle.stage
    refunds = subscription.refunds
    under_way = subscription.collection or subscription.authorizations or refunds.under_way or refunds.reported
    if not isinstance(stage, AwaitingOutcomes) or under_way or subscription.disputes.are_unheard:
        return subscription
    ended, ending = writing_off_the_rest(subscription, stage.ending, now), stage.ending
    ended = ended.but(lifecycle=ended.lifecycle.ended(now), disputes=ended.disputes.at_rest())
    status, reason, reason_code = ending.status.value, ending.reason, ending.reason_code
    about = {"status": status, "reason": reason, "reason_code": reason_code} | _left_over(ended)
    return telling(ended, NoticeType.SUBSCRIPTION_ENDED, now, **about)


def _left_over(subscription: Subscription) -> dict[str, Any]:  # Any: fields of a notice
    """What no charge will meet any more: it is told, as somebody may have to give it back, or to ask for it."""
    balance = subscription.balance
    if subscription.lifecycle.ending is None or subscription.lifecycle.ending.status is Status.REPLACED:
        return {}
    items = balance.items_in_all(subscription.terms.plan.currency)
    return {"credit": balance.credit, "items": None if items.is_zero else items}


def writing_off_the_rest(subscription: Subscription, ending: Ending, now: datetime) -> Subscription:
    """What had fallen due before the end and waited for its turn; the notice of the end tells enough of it."""
    if ending.status is Status.REPLACED:
        return subscription
    why = ending.reason_code or ending.status.value
    records = [
        record_of(subscription, period, PeriodOutcome.SKIPPED, SKIPPED_ON_REQUEST, now)
        if subscription.is_not_owed(period)
        else record_of(subscription, period, PeriodOutcome.WRITTEN_OFF, why, now)
        for period in range(subscription.next_period, subscription.schedule.periods_due(ending.at))
    ]
    return subscription.but(ledger=subscription.ledger.settled(records)) if records else subscription


def continued(subscription: Subscription) -> Subscription:
    """The same subscription under its new charge permission: anchor, period number, account and debt are kept.

    What is owed is owed: the oldest period that was not settled is charged at once.
    """
    if subscription.lifecycle.successor is None:
        raise AssertionError("no other charge permission was named")
    successor = subscription.lifecycle.successor.charge_permission_id
    terms = subscription.terms.but(charge_permission_id=successor, life=1)
    balance, owed = subscription.balance, subscription.collection
    return Subscription(
        contract=subscription.contract.but(terms=terms).written_down(subscription.next_period),
        ledger=subscription.ledger,
        lifecycle=Lifecycle(pause=subscription.lifecycle.pause, planned_end=subscription.lifecycle.planned_end),
        balance=balance.taken_back(owed.bill, f"one-off items of period {owed.period}") if owed else balance,
        renewal=subscription.renewal.under_another_permission(subscription.next_period),
        authorizations=subscription.authorizations,
        refunds=subscription.refunds,
        disputes=subscription.disputes,
        references=subscription.references,
        outbox=Outbox(told=subscription.outbox.told + 2),  # the predecessor tells of the replacement and of its own end
    )


def begun_elsewhere(subscription: Subscription, now: datetime) -> Subscription:
    """What begins under the new charge permission. It tells so at once: the ledger is to know who it is."""
    predecessor = subscription.terms.charge_permission_id
    return telling(continued(subscription), NoticeType.SUBSCRIPTION_CONTINUED, now, predecessor=predecessor)


def handed_over(subscription: Subscription, now: datetime) -> Subscription:
    """The subscription lives on under its new charge permission; here it ends, and the old one is closed."""
    successor = subscription.lifecycle.successor.charge_permission_id if subscription.lifecycle.successor else None
    left = subscription.but(
        collection=None,
        authorizations=(),
        refunds=subscription.refunds.settled_only(),
        disputes=Disputes(),
        lifecycle=subscription.lifecycle.but(stage=Active()),
    )
    told = telling(left, NoticeType.CHARGE_PERMISSION_REPLACED, now, successor=successor)
    return end(told, Status.REPLACED, f"continued under {successor}", now)
