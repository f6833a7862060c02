"""The state machine: an event goes in, and the subscription as it is then comes out.

`billing.agenda.next_command` says what is to be done next. Whoever does it (the workflow, a forecast, a test) reports
what came of it here, and that is all there is to leading a subscription through its life.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, assert_never

from perennial_billing.billing.agenda import without_what_is_over
from perennial_billing.billing.couplings.ahead import ask_ahead, tell_ahead
from perennial_billing.billing.couplings.captures import authorization_answered
from perennial_billing.billing.couplings.charges import (
    capture_answered,
    charge_answered,
    charge_read,
    grace_over,
    permission_answered,
    read_pending_now,
)
from perennial_billing.billing.couplings.disputes import dispute_answered, stopped
from perennial_billing.billing.couplings.ending import (
    begin_cancellation,
    completed,
    end_as_planned,
    finish,
    permission_closed,
    used_up,
    waited_long_enough,
)
from perennial_billing.billing.couplings.expiring import about_to_expire
from perennial_billing.billing.couplings.pauses import collecting_paused, pause_begins, resume
from perennial_billing.billing.couplings.periods import (
    amount_decided,
    amount_unknown,
    begin_attempt,
    begin_period,
    written_off_for_next,
)
from perennial_billing.billing.couplings.refunds import refund_answered
from perennial_billing.billing.couplings.replacing import successor_answered, successor_read
from perennial_billing.billing.couplings.telling import OF_OUTCOME, about_record, telling
from perennial_billing.billing.couplings.unanswered import not_answered
from perennial_billing.billing.expiry import check_charged_in_time
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.divergence import Divergence
from perennial_billing.billing.protocol.answers import (
    ChargeAnswer,
    DisputeAnswer,
    PermissionAnswer,
    RefundAnswer,
    SuccessorAnswer,
)
from perennial_billing.billing.protocol.commands import (
    AskAmount,
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
    StartSuccessor,
    Timer,
    UpdatePermission,
)
from perennial_billing.billing.protocol.events import (
    Answer,
    Answered,
    CancelAsked,
    Elapsed,
    Event,
    HandedOn,
    LedgerIsAhead,
    NotHandedOn,
    Refresh,
    Started,
    Thing,
    Unanswered,
)
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.register import Entry, Result, digest_of
from perennial_billing.billing.requests import NOBODY, Asker, Request
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.values import Value

_Ordinary = Started | Elapsed | Answered | Unanswered | Refresh | CancelAsked | HandedOn | NotHandedOn


def apply(subscription: Subscription, event: Event, now: datetime) -> Subscription:
    """The subscription after something happened; it ends by itself once nothing is left to wait for.

    Args:
        subscription: stays as it is.
        event: what happened.
        now: when (UTC).
    """
    if subscription.divergence is not None:
        return subscription.but(divergence=subscription.divergence.hearing(event))
    if isinstance(event, LedgerIsAhead):  # nothing follows from what is not so any more
        return subscription.but(divergence=Divergence(told=event.told, since=now))
    after = collecting_paused(stopped(_after(subscription, event, now), now), now)
    return without_what_is_over(finish(after, now))


def _after(subscription: Subscription, event: _Ordinary, now: datetime) -> Subscription:
    match event:
        case Started():
            return _started(subscription, now)
        case Elapsed(timer):
            return _AFTER_TIMER[timer](subscription, now)
        case Answered(command, answer):
            return _answered(subscription, command, answer, now)
        case Unanswered(command, why):
            return _unanswered(subscription, command, why, now)
        case Refresh():
            return _refreshed(subscription, event, now)
        case CancelAsked(reason):
            return subscription.but(lifecycle=subscription.lifecycle.canceled(reason, now))
        case HandedOn(numbers):
            return subscription.but(outbox=subscription.outbox.handed_on(numbers))
        case NotHandedOn():
            return subscription.but(outbox=subscription.outbox.held(now))
    assert_never(event)


_DIVERGED: Final = (
    "the ledger knows more of it than its workflow, as after a restore of Temporal's database; "
    "`perennial recover` brings both together"
)


def ask(
    subscription: Subscription,
    request: Request,
    now: datetime,
    references: Sequence[str] = (),
    asker: Asker = NOBODY,
) -> Subscription:
    """The subscription after a request; see `tried`."""
    return tried(subscription, request, now, references, asker)[0]


def tried(
    subscription: Subscription,
    request: Request,
    now: datetime,
    references: Sequence[str] = (),
    asker: Asker = NOBODY,
) -> tuple[Subscription, Result]:
    """The subscription after a request, and what that came to; asked again under a known name, it changes nothing.

    Args:
        subscription: stays as it is.
        request: what is wanted.
        now: when (UTC).
        references: the names that it goes by, beside the merchant's own.
        asker: who asks, and why; told with what follows at once.

    Raises:
        Refused: it cannot be, or one of the names is that of another wish; says why.
    """
    if subscription.divergence is not None:
        raise Refused("request", request.kind, _DIVERGED, Kind.NOT_NOW)
    names, wish = (*references, *request.references), digest_of(request)
    known = subscription.references.known(names, wish)
    if known is not None:
        return subscription.but(references=subscription.references.known_by(known, names)), known.result
    after, result = request.apply(subscription, now)
    check_charged_in_time(subscription, after, request.kind)
    if after != subscription and after.outbox.told == subscription.outbox.told:
        after = telling(after, NoticeType.SUBSCRIPTION_CHANGED, now, request=request.kind)
    signed = after.outbox.asked_for_by(asker.actor, asker.because, after=subscription.outbox.told)
    after = after.but(outbox=signed)
    entry = Entry(references=names, wish=wish, kind=request.kind, result=result)
    return after.but(references=after.references.noting(entry)), result


def _started(subscription: Subscription, now: datetime) -> Subscription:
    """The merchant is told so, once, and of a charge that had paid the first period before. Of a charge permission that
    nothing is known of, its age counts from here."""
    subscription = subscription.but(permission=subscription.permission.with_some_expiry(now))
    return subscription if subscription.outbox.told else tell_of_start(subscription, now)


def tell_of_start(subscription: Subscription, now: datetime) -> Subscription:
    """Tells that it begins, and of a charge that had paid the first period before."""
    paid = subscription.ledger.records
    first = paid[0].period if paid else subscription.next_period
    told = telling(subscription, NoticeType.SUBSCRIPTION_STARTED, now, amount=subscription.schedule.amount(first))
    for record in paid:
        told = telling(told, OF_OUTCOME[record.outcome], now, **about_record(record))
    return told


def _unanswered(subscription: Subscription, command: Command, why: str | None, now: datetime) -> Subscription:
    match command:
        case AskAmount(period=period):
            return amount_unknown(subscription, period, now, why=why)
        case _:
            return not_answered(subscription, command, why, now)


def _refreshed(subscription: Subscription, event: Refresh, now: datetime) -> Subscription:
    identifier = event.id or ""
    match event.thing:
        case Thing.PERMISSION:
            return subscription.but(permission=subscription.permission.may_have_changed(now, event.notification_id))
        case Thing.CHARGE:
            why = "a notification about the authorized charge"
            return subscription.but(
                collection=subscription.collection and read_pending_now(subscription, identifier, now),
                authorizations=tuple(
                    each.read_now(now, why) if each.charge_id == identifier else each
                    for each in subscription.authorizations
                ),
            )
        case Thing.REFUND:
            return subscription.but(refunds=subscription.refunds.reports(identifier, now))
        case Thing.DISPUTE:
            return subscription.but(disputes=subscription.disputes.reported(identifier, now))
    assert_never(event.thing)


def _answered(subscription: Subscription, command: Command, answer: Answer, now: datetime) -> Subscription:
    expected, take = _AFTER_ANSWER[type(command)]
    if not isinstance(answer, expected):
        raise AssertionError(f"{type(answer).__name__} is no answer to {type(command).__name__}")
    known = subscription.unanswered.answered(command)
    return take(subscription.but(unanswered=known), command, answer, now)


def _plan_told(
    subscription: Subscription, command: UpdatePermission, answer: PermissionAnswer, now: datetime
) -> Subscription:
    knows = subscription.contract.recurrence == command.recurrence
    permission = subscription.permission.expiring(answer)
    return subscription.but(permission=permission.told(knows=knows, now=now))


_AFTER_TIMER: Final[Mapping[Timer, Callable[[Subscription, datetime], Subscription]]] = MappingProxyType(
    {
        Timer.PERIOD: begin_period,
        Timer.RETRY: begin_attempt,
        Timer.TERM: completed,
        Timer.FINAL_ACTION: used_up,
        Timer.NEXT_DUE: written_off_for_next,
        Timer.GRACE: grace_over,
        Timer.PAUSE: pause_begins,
        Timer.RESUME: resume,
        Timer.PLANNED_END: end_as_planned,
        Timer.CANCELLATION: begin_cancellation,
        Timer.AHEAD: tell_ahead,
        Timer.QUESTION: ask_ahead,
        Timer.CHECKOUT: waited_long_enough,
        Timer.EXPIRY: about_to_expire,
    }
)
"""What follows when an instant has come that was waited for."""

_Take = Callable[[Subscription, Any, Any, datetime], Subscription]  # Any: command and answer, as the table pairs them
_AFTER_ANSWER: Final[Mapping[type[Command], tuple[type[Value], _Take]]] = MappingProxyType(
    {
        CreateCharge: (ChargeAnswer, lambda state, _, answer, now: charge_answered(state, answer, now)),
        ReadCharge: (ChargeAnswer, lambda state, _, answer, now: charge_read(state, answer, now)),
        CaptureCharge: (ChargeAnswer, lambda state, _, answer, now: capture_answered(state, answer, now)),
        CaptureAuthorized: (ChargeAnswer, authorization_answered),
        ReadAuthorized: (ChargeAnswer, authorization_answered),
        ReadPermission: (PermissionAnswer, permission_answered),
        UpdatePermission: (PermissionAnswer, _plan_told),
        ClosePermission: (PermissionAnswer, lambda state, _, answer, now: permission_closed(state, answer, now)),
        CreateRefund: (RefundAnswer, refund_answered),
        ReadRefund: (RefundAnswer, refund_answered),
        ReadDispute: (DisputeAnswer, dispute_answered),
        AskAmount: (Money, amount_decided),
        ReadSuccessor: (PermissionAnswer, lambda state, _, answer, now: successor_read(state, answer, now)),
        StartSuccessor: (SuccessorAnswer, lambda state, _, answer, now: successor_answered(state, answer, now)),
    }
)
"""What kind of answer a command has, and what follows it."""
