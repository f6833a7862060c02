"""Collecting one period: what was tried, and what comes next after each answer.

This is the decision table of collecting as pure functions: (answer, permission, attempts so far, policy, now) to
the next step. Nothing here acts; a step says what is to be done, when, and why.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

from billing.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer, PermissionState
from billing.calendar import first_of_next_month, next_within_hours
from billing.declines import TIMED_OUT, Meaning, meaning_of_charge, meaning_of_non_chargeable
from billing.identity import MOST_CAPTURES
from billing.money import Money
from billing.policy import CollectionPolicy
from billing.zones import ZoneName

LOOK_AGAIN_AFTER: Final = timedelta(hours=1)
"""How often a pending charge or a held subscription is looked at; Amazon advises polling once an hour."""

THOUSANDTHS: Final = 1000
MISSED_PERIODS: Final = "MissedPeriods"
"""Our own reason beside Amazon's codes: several periods fell due while nothing could be charged."""

NO_REASON: Final = "no reason code"


class Action(StrEnum):
    """What a subscription does next."""

    CHARGE = "charge"
    """Begin a new attempt, with a new idempotency key."""
    REPEAT_CHARGE = "repeat charge"
    """Send the same attempt again, with the same key and body."""
    CAPTURE = "capture charge"
    CAPTURE_AUTHORIZED = "capture authorized charge"
    """One that the merchant captures later, beside whatever else is done."""
    READ_AUTHORIZED = "read authorized charge"
    READ_CHARGE = "read charge"
    READ_PERMISSION = "read charge permission"
    CLOSE_PERMISSION = "close charge permission"
    GIVE_UP = "give up period"
    GIVE_UP_FOR_NEXT = "give up period for the next one"
    END_GRACE = "end grace"
    REFUND = "refund"
    READ_REFUND = "read refund"
    READ_DISPUTE = "read dispute"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    """As was planned."""
    STOP_WAITING = "stop waiting"
    """For a new charge permission."""
    END = "end"


class Stage(StrEnum):
    """Where an open collection stands."""

    CHARGING = "charging"
    PENDING = "pending"
    RETRYING = "retrying"
    AWAITING_PAYMENT_METHOD = "awaiting_payment_method"
    ON_HOLD = "on_hold"
    PAUSED = "paused"


class Step(BaseModel):
    """What happens next, when (UTC), and why, in words for people.

    Attributes:
        urgent: somebody waits for it: it goes before routine charges of the same day.
        charge_id: the authorized charge that it is about, where there may be several.
        refund: the number of the refund that it is about.
        dispute_id: the dispute that it is about.
    """

    model_config = ConfigDict(frozen=True)

    action: Action
    at: AwareDatetime
    why: str
    urgent: bool = False
    charge_id: str | None = None
    refund: int | None = None
    dispute_id: str | None = None


class Attempt(BaseModel):
    """One attempt: a charge of one period under one idempotency key.

    Attributes:
        handles_pending: Amazon may take up to 24 hours to authorize it. Such a charge is not captured at once: Amazon
            wants the capture to be asked for when it is authorized.
        capture_now: the money is taken with the charge.
    """

    model_config = ConfigDict(frozen=True)

    period: int
    number: int
    amount: Money
    idempotency_key: str
    handles_pending: bool = False
    capture_now: bool = True


class Collection(BaseModel):
    """One period that is being collected.

    Attributes:
        period: counted from 0.
        due: when it fell due (UTC).
        begun_at: when its collection began (UTC): later than due after an outage.
        amount: what is owed.
        credit: how much of it a credit has paid already; it is not in the amount.
        extras: how much of the amount is for things charged once.
        zone: the subscription's zone, for calendar months and hours of the day.
        spread: which part of a jitter is the subscriber's, in thousandths.
        stage: where it stands.
        attempts: attempts begun; the last one's number is part of its idempotency key.
        attempts_spent: those that count against the policy's cap; Amazon's monthly limit spends none.
        soft_declines: how far the soft schedule is used up.
        processing_failures: how far the quick schedule is used up.
        meaning: what the last failure meant.
        last_reason: its reasonCode.
        held_for: why a pending charge could not be read, while that lasts.
        first_failed_at: when the first attempt failed (UTC), later by what Amazon's monthly limit made it wait;
            deadlines count from it.
        policy: the plan's policy as it stood then; None before the first failure.
        permission: the charge permission as it was last seen since the last failure.
        undecided: what follows the last failure depends on the charge permission, which has not told yet.
        prompted: a signal said that something changed, and no reading has told since.
        was_paused: the final action paused it once; what fell due meanwhile is not owed.
        needs_buyer: only the buyer can mend it, so no attempt before something changed.
        told_attempt: the last attempt whose failure the merchant was told.
        reminders_told: how many reminders the merchant was sent.
        grace_is_over: the merchant was told that the grace has ended.
        attempt_is_open: the last attempt's outcome is not known for certain, so no other may begin.
        handles_pending: the last attempt lets Amazon take its time.
        pending_charge_id: a charge whose outcome Amazon has not decided yet.
        captures_failed: how many captures of the last attempt's authorized charge were declined.
    """

    period: int
    due: AwareDatetime
    begun_at: AwareDatetime
    amount: Money
    credit: Money | None = None
    extras: Money | None = None
    zone: ZoneName = "UTC"
    spread: int = 0
    stage: Stage = Stage.CHARGING
    attempts: int = 0
    attempts_spent: int = 0
    soft_declines: int = 0
    processing_failures: int = 0
    meaning: Meaning | None = None
    last_reason: str | None = None
    held_for: str | None = None
    first_failed_at: AwareDatetime | None = None
    policy: CollectionPolicy | None = None
    permission: PermissionAnswer | None = None
    undecided: bool = False
    prompted: bool = False
    was_paused: bool = False
    needs_buyer: bool = False
    told_attempt: int = 0
    reminders_told: int = 0
    grace_is_over: bool = False
    attempt_is_open: bool = False
    handles_pending: bool = False
    pending_charge_id: str | None = None
    captures_failed: int = 0


def begin_attempt(collection: Collection) -> None:
    """Opens the next attempt. What was signalled before it is stale; what comes during it is not lost."""
    if collection.attempt_is_open:
        raise AssertionError(f"period {collection.period}: attempt {collection.attempts} has no known outcome yet")
    collection.attempts += 1
    collection.attempt_is_open = True
    collection.handles_pending = (
        collection.policy is not None
        and collection.policy.pending_after_timeout
        and collection.last_reason == TIMED_OUT
    )
    collection.undecided = False
    collection.needs_buyer = False
    collection.prompted = False
    collection.captures_failed = 0


def after_capture(collection: Collection, answer: ChargeAnswer, now: datetime) -> Step:
    """Decides what comes next where capturing the attempt's authorized charge was declined.

    That says nothing of the charge: while it still stands, another attempt would be one too many.
    """
    collection.captures_failed += 1
    collection.held_for = answer.reason_code or NO_REASON
    why = f"{collection.held_for}: the capture failed; does the charge still stand?"
    return Step(action=Action.READ_CHARGE, at=now, why=why)


def after_charge(collection: Collection, answer: ChargeAnswer, policy: CollectionPolicy, now: datetime) -> Step | None:
    """Notes an attempt's answer other than a success in the collection and decides what comes next.

    Args:
        collection: changed to hold the answer.
        answer: pending, authorized, declined or refused.
        policy: the plan's; frozen in the collection at the first failure.
        now: the instant of the answer (UTC).

    Returns:
        The next step; None where the merchant has to decide, as the answer is final and nobody knows what it means.
    """
    if answer.outcome in {ChargeOutcome.PENDING, ChargeOutcome.AUTHORIZED}:
        collection.stage = Stage.PENDING
        collection.pending_charge_id = answer.charge_id
        collection.held_for = None
        if answer.outcome is ChargeOutcome.AUTHORIZED and collection.handles_pending:
            return _capture(collection, now)
        return _look_at_charge(now, "Amazon has not decided on the charge yet")
    reason = answer.reason_code or NO_REASON
    if answer.outcome is ChargeOutcome.REFUSED and collection.pending_charge_id is not None:
        collection.held_for = reason
        return _look_at_charge(now, f"{reason}: the pending charge could not be read")
    collection.stage = Stage.CHARGING
    collection.pending_charge_id = None
    collection.held_for = None
    collection.last_reason = reason
    collection.meaning = meaning_of_charge(answer.reason_code)
    if collection.meaning is Meaning.OPERATOR and answer.outcome is ChargeOutcome.REFUSED:
        return _hold(collection, Action.REPEAT_CHARGE, reason, now)
    collection.attempt_is_open = False
    if collection.meaning is Meaning.OPERATOR:
        hold_for_merchant(collection, reason)  # a known decline: its key would be answered so for ever
        return None
    if collection.meaning is Meaning.MONTHLY_LIMIT:
        collection.stage = Stage.RETRYING
        next_month = first_of_next_month(now, collection.zone)
        if collection.first_failed_at is not None:
            collection.first_failed_at += next_month - now
        return Step(
            action=Action.CHARGE,
            at=next_month,
            why=f"{reason}: the charge permission's monthly limit is used up, so the next calendar month",
        )
    if collection.first_failed_at is None:
        collection.first_failed_at = now
        collection.policy = collection.policy or policy
    collection.attempts_spent += 1
    if collection.meaning is Meaning.PERMISSION_GONE:
        return Step(action=Action.END, at=now, why=f"{reason}: the charge permission cannot be charged any more")
    collection.undecided = True
    collection.permission = None
    return Step(action=Action.READ_PERMISSION, at=now, why=f"{reason}: the charge permission says whether to retry")


def _capture(collection: Collection, now: datetime) -> Step:
    if collection.captures_failed == 0:
        return Step(action=Action.CAPTURE, at=now, why="Amazon has authorized the charge")
    if collection.captures_failed < MOST_CAPTURES:
        why = "Amazon has authorized the charge, and its capture failed: tried again"
        return Step(action=Action.CAPTURE, at=now + LOOK_AGAIN_AFTER, why=why)
    return _look_at_charge(now, f"{MOST_CAPTURES} captures of the authorized charge failed")


def _look_at_charge(now: datetime, why: str) -> Step:
    return Step(action=Action.READ_CHARGE, at=now + LOOK_AGAIN_AFTER, why=why)


def why_closed(answer: PermissionAnswer) -> str:
    """Says in words that a charge permission is closed, with Amazon's reasons."""
    return f"the charge permission is closed ({', '.join(answer.reason_codes) or 'no reason given'})"


def after_permission(
    collection: Collection, answer: PermissionAnswer, *, planned: bool, prompted: bool, now: datetime
) -> Step | None:
    """Decides what comes next for an open collection, the charge permission having been read.

    Args:
        collection: changed to hold what was decided.
        answer: the permission as it stands.
        planned: reading it was the step that stood; otherwise a signal alone asked for it.
        prompted: a signal since the last look said that something changed.
        now: the instant of the answer (UTC).

    Returns:
        The next step, or None where the step that stands is still right.
    """
    collection.prompted = collection.prompted or prompted  # kept until a reading tells something
    if collection.attempt_is_open:
        return None  # its outcome comes first, also where the permission is closed: it may have captured
    if answer.is_closed:
        return Step(action=Action.END, at=now, why=why_closed(answer))
    if waits_for_merchant(collection) or (collection.stage is Stage.CHARGING and not collection.undecided):
        return None  # nothing failed that the permission could explain: the merchant decides, or has just decided
    if collection.meaning is Meaning.MONTHLY_LIMIT:
        return None  # a used-up limit ends with the month alone
    if answer.state is PermissionState.UNKNOWN or _is_stale(answer, collection.permission):
        return _after_no_news(collection, answer, planned=planned, now=now)
    prompted, collection.prompted = collection.prompted, False
    if answer.is_chargeable:
        return _after_chargeable(collection, answer, planned=planned, prompted=prompted, now=now)
    return _after_non_chargeable(collection, answer, planned=planned, now=now)


def _is_stale(answer: PermissionAnswer, seen: PermissionAnswer | None) -> bool:
    """Whether Amazon showed an older state than it had shown before."""
    if seen is None or seen.last_updated is None or answer.last_updated is None:
        return False
    return answer.last_updated < seen.last_updated


def _after_no_news(collection: Collection, answer: PermissionAnswer, *, planned: bool, now: datetime) -> Step | None:
    """The reading told nothing: look again where nothing else would."""
    reason = answer.refused or f"{answer.state.value} charge permission"
    if collection.stage is Stage.PAUSED:
        why = f"{reason}: whether the payment method was mended is looked at again"
        return Step(action=Action.READ_PERMISSION, at=now + LOOK_AGAIN_AFTER, why=why)
    if not planned:
        return None
    if answer.state is PermissionState.UNKNOWN:
        return _hold(collection, Action.READ_PERMISSION, reason, now)
    return _await_payment_method(collection, now) if collection.needs_buyer else _look_at_permission(collection, now)


def _after_chargeable(
    collection: Collection, answer: PermissionAnswer, *, planned: bool, prompted: bool, now: datetime
) -> Step | None:
    seen, collection.permission = collection.permission, answer
    changed = seen is not None and (not seen.is_chargeable or seen.last_updated != answer.last_updated)
    first_word, collection.undecided = collection.undecided, False
    if first_word and collection.meaning is not Meaning.PAYMENT_METHOD:
        return _retry(collection, now)
    if first_word or collection.needs_buyer:
        if prompted or changed:
            return _charge_at_once(collection, now)
        return None if collection.stage is Stage.PAUSED else _await_payment_method(collection, now)
    if changed:
        return _charge_at_once(collection, now)
    return _retry(collection, now) if planned else None


def _after_non_chargeable(
    collection: Collection, answer: PermissionAnswer, *, planned: bool, now: datetime
) -> Step | None:
    meaning = meaning_of_non_chargeable(answer.reason_codes)
    if meaning is Meaning.PAYMENT_METHOD:
        collection.permission = answer
        collection.undecided = False
        if collection.stage is Stage.PAUSED:
            return None
        if collection.meaning is not Meaning.PAYMENT_METHOD:
            collection.last_reason = answer.reason_codes[0]  # tells more than the charge's own code
        return _await_payment_method(collection, now)
    if not planned or collection.stage is Stage.PAUSED:
        return None
    if collection.needs_buyer:
        return _await_payment_method(collection, now)
    if meaning is Meaning.PROCESSING:
        return _look_at_permission(collection, now)
    return _hold(collection, Action.READ_PERMISSION, ", ".join(answer.reason_codes) or "no reason given", now)


def _look_at_permission(collection: Collection, now: datetime) -> Step:
    """The permission is busy or behind: look again until the time to collect is over."""
    collection.stage = Stage.RETRYING
    if now + LOOK_AGAIN_AFTER > _last_instant(collection):
        return _give_up(now, f"{collection.last_reason}: the time to collect is over")
    why = f"{collection.last_reason}: the charge permission is not chargeable for now"
    return Step(action=Action.READ_PERMISSION, at=now + LOOK_AGAIN_AFTER, why=why)


def hold_for_merchant(collection: Collection, reason: str) -> None:
    """Nothing is done any more before the merchant says so."""
    collection.stage = Stage.ON_HOLD
    collection.held_for = reason


def waits_for_merchant(collection: Collection) -> bool:
    """Whether the merchant has to say how it goes on."""
    return collection.stage is Stage.ON_HOLD and collection.held_for is not None


def release(collection: Collection) -> None:
    """The merchant wants it tried: with a new attempt, as the last one's outcome is known."""
    collection.stage = Stage.CHARGING
    collection.held_for = None
    _begin_anew(collection)


def pause(collection: Collection) -> None:
    """Stops collecting until the buyer mends the payment method."""
    collection.stage = Stage.PAUSED
    collection.was_paused = True
    collection.needs_buyer = True
    collection.undecided = False
    _begin_anew(collection)


def _begin_anew(collection: Collection) -> None:
    """What fails from now on is collected with all the time and all the attempts of the policy."""
    collection.reminders_told = 0
    collection.grace_is_over = False
    collection.first_failed_at = None
    collection.attempts_spent = 0
    collection.soft_declines = 0
    collection.processing_failures = 0


def grace_step(collection: Collection) -> Step | None:
    """The end of the grace; None where it does not run, or is over."""
    if collection.first_failed_at is None or collection.grace_is_over:
        return None
    ends = collection.first_failed_at + _policy(collection).grace
    return Step(action=Action.END_GRACE, at=ends, why=f"{collection.last_reason}: the grace ends")


def payment_method_deadline(collection: Collection) -> datetime:
    """Until when the buyer may mend the payment method (UTC)."""
    return _first_failure(collection) + _policy(collection).payment_method_deadline


def take_reminder(collection: Collection, now: datetime) -> bool:
    """Whether the merchant is to be reminded of the buyer now; several that are late are one."""
    if collection.stage is not Stage.AWAITING_PAYMENT_METHOD:
        return False
    due = sum(at <= now for at in _reminders(collection))
    told, collection.reminders_told = collection.reminders_told, max(due, collection.reminders_told)
    return due > told


def _reminders(collection: Collection) -> list[datetime]:
    first_failed_at = _first_failure(collection)
    return sorted(first_failed_at + delay for delay in _policy(collection).payment_method_reminders)


def _await_payment_method(collection: Collection, now: datetime) -> Step:
    """The buyer has to mend the payment method: wait for a signal, look now and then, up to the deadline."""
    policy = _policy(collection)
    deadline = payment_method_deadline(collection)
    collection.stage = Stage.AWAITING_PAYMENT_METHOD
    collection.needs_buyer = True
    if now >= deadline:
        days = policy.payment_method_deadline.days
        why = f"{collection.last_reason}: the buyer has not mended the payment method within {days} days"
        return _give_up(now, why)
    return Step(
        action=Action.READ_PERMISSION,
        at=min(now + policy.payment_method_poll, deadline, *(at for at in _reminders(collection) if at > now)),
        why=f"{collection.last_reason}: waiting for the buyer to mend the payment method until {deadline:%Y-%m-%d}",
    )


def _retry(collection: Collection, now: datetime) -> Step:
    """The next attempt by the schedules, or giving up when they, the cap or the time are used up."""
    policy = _policy(collection)
    if collection.attempts_spent >= policy.max_attempts:
        return _give_up(now, f"{collection.last_reason}: all {policy.max_attempts} attempts failed")
    quick = collection.meaning in {Meaning.PROCESSING, Meaning.ASK_PERMISSION}
    if quick and collection.processing_failures < len(policy.processing_failure_delays):
        delay = policy.processing_failure_delays[collection.processing_failures]
        collection.processing_failures += 1
    elif collection.soft_declines < len(policy.soft_decline_delays):
        delay = policy.soft_decline_delays[collection.soft_declines]
        collection.soft_declines += 1
    else:
        return _give_up(now, f"{collection.last_reason}: the retry schedule is used up")
    at = _in_good_time(now + delay, collection, policy)
    if at > _last_instant(collection):
        return _give_up(now, f"{collection.last_reason}: the time to collect is over")
    collection.stage = Stage.RETRYING
    return Step(
        action=Action.CHARGE,
        at=at,
        why=f"{collection.last_reason}: retry, attempt {collection.attempts + 1}",
    )


def _in_good_time(at: datetime, collection: Collection, policy: CollectionPolicy) -> datetime:
    """The time of a retry, spread by the jitter and moved into the hours that the policy allows."""
    at += policy.retry_jitter * collection.spread / THOUSANDTHS
    hours = policy.retry_hours
    return at if hours is None else next_within_hours(at, collection.zone, hours.start, hours.end)


def _charge_at_once(collection: Collection, now: datetime) -> Step:
    policy = _policy(collection)
    if collection.attempts_spent >= policy.max_attempts:
        return _give_up(now, f"{collection.last_reason}: all {policy.max_attempts} attempts failed")
    collection.stage = Stage.RETRYING
    return Step(action=Action.CHARGE, at=now, why="the payment method was mended", urgent=True)


def _hold(collection: Collection, action: Action, reason: str, now: datetime) -> Step:
    collection.stage = Stage.ON_HOLD
    collection.last_reason = reason
    return Step(action=action, at=now + LOOK_AGAIN_AFTER, why=f"{reason}: held for the operator, tried again slowly")


def _give_up(now: datetime, why: str) -> Step:
    return Step(action=Action.GIVE_UP, at=now, why=why)


def _policy(collection: Collection) -> CollectionPolicy:
    if collection.policy is None:
        raise AssertionError(f"period {collection.period} is collected again before its first failure was noted")
    return collection.policy


def _first_failure(collection: Collection) -> datetime:
    if collection.first_failed_at is None:
        raise AssertionError(f"period {collection.period} is collected again before its first failure was noted")
    return collection.first_failed_at


def _last_instant(collection: Collection) -> datetime:
    return _first_failure(collection) + _policy(collection).collect_within
