"""What a buyer sees of a subscription: its view, told in the buyer's words. Nothing is decided here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from perennial_billing.billing.contract.agreement import Agreement
from perennial_billing.billing.forecast.preview import DryRun, Upcoming
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome, PeriodRecord
from perennial_billing.billing.protocol.answers import RefundState
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import Owed, SubscriptionView
from perennial_billing.starter.portal.languages import Speech
from perennial_billing.starter.portal.merchant import Merchant
from perennial_billing.starter.portal.purposes import BY, NEEDS, Act, Purpose
from perennial_billing.starter.portal.sealing import Consent

NEEDS_BUYER: Final = frozenset({Status.AWAITING_PAYMENT_METHOD, Status.UNPAID})
_ON_ITS_WAY: Final = frozenset({RefundState.REQUESTED, RefundState.PENDING})
_OUTCOMES: Final = {
    PeriodOutcome.PAID: "state.paid",
    PeriodOutcome.AUTHORIZED: "state.processing",
    PeriodOutcome.FREE: "state.free",
    PeriodOutcome.WRITTEN_OFF: "state.unpaid",
    PeriodOutcome.SKIPPED: "state.skipped",
}


@dataclass(frozen=True, slots=True)
class Payment:
    """A line of the payments.

    Attributes:
        date: when it fell due.
        amount: how much.
        state: what became of it.
    """

    date: str
    amount: str
    state: str


def plan_in_words(agreed: Agreement, merchant: Merchant, speech: Speech) -> tuple[str | None, str]:
    """What the merchant calls the plan, and what it costs in the long run."""
    named, regular = merchant.plans.get(agreed.plan.plan_id), agreed.plan.regular
    every = speech.count(f"every.{regular.interval.unit.value}", regular.interval.count)
    price = speech.say("price", amount=speech.amount(regular.amount), every=every)
    if agreed.quantity > 1:
        price = speech.say("price.units", price=price, count=str(agreed.quantity))
    return named.in_language(speech.language) if named else None, price


def standing(view: SubscriptionView, speech: Speech) -> list[str]:
    """How it stands, in sentences."""
    if view.has_ended:
        return [ended(speech.day_of(view.ended_at) if view.ended_at else None, speech)]
    return [*_course(view, speech), *_owed(view, speech), *_skips(view, speech)]


def ended(day: date | None, speech: Speech) -> str:
    """That it has ended."""
    return speech.say("status.ended", date=speech.date(day)) if day else speech.say("status.over")


def _course(view: SubscriptionView, speech: Speech) -> Iterator[str]:
    pause, end = view.pause, view.planned_end
    if view.status is Status.ENDING:
        yield speech.say("status.ending")
    elif view.status is Status.AWAITING_CHECKOUT:
        yield speech.say("status.checkout")
    elif pause is not None:
        since = "" if pause.has_begun else speech.date(pause.since)
        until = speech.date(pause.until) if pause.until else ""
        key = f"status.{'paused' if pause.has_begun else 'pauses'}{'_until' if until else ''}"
        told = {"until": until, "date": since} if since else {"date": until}
        yield speech.say(key, **told)
    elif end is None and view.owed is None:
        yield speech.say("status.active")
    if end is not None:
        yield speech.say("status.ends", date=speech.date(end.at))


def _owed(view: SubscriptionView, speech: Speech) -> Iterator[str]:
    owed = view.owed
    if owed is None or view.status in {Status.ENDING, Status.AWAITING_CHECKOUT}:
        return
    amount = speech.amount(owed.amount)
    if view.status is Status.ON_HOLD:
        yield speech.say("status.hold")
    elif not _was_declined(owed):
        yield speech.say("status.processing", amount=amount)
    else:
        yield speech.say("status.declined", amount=amount)
        if view.status in NEEDS_BUYER:
            yield speech.say("status.mend")
        elif view.status is Status.RETRYING and view.next is not None:
            yield speech.say("status.again", date=speech.date(view.next.at))


def _was_declined(owed: Owed) -> bool:
    return owed.failing_since is not None and owed.pending_charge_id is None


def _skips(view: SubscriptionView, speech: Speech) -> Iterator[str]:
    for each in view.dates:
        if each.period in view.skips:
            yield speech.say("status.skipped", date=speech.date(each.due))


def next_payment(upcoming: Sequence[Upcoming], speech: Speech) -> str:
    """What is charged next."""
    if not upcoming:
        return speech.say("next.none")
    return speech.say("next.is", amount=speech.amount(upcoming[0].amount), date=speech.date(upcoming[0].at))


def payments(view: SubscriptionView, speech: Speech) -> list[Payment]:
    """What was charged, the latest first."""
    told = [
        Payment(speech.short_date(each.due), speech.amount(each.amount), _state(each, view, speech))
        for each in view.ledger
    ]
    if view.owed is not None:
        key = "state.declined" if _was_declined(view.owed) else "state.processing"
        told.append(Payment(speech.short_date(view.owed.due), speech.amount(view.owed.amount), speech.say(key)))
    return told[::-1]


def _state(record: PeriodRecord, view: SubscriptionView, speech: Speech) -> str:
    coming = [each.amount for each in view.refunds if each.charge_id == record.charge_id and each.state in _ON_ITS_WAY]
    if coming:
        return speech.say("state.refund_pending", amount=speech.amount(_sum(coming)))
    if record.outcome is PeriodOutcome.PAID and record.refunded is not None:
        if record.refunded.amount >= record.amount.amount:
            return speech.say("state.refunded")
        return speech.say("state.part_refunded", amount=speech.amount(record.refunded))
    return speech.say(_OUTCOMES[record.outcome])


def _sum(amounts: Sequence[Money]) -> Money:
    first, *rest = amounts
    for each in rest:
        first = first.plus(each)
    return first


def offered(view: SubscriptionView, merchant: Merchant, purpose: Purpose) -> list[Act]:
    """What a buyer may do by a link, as the subscription stands; whether it can be done, a dry run says."""
    if view.has_ended or view.status is Status.ENDING:
        return []
    wanted = [
        Act.RESUME if view.pause is not None else Act.PAUSE,
        Act.UNDO_SKIP if view.skips else Act.SKIP,
        Act.UNDO_CANCEL if view.planned_end is not None else Act.CANCEL,
    ]
    leaves = frozenset({Act.PAUSE, Act.SKIP}) if view.planned_end is not None or view.pause is not None else frozenset()
    return [each for each in wanted if each in BY[purpose] and NEEDS[each] in merchant.allows and each not in leaves]


def pause_days(view: SubscriptionView, merchant: Merchant, speech: Speech) -> tuple[date, date] | None:
    """The first and the last day that a pause may end on, which begins with the end of what is paid; None where no
    next period is known."""
    if view.next_charge_at is None:
        return None
    begins = speech.day_of(view.next_charge_at)
    return begins + timedelta(days=1), begins + timedelta(days=merchant.longest_pause_days)


def what_follows(consent: Consent, told: DryRun, speech: Speech) -> list[str]:
    """What will happen if a buyer confirms, as a dry run tells it."""
    said = [*_effect(consent, told, speech)]
    said += [
        speech.say("what.charged_now", amount=speech.amount(each.amount)) for each in told.charged_now if _costs(each)
    ]
    coming = next((each for each in told.upcoming if _costs(each)), None)
    if coming is not None:
        said.append(speech.say("what.charged", amount=speech.amount(coming.amount), date=speech.date(coming.at)))
    elif consent.act is Act.CANCEL:
        said.append(speech.say("what.no_more"))
    return said


def _costs(charge: Upcoming) -> bool:
    return not charge.amount.is_zero


def _effect(consent: Consent, told: DryRun, speech: Speech) -> Iterator[str]:
    day = speech.date(told.effective_at) if told.effective_at else ""
    match consent.act:
        case Act.CANCEL:
            yield speech.say("what.cancel_now") if consent.at_once else speech.say("what.cancel", date=day)
        case Act.PAUSE:
            yield speech.say("what.pause", date=day)
            until = consent.until
            yield speech.say("what.pause_until", date=speech.date(until)) if until else speech.say("what.pause_open")
        case Act.SKIP:
            left_out = next((each for each in told.before if each.due == told.effective_at), None)
            if left_out is None:
                yield speech.say("status.skipped", date=day)
            else:
                yield speech.say("what.skip", amount=speech.amount(left_out.amount), date=day)
        case Act.UNDO_SKIP:
            yield speech.say("what.undo-skip", date=day)
        case Act.UNDO_CANCEL | Act.RESUME:
            yield speech.say(f"what.{consent.act.value}")
