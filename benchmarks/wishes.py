"""What merchants ask of subscriptions in a virtual year: every kind of change, drawn from a seed.

A wish is drawn before the run begins, with its instant. Some of it is only known then, such as which period is given
back; that follows from how the subscription stands, never from chance, so a seed means the same wishes in each run.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    Capture,
    ChangeBillingDay,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    ResumeSubscription,
    RetryNow,
    Settle,
    SkipPeriod,
    UndoCancellation,
    UndoChanges,
    When,
    WriteOff,
)
from perennial_billing.billing.contract.agreement import BillingDay, FirstPeriod
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Capture as WhenCaptured
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.plan.lead_times import LeadTimes
from perennial_billing.billing.plan.plan import LastPeriod
from perennial_billing.billing.requests import Request
from perennial_billing.billing.view import SubscriptionView, ToBeCaptured

DAY: Final = timedelta(days=1)
MONTHLY, GOLD, QUARTERLY, YEARLY = (
    Plan.of(name, Money.parse(f"{amount} USD"), Interval(unit=unit, count=count))
    for name, amount, unit, count in (
        ("fault-run", "9.99", Unit.MONTH, 1),
        ("gold", "19.90", Unit.MONTH, 1),
        ("quarterly", "27.00", Unit.MONTH, 3),
        ("yearly", "99.00", Unit.YEAR, 1),
    )
)
ITEM, ITEM_NOW, CREDIT, PART = (Money.parse(f"{amount} USD") for amount in ("3.21", "4.44", "7.77", "1.25"))
CAPTURED_LATER: Final = 0.25
"""The share of subscribers whose plan captures later."""

LONGEST_STORY: Final = 7
"""Wishes of one subscriber, beside those that follow them and those that a failed charge calls for."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is asked for, and how the subscription stands then.

    Attributes:
        now: the subscriber's time (UTC).
        subscription: its own account.
        plan: turns a plan into one with the options of this subscriber's.
    """

    now: datetime
    subscription: SubscriptionView
    plan: Callable[[Plan], Plan]

    @property
    def last_paid(self) -> int:
        """The latest period that was paid; the first one where none was, which is then refused."""
        paid = [each.period for each in self.subscription.ledger if each.outcome is PeriodOutcome.PAID]
        return paid[-1] if paid else 0


Make = Callable[[Moment], Request]


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of wish.

    Attributes:
        make: the request.
        then: what is asked some weeks later, as what was begun has to end.
    """

    make: Make
    then: str | None = None


def _later(moment: Moment, days: int) -> datetime:
    return moment.now + days * DAY


KINDS: Final[Mapping[str, Row]] = {
    "pause now": Row(lambda _: PauseSubscription(), "resume"),
    "pause now, moving dates": Row(lambda _: PauseSubscription(keeps_anchor=False), "resume"),
    "pause now, collecting nothing": Row(lambda _: PauseSubscription(stops_collecting=True), "resume"),
    "pause at renewal": Row(lambda _: PauseSubscription(when=When.RENEWAL), "resume, moving dates"),
    "pause for some weeks": Row(
        lambda at: PauseSubscription(when=_later(at, 10), until=_later(at, 45), keeps_anchor=False)
    ),
    "pause for some weeks, keeping dates": Row(
        lambda at: PauseSubscription(when=_later(at, 5), until=_later(at, 50), stops_collecting=True)
    ),
    "skip": Row(lambda _: SkipPeriod()),
    "skip, then not": Row(lambda _: SkipPeriod(), "skip undone"),
    "plan now": Row(lambda at: ChangePlan(plan=at.plan(GOLD), when=When.NOW)),
    "another interval now": Row(lambda at: ChangePlan(plan=at.plan(QUARTERLY), when=When.NOW), "plan at renewal"),
    "a year now": Row(lambda at: ChangePlan(plan=at.plan(YEARLY), when=When.NOW)),
    "plan at renewal": Row(lambda at: ChangePlan(plan=at.plan(MONTHLY), when=When.RENEWAL)),
    "plan at an instant": Row(lambda at: ChangePlan(plan=at.plan(GOLD), when=_later(at, 40))),
    "quantity now": Row(lambda _: ChangePlan(quantity=2, when=When.NOW)),
    "quantity now, settled at renewal": Row(
        lambda _: ChangePlan(quantity=3, when=When.NOW, settle=Settle.RENEWAL), "fewer now, settled at renewal"
    ),
    "quantity at renewal": Row(lambda _: ChangePlan(quantity=2)),
    "quantity at an instant": Row(lambda at: ChangePlan(quantity=4, when=_later(at, 25)), "changes undone"),
    "billing day": Row(lambda _: ChangeBillingDay(billing_day=BillingDay(day=15))),
    "billing day, whole price": Row(
        lambda _: ChangeBillingDay(billing_day=BillingDay(day=31, first_period=FirstPeriod.WHOLE))
    ),
    "item now": Row(lambda _: AddItem(amount=ITEM_NOW, what="a parcel", when=When.NOW)),
    "item": Row(lambda at: AddItem(amount=ITEM, what="a parcel", reference=f"parcel-{at.now:%Y-%m-%d}")),
    "credit": Row(lambda _: AddItem(amount=CREDIT, what="a late parcel", credit=True)),
    "refund": Row(lambda at: RefundPeriod(period=at.last_paid)),
    "refund of a part": Row(
        lambda at: RefundPeriod(period=at.last_paid, amount=PART, reference=f"complaint-{at.now:%Y-%m-%d}")
    ),
    "end at renewal": Row(lambda _: Cancel()),
    "end at renewal, then not": Row(lambda _: Cancel(), "end undone"),
    "end at an instant": Row(lambda at: Cancel(when=_later(at, 47))),
    "end at an instant, then not": Row(lambda at: Cancel(when=_later(at, 75)), "end undone"),
    "end now": Row(lambda _: Cancel(when=When.NOW)),
    # Only after others:
    "resume": Row(lambda _: ResumeSubscription()),
    "resume, moving dates": Row(lambda _: ResumeSubscription(keeps_anchor=False)),
    "skip undone": Row(lambda _: SkipPeriod(undo=True)),
    "fewer now, settled at renewal": Row(
        lambda _: ChangePlan(quantity=1, when=When.NOW, settle=Settle.RENEWAL), "quantity now"
    ),
    "changes undone": Row(lambda _: UndoChanges()),
    "end undone": Row(lambda _: UndoCancellation()),
}
"""Each kind of wish that is made at an instant, whatever happened before."""

SELDOM: Final = frozenset({"end at renewal", "end at an instant", "end now", "a year now"})
"""After these little else happens to a subscriber."""

_FOLLOWING: Final = frozenset(row.then for row in KINDS.values()) - {"plan at renewal", "quantity now"}
_FIRST: Final = tuple(name for name in KINDS if name not in _FOLLOWING)
_WEIGHTS: Final = tuple(1 if name in SELDOM else 4 for name in _FIRST)

REPLACE: Final = "replace"
"""The buyer checks out again; who does so after the old permission was closed is drawn as well."""

CANCEL: Final = "cancel"
"""By the signal, which needs no worker to be taken."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for, and when (UTC); its name is that of the request."""

    at: datetime
    kind: str
    name: str


def story_of(dice: random.Random, begins: datetime, ends: datetime) -> list[Wish]:
    """The wishes of one subscriber, oldest first; a third of the subscribers want few or none."""
    how_many = dice.choice((0, 1, 2, 3, 4, 5, LONGEST_STORY))
    days = (ends - begins).days
    wishes: list[Wish] = []

    def add(at: datetime, kind: str | None) -> None:
        while kind is not None and at < ends:
            wishes.append(Wish(at, kind, f"{len(wishes)}-{kind.replace(' ', '-').replace(',', '')}"))
            kind, at = KINDS[kind].then if kind in KINDS else None, at + dice.uniform(0.1, 50) * DAY

    for _ in range(how_many):
        add(begins + dice.uniform(0, days) * DAY, dice.choices(_FIRST, _WEIGHTS)[0])
    if dice.random() < 0.15:  # noqa: PLR2004 - a share
        add(begins + dice.uniform(0, days) * DAY, REPLACE)
    if dice.random() < 0.05:  # noqa: PLR2004 - a share
        add(begins + dice.uniform(days / 2, days) * DAY, CANCEL)
    return sorted(wishes, key=lambda wish: wish.at)


def options_of(dice: random.Random) -> Callable[[Plan], Plan]:
    """What the plans of one subscriber have in common: when they capture, what a last period costs, lead times."""
    capture = WhenCaptured.LATER if dice.random() < CAPTURED_LATER else WhenCaptured.NOW
    last_period = dice.choice(list(LastPeriod))
    leads = dice.choice((None, None, None, LeadTimes(charge=(10 * DAY,), price_change=(7 * DAY,))))
    return lambda plan: plan.but(capture=capture, last_period=last_period, lead_times=leads)


def about_what_is_owed(dice: random.Random, period: int) -> Request | None:
    """What a merchant asks for who sees that a charge failed: mostly nothing."""
    return dice.choices((None, RetryNow(), WriteOff(period=period)), (6, 3, 1))[0]


def about_what_is_authorized(dice: random.Random, waiting: ToBeCaptured) -> Request | None:
    """Captured as the goods are sent, mostly all of it; what nobody captures lapses."""
    part = Money.rounded(waiting.amount.amount / 2, waiting.amount.currency)
    whole, some = Capture(period=waiting.period), Capture(period=waiting.period, amount=part)
    return dice.choices((whole, some, None), (8, 2, 1))[0]
