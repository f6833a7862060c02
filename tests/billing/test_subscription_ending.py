"""How subscriptions end or stop: by the buyer, the merchant or the policy; and that nothing is charged afterwards."""

import pytest

from perennial_billing.billing.agenda import main_command
from perennial_billing.billing.plan.policy import CollectionPolicy, FinalAction
from perennial_billing.billing.protocol.answers import ChargeAnswer, PermissionAnswer
from perennial_billing.billing.protocol.commands import Action, ClosePermission, Timer
from perennial_billing.billing.status import Status
from tests.billing.support import (
    CAPTURED,
    DEFAULTS,
    HARD,
    PENDING,
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

CHARGE, READ_PERMISSION, CLOSE = Action.CHARGE, Action.READ_PERMISSION, Action.CLOSE_PERMISSION
BROKEN = non_chargeable("PaymentMethodInvalid")
Script = list[tuple[Action, str, ChargeAnswer | PermissionAnswer | None]]

# How to bring a subscription of one period a month into each status, and whether the period is owed there.
SLEEPING: Script = [(CHARGE, "2026-01-31 09:00", CAPTURED)]
RETRYING: Script = [(CHARGE, "2026-01-31 09:00", SOFT), (READ_PERMISSION, "2026-01-31 09:00", chargeable())]
AWAITING: Script = [(CHARGE, "2026-01-31 09:00", HARD), (READ_PERMISSION, "2026-01-31 09:00", BROKEN)]
ON_HOLD: Script = [(CHARGE, "2026-01-31 09:00", refused("InvalidAccountStatus"))]
LIMITED: Script = [
    (CHARGE, "2026-01-31 09:00", declined("PeriodicAmountExceeded")),
    (READ_PERMISSION, "2026-01-31 09:00", chargeable()),
]
ONE_ATTEMPT = DEFAULTS.model_copy(update={"max_attempts": 1})
UNPAID: Script = [*RETRYING, (Action.FINAL_ACTION, "2026-01-31 09:00", None)]


def told_to_amazon(life: Life) -> str:
    """Why the charge permission is closed."""
    command = main_command(life.subscription)
    assert isinstance(command, ClosePermission)
    return command.reason


def life_of(script: Script, *, policy: CollectionPolicy = ONE_ATTEMPT, periods: int | None = None) -> Life:
    life = Life(terms("2026-01-31 09:00", policy=policy, periods=periods))
    for action, when, answer in script:
        life.step(action, when, answer)
    return life


@pytest.mark.parametrize(
    ("script", "policy", "status", "book"),
    [
        ([], ONE_ATTEMPT, Status.ACTIVE, [(0, "written_off", 0)]),  # it had just fallen due
        (SLEEPING, ONE_ATTEMPT, Status.ACTIVE, [(0, "paid", 1)]),
        (RETRYING, CollectionPolicy(), Status.RETRYING, [(0, "written_off", 1)]),
        (AWAITING, CollectionPolicy(), Status.AWAITING_PAYMENT_METHOD, [(0, "written_off", 1)]),
        (ON_HOLD, CollectionPolicy(), Status.ON_HOLD, [(0, "written_off", 1)]),
        (LIMITED, CollectionPolicy(), Status.RETRYING, [(0, "written_off", 1)]),
        (UNPAID, ONE_ATTEMPT, Status.UNPAID, [(0, "written_off", 1)]),
    ],
)
def test_a_cancellation_stops_collecting_at_once_and_closes_the_permission(
    script: Script, policy: CollectionPolicy, status: Status, book: list[tuple[int, str, int]]
) -> None:
    life = life_of(script, policy=policy)
    assert life.subscription.status is status

    life.cancel("2026-01-31 09:30", "Moved away")
    assert (life.subscription.status, told_to_amazon(life)) == (Status.ENDING, "Moved away")
    life.step(CLOSE, "2026-01-31 09:30", closed("MerchantClosed"))

    assert (life.subscription.status, life.next) == (Status.CANCELED, None)
    assert life.book == book


@pytest.mark.parametrize(("decided", "outcome"), [(CAPTURED, "paid"), (SOFT, "written_off"), (HARD, "written_off")])
def test_a_cancellation_awaits_amazons_decision_on_a_pending_charge(decided: ChargeAnswer, outcome: str) -> None:
    life = life_of([(CHARGE, "2026-01-31 09:00", PENDING)])
    life.cancel("2026-01-31 09:30")
    assert life.subscription.status is Status.PENDING
    assert life.first == (Action.READ_CHARGE, at("2026-01-31 10:00")), "the cancellation waits"

    life.step(Action.READ_CHARGE, "2026-01-31 10:00", decided)
    life.begin_cancellation_if_due()
    life.step(CLOSE, "2026-01-31 10:00", closed("MerchantClosed"))

    assert (life.subscription.status, life.book) == (Status.CANCELED, [(0, outcome, 1)])


def test_a_cancellation_awaits_the_outcome_of_an_attempt_that_was_begun() -> None:
    life = Life(terms("2026-01-31 09:00", policy=DEFAULTS.but(cancel_pending_charges=True)))
    life.elapses(Timer.PERIOD)
    life.cancel("2026-01-31 09:00")
    assert life.first == (Action.CHARGE, at("2026-01-31 09:00")), "it may be on its way already"

    life.answered(CAPTURED)
    life.begin_cancellation_if_due()
    life.step(CLOSE, "2026-01-31 09:00", closed("MerchantClosed"))

    assert (life.subscription.status, life.book) == (Status.CANCELED, [(0, "paid", 1)])


def test_a_cancellation_awaits_a_pending_charge_also_when_it_could_not_be_read() -> None:
    life = life_of([(CHARGE, "2026-01-31 09:00", PENDING)])
    life.cancel("2026-01-31 09:30")

    life.step(Action.READ_CHARGE, "2026-01-31 10:00", refused("UnauthorizedAccess"))
    life.begin_cancellation_if_due()

    assert life.book == []
    assert life.next is not None
    assert life.next[0] in {Action.READ_CHARGE, Action.REPEAT_CHARGE}


def test_a_second_cancellation_changes_nothing_neither_before_nor_after_the_first_began() -> None:
    life = life_of([(CHARGE, "2026-01-31 09:00", PENDING)])
    life.cancel("2026-01-31 09:10", "first")
    life.cancel("2026-01-31 09:20", "second")
    life.step(Action.READ_CHARGE, "2026-01-31 10:00", CAPTURED)
    life.begin_cancellation_if_due()
    life.cancel("2026-01-31 10:00", "third")

    assert told_to_amazon(life) == "first"
    assert life.subscription.lifecycle.cancellation is None
    life.step(CLOSE, "2026-01-31 10:00", closed("MerchantClosed"))
    life.cancel("2026-01-31 10:01", "fourth")
    assert (life.subscription.status, life.next, life.book) == (Status.CANCELED, None, [(0, "paid", 1)])


def test_a_cancellation_during_the_last_period_of_a_fixed_term_ends_it_before_its_time() -> None:
    life = life_of(SLEEPING, periods=1)
    assert life.next == (CLOSE, at("2026-02-28 09:00"))

    life.cancel("2026-02-10 12:00")
    life.step(CLOSE, "2026-02-10 12:00", closed("MerchantClosed"))

    assert (life.subscription.status, life.book) == (Status.CANCELED, [(0, "paid", 1)])


def test_a_permission_that_cannot_be_closed_is_tried_again_hourly_and_nothing_is_charged_meanwhile() -> None:
    life = life_of(SLEEPING)
    life.cancel("2026-02-10 12:00")
    life.step(CLOSE, "2026-02-10 12:00", unreadable("InvalidAccountStatus"))
    assert life.subscription.needs_attention
    life.step(CLOSE, "2026-02-10 13:00", unreadable("InvalidAccountStatus"))
    life.step(CLOSE, "2026-02-10 14:00", closed("MerchantClosed"))

    assert life.subscription.status is Status.CANCELED
    assert not life.subscription.needs_attention


@pytest.mark.parametrize(
    ("policy", "script", "status"),
    [
        (ONE_ATTEMPT, SLEEPING, Status.CANCELED),
        (CollectionPolicy(max_attempts=1, final_action=FinalAction.CANCEL), UNPAID, Status.WRITTEN_OFF),
    ],
)
def test_an_end_that_was_decided_stays_when_the_permission_is_found_closed_before_it_could_be_closed(
    policy: CollectionPolicy, script: Script, status: Status
) -> None:
    life = life_of(script, policy=policy)
    life.cancel("2026-01-31 09:00")
    life.step(CLOSE, "2026-01-31 09:00", unreadable("InvalidAccountStatus"))

    life.signal("2026-01-31 09:30", closed("BuyerCanceled"))

    assert (life.subscription.status, life.next) == (status, None)


def test_a_permission_closed_while_nothing_is_owed_ends_the_subscription_without_another_charge() -> None:
    life = life_of(SLEEPING)

    life.signal("2026-02-10 12:00", closed("BuyerCanceled"))

    assert (life.subscription.status, life.next, life.book) == (Status.CLOSED, None, [(0, "paid", 1)])
    assert life.subscription.last_reason == "BuyerCanceled"


def test_a_permission_closed_by_the_buyer_after_the_last_payment_of_a_fixed_term_leaves_it_completed() -> None:
    life = life_of(SLEEPING, periods=1)

    life.signal("2026-02-10 12:00", closed("BuyerCanceled"))

    assert (life.subscription.status, life.next, life.book) == (Status.COMPLETED, None, [(0, "paid", 1)])


@pytest.mark.parametrize(("script", "known"), [(RETRYING, "not paid"), (ON_HOLD, "outcome unknown")])
def test_a_cancellation_writes_down_whether_the_last_attempt_may_still_have_succeeded(
    script: Script, known: str
) -> None:
    life = life_of(script, policy=DEFAULTS)

    life.cancel("2026-01-31 09:30")

    assert life.subscription.ledger.records[0].reason == f"canceled while owed, {known}"


@pytest.mark.parametrize(("script", "policy"), [(RETRYING, DEFAULTS), (AWAITING, DEFAULTS), (UNPAID, ONE_ATTEMPT)])
def test_a_permission_closed_while_a_period_is_owed_gives_the_period_up(
    script: Script, policy: CollectionPolicy
) -> None:
    life = life_of(script, policy=policy)

    life.signal("2026-01-31 10:00", closed("BuyerClosed"))

    assert (life.subscription.status, life.next) == (Status.CLOSED, None)
    assert life.book == [(0, "written_off", 1)]
    assert life.subscription.last_reason == life.subscription.ledger.records[0].reason == "BuyerClosed"


def test_a_permission_closed_while_an_attempt_is_held_does_not_hide_that_its_outcome_is_unknown() -> None:
    # The request may have been carried out, its answer lost, and the repetition refused for the account's sake.
    life = life_of(ON_HOLD)

    life.signal("2026-01-31 09:30", closed("BuyerCanceled"))

    assert all("outcome unknown" in str(record.reason) for record in life.subscription.ledger.records)


def test_a_permission_found_closed_by_the_planned_look_ends_it_too() -> None:
    life = life_of([(CHARGE, "2026-01-31 09:00", SOFT)])

    life.step(READ_PERMISSION, "2026-01-31 09:00", closed("Expired"))

    assert (life.subscription.status, life.book) == (Status.CLOSED, [(0, "written_off", 1)])


@pytest.mark.parametrize("code", ["AmazonRejected", "ChargePermissionCanceled"])
def test_a_charge_that_amazon_rejects_for_good_ends_it_and_makes_sure_that_the_permission_is_closed(code: str) -> None:
    life = life_of([(CHARGE, "2026-01-31 09:00", declined(code))])
    assert life.subscription.status is Status.ENDING
    life.step(CLOSE, "2026-01-31 09:00", closed("AmazonCanceled"))

    assert (life.subscription.status, life.subscription.last_reason) == (Status.CLOSED, code)
    assert life.book == [(0, "written_off", 1)]


def test_the_final_action_pause_waits_for_the_buyer_and_skips_the_periods_missed() -> None:
    life = life_of(AWAITING, policy=DEFAULTS)
    for day in range(1, 22):
        life.step(READ_PERMISSION, f"2026-02-{day:02} 09:00", BROKEN)
    life.step(Action.FINAL_ACTION, "2026-02-21 09:00")
    assert (life.subscription.status, life.subscription.needs_attention) == (Status.UNPAID, True)
    life.step(READ_PERMISSION, "2026-02-28 09:00", BROKEN)
    assert life.next == (READ_PERMISSION, at("2026-03-07 09:00"))

    life.signal("2026-04-10 12:00", chargeable("2026-04-10 11:59"))
    life.step(CHARGE, "2026-04-10 12:00", CAPTURED)

    assert life.book == [(0, "paid", 2), (1, "skipped", 0), (2, "skipped", 0)]
    assert life.next == (CHARGE, at("2026-04-30 09:00"))
    assert (life.subscription.status, life.subscription.ledger.periods_paid) == (Status.ACTIVE, 1)


def test_a_fixed_term_that_passed_while_unpaid_is_completed_by_the_last_payment() -> None:
    life = life_of(UNPAID, policy=CollectionPolicy(soft_decline_delays=()), periods=2)
    life.signal("2026-04-10 12:00", chargeable("2026-04-10 11:59"))
    life.step(CHARGE, "2026-04-10 12:00", CAPTURED)

    assert life.book == [(0, "paid", 2), (1, "skipped", 0)]
    life.step(CLOSE, "2026-03-31 09:00", closed("MerchantClosed"))
    assert life.subscription.status is Status.COMPLETED


@pytest.mark.parametrize("max_attempts", [1, 2, 15])
def test_a_pause_can_be_left_however_many_attempts_went_before(max_attempts: int) -> None:
    life = Life(terms(policy=CollectionPolicy(max_attempts=max_attempts, soft_decline_delays=())))
    life.step(CHARGE, "2026-01-31 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-31 09:00", chargeable())
    life.step(Action.FINAL_ACTION, "2026-01-31 09:00")
    for attempt in range(1, max_attempts):
        life.signal(f"2026-03-{attempt:02} 09:00", chargeable(f"2026-03-{attempt:02} 08:00"))
        life.step(CHARGE, f"2026-03-{attempt:02} 09:00", SOFT)
        life.step(READ_PERMISSION, f"2026-03-{attempt:02} 09:00", chargeable(f"2026-03-{attempt:02} 08:00"))
        life.step(Action.FINAL_ACTION, f"2026-03-{attempt:02} 09:00")

    life.signal("2026-06-01 09:00", chargeable("2026-06-01 08:00"))

    assert life.next == (CHARGE, at("2026-06-01 09:00"))


def test_the_final_action_cancel_gives_the_period_up_and_closes_the_permission() -> None:
    life = life_of(UNPAID, policy=CollectionPolicy(max_attempts=1, final_action=FinalAction.CANCEL))
    assert life.subscription.status is Status.ENDING
    life.step(CLOSE, "2026-01-31 09:00", closed("MerchantClosed"))

    assert (life.subscription.status, life.subscription.last_reason) == (Status.WRITTEN_OFF, "SoftDeclined")
    assert (life.book, life.next) == ([(0, "written_off", 1)], None)


def test_the_final_action_mark_unpaid_gives_the_period_up_and_goes_on_with_the_next() -> None:
    life = life_of(UNPAID, policy=CollectionPolicy(max_attempts=1, final_action=FinalAction.MARK_UNPAID))
    assert (life.subscription.status, life.next) == (Status.ACTIVE, (CHARGE, at("2026-02-28 09:00")))
    life.step(CHARGE, "2026-02-28 09:00", CAPTURED)

    assert life.book == [(0, "written_off", 1), (1, "paid", 1)]
    assert life.subscription.ledger.records[0].reason == "SoftDeclined"
