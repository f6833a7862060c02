"""Forms for what a subscription can be asked for: which fields each has, and what was filled in as a request.

What is accepted is the request's to say: a form only turns texts into what the request takes, and leaves out what was
left empty.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, Final

from perennial_billing.billing.calendar import first_valid_instant
from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    Capture,
    ChangeBillingDay,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    ReplacePermission,
    Resolve,
    ResumeSubscription,
    RetryNow,
    Settle,
    SkipPeriod,
    UndoCancellation,
    UndoChanges,
    When,
    WriteOff,
)
from perennial_billing.billing.contract.agreement import FirstPeriod
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.billing.zones import zone as rules_of
from perennial_billing.starter.api.routes.asking import WAYS, Way
from perennial_billing.starter.console.access import Form, given


class Kind(StrEnum):
    """How a field is filled in."""

    TEXT = "text"
    CODE = "code"
    """Several lines."""
    COUNT = "count"
    AMOUNT = "amount"
    """A number, in the subscription's currency."""
    CHOICE = "choice"
    FLAG = "flag"
    INSTANT = "instant"
    """A date and a wall time, in the subscription's zone."""
    TIME = "time"


Values = dict[str, Any]  # Any: fields of the requests, each of its own type


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        name: the request's own.
        label: above it.
        kind: how it is filled in.
        hint: beneath it.
        choices: what can be chosen, by value.
        required: it cannot be left empty.
    """

    name: str
    label: str
    kind: Kind = Kind.TEXT
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """One kind of request, as a form.

    Attributes:
        way: what the API says of it: path, request, scope, words.
        label: of the link that leads to it.
        fields: from top to bottom.
        is_grave: it cannot be taken back, or moves money.
        fits: whether it is worth offering, as a subscription stands. What can be done, the subscription decides.
    """

    way: Way
    label: str
    fields: tuple[Field, ...] = ()
    is_grave: bool = False
    fits: Callable[[SubscriptionView], bool] = lambda view: not view.has_ended


AT: Final = "at"
"""The choice of an instant, and what is behind a field's name for it."""


def _when(*choices: tuple[str, str], hint: str = "") -> tuple[Field, Field]:
    return (
        Field("when", "When", Kind.CHOICE, hint, (*choices, (AT, "at the time below"))),
        Field("when_at", "Time", Kind.INSTANT, "Only for “at the time below”."),
    )


_NOW: Final = (When.NOW.value, "now")
_RENEWAL: Final = (When.RENEWAL.value, "at the end of the paid period")
_PERIOD: Final = Field("period", "Period", Kind.COUNT, "Counted from 0.", required=True)
_ITEM_WHEN: Final = Field(
    "when",
    "When",
    Kind.CHOICE,
    choices=((When.RENEWAL.value, "with the next charge"), (When.NOW.value, "now, by itself")),
)


def _runs(view: SubscriptionView) -> bool:
    return not view.has_ended and view.canceled_at is None


def _has_changes(view: SubscriptionView) -> bool:
    return not view.has_ended and (bool(view.changes) or view.running not in {None, view.agreed})


def _is_held(view: SubscriptionView) -> bool:
    owed = view.owed
    return owed is not None and (owed.attempt_is_open or owed.charge_in_question is not None)


_FORMS: Final[Mapping[type[Request], Callable[[Way], Action]]] = {
    PauseSubscription: lambda way: Action(
        way,
        "Pause",
        (
            *_when(_NOW, _RENEWAL),
            Field("until", "Resume by itself", Kind.INSTANT, "By a request only, when left empty."),
            Field("moves_dates", "Move the due dates by as long as the pause lasts", Kind.FLAG),
            Field("stops_collecting", "Let what is owed already wait, too", Kind.FLAG),
        ),
        fits=lambda view: _runs(view) and view.pause is None,
    ),
    ResumeSubscription: lambda way: Action(way, "Resume", fits=lambda view: view.pause is not None),
    SkipPeriod: lambda way: Action(
        way, "Skip a period", (Field("undo", "Take it back: the period is owed after all", Kind.FLAG),), fits=_runs
    ),
    ChangePlan: lambda way: Action(
        way,
        "Change plan or quantity",
        (
            Field("quantity", "Quantity", Kind.COUNT, "As many as before, when left empty."),
            Field("plan", "Plan", Kind.CODE, "A plan file's text, TOML or JSON; the same plan when left empty."),
            *_when(_RENEWAL, _NOW),
            Field(
                "settle",
                "Charge the days of a change that holds now",
                Kind.CHOICE,
                choices=((Settle.NOW.value, "now"), (Settle.RENEWAL.value, "with the next charge")),
            ),
            Field(
                "consented",
                "The buyer has agreed in a new checkout",
                Kind.FLAG,
                "Amazon wants that in the EU and the UK.",
            ),
        ),
        fits=_runs,
    ),
    ChangeBillingDay: lambda way: Action(
        way,
        "Change the billing day",
        (
            Field("day", "Day of the month", Kind.COUNT, "31 is each month's last day.", required=True),
            Field("at", "Wall time", Kind.TIME, "As it began, when left empty."),
            Field(
                "first_period",
                "The short period before it",
                Kind.CHOICE,
                choices=(
                    (FirstPeriod.SHORT.value, "costs its days"),
                    (FirstPeriod.WHOLE.value, "costs the whole price"),
                    (FirstPeriod.FREE.value, "costs nothing"),
                ),
            ),
        ),
        fits=_runs,
    ),
    UndoChanges: lambda way: Action(way, "Take planned changes back", fits=_has_changes),
    AddItem: lambda way: Action(
        way,
        "Add an item or a credit",
        (
            Field("amount", "Amount", Kind.AMOUNT, required=True),
            Field("what", "What for", hint="A line; never personal data.", required=True),
            Field("credit", "It is a credit: taken off the next charges", Kind.FLAG),
            _ITEM_WHEN,
        ),
        fits=_runs,
    ),
    RefundPeriod: lambda way: Action(
        way,
        "Refund",
        (
            Field("period", "Period", Kind.COUNT, "Counted from 0; or the charge below."),
            Field("charge_id", "Charge", hint="Amazon's id, in place of the period."),
            Field("amount", "Amount", Kind.AMOUNT, "All that is left, when left empty."),
            Field("goodwill", "More than was paid may go back, as far as Amazon lets it", Kind.FLAG),
            Field("reference", "Your reference", hint="Asking again with it gives back nothing more."),
        ),
        is_grave=True,
        fits=lambda _: True,
    ),
    Capture: lambda way: Action(
        way,
        "Capture",
        (_PERIOD, Field("amount", "Amount", Kind.AMOUNT, "All of it, when left empty; the rest is released.")),
        is_grave=True,
        fits=lambda view: bool(view.to_be_captured),
    ),
    RetryNow: lambda way: Action(way, "Try again now", is_grave=True, fits=lambda view: view.owed is not None),
    Resolve: lambda way: Action(
        way,
        "Settle by hand",
        (
            Field("charge_id", "This charge has paid it", hint="It is read at Amazon and checked."),
            Field("new_attempt", "Nothing was taken: charge again", Kind.FLAG, "Look in Seller Central first."),
            Field("write_off", "Do not collect the period any more", Kind.FLAG),
        ),
        is_grave=True,
        fits=_is_held,
    ),
    WriteOff: lambda way: Action(way, "Write off", (_PERIOD,), is_grave=True, fits=lambda view: view.owed is not None),
    ReplacePermission: lambda way: Action(
        way,
        "Go on under another charge permission",
        (Field("charge_permission_id", "The new charge permission", hint="The buyer has approved it.", required=True),),
        is_grave=True,
        fits=lambda view: not view.has_ended,
    ),
    Cancel: lambda way: Action(
        way,
        "Cancel",
        (
            *_when(_RENEWAL, _NOW),
            Field("reason", "Told to Amazon as the closure reason", hint="A line; never personal data."),
            Field(
                "back",
                "Give money back as well",
                Kind.CHOICE,
                choices=(("", "nothing"), ("last", "the last charge"), ("all", "all charges"), ("amount", "so much:")),
            ),
            Field("amount", "So much", Kind.AMOUNT, "Only for “so much”; of the latest charges first."),
        ),
        is_grave=True,
        fits=_runs,
    ),
    UndoCancellation: lambda way: Action(
        way, "Take the cancellation back", fits=lambda view: view.planned_end is not None
    ),
}

ACTIONS: Final = {way.path: _FORMS[way.kind](way) for way in WAYS}
"""By the last part of their address, which is the API's."""

ORDER: Final = (
    "pause",
    "resume",
    "skip",
    "change-plan",
    "change-billing-day",
    "undo-changes",
    "items",
    "retry",
    "capture",
    "resolve",
    "write-off",
    "refunds",
    "replace",
    "undo-cancel",
    "cancel",
)
"""In which they are offered."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a form's texts are read by.

    Attributes:
        currency: of amounts.
        zone: of wall times.
    """

    currency: str
    zone: str


def request_of(action: Action, form: Form, ground: Ground) -> Request:
    """What was filled in, as a request.

    Raises:
        Refused: a text cannot be what its field is for.
        ValidationError: the request does not accept it.
    """
    values: Values = {}
    for field in action.fields:
        text = given(form, field.name)
        if field.kind is Kind.FLAG:
            values[field.name] = bool(text)
        elif text:
            values[field.name] = _READ.get(field.kind, _as_it_is)(field, text, ground)
    return action.way.kind.model_validate(_SHAPES.get(action.way.kind, _flat)(_with_moment(values)))


def _with_moment(values: Values) -> Values:
    """The time of "at the time below" takes the choice's place.

    Raises:
        Refused: it was chosen, and no time is given.
    """
    at = values.pop("when_at", None)
    if values.get("when") == AT:
        if at is None:
            raise Refused("when_at", "", "a date and a time are")
        values["when"] = at
    return values


def _flat(values: Values) -> Values:
    return values


def _pausing(values: Values) -> Values:
    return {name: value for name, value in values.items() if name != "moves_dates"} | {
        "keeps_anchor": not values["moves_dates"]
    }


def _billing_day(values: Values) -> Values:
    return {"billing_day": values}


def _canceling(values: Values) -> Values:
    back, amount = values.pop("back", ""), values.pop("amount", None)
    if back == "amount" and amount is None:
        raise Refused("amount", "", "how much goes back is")
    return values | ({"refund": amount if back == "amount" else back} if back else {})


_SHAPES: Final[Mapping[type[Request], Callable[[Values], Values]]] = {
    PauseSubscription: _pausing,
    ChangeBillingDay: _billing_day,
    Cancel: _canceling,
}
"""Where a form's fields are not the request's."""


def _as_it_is(_field: Field, text: str, _ground: Ground) -> str:
    return text


def _amount(field: Field, text: str, ground: Ground) -> Money:
    try:
        return Money.parse(f"{text} {ground.currency}")
    except Refused as refused:
        raise refused.under(field.name) from None


def _count(field: Field, text: str, _ground: Ground) -> int:
    if not text.isascii() or not text.isdecimal():
        raise Refused(field.name, repr(text), "a whole number is")
    return int(text)


def _instant(field: Field, text: str, ground: Ground) -> datetime:
    """A wall time in the subscription's zone; the first of two where it occurs twice."""
    try:
        wall = datetime.fromisoformat(text)
        return first_valid_instant(wall.date(), wall.time(), rules_of(ground.zone))
    except (ValueError, OverflowError):
        raise Refused(field.name, repr(text), "a date and a time are, such as 2026-12-24T09:00") from None


def _time(field: Field, text: str, _ground: Ground) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise Refused(field.name, repr(text), "a time is, such as 09:00") from None


def _plan(field: Field, text: str, _ground: Ground) -> Plan:
    """As `perennial plan` reads a file; what begins with a brace is JSON."""
    if field.kind is not Kind.CODE:
        raise AssertionError("only a plan is written in several lines")
    try:
        content = json.loads(text) if text.startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(field.name, "", f"neither TOML nor JSON of a plan: {error}") from None
    # A plan's JSON rules, as for files: a duration may be written as "PT12H".
    return Plan.model_validate_json(json.dumps(content))


_READ: Final[Mapping[Kind, Callable[[Field, str, Ground], Any]]] = {  # Any: as of Values
    Kind.AMOUNT: _amount,
    Kind.COUNT: _count,
    Kind.INSTANT: _instant,
    Kind.TIME: _time,
    Kind.CODE: _plan,
}


def day_of(name: str, text: str) -> date:
    """A day, as a field for dates gives it.

    Raises:
        Refused: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused(name, repr(text), "a day is, such as 2026-12-24") from None
