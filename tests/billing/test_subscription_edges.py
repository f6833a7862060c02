"""The corners of a subscription's life: exact instants, what a driver must never do, and what people are shown."""

import pytest
from pydantic import ValidationError

from billing.calendar import Interval, Unit
from billing.collection import Action
from billing.policy import CollectionPolicy, FinalAction
from billing.status import Status
from billing.subscription import Subscription
from tests.billing.support import (
    CAPTURED,
    PRICE,
    SOFT,
    Life,
    at,
    chargeable,
    closed,
    non_chargeable,
    terms,
    unreadable,
)

CHARGE, READ_PERMISSION, CLOSE = Action.CHARGE, Action.READ_PERMISSION, Action.CLOSE_PERMISSION
DAILY = Interval(unit=Unit.DAY)
ONE_ATTEMPT = CollectionPolicy(max_attempts=1)


def given_up(policy: CollectionPolicy, interval: Interval = DAILY) -> Life:
    """The first period's only attempt failed."""
    life = Life(terms("2026-01-31 09:00", policy=policy, interval=interval))
    life.step(CHARGE, "2026-01-31 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-31 09:00", chargeable())
    life.step(Action.GIVE_UP, "2026-01-31 09:00")
    return life


def test_a_new_subscription_waits_for_its_anchor_and_asks_for_nothing() -> None:
    subscription = Subscription.begin(terms("2026-01-31 09:00"))

    assert subscription.next_step is not None
    assert (subscription.next_step.action, subscription.next_step.at) == (CHARGE, at("2026-01-31 09:00"))
    assert str(PRICE) in subscription.next_step.why
    assert (subscription.status, subscription.ledger, subscription.next_period) == (Status.ACTIVE, [], 0)
    assert not subscription.look_requested
    assert not subscription.needs_attention


def test_a_period_that_falls_due_at_the_very_instant_of_recovery_was_missed_too() -> None:
    life = given_up(ONE_ATTEMPT)

    life.signal("2026-02-02 09:00", chargeable("2026-02-02 08:00"))
    life.step(CHARGE, "2026-02-02 09:00", CAPTURED)

    assert life.book == [(0, "paid", 2), (1, "skipped", 0), (2, "skipped", 0)]
    assert life.next == (CHARGE, at("2026-02-03 09:00"))


def test_what_fell_due_while_an_unpaid_period_was_collected_is_still_owed() -> None:
    policy = CollectionPolicy(max_attempts=3, final_action=FinalAction.MARK_UNPAID)
    life = Life(terms("2026-01-01 09:00", policy=policy, interval=DAILY))
    for when in ("2026-01-01 09:00", "2026-01-01 21:00", "2026-01-02 21:00"):
        life.step(CHARGE, when, SOFT)
        life.step(READ_PERMISSION, when, chargeable())
    life.step(Action.GIVE_UP, "2026-01-02 21:00")

    assert life.book == [(0, "given_up", 3)]
    assert life.next == (CHARGE, at("2026-01-02 09:00"))


def test_the_final_action_is_the_one_that_stood_when_the_first_attempt_failed() -> None:
    life = Life(terms("2026-01-31 09:00", policy=ONE_ATTEMPT))
    life.step(CHARGE, "2026-01-31 09:00", SOFT)
    life.subscription.terms = terms(
        "2026-01-31 09:00", policy=CollectionPolicy(max_attempts=1, final_action=FinalAction.CANCEL)
    )
    life.step(READ_PERMISSION, "2026-01-31 09:00", chargeable())
    life.step(Action.GIVE_UP, "2026-01-31 09:00")

    assert life.subscription.status is Status.PAUSED


def test_a_payment_proves_that_the_payment_method_works_whatever_was_seen_before() -> None:
    life = Life(terms("2026-01-31 09:00"))
    life.step(CHARGE, "2026-01-31 09:00", CAPTURED)
    life.signal("2026-02-10 12:00", non_chargeable("PaymentMethodExpired"))
    assert life.subscription.needs_attention

    life.step(CHARGE, "2026-02-28 09:00", CAPTURED)

    assert (life.subscription.needs_attention, life.subscription.last_reason) == (False, None)


def test_what_a_person_wrote_when_canceling_is_told_to_amazon_and_shown_nowhere_else() -> None:
    life = given_up(ONE_ATTEMPT)
    life.cancel("2026-02-01 12:00", "Anna Example moved away")
    step = life.subscription.next_step
    assert step is not None
    assert "Anna" not in step.why
    assert life.subscription.closure_reason == "Anna Example moved away"

    life.step(CLOSE, "2026-02-01 12:00", unreadable("InvalidAccountStatus"))
    assert life.subscription.next_step is not None
    assert "InvalidAccountStatus" in life.subscription.next_step.why
    life.step(CLOSE, "2026-02-01 13:00", closed("MerchantClosed"))

    assert life.subscription.last_reason is None
    assert all("Anna" not in str(record.reason) for record in life.subscription.ledger)
    assert life.subscription.permission == closed("MerchantClosed")


def test_a_reason_that_ended_it_stands_in_what_happens_next() -> None:
    life = given_up(CollectionPolicy(max_attempts=1, final_action=FinalAction.CANCEL))

    assert life.subscription.next_step is not None
    assert "SoftDeclined" in life.subscription.next_step.why


def test_what_has_been_written_into_the_account_is_never_changed() -> None:
    life = given_up(CollectionPolicy(max_attempts=1, final_action=FinalAction.CANCEL))

    for value, field in ((life.subscription.ledger[0], "attempts"), (life.subscription.ending, "reason")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(value, field, None)


def test_a_driver_that_does_what_no_step_says_is_stopped_before_any_harm() -> None:
    life = Life(terms("2026-01-31 09:00"))
    subscription, now = life.subscription, life.now

    with pytest.raises(AssertionError, match="no period is being collected"):
        subscription.open_attempt()
    with pytest.raises(AssertionError, match="no period is being collected"):
        subscription.charge_answered(CAPTURED, now)
    with pytest.raises(AssertionError, match="no end was decided"):
        _ = subscription.closure_reason
    with pytest.raises(AssertionError, match="no end was decided"):
        subscription.permission_closed(closed(), now)
    subscription.begin_attempt(now)
    with pytest.raises(AssertionError, match="no charge is pending"):
        _ = subscription.pending_charge_id
    with pytest.raises(AssertionError, match="no known outcome yet"):
        subscription.begin_attempt(now)
