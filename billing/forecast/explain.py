"""What a plan's collection policy would do, told by the rules themselves: a subscription is led through each kind of
failure, and what it decides is written down with its dates."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from perennial_billing.billing.agenda import next_command, only_looks_for_the_buyer
from perennial_billing.billing.contract.schedule import first_that_costs
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.forecast.drive import CAPTURED, failing, perform
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.parts.outbox import Outbox
from perennial_billing.billing.plan.plan import Capture, Plan
from perennial_billing.billing.plan.policy import CatchUp, NextDue, OnDispute
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer, PermissionState
from perennial_billing.billing.protocol.commands import Action, CreateCharge
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import Subscription

CASES: Final = {
    "SoftDeclined": "The charge is declined, and may succeed later",
    "ProcessingFailure": "Amazon could not process the charge",
    "HardDeclined": "The charge is declined, and only the buyer can mend it",
    "PeriodicAmountExceeded": "Amazon's monthly limit is used up",
    "AmazonRejected": "Amazon rejects the buyer, and closes the charge permission",
}
"""The failures that a policy has an answer to, by reasonCode."""

_MOST_STEPS: Final = 200
_CLOSES: Final = frozenset({"AmazonRejected"})
_BREAKS: Final = frozenset({"HardDeclined"})
_PASSES: Final = frozenset({"PeriodicAmountExceeded"})


class Event(NamedTuple):
    """Something that would happen, and when (UTC)."""

    at: datetime
    what: str


def explain(terms: Terms, reason_code: str) -> list[Event]:
    """What would happen if every attempt to charge the first period that costs something failed for this reason and
    nobody did anything.

    (A used-up monthly limit is not used up in the next month.)
    """
    return list(_events(Subscription.begin(terms), reason_code))


def standing_rules(plan: Plan) -> list[str]:
    """What a plan's policy says beside any single failure, in words."""
    policy = plan.collection
    return [
        _CAPTURES[plan.capture],
        *([_spread(policy.collection_window)] if policy.collection_window else []),
        f"A subscriber keeps what was bought for {_days(policy.grace)} after the first failure.",
        _NEXT_DUE[policy.next_due],
        _CATCH_UP[policy.catch_up],
        f"Two overdue periods are charged at least {_days(policy.catch_up_spacing)} apart, or half an interval.",
        _PENDING[policy.cancel_pending_charges],
        _DISPUTES[policy.on_dispute],
    ]


def _spread(window: timedelta) -> str:
    hours = f"{window / timedelta(hours=1):g} h"
    return f"Charges are spread over {hours} from the due date on, but for the first; a subscriber's turn is the same."


def _days(duration: timedelta) -> str:
    days = duration / timedelta(days=1)
    return f"{days:g} day" if days == 1 else f"{days:g} days"


_CAPTURES: Final = {
    Capture.NOW: "Money is taken with the charge.",
    Capture.LATER: "Money is taken when you capture it, within 30 days of the charge.",
}
_NEXT_DUE: Final = {
    NextDue.WAIT: "A period that falls due while an older one is owed is charged once that is settled.",
    NextDue.SKIP: "A period that falls due while an older one is owed is not owed.",
    NextDue.REPLACE: "A period that is still owed when the next one falls due is written off for it.",
}
_CATCH_UP: Final = {
    CatchUp.EACH: "Periods that were missed, as in an outage, are charged each.",
    CatchUp.LATEST: "Of periods that were missed, as in an outage, only the latest is charged.",
    CatchUp.HOLD: "Periods that were missed, as in an outage, are held until you ask for them.",
}
_PENDING: Final = {
    False: "A cancellation awaits charges that Amazon has not decided on, and what you may still capture.",
    True: "A cancellation also cancels charges that Amazon has not decided on, and what was not captured.",
}


_DISPUTES: Final = {
    OnDispute.CONTINUE: "A subscription goes on when one of its charges is disputed; you are told.",
    OnDispute.PAUSE: "A subscription is paused when one of its charges is disputed, until you resume it.",
    OnDispute.STOP: "A subscription is paused when one of its charges is disputed, until you resume it; what is owed "
    "already is not tried any more before you ask for it.",
}


def _events(subscription: Subscription, reason_code: str) -> Iterator[Event]:
    def charge(command: CreateCharge) -> ChargeAnswer:
        fails = command.attempt.number == 1 or reason_code not in _PASSES
        return _declined(reason_code) if fails else CAPTURED

    performer = failing(charge, _permission(reason_code))
    now, led = subscription.terms.anchor, first_that_costs(subscription.schedule)
    for _ in range(_MOST_STEPS):
        command = next_command(subscription)
        if command is None or only_looks_for_the_buyer(subscription, command):
            break
        if subscription.next_period > led or command.action is Action.CLOSE_PERMISSION:
            break
        now, number = max(now, command.at), subscription.next_period
        subscription = perform(subscription, command, now, performer)
        if isinstance(command, CreateCharge):
            yield Event(now, f"attempt {command.attempt.number} to charge {command.attempt.amount}")
        elif subscription.next_period > number and subscription.ledger.records[-1].outcome is PeriodOutcome.FREE:
            yield Event(now, f"period {number} costs nothing: Amazon is not asked")
        yield from _told(subscription, now)
        subscription = subscription.but(outbox=Outbox(told=subscription.outbox.told))


def _told(subscription: Subscription, now: datetime) -> Iterator[Event]:
    """What the merchant is told meanwhile, in words."""
    for notice in subscription.outbox.notices:
        if notice.type in _WORDS:
            yield Event(now, _WORDS[notice.type])


_WORDS: Final = {
    NoticeType.PERIOD_PAID: "it is paid",
    NoticeType.PAYMENT_METHOD_NEEDED: "you are told, with the page on which the buyer mends the payment method",
    NoticeType.PAYMENT_METHOD_REMINDER: "you are reminded that the buyer has not",
    NoticeType.MONTHLY_LIMIT_REACHED: "you are told; no attempt is spent",
    NoticeType.CHARGE_PERMISSION_EXPIRING: "you are told that the charge permission expires in some weeks",
    NoticeType.CHARGE_PERMISSION_CLOSED: "you are told that nothing can be charged any more",
    NoticeType.GRACE_ENDED: "you are told that the grace has ended: the subscriber is not to have it any longer",
    NoticeType.PERIOD_WRITTEN_OFF: "the period is written off",
    NoticeType.SUBSCRIPTION_UNPAID: "it is unpaid, and not tried any more until the payment method is mended",
    NoticeType.SUBSCRIPTION_ENDED: "the subscription ends",
}


def _declined(reason_code: str) -> ChargeAnswer:
    return ChargeAnswer(outcome=ChargeOutcome.DECLINED, reason_code=reason_code)


def _permission(reason_code: str) -> PermissionAnswer:
    if reason_code in _CLOSES:
        return PermissionAnswer(state=PermissionState.CLOSED, reason_codes=("AmazonClosed",))
    if reason_code in _BREAKS:
        return PermissionAnswer(state=PermissionState.NON_CHARGEABLE, reason_codes=("PaymentMethodInvalid",))
    return PermissionAnswer(state=PermissionState.CHARGEABLE)
