"""Amazon answers to a charge, or says how the charge permission stands."""

from datetime import datetime

from perennial_billing.billing.agenda import main_command
from perennial_billing.billing.couplings.ending import completed, lose_permission, permission_closed
from perennial_billing.billing.couplings.periods import settle
from perennial_billing.billing.couplings.telling import about_collection, notice_after, telling
from perennial_billing.billing.dunning.reasons import Meaning, meaning_of_non_chargeable
from perennial_billing.billing.dunning.rules import why_closed
from perennial_billing.billing.parts.collection import EARLIER_CHARGE, Collection
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.parts.lifecycle import AwaitingCheckout, AwaitingOutcomes, Closing
from perennial_billing.billing.parts.stages import CheckingCharge, Lost, Stage
from perennial_billing.billing.plan.plan import Capture
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer
from perennial_billing.billing.protocol.commands import ReadPermission
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import Subscription

_MONEY = frozenset({ChargeOutcome.CAPTURED, ChargeOutcome.AUTHORIZED, ChargeOutcome.PENDING})
"""What an answer says that may cost the buyer something."""


def charge_answered(subscription: Subscription, answer: ChargeAnswer, now: datetime) -> Subscription:
    """Takes the outcome of the attempt under way."""
    collection = subscription.owed
    captured = answer.outcome is ChargeOutcome.CAPTURED
    if answer.outcome in _MONEY and collection.is_of_before(answer):
        why = f"Amazon made this charge on {answer.created_at:%Y-%m-%d}, before the period fell due: it cannot pay it"
        held = collection.left_to_merchant(EARLIER_CHARGE, now, answer.charge_id, why)
        return collected(subscription, held, now)
    if captured or (answer.outcome is ChargeOutcome.AUTHORIZED and collection.capture is Capture.LATER):
        outcome = PeriodOutcome.PAID if captured else PeriodOutcome.AUTHORIZED
        renewed = subscription.but(permission=subscription.permission.charged(now))
        return settle(renewed, outcome, now, charge_id=answer.charge_id)
    if not subscription.can_be_ended and answer.outcome is ChargeOutcome.DECLINED:
        return settle(subscription, PeriodOutcome.WRITTEN_OFF, now, reason="canceled while owed, not paid")
    return collected(subscription, collection.answered(answer, subscription.plan.collection, now), now)


def charge_read(subscription: Subscription, answer: ChargeAnswer, now: datetime) -> Subscription:
    """Takes a charge as it was read: the one that Amazon decides on, one that was declined, or one that was named."""
    collection, stage = subscription.owed, subscription.owed.stage
    if not isinstance(stage, CheckingCharge):
        return charge_answered(subscription, answer, now)
    if stage.pays:
        return _named_charge_read(subscription, stage.charge_id, answer, now)
    if answer.outcome is ChargeOutcome.CAPTURED:
        return charge_answered(subscription, answer, now)
    if not subscription.can_be_ended and answer.outcome is ChargeOutcome.DECLINED:
        return charge_answered(subscription, answer, now)
    return collected(subscription, collection.checked(answer, now), now)


def _named_charge_read(subscription: Subscription, charge_id: str, answer: ChargeAnswer, now: datetime) -> Subscription:
    """Counts a charge of which somebody says that it has paid the period, where it can have."""
    known = subscription.ledger.of_charge(charge_id)
    why = f"it has paid period {known.period}" if known else subscription.owed.why_not_paid_by(answer)
    if why is not None:
        return subscription.but(collection=subscription.owed.not_paid_by_named(why, now))
    outcome = PeriodOutcome.PAID if answer.outcome is ChargeOutcome.CAPTURED else PeriodOutcome.AUTHORIZED
    return settle(subscription, outcome, now, charge_id=charge_id)


def capture_answered(subscription: Subscription, answer: ChargeAnswer, now: datetime) -> Subscription:
    """Takes the outcome of capturing the charge that was pending, and is authorized."""
    if answer.outcome is ChargeOutcome.DECLINED:
        return collected(subscription, subscription.owed.capture_declined(answer, now), now)
    return charge_answered(subscription, answer, now)


def permission_answered(
    subscription: Subscription, command: ReadPermission, answer: PermissionAnswer, now: datetime
) -> Subscription:
    """Takes the charge permission as it was read, as the collection waited for or because of a signal."""
    prompted = subscription.permission.look_at is not None
    looked = subscription.but(permission=subscription.permission.looked().expiring(answer))
    stage, collection = subscription.lifecycle.stage, subscription.collection
    if isinstance(stage, AwaitingCheckout) or (isinstance(stage, AwaitingOutcomes) and collection is None):
        return looked  # closed for good, whatever an older reading says
    if collection is not None:
        after = collection.permission_read(answer, planned=command.planned, prompted=prompted, now=now)
        if isinstance(after.stage, Lost):
            looked = looked.but(permission=looked.permission.read(answer))
        return collected(looked, after, now)
    if answer.is_closed and not subscription.can_be_ended:
        return permission_closed(looked, answer, now)
    if answer.is_closed:
        seen = looked.but(permission=looked.permission.read(answer))
        reason_code = next(iter(answer.reason_codes), None)
        return completed(seen, now) if seen.is_over else lose_permission(seen, why_closed(answer), reason_code, now)
    return seen_between_dates(looked, answer, now) if answer.refused is None else looked


def collected(subscription: Subscription, after: Collection, now: datetime) -> Subscription:
    """Something was decided for the owed period: the merchant is told what is news."""
    before, decided = subscription.owed, subscription.but(collection=after)
    if after.stage is before.stage:
        return decided
    if isinstance(after.stage, Lost):
        return lose_permission(decided, after.stage.why, after.last_reason, now)
    kind = notice_after(before, after, main_command(decided))
    if kind is None:
        after = after.reminded(now)
        if after == decided.collection:
            return decided
        kind = NoticeType.PAYMENT_METHOD_REMINDER
    if kind is not NoticeType.CHARGE_PENDING:
        after = after.told(of_month=after.limited_until)
    return telling(
        subscription.but(collection=after),
        kind,
        now,
        **about_collection(after),
        charge_id=after.pending_charge_id or after.stage.charge_in_question,
        reason_code=after.last_reason,
        reason=after.held_because,
        deadline=after.deadline if after.word is Stage.AWAITING_PAYMENT_METHOD else None,
    )


def seen_between_dates(subscription: Subscription, answer: PermissionAnswer, now: datetime) -> Subscription:
    """A permission that cannot be charged is told at once, days before a charge would fail.

    One that is only busy with another charge says nothing of the next one, so it stays as it was seen before.
    """
    before, after = _trouble(subscription.permission.seen), _trouble(answer)
    if after is Meaning.PROCESSING:
        return subscription
    seen = subscription.but(permission=subscription.permission.but(seen=answer if after else None))
    reason_code = seen.permission.last_reason
    if after is before:
        return seen
    if after is Meaning.PAYMENT_METHOD:
        return telling(seen, NoticeType.PAYMENT_METHOD_NEEDED, now, reason_code=reason_code)
    if after is not None:
        reason = "the charge permission cannot be charged, and its buyer is not the one to mend that"
        return telling(seen, NoticeType.SUBSCRIPTION_HELD, now, reason_code=reason_code, reason=reason)
    return telling(seen, NoticeType.PAYMENT_METHOD_MENDED, now) if before is Meaning.PAYMENT_METHOD else seen


def _trouble(permission: PermissionAnswer | None) -> Meaning | None:
    """What is in the way of charging it; None where nothing is."""
    if permission is None or permission.is_chargeable:
        return None
    return meaning_of_non_chargeable(permission.reason_codes)


def read_pending_now(subscription: Subscription, charge_id: str, now: datetime) -> Collection:
    """The pending charge is read now, unless the charge permission is to be closed first."""
    collection = subscription.owed
    return collection if isinstance(subscription.lifecycle.stage, Closing) else collection.read_now(charge_id, now)


def grace_over(subscription: Subscription, now: datetime) -> Subscription:
    """The subscriber is not to have what was bought any longer: the merchant is told."""
    collection = subscription.owed.grace_over()
    ended = subscription.but(collection=collection)
    return telling(
        ended, NoticeType.GRACE_ENDED, now, **about_collection(collection), reason_code=collection.last_reason
    )
