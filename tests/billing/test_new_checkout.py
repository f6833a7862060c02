"""A charge permission that was closed: a new one is awaited, and the subscription goes on under it with all it owes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.changes import (
    AddItem,
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
from perennial_billing.billing.couplings.ending import continued
from perennial_billing.billing.machine import apply
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.authorizations import Authorization
from perennial_billing.billing.parts.balance import Bill
from perennial_billing.billing.parts.outbox import Outbox
from perennial_billing.billing.plan.plan import Amounts
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.protocol.answers import ChargeAnswer, PermissionAnswer, PermissionState, SuccessorAnswer
from perennial_billing.billing.protocol.commands import Action, CreateCharge, Timer
from perennial_billing.billing.protocol.events import Answered, Elapsed, Refresh, Thing, Unanswered
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from tests.billing.support import (
    CAPTURED,
    PENDING,
    SOFT,
    Life,
    at,
    chargeable,
    closed,
    non_chargeable,
    refused,
    terms,
    unreadable,
)

POLICY = CollectionPolicy(new_checkout_deadline=timedelta(days=10))
NEW = "C01-7654321-1234567"


def eur(amount: str) -> Money:
    return Money.parse(f"{amount} EUR")


def paid_and_closed() -> Life:
    """The first period is paid; then the buyer closes the permission."""
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    life.signal("2026-02-03 12:00", closed("BuyerClosed"))
    return life


def owed_and_closed() -> Life:
    """The first period was declined softly; then the buyer closes the permission."""
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-01-31 09:00", chargeable())
    life.signal("2026-01-31 12:00", closed("BuyerClosed"))
    return life


def kinds(subscription: Subscription) -> list[NoticeType]:
    return [notice.type for notice in subscription.outbox.notices]


def replace(life: Life, when: str, by: str = NEW) -> None:
    """The buyer has approved a new charge permission."""
    assert life.wants(when, ReplacePermission(charge_permission_id=by)) == by


def approve(life: Life, when: str, answer: PermissionAnswer | None = None) -> None:
    """Amazon says how the new one stands; that it can be charged, where nothing else is given."""
    life.beside(Action.READ_SUCCESSOR, when, answer or chargeable())


@pytest.mark.parametrize("story", [paid_and_closed, owed_and_closed])
def test_a_closed_permission_is_told_at_once_with_the_deadline(story: Callable[[], Life]) -> None:
    life = story()

    subscription = life.subscription
    assert (subscription.status, subscription.last_reason) == (Status.AWAITING_CHECKOUT, "BuyerClosed")
    assert subscription.needs_attention
    assert subscription.outbox.notices[-1].type is NoticeType.CHARGE_PERMISSION_CLOSED
    assert subscription.outbox.notices[-1].deadline == life.now + timedelta(days=10)
    assert life.next == (Action.STOP_WAITING, life.now + timedelta(days=10))


def test_nobody_approving_a_new_one_in_time_ends_it_and_writes_off_what_was_owed() -> None:
    life = owed_and_closed()

    life.step(Action.STOP_WAITING, "2026-02-10 12:00")

    assert (life.subscription.status, life.book) == (Status.CLOSED, [(0, "written_off", 1)])
    assert life.subscription.last_reason == "BuyerClosed"
    assert kinds(life.subscription)[-2:] == [NoticeType.PERIOD_WRITTEN_OFF, NoticeType.SUBSCRIPTION_ENDED]


def test_while_a_new_one_is_awaited_no_reading_of_the_old_one_changes_anything() -> None:
    life = owed_and_closed()
    before = life.next

    life.signal("2026-02-01 09:00", closed("BuyerClosed"))
    life.signal("2026-02-02 09:00", chargeable("2026-01-01 00:00"))

    assert (life.subscription.status, life.next) == (Status.AWAITING_CHECKOUT, before)


def test_a_cancellation_ends_the_waiting() -> None:
    life = owed_and_closed()

    life.cancel("2026-02-01 09:00")

    assert life.book == [(0, "written_off", 1)]
    assert life.subscription.lifecycle.ending is not None
    assert life.subscription.lifecycle.ending.status is Status.CANCELED


def test_the_successor_keeps_anchor_period_account_and_debt_and_charges_what_is_owed_at_once() -> None:
    life = owed_and_closed()
    replace(life, "2026-02-04 09:00")
    assert life.first == (Action.READ_SUCCESSOR, at("2026-02-04 09:00"))
    approve(life, "2026-02-04 09:00")
    assert life.first == (Action.START_SUCCESSOR, at("2026-02-04 09:00"))

    successor = continued(life.subscription)

    assert successor.terms == life.subscription.terms.but(charge_permission_id=NEW)
    assert (successor.next_period, successor.ledger.records) == (0, ())
    command = next_command(successor)
    assert command is not None
    assert (command.action, command.at) == (Action.CHARGE, at("2026-01-31 09:00"))
    charge = next_command(apply(successor, Elapsed(Timer.PERIOD), at("2026-02-04 09:00")))
    assert isinstance(charge, CreateCharge)
    assert charge.charge_permission_id == NEW
    assert charge.attempt.idempotency_key not in life.keys, "another permission, so another key"


def test_the_successor_of_a_paid_subscription_waits_for_its_next_due_date() -> None:
    life = paid_and_closed()
    replace(life, "2026-02-04 09:00")

    successor = continued(life.subscription)

    assert (successor.next_period, successor.ledger.periods_paid) == (1, 1)
    assert successor.ledger == life.subscription.ledger
    command = next_command(successor)
    assert command is not None
    assert command.at == at("2026-02-28 09:00")


STAYS_BEHIND: Any = {
    **dict.fromkeys(("version", "collection", "renewal", "permission", "unanswered", "outbox", "divergence"), True),
    "contract": {"terms", "written"},
    "lifecycle": {"stage", "cancellation", "successor", "refused_successor"},
}
"""What is about the old charge permission, or begins anew under another; nothing does where the ledger knows more."""


def test_everything_that_is_not_about_the_old_permission_goes_along() -> None:
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    price = life.subscription.schedule.amount(0)
    wishes: tuple[Request, ...] = (
        ChangePlan(quantity=2),
        SkipPeriod(),
        PauseSubscription(when=When.RENEWAL),
        Cancel(when=at("2026-09-01 09:00")),
        AddItem(amount=price, what="gift", reference="order-7"),
        AddItem(amount=price, what="late parcel", credit=True),
        RefundPeriod(period=0),
    )
    for wish in wishes:
        life.wants("2026-02-03 12:00", wish)
    life.happens(Refresh(Thing.DISPUTE, "D-1"))
    life.happens(Refresh(Thing.REFUND, "S01-1-1-R000009"))
    ledger = life.subscription.ledger.but(joined_with=1)
    ledger = ledger.but(recalled=(ledger.records[0].but(period=0, charge_id="S01-1-1-C000000"),))
    waiting = Authorization.of(ledger.records[0], "S01-1-1-C000001", life.keys[0])
    contract = life.subscription.contract
    contract = contract.but(base=contract.agreement(0), agreements=(contract.agreement(0).but(first=1),))
    disputes = life.subscription.disputes.but(stops="D-1")
    refunds = life.subscription.refunds.counting("S01-1-1-R000008")
    changed = {
        "refunds": refunds,
        "ledger": ledger,
        "authorizations": (waiting,),
        "contract": contract,
        "disputes": disputes,
    }
    life.subscription = life.subscription.but(**changed)
    replace(life, "2026-02-03 12:00")
    before = life.subscription.model_dump(exclude=STAYS_BEHIND)
    leaves = [leaf for part in before.values() for leaf in (part.values() if isinstance(part, dict) else [part])]
    assert all(leaves), "each has something to lose"

    assert continued(life.subscription).model_dump(exclude=STAYS_BEHIND) == before


def test_what_the_owed_period_was_billed_with_goes_along_and_its_amount_is_the_same() -> None:
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    life.ask("2026-02-03 12:00", AddItem(amount=eur("4.30"), what="a mug"))
    life.ask("2026-02-03 12:00", AddItem(amount=eur("1.15"), what="a late parcel", credit=True))
    bill = life.subscription.bill()
    life.step(Action.CHARGE, "2026-02-28 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-02-28 09:00", chargeable())
    life.ask("2026-02-28 10:00", AddItem(amount=eur("0.80"), what="a card"))
    life.ask("2026-02-28 10:00", AddItem(amount=eur("0.25"), what="a dent", credit=True))
    life.signal("2026-02-28 12:00", closed("BuyerClosed"))
    replace(life, "2026-03-01 09:00")

    successor = continued(life.subscription)

    assert bill == Bill(eur("13.14"), credit=eur("1.15"), items=eur("4.30"))
    assert successor.bill() == Bill(eur("13.69"), credit=eur("1.40"), items=eur("5.10")), "and what came since"
    assert [item.what for item in successor.balance.items] == ["one-off items of period 1", "a card"]


def test_a_credit_that_paid_more_than_the_owed_period_goes_along_whole() -> None:
    life = Life(terms(policy=POLICY))
    life.ask("2026-01-30 12:00", AddItem(amount=eur("3.00"), what="a voucher", credit=True))
    life.step(Action.CHARGE, "2026-01-31 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-01-31 09:00", chargeable())
    assert life.subscription.balance.credit is None
    replace(life, "2026-02-01 09:00")

    assert continued(life.subscription).balance.credit == eur("3.00")


def test_what_the_merchant_said_that_the_owed_period_costs_stands_under_the_new_permission() -> None:
    asked = terms(policy=POLICY)
    life = Life(asked.but(plan=asked.plan.but(amounts=Amounts.ASKED)))
    life.elapses(Timer.PERIOD)
    life.step(Action.ASK_AMOUNT, "2026-01-31 09:00", eur("7.77"))
    attempt = next_command(life.subscription)
    assert attempt is not None
    life.happens(Answered(attempt, SOFT))
    life.step(Action.READ_PERMISSION, "2026-01-31 09:00", chargeable())
    replace(life, "2026-02-01 09:00")

    begun = apply(continued(life.subscription), Elapsed(Timer.PERIOD), at("2026-02-01 09:00"))

    charge = next_command(begun)
    assert isinstance(charge, CreateCharge)
    assert charge.attempt.amount == eur("7.77")


@pytest.mark.parametrize("wish", [RefundPeriod(period=0), Capture(period=0), RetryNow(), Cancel(when=When.NOW)])
def test_while_the_successor_is_started_what_would_be_lost_with_this_one_is_refused(wish: Request) -> None:
    life = owed_and_closed()
    replace(life, "2026-02-01 09:00")
    approve(life, "2026-02-01 09:00")

    with pytest.raises(Refused, match=f"going on under {NEW}: ask it there") as told:
        life.wants("2026-02-01 09:00", wish)
    assert told.value.kind is Kind.NOT_NOW


def test_while_an_attempt_is_awaited_before_the_hand_over_it_can_still_be_canceled_here() -> None:
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", PENDING)
    replace(life, "2026-01-31 10:00")

    life.wants("2026-01-31 11:00", Cancel(when=When.NOW))

    assert life.subscription.lifecycle.cancellation is not None


def test_what_is_added_while_a_period_is_owed_leaves_room_for_what_comes_back_of_it() -> None:
    life = Life(terms(policy=POLICY))
    life.ask("2026-01-30 12:00", AddItem(amount=eur("6000000"), what="a house"))
    life.step(Action.CHARGE, "2026-01-31 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-01-31 09:00", chargeable())

    with pytest.raises(Refused, match="can be added"):
        life.ask("2026-02-01 12:00", AddItem(amount=eur("3999991"), what="a garden"))
    life.ask("2026-02-01 12:00", AddItem(amount=eur("3999990.01"), what="a garden"))
    life.signal("2026-02-01 13:00", closed("BuyerClosed"))
    replace(life, "2026-02-01 14:00")

    assert continued(life.subscription).bill().amount == eur("10000000")


def test_the_predecessor_ends_as_replaced_and_the_numbers_of_the_notices_go_on() -> None:
    life = paid_and_closed()
    replace(life, "2026-02-04 09:00")
    successor = continued(life.subscription)

    approve(life, "2026-02-04 09:00")
    life.beside(Action.START_SUCCESSOR, "2026-02-04 09:00", SuccessorAnswer(started=True))

    assert life.subscription.status is Status.REPLACED
    assert life.subscription.lifecycle.successor is not None
    assert life.subscription.lifecycle.successor.charge_permission_id == NEW
    assert kinds(life.subscription)[-2:] == [NoticeType.CHARGE_PERMISSION_REPLACED, NoticeType.SUBSCRIPTION_ENDED]
    assert successor.outbox == Outbox(told=life.subscription.outbox.told)


def test_a_permission_that_is_still_open_can_be_replaced_too_and_is_then_closed() -> None:
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    replace(life, "2026-02-04 09:00")
    approve(life, "2026-02-04 09:00")
    life.beside(Action.START_SUCCESSOR, "2026-02-04 09:00", SuccessorAnswer(started=True))

    assert life.next == (Action.CLOSE_PERMISSION, at("2026-02-04 09:00"))


@pytest.mark.parametrize(
    ("answer", "awaited"),
    [(PENDING, Action.READ_CHARGE), (refused("InvalidAccountStatus"), Action.REPEAT_CHARGE)],
)
def test_an_attempt_whose_outcome_is_not_known_is_awaited_before_anything_is_handed_over(
    answer: ChargeAnswer, awaited: Action
) -> None:
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", answer)
    replace(life, "2026-01-31 09:30")

    assert life.first == (awaited, at("2026-01-31 10:00"))
    life.step(awaited, "2026-01-31 10:00", CAPTURED)
    assert life.first == (Action.READ_SUCCESSOR, at("2026-01-31 09:30"))
    approve(life, "2026-01-31 09:30")
    assert life.first == (Action.START_SUCCESSOR, at("2026-01-31 10:00"))


def test_what_cannot_go_on_refuses_another_permission() -> None:
    life = paid_and_closed()
    with pytest.raises(Refused, match="has already"):
        replace(life, "2026-02-04 09:00", by=life.subscription.terms.charge_permission_id)
    replace(life, "2026-02-04 09:00")
    replace(life, "2026-02-04 09:00")
    with pytest.raises(Refused, match=NEW):
        replace(life, "2026-02-04 09:00", by="C01-0000000-0000000")

    ended = paid_and_closed()
    ended.cancel("2026-02-04 09:00")
    with pytest.raises(Refused, match="cannot go on"):
        replace(ended, "2026-02-04 09:00")


def test_a_successor_that_exists_already_leaves_everything_as_it_was() -> None:
    life = paid_and_closed()
    before = life.subscription
    replace(life, "2026-02-04 09:00")

    approve(life, "2026-02-04 09:00")
    life.beside(Action.START_SUCCESSOR, "2026-02-04 09:00", SuccessorAnswer(started=False))

    lifecycle, outbox = life.subscription.lifecycle, life.subscription.outbox
    assert lifecycle.refused_successor is not None
    assert life.subscription == before.but(
        references=life.subscription.references,
        lifecycle=before.lifecycle.but(refused_successor=lifecycle.refused_successor),
        outbox=outbox,
    )
    assert (outbox.notices[-1].type, outbox.notices[-1].successor) == (NoticeType.REPLACEMENT_REFUSED, NEW)
    assert life.first == (Action.STOP_WAITING, at("2026-02-13 12:00"))
    assert life.subscription.status is Status.AWAITING_CHECKOUT


# What is named may be wrong


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (unreadable("ResourceNotFound"), "does not show it (ResourceNotFound)"),
        (unreadable("InvalidParameterValue"), "is its id right"),
        (closed("BuyerClosed"), "it is closed (BuyerClosed), for good"),
        (non_chargeable("PaymentMethodInvalid"), "non_chargeable (PaymentMethodInvalid)"),
        (PermissionAnswer(state=PermissionState.UNKNOWN), "cannot be charged now"),
        (chargeable().but(given_for="OneTime"), "it is OneTime, not Recurring"),
        (chargeable().but(given_for="PaymentMethodOnFile"), "not Recurring"),
        (chargeable().but(currency="GBP"), "it is in GBP, and the plan in EUR"),
        (chargeable().but(currency="XAU"), "it is in XAU"),
        (chargeable().but(monthly_limit=eur("9.98")), "allows 9.98 EUR in a calendar month"),
        (chargeable().but(expires_at=at("2026-02-04 09:00")), "it expired on 2026-02-04"),
        (chargeable().but(expires_at=at("2026-02-28 09:00")), "it expires on 2026-02-28"),
    ],
)
def test_a_permission_that_cannot_bear_the_subscription_is_refused_and_nothing_is_closed(
    answer: PermissionAnswer, why: str
) -> None:
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    before = life.next
    replace(life, "2026-02-04 09:00")

    approve(life, "2026-02-04 09:00", answer)

    refusal, notice = life.subscription.lifecycle.refused_successor, life.subscription.outbox.notices[-1]
    assert refusal is not None
    assert (refusal.charge_permission_id, why in refusal.why) == (NEW, True)
    assert (notice.type, notice.successor, notice.reason) == (NoticeType.REPLACEMENT_REFUSED, NEW, refusal.why)
    assert (life.subscription.status, life.subscription.lifecycle.successor) == (Status.ACTIVE, None)
    assert life.first == before, "it goes on as if nobody had asked"
    life.step(Action.CHARGE, "2026-02-28 09:00", CAPTURED)


@pytest.mark.parametrize(
    "answer",
    [
        chargeable(),
        chargeable().but(given_for="Recurring", currency="EUR", monthly_limit=eur("9.99")),
        chargeable().but(expires_at=at("2026-02-28 09:01")),
    ],
)
def test_what_amazon_does_not_say_of_it_is_not_held_against_it(answer: PermissionAnswer) -> None:
    life = paid_and_closed()
    replace(life, "2026-02-04 09:00")

    approve(life, "2026-02-04 09:00", answer)

    assert life.first == (Action.START_SUCCESSOR, at("2026-02-04 09:00"))


def test_the_limit_must_bear_what_is_charged_once_with_the_owed_period_too() -> None:
    life = Life(terms(policy=POLICY))
    life.ask("2026-01-30 12:00", AddItem(amount=eur("5.00"), what="a mug"))
    life.step(Action.CHARGE, "2026-01-31 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-01-31 09:00", chargeable())
    replace(life, "2026-01-31 10:00")

    approve(life, "2026-01-31 10:00", chargeable().but(monthly_limit=eur("14.98")))

    assert life.subscription.lifecycle.refused_successor is not None
    assert life.subscription.status is Status.RETRYING


def test_while_amazon_does_not_say_how_it_stands_that_is_seen_nothing_is_closed_and_periods_are_charged() -> None:
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    replace(life, "2026-02-28 07:30")
    for hour in ("07:30", "08:30"):
        assert life.first == (Action.READ_SUCCESSOR, at(f"2026-02-28 {hour}"))
        life.now = at(f"2026-02-28 {hour}")
        read = next_command(life.subscription)
        assert read is not None
        life.happens(Unanswered(read, "Amazon answers 503"))

    (call,) = life.subscription.unanswered.seen
    assert (call.about, life.subscription.needs_attention) == (NEW, True)
    assert life.told.count("subscription.held") == 1
    life.step(Action.CHARGE, "2026-02-28 09:00", CAPTURED)
    life.wants("2026-02-28 09:10", RefundPeriod(period=1))
    assert life.subscription.lifecycle.refused_successor is None

    life.now = at("2026-02-28 09:30")
    read = next_command(life.subscription.but(refunds=life.subscription.refunds.but(latest=())))
    assert (read and read.action, read and read.at) == (Action.READ_SUCCESSOR, at("2026-02-28 09:30"))
    life.happens(Answered(read, chargeable())) if read else None
    assert life.subscription.unanswered.seen == ()
    assert not life.subscription.needs_attention


def test_a_cancellation_while_it_is_read_goes_before_it() -> None:
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    replace(life, "2026-02-04 09:00")
    read = next_command(life.subscription)
    assert read is not None
    life.cancel("2026-02-04 09:01")

    life.happens(Answered(read, chargeable()))

    assert life.subscription.lifecycle.ending is not None
    assert life.subscription.lifecycle.ending.status is Status.CANCELED
    assert life.first == (Action.CLOSE_PERMISSION, at("2026-02-04 09:01"))


def test_a_refused_one_can_be_named_again_and_another_takes_its_place() -> None:
    life = Life(terms(policy=POLICY))
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    replace(life, "2026-02-04 09:00")
    approve(life, "2026-02-04 09:00", non_chargeable("PaymentMethodInvalid"))

    replace(life, "2026-02-04 10:00")
    approve(life, "2026-02-04 10:00", closed())
    replace(life, "2026-02-04 11:00", by="C01-0000000-0000000")

    assert life.subscription.lifecycle.refused_successor is None
    approve(life, "2026-02-04 11:00")
    assert life.first == (Action.START_SUCCESSOR, at("2026-02-04 11:00"))
