"""Whole lives of a subscription as a value: what is charged when, and what the account says afterwards."""

import pytest

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.keys import idempotency_key
from perennial_billing.billing.parts.ledger import LEDGER_LENGTH, PeriodOutcome
from perennial_billing.billing.plan.policy import CollectionPolicy, FinalAction
from perennial_billing.billing.protocol.answers import ChargeAnswer
from perennial_billing.billing.protocol.commands import Action, Timer
from perennial_billing.billing.protocol.events import CancelAsked, Refresh, Thing
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from tests.billing.support import (
    CAPTURED,
    FREE,
    HARD,
    PENDING,
    PERMISSION_ID,
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


def test_a_healthy_subscription_is_charged_once_a_period_on_its_day() -> None:
    life = Life(terms("2026-01-31 09:00"))

    life.step(CHARGE, "2026-01-31 09:00", CAPTURED)
    life.step(CHARGE, "2026-02-28 09:00", CAPTURED)
    life.step(CHARGE, "2026-03-31 09:00", CAPTURED)

    assert life.next == (CHARGE, at("2026-04-30 09:00"))
    assert life.book == [(0, "paid", 1), (1, "paid", 1), (2, "paid", 1)]
    assert life.keys == [idempotency_key(PERMISSION_ID, period, 1) for period in range(3)]
    assert life.subscription.ledger.periods_paid == 3
    assert (life.subscription.status, life.subscription.last_reason) == (Status.ACTIVE, None)


@pytest.mark.parametrize(
    ("now", "endless", "of_two"),
    [
        ("2026-01-31 08:59", 0, 0),
        ("2026-01-31 09:00", 1, 1),
        ("2026-02-28 08:59", 1, 1),
        ("2026-02-28 09:00", 2, 2),
        ("2026-05-31 09:00", 5, 2),
    ],
)
def test_a_period_is_due_from_its_very_instant_and_a_fixed_term_has_no_more(
    now: str, endless: int, of_two: int
) -> None:
    assert terms("2026-01-31 09:00").schedule.periods_due(at(now)) == endless
    assert terms("2026-01-31 09:00", periods=2).schedule.periods_due(at(now)) == of_two


def test_a_paid_period_is_written_down_with_all_that_an_accountant_asks_for() -> None:
    life = Life(terms("2026-01-31 09:00"))
    life.now = at("2026-01-31 09:20")  # the worker was late

    life.step(CHARGE, "2026-01-31 09:00", CAPTURED)

    (record,) = life.subscription.ledger.records
    assert record.due == at("2026-01-31 09:00")
    assert record.settled_at == at("2026-01-31 09:20")
    assert str(record.amount) == "9.99 EUR"
    assert (record.charge_id, record.reason) == (CAPTURED.charge_id, None)


def test_two_soft_declines_and_a_late_success_keep_the_anchor_day() -> None:
    life = Life(terms("2026-01-31 09:00"))
    life.step(CHARGE, "2026-01-31 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-31 09:00", chargeable())
    assert (life.subscription.status, life.subscription.last_reason) == (Status.RETRYING, "SoftDeclined")
    life.step(CHARGE, "2026-01-31 21:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-31 21:00", chargeable())
    life.step(CHARGE, "2026-02-01 21:00", CAPTURED)

    assert life.next == (CHARGE, at("2026-02-28 09:00"))
    assert life.book == [(0, "paid", 3)]
    assert life.keys == [idempotency_key(PERMISSION_ID, 0, attempt) for attempt in (1, 2, 3)]
    assert (life.subscription.status, life.subscription.last_reason) == (Status.ACTIVE, None)


def test_each_period_begins_its_attempts_and_its_schedule_anew() -> None:
    life = Life(terms("2026-01-31 09:00"))
    for due, retry in (("2026-01-31 09:00", "2026-01-31 21:00"), ("2026-02-28 09:00", "2026-02-28 21:00")):
        life.step(CHARGE, due, SOFT)
        life.step(READ_PERMISSION, due, chargeable())
        life.step(CHARGE, retry, CAPTURED)

    assert life.book == [(0, "paid", 2), (1, "paid", 2)]
    assert len(set(life.keys)) == 4


def test_a_hard_decline_waits_for_the_buyer_and_is_charged_when_the_card_is_mended() -> None:
    life = Life(terms("2026-01-31 09:00"))
    broken = non_chargeable("PaymentMethodInvalid")
    life.step(CHARGE, "2026-01-31 09:00", HARD)
    life.step(READ_PERMISSION, "2026-01-31 09:00", broken)
    assert (life.subscription.status, life.subscription.last_reason) == (Status.AWAITING_PAYMENT_METHOD, "HardDeclined")
    life.step(READ_PERMISSION, "2026-02-01 09:00", broken)
    life.signal("2026-02-01 15:00", chargeable("2026-02-01 14:59"))
    life.step(CHARGE, "2026-02-01 15:00", CAPTURED)

    assert life.next == (CHARGE, at("2026-02-28 09:00"))
    assert life.book == [(0, "paid", 2)]


def test_a_signal_that_comes_before_its_decline_is_recorded_is_not_lost() -> None:
    life = Life(terms())
    life.elapses(Timer.PERIOD)
    life.happens(Refresh(Thing.PERMISSION, notification_id="mended while the charge was under way"))
    life.answered(HARD)

    life.step(READ_PERMISSION, "2026-01-31 09:00", chargeable())

    assert life.next == (CHARGE, at("2026-01-31 09:00"))


def test_a_signal_from_before_an_attempt_does_not_prompt_the_next_one() -> None:
    life = Life(terms())
    life.happens(Refresh(Thing.PERMISSION, notification_id="long ago"))
    life.step(CHARGE, "2026-01-31 09:00", HARD)

    life.step(READ_PERMISSION, "2026-01-31 09:00", chargeable())

    assert life.next == (READ_PERMISSION, at("2026-02-01 09:00"))
    assert life.subscription.status is Status.AWAITING_PAYMENT_METHOD


def test_a_charge_that_amazon_decides_on_later_is_awaited_and_a_notification_hastens_the_look() -> None:
    life = Life(terms())
    life.step(CHARGE, "2026-01-31 09:00", PENDING)
    life.step(Action.READ_CHARGE, "2026-01-31 10:00", PENDING)
    assert life.subscription.status is Status.PENDING
    life.now = at("2026-01-31 10:10")
    life.happens(Refresh(Thing.CHARGE, "another charge"))
    assert life.next == (Action.READ_CHARGE, at("2026-01-31 11:00"))
    life.now = at("2026-01-31 10:20")
    life.happens(Refresh(Thing.CHARGE, PENDING.charge_id))
    life.step(Action.READ_CHARGE, "2026-01-31 10:20", CAPTURED)

    assert life.book == [(0, "paid", 1)]
    assert life.next == (CHARGE, at("2026-02-28 09:00"))


@pytest.mark.parametrize(
    ("answer", "following"),
    [
        (SOFT, (CHARGE, at("2026-01-31 22:00"))),
        (HARD, (READ_PERMISSION, at("2026-02-01 10:00"))),
        (declined("ProcessingFailure"), (CHARGE, at("2026-01-31 10:05"))),
        (declined("InvalidChargePermissionStatus"), (CHARGE, at("2026-01-31 10:05"))),
    ],
)
def test_a_pending_charge_that_is_declined_in_the_end_is_collected_as_any_other(
    answer: ChargeAnswer, following: tuple[Action, object]
) -> None:
    life = Life(terms())
    life.step(CHARGE, "2026-01-31 09:00", PENDING)
    life.step(Action.READ_CHARGE, "2026-01-31 10:00", answer)

    life.step(READ_PERMISSION, "2026-01-31 10:00", chargeable())

    assert life.next == following


def test_what_the_merchant_has_to_mend_holds_the_same_attempt_until_it_is_mended() -> None:
    life = Life(terms())
    life.step(CHARGE, "2026-01-31 09:00", refused("InvalidAccountStatus"))
    assert (life.subscription.status, life.subscription.needs_attention) == (Status.ON_HOLD, True)
    life.step(Action.REPEAT_CHARGE, "2026-01-31 10:00", refused("InvalidAccountStatus"))
    life.step(Action.REPEAT_CHARGE, "2026-01-31 11:00", CAPTURED)

    assert life.keys == [idempotency_key(PERMISSION_ID, 0, 1)]
    assert life.book == [(0, "paid", 1)]
    assert not life.subscription.needs_attention


def test_the_monthly_limit_waits_for_amazons_next_month_and_the_next_due_date_stays() -> None:
    life = Life(terms("2026-01-15 09:00"))
    life.step(CHARGE, "2026-01-15 09:00", declined("PeriodicAmountExceeded"))
    life.step(READ_PERMISSION, "2026-01-15 09:00", chargeable())
    life.step(CHARGE, "2026-02-01 08:00", CAPTURED)

    assert life.next == (CHARGE, at("2026-02-15 09:00"))
    assert life.book == [(0, "paid", 2)]


def test_periods_that_fell_due_while_an_older_one_was_owed_follow_in_their_order() -> None:
    life = Life(terms("2026-01-01 09:00", interval=Interval(unit=Unit.DAY)))
    life.step(CHARGE, "2026-01-01 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-01 09:00", chargeable())
    life.step(CHARGE, "2026-01-01 21:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-01 21:00", chargeable())
    life.step(CHARGE, "2026-01-02 21:00", CAPTURED)

    life.step(CHARGE, "2026-01-03 09:00", CAPTURED)  # not at once: half an interval later

    assert life.next == (CHARGE, at("2026-01-03 09:00"))
    assert life.book == [(0, "paid", 3), (1, "paid", 1)]


def test_a_free_plan_settles_its_periods_without_asking_amazon() -> None:
    life = Life(terms("2026-01-31 09:00", amount=FREE, periods=2))
    life.step(CHARGE, "2026-01-31 09:00")
    life.step(CHARGE, "2026-02-28 09:00")
    life.step(CLOSE, "2026-03-31 09:00", closed("MerchantClosed"))

    assert life.book == [(0, "free", 0), (1, "free", 0)]
    assert (life.subscription.ledger.periods_paid, life.subscription.status) == (0, Status.COMPLETED)


def test_a_fixed_term_ends_where_its_last_period_ends_and_closes_the_permission() -> None:
    life = Life(terms("2026-01-31 09:00", periods=2))
    life.step(CHARGE, "2026-01-31 09:00", CAPTURED)
    life.step(CHARGE, "2026-02-28 09:00", CAPTURED)
    assert (life.subscription.status, life.subscription.has_ended) == (Status.ACTIVE, False)
    life.step(CLOSE, "2026-03-31 09:00", unreadable("InvalidAccountStatus"))
    assert not life.subscription.has_ended
    life.step(CLOSE, "2026-03-31 10:00", closed("MerchantClosed"))

    assert (life.subscription.status, life.next) == (Status.COMPLETED, None)
    assert life.subscription.has_ended


def test_the_account_keeps_the_latest_periods_and_counts_them_all() -> None:
    life = Life(terms("2020-01-31 09:00"))
    for _ in range(LEDGER_LENGTH + 6):
        assert life.next is not None
        life.step(CHARGE, f"{life.next[1]:%Y-%m-%d %H:%M}", CAPTURED)

    assert [record.period for record in life.subscription.ledger.records] == list(range(6, LEDGER_LENGTH + 6))
    assert life.subscription.ledger.periods_paid == LEDGER_LENGTH + 6


def test_the_state_is_told_the_same_by_each_json_that_it_goes_through() -> None:
    policy = CollectionPolicy(final_action=FinalAction.MARK_UNPAID, soft_decline_delays=())
    life = Life(terms("2026-01-31 09:00", policy=policy, zone="America/New_York"))
    life.step(CHARGE, "2026-01-31 09:00", SOFT)
    life.happens(Refresh(Thing.PERMISSION, notification_id="n-1"))
    life.happens(CancelAsked("Moved away"))
    text = life.subscription.model_dump_json()

    again = Subscription.model_validate_json(text)

    assert again == life.subscription
    assert again.model_dump_json() == text
    assert again.collection is not None
    assert again.collection.dunning is not None
    assert again.collection.dunning.policy == policy
    assert '"9.99"' in text


def test_a_period_record_knows_no_outcome_but_these() -> None:
    assert {outcome.value for outcome in PeriodOutcome} == {"paid", "authorized", "free", "written_off", "skipped"}
