"""What stands in words: how a subscription stands and what is next, and each thing that happened, as a sentence."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from perennial_billing.billing.forecast.preview import Upcoming
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import SubscriptionView

_TOLD: Final[Mapping[NoticeType, str]] = {
    NoticeType.SUBSCRIPTION_STARTED: "The subscription began",
    NoticeType.CHARGE_UPCOMING: "The buyer is to be told of the next charge",
    NoticeType.TRIAL_ENDING: "The trial is about to end",
    NoticeType.RENEWAL_UPCOMING: "A long term is about to be charged again",
    NoticeType.PRICE_CHANGING: "The price is about to change",
    NoticeType.PERIOD_PAID: "Paid",
    NoticeType.PERIOD_AUTHORIZED: "Authorized, and yours to capture",
    NoticeType.CAPTURE_FAILED: "The capture failed",
    NoticeType.PERIOD_FREE: "Nothing was to be paid",
    NoticeType.PERIOD_SKIPPED: "Skipped: nothing is owed",
    NoticeType.PERIOD_WRITTEN_OFF: "Written off: it is not collected any more",
    NoticeType.PLAN_CHANGED: "The plan was changed",
    NoticeType.SUBSCRIPTION_CHANGED: "A request was accepted",
    NoticeType.REFUND_COMPLETED: "The refund is on its way to the buyer",
    NoticeType.REFUND_FAILED: "The refund failed: nothing went back",
    NoticeType.DISPUTE_OPENED: "A charge was disputed",
    NoticeType.DISPUTE_CHANGED: "The dispute has changed",
    NoticeType.CHARGE_PENDING: "Amazon has not decided yet",
    NoticeType.CHARGE_DECLINED: "Declined",
    NoticeType.MONTHLY_LIMIT_REACHED: "The month's limit at Amazon is used up",
    NoticeType.PAYMENT_METHOD_NEEDED: "The buyer has to mend the payment method",
    NoticeType.PAYMENT_METHOD_REMINDER: "The buyer was to be reminded of the payment method",
    NoticeType.PAYMENT_METHOD_MENDED: "The buyer has mended the payment method",
    NoticeType.GRACE_ENDED: "The time in which the buyer could still mend it is over",
    NoticeType.SUBSCRIPTION_HELD: "It waits for you",
    NoticeType.SUBSCRIPTION_UNPAID: "Unpaid, and not tried any more before the buyer has mended it",
    NoticeType.SUBSCRIPTION_PAUSED: "Paused",
    NoticeType.SUBSCRIPTION_RESUMED: "Resumed",
    NoticeType.CHARGE_PERMISSION_EXPIRING: "The charge permission is about to expire",
    NoticeType.CHARGE_PERMISSION_CLOSED: "The charge permission was closed",
    NoticeType.CHARGE_PERMISSION_REPLACED: "It goes on under another charge permission",
    NoticeType.SUBSCRIPTION_CONTINUED: "It goes on from another charge permission",
    NoticeType.REPLACEMENT_REFUSED: "It does not go on under the other charge permission",
    NoticeType.SUBSCRIPTION_ENDED: "The subscription ended",
}
"""What happened, by the kind of notice."""

_TONES: Final[Mapping[NoticeType, str]] = {
    **dict.fromkeys((NoticeType.PERIOD_PAID, NoticeType.PAYMENT_METHOD_MENDED, NoticeType.REFUND_COMPLETED), "good"),
    **dict.fromkeys(
        (
            NoticeType.CHARGE_DECLINED,
            NoticeType.CAPTURE_FAILED,
            NoticeType.REFUND_FAILED,
            NoticeType.DISPUTE_OPENED,
            NoticeType.SUBSCRIPTION_HELD,
            NoticeType.SUBSCRIPTION_UNPAID,
            NoticeType.CHARGE_PERMISSION_CLOSED,
            NoticeType.PERIOD_WRITTEN_OFF,
        ),
        "bad",
    ),
    **dict.fromkeys(
        (
            NoticeType.PAYMENT_METHOD_NEEDED,
            NoticeType.PAYMENT_METHOD_REMINDER,
            NoticeType.MONTHLY_LIMIT_REACHED,
            NoticeType.CHARGE_PENDING,
            NoticeType.CHARGE_PERMISSION_EXPIRING,
            NoticeType.GRACE_ENDED,
        ),
        "care",
    ),
}

_REQUESTS: Final[Mapping[str, str]] = {
    "plan": "another plan or quantity",
    "billing_day": "another billing day",
    "undo_changes": "take planned changes back",
    "pause": "pause",
    "resume": "resume",
    "skip": "skip a period",
    "cancel": "cancel",
    "undo_cancel": "take the cancellation back",
    "item": "an item or credit",
    "capture": "capture",
    "refund": "refund",
    "retry": "try again now",
    "resolve": "settle by hand",
    "write_off": "write off",
    "replace": "go on under another charge permission",
}
"""Kinds of requests; one that is not in here is told by its own word."""

_STANDS: Final[Mapping[Status, str]] = {
    Status.ACTIVE: "It runs, and nothing is owed.",
    Status.PENDING: "A charge waits for Amazon's decision.",
    Status.RETRYING: "A period could not be collected; it is tried again.",
    Status.AWAITING_PAYMENT_METHOD: "A period is owed, and only the buyer can mend the payment method.",
    Status.ON_HOLD: "A period is owed, and waits for you.",
    Status.UNPAID: "A period was not paid, and is not tried before the buyer has mended the payment method.",
    Status.PAUSED: "It is paused: what falls due meanwhile is not owed.",
    Status.AWAITING_CHECKOUT: "The charge permission is closed; a new checkout of the buyer's is awaited.",
    Status.ENDING: "It is ending.",
    Status.CANCELED: "It was canceled: nothing is charged any more.",
    Status.CLOSED: "It ended as its charge permission was closed: nothing is charged any more.",
    Status.WRITTEN_OFF: "It ended as a period could not be collected: nothing is charged any more.",
    Status.COMPLETED: "It has run its term: nothing is charged any more.",
    Status.REPLACED: "It goes on under another charge permission.",
}

TONES: Final[Mapping[Status, str]] = {
    Status.ACTIVE: "good",
    Status.PENDING: "care",
    Status.RETRYING: "care",
    Status.PAUSED: "plain",
    Status.AWAITING_PAYMENT_METHOD: "bad",
    Status.ON_HOLD: "bad",
    Status.UNPAID: "bad",
    Status.AWAITING_CHECKOUT: "bad",
    **dict.fromkeys(
        (
            Status.ENDING,
            Status.CANCELED,
            Status.CLOSED,
            Status.WRITTEN_OFF,
            Status.COMPLETED,
            Status.REPLACED,
        ),
        "plain",
    ),
}
"""How a status is coloured; the word is what counts."""

_ACTIONS: Final[Mapping[Action, str]] = {
    Action.CHARGE: "the charge is made",
    Action.REPEAT_CHARGE: "the same charge is sent again",
    Action.CAPTURE: "the charge is captured",
    Action.CAPTURE_AUTHORIZED: "the authorized charge is captured",
    Action.READ_AUTHORIZED: "Amazon is asked for the authorized charge",
    Action.READ_CHARGE: "Amazon is asked for the charge",
    Action.READ_PERMISSION: "Amazon is asked whether it can be charged",
    Action.UPDATE_PERMISSION: "Amazon is told of the plan",
    Action.CLOSE_PERMISSION: "the charge permission is closed",
    Action.ASK_AMOUNT: "your endpoint is asked for the amount",
    Action.FINAL_ACTION: "the policy's final action is taken",
    Action.WRITE_OFF_FOR_NEXT: "the period is written off for the next one",
    Action.END_GRACE: "the time in which the buyer can still mend it ends",
    Action.REFUND: "the refund is made",
    Action.READ_REFUND: "Amazon is asked for the refund",
    Action.READ_DISPUTE: "Amazon is asked for the dispute",
    Action.PAUSE: "the pause begins",
    Action.RESUME: "it is resumed",
    Action.CANCEL: "it ends, as was asked for",
    Action.TELL_AHEAD: "you are told of what is to come",
    Action.STOP_WAITING: "a new checkout is not awaited any longer",
    Action.TELL_OF_EXPIRY: "you are told that the charge permission expires",
    Action.READ_SUCCESSOR: "the new charge permission is read",
    Action.START_SUCCESSOR: "it goes on under the new charge permission",
}


def in_words(word: object) -> str:
    """A word of ours, for people: `awaiting_payment_method` is "Awaiting payment method"."""
    text = str(word).replace("_", " ").replace(".", " ")
    return text[:1].upper() + text[1:]


def how_it_stands(status: Status) -> str:
    """In a sentence."""
    return _STANDS[status]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is to happen.

    Attributes:
        at: when (UTC).
        what: in a sentence's first half.
        why: in words.
    """

    at: datetime
    what: str
    why: str


def what_is_next(view: SubscriptionView, upcoming: Sequence[Upcoming]) -> tuple[Step, ...]:
    """What happens next, and the next charge where that comes later; nothing where nothing happens by itself."""
    steps: list[Step] = []
    # What is only supposed, as where the buyer has to mend the payment method first, is not said to happen.
    is_sure = view.next_charge_at is not None or (view.next is not None and view.next.action is Action.CHARGE)
    charge = next(iter(upcoming), None) if is_sure else None
    if view.next is not None and (charge is None or view.next.at < charge.at):
        steps.append(Step(view.next.at, _ACTIONS[view.next.action], view.next.why))
    if charge is not None:
        price = "nothing is charged" if charge.amount.is_zero else f"{charge.amount} are charged"
        steps.append(Step(charge.at, f"{price} for period {charge.period}", charge.why))
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class Told:
    """A thing that happened, for people.

    Attributes:
        what: in a sentence.
        details: facts about it, each in a few words.
        tone: how it is coloured: good, bad, care or plain.
        asked: who asked for it and why, where that is known.
    """

    what: str
    details: tuple[str, ...]
    tone: str
    asked: str


def told(notice: Notice) -> Told:
    """A notice, for people."""
    what = _TOLD[notice.type]
    if notice.type is NoticeType.SUBSCRIPTION_CHANGED and notice.request is not None:
        what = f"{what}: {_REQUESTS.get(notice.request, notice.request)}"
    asked = f"{notice.actor or 'somebody'}{f': {notice.because}' if notice.because else ''}"
    return Told(
        what,
        tuple(_details(notice)),
        _TONES.get(notice.type, "plain"),
        asked if notice.actor or notice.because else "",
    )


_FACTS: Final = (
    ("period", "period {}"),
    ("amount", "{}"),
    ("attempt", "attempt {}"),
    ("reason_code", "{}"),
    ("reason", "{}"),
    ("status", "{}"),
    ("credit", "credit {}"),
    ("credited", "credited {}"),
    ("items", "items {}"),
    ("charge_id", "charge {}"),
    ("refund_id", "refund {}"),
    ("dispute_id", "dispute {}"),
    ("successor", "under {}"),
    ("predecessor", "from {}"),
    ("reference", "reference {}"),
)
"""What else is told of a thing, as far as it is known, in this order."""


def _details(notice: Notice) -> Iterator[str]:
    for name, words in _FACTS:
        value = getattr(notice, name)
        if value is not None and (name, value) != ("attempt", 1):
            yield words.format(value)
