"""Every way that a subscription can go from where it stands: a search over the real transitions.

It performs what stands next with each kind of answer, in time and too late, lets somebody signal and the merchant ask,
and goes on from each place that it has not been at. Two states are one place where the same may follow: instants and
counts do not tell them apart. What it finds is what the diagrams of `tests.billing.diagrams` draw.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from perennial_billing.billing.agenda import main_command, next_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import (
    Cancel,
    Capture,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    ReplacePermission,
    RetryNow,
    SkipPeriod,
    When,
)
from perennial_billing.billing.couplings.periods import missed_periods
from perennial_billing.billing.dunning.reasons import CHARGE_REASONS, PERMISSION_REASONS, TIMED_OUT, Meaning
from perennial_billing.billing.dunning.rules import Awaits
from perennial_billing.billing.machine import apply, ask
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.collection import Collection
from perennial_billing.billing.parts.lifecycle import Active
from perennial_billing.billing.parts.stages import UsedUp
from perennial_billing.billing.plan import Amounts, Phase
from perennial_billing.billing.plan import Capture as WhenCaptured
from perennial_billing.billing.plan.lead_times import LeadTimes
from perennial_billing.billing.plan.policy import CatchUp, CollectionPolicy, FinalAction, NextDue
from perennial_billing.billing.protocol.answers import (
    ChargeAnswer,
    ChargeOutcome,
    DisputeAnswer,
    PermissionAnswer,
    PermissionState,
    RefundAnswer,
    RefundState,
    SuccessorAnswer,
)
from perennial_billing.billing.protocol.commands import (
    AskAmount,
    ClosePermission,
    Command,
    CreateRefund,
    Elapse,
    ReadDispute,
    ReadPermission,
    ReadRefund,
    ReadSuccessor,
    StartSuccessor,
    Timer,
    UpdatePermission,
)
from perennial_billing.billing.protocol.events import Answer, Answered, Elapsed, Refresh, Started, Thing, Unanswered
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription
from tests.billing.support import FREE, MONTHLY, PRICE, closed, declined, refused, terms, unreadable

YEARLY: Final = Interval(unit=Unit.YEAR)
DAILY: Final = Interval(unit=Unit.DAY)
LATE: Final = timedelta(days=60)
"""Later than any deadline of a policy."""

SIGNAL: Final = "signal + "
"""Before a reading that a signal asks for, where the collection waits for none."""

USED_UP: Final = ", used up"
"""Behind a reading that comes when the time or the attempts of the policy are used up."""

DECLINES: Final = {
    of: next(code for code, meaning in CHARGE_REASONS.items() if meaning is of)
    for of in Meaning
    if of in CHARGE_REASONS.values()
}
"""By each meaning, the first reason code of a declined charge that has it."""

BROKEN: Final = {
    of: next(code for code, meaning in PERMISSION_REASONS.items() if meaning is of)
    for of in Meaning
    if of in PERMISSION_REASONS.values()
}
"""The same of a charge permission that cannot be charged."""

AFTER_HARD: Final = f" (after {DECLINES[Meaning.PAYMENT_METHOD]})"
"""Behind the first reading after a failure that only the buyer can mend."""

NO_ANSWER: Final = "no answer"
_CHARGE_ID: Final = "S01-1-1-C000001"
_DISPUTE_ID: Final = "D01-1"

Cause = Timer | type[Command] | None
"""What was waited for, or asked; None where somebody signalled, or the merchant asked."""


@dataclass(frozen=True, slots=True)
class Step:
    """One transition: what was, what happened, in a few words, and what is then."""

    before: Subscription
    cause: Cause
    what: str
    after: Subscription


@dataclass(frozen=True, slots=True)
class Way:
    """What may happen next, in a few words, and when; with what is made of it. What is late leads no further."""

    cause: Cause
    what: str
    at: datetime
    take: Callable[[Subscription, datetime], Subscription]
    is_late: bool = False


Ways = Callable[[Subscription, datetime], Iterator[Way]]


@cache
def ways_of_collecting() -> tuple[Step, ...]:
    """Every way of a first period, from its due date until it is settled, by plans that differ in what they want."""
    anchor = _begun().terms.anchor
    starts = [
        (_begun(), anchor),
        (_begun(capture=WhenCaptured.LATER, final_action=FinalAction.CANCEL), anchor),
        (_begun(max_attempts=1, final_action=FinalAction.MARK_UNPAID), anchor),
        (_begun(next_due=NextDue.REPLACE, interval=DAILY), anchor + timedelta(hours=23, minutes=30)),
        (_begun(catch_up=CatchUp.HOLD), anchor + LATE),
    ]
    return tuple(
        step for start, now in starts for step in _explore(start, now, _collecting, lambda after: after.next_period)
    )


@cache
def ways_beside_collecting() -> tuple[Step, ...]:
    """Every way of what is not the collection of a period: amounts, captures, refunds, disputes, pauses and ends."""
    paid, authorized = (
        _answered_first(_begun(), "captured"),
        _answered_first(_begun(capture=WhenCaptured.LATER), "authorized (capture = later)"),
    )
    anchor = paid.terms.anchor
    soon = anchor + timedelta(hours=1)
    owed, pending = _answered_first(_begun(), DECLINES[Meaning.SOFT]), _answered_first(_begun(), "pending")
    wishes: tuple[tuple[Subscription, Request], ...] = (
        (paid, RefundPeriod(period=0)),
        (authorized, Capture(period=0)),
        (paid, SkipPeriod()),
        (paid, PauseSubscription(when=soon, until=soon + timedelta(hours=1))),
        (paid, PauseSubscription()),
        (paid, ChangePlan(quantity=2)),
        (paid, ReplacePermission(charge_permission_id="C01-7654321-1234567")),
        (paid, Cancel(when=soon)),
        (owed, Cancel(when=When.NOW)),
        (pending, Cancel(when=When.NOW)),
    )
    starts = [
        _begun(amounts=Amounts.ASKED),
        _begun(amounts=Amounts.ASKED, lead_times=LeadTimes(question=timedelta(days=1))),
        _told_ahead(Phase(amount=FREE, interval=YEARLY, periods=1)),
        _told_ahead(Phase(amount=PRICE, interval=YEARLY, periods=1)),
        _begun(amount=FREE),
        _answered_first(_begun(periods=1), "captured"),
        authorized,
        apply(paid, Refresh(Thing.DISPUTE, _DISPUTE_ID), anchor),
        *(ask(subscription, request, anchor) for subscription, request in wishes),
    ]
    return tuple(step for start in starts for step in _explore(start, anchor, _living, _is_collected))


def _is_collected(subscription: Subscription) -> bool:
    """Whether a period is owed as always: what follows then is a way of collecting."""
    lifecycle = subscription.lifecycle
    return subscription.collection is not None and lifecycle.ending is None and lifecycle.cancellation is None


def _begun(
    *,
    amount: Money = PRICE,
    capture: WhenCaptured = WhenCaptured.NOW,
    amounts: Amounts = Amounts.FIXED,
    periods: int | None = None,
    interval: Interval = MONTHLY,
    lead_times: LeadTimes | None = None,
    **policy: Any,  # Any: the fields of a policy
) -> Subscription:
    """A subscription that has just begun, before its first period falls due."""
    rules = CollectionPolicy(payment_method_reminders=(timedelta(days=1),)).but(**policy)
    agreed = terms(amount=amount, policy=rules, capture=capture, periods=periods, interval=interval)
    agreed = agreed.but(plan=agreed.plan.but(amounts=amounts, lead_times=lead_times))
    return apply(Subscription.begin(agreed), Started(), agreed.anchor)


def _told_ahead(first: Phase) -> Subscription:
    """One whose first year is over soon: of all that the next one brings the merchant is told before."""
    soon = (timedelta(days=1),)
    leads = LeadTimes(charge=soon, trial_end=soon, renewal=soon, price_change=soon)
    begun = _begun(amount=PRICE.times(2), interval=YEARLY, lead_times=leads)
    terms = begun.terms.but(plan=begun.terms.plan.but(phases=(first, *begun.terms.plan.phases)))
    subscription = apply(Subscription.begin(terms), Started(), terms.anchor)
    if not first.amount.is_zero:
        return _answered_first(subscription, "captured")
    return apply(subscription, Elapsed(Timer.PERIOD), terms.anchor)


def _answered_first(subscription: Subscription, what: str) -> Subscription:
    """Its first charge was made, and answered so."""
    anchor = subscription.terms.anchor
    charging = apply(subscription, Elapsed(Timer.PERIOD), anchor)
    (way,) = (way for way in _collecting(charging, anchor) if way.what == what)
    return way.take(charging, anchor)


# The search


def _explore(
    start: Subscription, now: datetime, ways: Ways, is_over: Callable[[Subscription], object]
) -> Iterator[Step]:
    been, ahead = {_place(start)}, deque([(start, now)])
    while ahead:
        before, since = ahead.popleft()
        for way in ways(before, since):
            after = way.take(before, way.at)
            yield Step(before, way.cause, way.what, after)
            place, leads_on = _place(after), not way.is_late or _is_used_up(after)
            if leads_on and place not in been and not after.has_ended and not is_over(after):
                been.add(place)
                ahead.append((after, way.at))


def _place(subscription: Subscription) -> tuple[object, ...]:
    """What tells where a subscription stands, and what may follow; without instants, counts and words."""
    collection, is_collected = subscription.collection, _is_collected(subscription)
    command = main_command(subscription) if is_collected else next_command(subscription)
    here = (subscription.lifecycle.stage.kind, command.timer if isinstance(command, Elapse) else type(command))
    if collection is None:
        return (
            *here,
            subscription.permission.is_broken,
            subscription.permission.expiry_is_read,
            subscription.renewal.amount and subscription.renewal.amount.kind,
            tuple(dispute.seen for dispute in subscription.disputes.latest),
            tuple(refund.state for refund in subscription.refunds.latest),
            tuple((each.doing, each.failed_for is None) for each in subscription.authorizations),
        )
    failure = collection.failure
    return (
        *here,
        collection.stage.kind,
        collection.word,
        collection.held_for is None,
        failure and (failure.meaning if failure.meaning in _OF_THEIR_OWN else None, failure.reason_code == TIMED_OUT),
        failure and failure.charge_id is None,
        collection.attempt and collection.attempt.handles_pending,
        collection.permission and collection.permission.is_chargeable,
        _is_capped(subscription),
    )


_OF_THEIR_OWN: Final = frozenset({Meaning.PAYMENT_METHOD, Meaning.MONTHLY_LIMIT})
"""Meanings after which a reading of the charge permission is taken otherwise."""


def _is_used_up(subscription: Subscription) -> bool:
    return subscription.collection is not None and isinstance(subscription.collection.stage, UsedUp)


def _is_capped(subscription: Subscription) -> bool:
    dunning = subscription.collection.dunning if subscription.collection else None
    return dunning is not None and dunning.is_capped


# What may happen


def _collecting(before: Subscription, now: datetime) -> Iterator[Way]:
    """To a period that falls due or is owed."""
    command = main_command(before)
    if command is not None:
        at = max(now, command.at)
        yield from _performing(before, command, at)
        if isinstance(command, ReadPermission):
            yield from _performing(before, command, at + LATE, is_late=True)
    if before.collection is None or before.awaits_checkout:
        return
    if before.collection.grace_command is not None:
        yield Way(Timer.GRACE, "the grace ends", now, lambda state, at: apply(state, Elapsed(Timer.GRACE), at))
    heard = apply(before, Refresh(Thing.PERMISSION), now)
    look, used_up = next_command(heard), USED_UP if _is_capped(before) else ""
    if isinstance(look, ReadPermission):
        for what, answer in _readings(before, now):
            yield _answered(look, f"{SIGNAL}{what}{used_up}", answer, now, heard)
    with suppress(Refused):
        retried = ask(before, RetryNow(), now)
        yield Way(None, "the merchant's retry", now, lambda _state, _at: retried)


def _living(before: Subscription, now: datetime) -> Iterator[Way]:
    """To a subscription of which no period is owed."""
    command = next_command(before)
    if command is not None:
        yield from _performing(before, command, max(now, command.at))
    if isinstance(before.lifecycle.stage, Active) and before.permission.look_at is None:
        yield Way(None, "signal", now, lambda state, at: apply(state, Refresh(Thing.PERMISSION), at))
    if before.disputes.find(_DISPUTE_ID) is not None:
        yield Way(None, "signal", now, lambda state, at: apply(state, Refresh(Thing.DISPUTE, _DISPUTE_ID), at))


def _performing(before: Subscription, command: Command, at: datetime, *, is_late: bool = False) -> Iterator[Way]:
    if isinstance(command, Elapse):
        timer = command.timer
        yield Way(timer, _in_words(before, timer, at), at, lambda state, now: apply(state, Elapsed(timer), now))
        return
    used_up = USED_UP if isinstance(command, ReadPermission) and (is_late or _is_capped(before)) else ""
    for what, answer in _answers(before, command, at):
        yield replace(_answered(command, what + used_up, answer, at), is_late=is_late)


def _answered(
    command: Command, what: str, answer: Answer | None, at: datetime, heard: Subscription | None = None
) -> Way:
    event = Unanswered(command) if answer is None else Answered(command, answer)
    return Way(type(command), what, at, lambda state, now: apply(heard or state, event, now))


def _in_words(before: Subscription, timer: Timer, at: datetime) -> str:
    match timer:
        case Timer.PERIOD if missed_periods(before, at):
            return "several periods were missed (catch_up = hold)"
        case Timer.PERIOD:
            return "the period falls due"
        case Timer.RETRY:
            return "its time has come"
        case Timer.FINAL_ACTION:
            return f"final_action = {before.policy.final_action}"
        case Timer.NEXT_DUE:
            return "the next period falls due (next_due = replace)"
        case Timer.CHECKOUT:
            return "no new checkout in time"
        case _:
            return timer.value


def _answers(before: Subscription, command: Command, now: datetime) -> Iterator[tuple[str, Answer | None]]:
    match command:
        case ReadPermission():
            yield from _readings(before, now)
        case UpdatePermission():
            yield from (("told", PermissionAnswer(state=PermissionState.CHARGEABLE)), (NO_ANSWER, None))
        case ClosePermission():
            yield from (("closed", closed()), ("refused", unreadable()))
        case CreateRefund() | ReadRefund():
            for state in (RefundState.PENDING, RefundState.REFUNDED, RefundState.FAILED):
                yield state.value, RefundAnswer(state=state, refund_id="R01")
        case ReadDispute():
            yield "opened", DisputeAnswer(state="ActionRequired")
            yield "resolved", DisputeAnswer(state="Resolved", resolution="MerchantWon")
            yield "refused", DisputeAnswer(refused="NoAccess")
        case AskAmount(at_most=at_most):
            yield from (("said", at_most), (NO_ANSWER, None))
        case ReadSuccessor():
            yield from (("approved", PermissionAnswer(state=PermissionState.CHARGEABLE)), ("refused", unreadable()))
        case StartSuccessor():
            yield from (("started", SuccessorAnswer(started=True)), ("refused", SuccessorAnswer(started=False)))
        case _:
            yield from _charges(before)


def _charges(before: Subscription) -> Iterator[tuple[str, ChargeAnswer]]:
    for outcome in (ChargeOutcome.CAPTURED, ChargeOutcome.AUTHORIZED, ChargeOutcome.PENDING):
        when = _why_authorized(before) if outcome is ChargeOutcome.AUTHORIZED else ""
        yield outcome.value + when, ChargeAnswer(outcome=outcome, charge_id=_CHARGE_ID)
    for code in (*DECLINES.values(), TIMED_OUT):
        yield code, declined(code)
    yield "refused", refused(DECLINES[Meaning.OPERATOR])


def _why_authorized(before: Subscription) -> str:
    """Why a charge may be authorized and not captured, where that was asked for."""
    owed = before.collection
    if owed is not None and owed.capture is WhenCaptured.LATER:
        return " (capture = later)"
    return f" (after {TIMED_OUT})" if owed is not None and owed.attempt and owed.attempt.handles_pending else ""


def _readings(before: Subscription, now: datetime) -> Iterator[tuple[str, PermissionAnswer]]:
    """The charge permission as it may be read; whether that is news, what was seen before says."""
    owed = before.collection
    if owed is not None and owed.awaits is Awaits.LIMIT:
        yield from _limits(owed)
        return
    seen = owed.permission if owed else before.permission.seen
    since = seen.last_updated if seen and seen.last_updated else before.terms.anchor
    if seen is None or seen.is_chargeable:
        hard = owed and owed.awaits is Awaits.FIRST_WORD and owed.failure and owed.failure.meaning
        after = AFTER_HARD if hard is Meaning.PAYMENT_METHOD else ""
        yield f"chargeable{after}", PermissionAnswer(state=PermissionState.CHARGEABLE, last_updated=since)
    if seen is not None:
        yield "chargeable again", PermissionAnswer(state=PermissionState.CHARGEABLE, last_updated=now + LATE)
    for code in BROKEN.values():
        yield code, PermissionAnswer(state=PermissionState.NON_CHARGEABLE, reason_codes=(code,), last_updated=now)
    yield "unreadable", unreadable()
    yield "closed", closed("AmazonClosed")


def _limits(owed: Collection) -> Iterator[tuple[str, PermissionAnswer]]:
    """How much the charge permission may allow in a calendar month."""
    less = Money.rounded(owed.amount.amount / 2, owed.amount.currency)
    for what, limit in (("the month's limit", owed.amount), ("a limit below the amount", less)):
        yield what, PermissionAnswer(state=PermissionState.CHARGEABLE, monthly_limit=limit)
    yield "closed", closed("AmazonClosed")
