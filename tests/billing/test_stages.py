"""In every stage of a collection anything may happen: it is taken, and an attempt under way stays as it is."""

from collections.abc import Callable
from typing import Any, get_args

import pytest

from perennial_billing.billing.agenda import next_command
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
    SkipPeriod,
    UndoCancellation,
    UndoChanges,
    When,
    WriteOff,
)
from perennial_billing.billing.contract.agreement import BillingDay
from perennial_billing.billing.machine import ask
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.stages import LeftToMerchant, OneStage, Unpaid
from perennial_billing.billing.plan.policy import CatchUp, CollectionPolicy
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer
from perennial_billing.billing.protocol.commands import Action, Timer
from perennial_billing.billing.protocol.events import CancelAsked, Event, HandedOn, NotHandedOn, Refresh, Started, Thing
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.view import view_of
from tests.billing.support import (
    HARD,
    PENDING,
    PRICE,
    SOFT,
    Life,
    at,
    chargeable,
    closed,
    declined,
    non_chargeable,
    refused,
    terms,
    unreadable,
)

CHARGE, READ_PERMISSION = Action.CHARGE, Action.READ_PERMISSION
DUE = "2026-01-31 09:00"
BROKEN = non_chargeable("PaymentMethodInvalid")
AUTHORIZED = ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED, charge_id=PENDING.charge_id)


def charged(answer: ChargeAnswer | None = None, **policy: Any) -> Life:
    """The first period has fallen due."""
    life = Life(terms(DUE, policy=CollectionPolicy(**policy)))
    life.elapses(Timer.PERIOD)
    if answer is not None:
        life.answered(answer)
    return life


def read(life: Life, answer: PermissionAnswer) -> Life:
    """The charge permission is read as planned."""
    life.step(READ_PERMISSION, DUE, answer)
    return life


def capturing() -> Life:
    life = read(charged(declined("TransactionTimedOut")), chargeable())
    life.step(CHARGE, "2026-01-31 21:00", PENDING)
    life.step(Action.READ_CHARGE, "2026-01-31 22:00", AUTHORIZED)
    return life


def unpaid() -> Life:
    life = read(charged(SOFT, max_attempts=1), chargeable())
    life.step(Action.FINAL_ACTION, DUE)
    return life


def starting() -> Life:
    life = Life(terms(DUE, policy=CollectionPolicy(catch_up=CatchUp.HOLD)))
    life.now = at("2026-05-01 09:00")
    life.elapses(Timer.PERIOD)
    life.wants("2026-05-01 10:00", RetryNow())
    return life


def checking() -> Life:
    """Amazon has let the charge wait, and declined it; before another one it is read again."""
    life = charged(PENDING)
    life.step(Action.READ_CHARGE, "2026-01-31 10:00", declined("SoftDeclined"))
    life.step(READ_PERMISSION, "2026-01-31 10:00", chargeable())
    life.now = at("2026-01-31 22:00")
    life.elapses(Timer.RETRY)
    return life


STAGES: dict[str, Callable[[], Life]] = {
    "starting": starting,
    "charging": charged,
    "repeating": lambda: charged(refused("InvalidAccountStatus")),
    "awaiting_decision": lambda: charged(PENDING),
    "capturing": capturing,
    "asking_permission": lambda: charged(SOFT),
    "asking_limit": lambda: charged(declined("PeriodicAmountExceeded")),
    "retrying": lambda: read(charged(SOFT), chargeable()),
    "awaiting_buyer": lambda: read(charged(HARD), BROKEN),
    "used_up": lambda: read(charged(SOFT, max_attempts=1), chargeable()),
    "left_to_merchant": lambda: charged(declined("MerchantCanceled")),
    "unpaid": unpaid,
    "checking_charge": checking,
    "lost": lambda: charged(declined("AmazonRejected")),
}
"""How to bring a subscription into each."""

READINGS = {
    "chargeable as before": chargeable(),
    "mended": chargeable("2026-06-01 00:00"),
    "broken": BROKEN,
    "busy": non_chargeable("ChargeInProgress"),
    "less than is owed": chargeable().but(monthly_limit=Money.parse("5.00 EUR")),
    "unreadable": unreadable(),
    "closed": closed("BuyerCanceled"),
}
EVENTS: dict[str, Event] = {
    "started": Started(),
    "signal": Refresh(Thing.PERMISSION, notification_id="n-1"),
    "its charge": Refresh(Thing.CHARGE, PENDING.charge_id),
    "another charge": Refresh(Thing.CHARGE, "S01-elsewhere"),
    "refund": Refresh(Thing.REFUND, "R01-elsewhere"),
    "dispute": Refresh(Thing.DISPUTE, "D-1"),
    "cancel": CancelAsked("Moved away"),
    "handed on": HandedOn([1]),
    "not handed on": NotHandedOn(),
}
REQUESTS: tuple[Request, ...] = (
    ChangePlan(quantity=2),
    ChangeBillingDay(billing_day=BillingDay(day=15)),
    UndoChanges(),
    PauseSubscription(),
    ResumeSubscription(),
    SkipPeriod(),
    Cancel(),
    Cancel(when=When.NOW),
    UndoCancellation(),
    AddItem(amount=PRICE, what="gift"),
    AddItem(amount=PRICE, what="gift", when=When.NOW),
    Capture(period=0),
    RefundPeriod(period=0),
    RetryNow(),
    Resolve(charge_id="S01-1-1-C000009"),
    Resolve(new_attempt=True),
    Resolve(write_off=True),
    WriteOff(period=0),
    ReplacePermission(charge_permission_id="C01-0000002-0000000"),
)


def stands(life: Life, before: Life) -> None:
    """It can be shown and goes on by itself, unless somebody has to decide; no other attempt was begun."""
    subscription, owed = life.subscription, before.subscription.owed
    assert view_of(subscription).has_ended == subscription.has_ended
    if owed.open_attempt is not None:
        assert subscription.owed.open_attempt == owed.open_attempt
    waits = subscription.collection is not None and isinstance(subscription.owed.stage, LeftToMerchant | Unpaid)
    assert waits or subscription.has_ended or next_command(subscription) is not None


def test_each_stage_has_its_story() -> None:
    unions, _ = get_args(OneStage)

    assert {stage.model_fields["kind"].default for stage in get_args(unions)} == set(STAGES)
    for kind, story in STAGES.items():
        assert story().subscription.owed.stage.kind == kind


@pytest.mark.parametrize("planned", [True, False])
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("stage", STAGES)
def test_whatever_a_reading_that_comes_back_tells_is_taken(stage: str, reading: str, *, planned: bool) -> None:
    life, before = STAGES[stage](), STAGES[stage]()
    waits_for_it = before.next is not None and before.next[0] is READ_PERMISSION

    life.read(READINGS[reading], planned=planned and waits_for_it)

    stands(life, before)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("stage", STAGES)
def test_whatever_happens_is_taken(stage: str, event: str) -> None:
    life, before = STAGES[stage](), STAGES[stage]()

    life.happens(EVENTS[event])

    stands(life, before)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.kind)
@pytest.mark.parametrize("stage", STAGES)
def test_whatever_is_asked_is_done_or_refused_and_then_changes_nothing(stage: str, request_: Request) -> None:
    life, before = STAGES[stage](), STAGES[stage]()

    try:
        life.subscription = ask(life.subscription, request_, life.now)
    except Refused:
        assert life.subscription == before.subscription
    if not isinstance(request_, Resolve):  # by which an attempt that is held is settled
        stands(life, before)


@pytest.mark.parametrize("stage", STAGES)
def test_a_cancellation_ends_it_from_wherever_it_stands_once_no_charge_is_under_way(stage: str) -> None:
    life = STAGES[stage]()
    under_way = stage in {"charging", "awaiting_decision", "capturing", "checking_charge"}

    life.happens(CancelAsked("Moved away"))

    assert life.first is not None
    assert (life.first[0] is Action.CANCEL) is not under_way
