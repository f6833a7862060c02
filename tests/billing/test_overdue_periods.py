"""Several periods are due at once: while an older one is owed, or after an outage. Never a burst of charges."""

from datetime import timedelta
from typing import Any

import pytest

from perennial_billing.billing.agenda import main_command, next_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import RetryNow
from perennial_billing.billing.parts.collection import MISSED_PERIODS
from perennial_billing.billing.plan.policy import CatchUp, CollectionPolicy, FinalAction, NextDue
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome
from perennial_billing.billing.protocol.commands import Action, ClosePermission
from perennial_billing.billing.protocol.events import Refresh, Thing
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.status import Status
from tests.billing.support import (
    CAPTURED,
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

CHARGE, CLOSE, WRITE_OFF = Action.CHARGE, Action.CLOSE_PERMISSION, Action.FINAL_ACTION
READ_PERMISSION, READ_CHARGE, END_GRACE = Action.READ_PERMISSION, Action.READ_CHARGE, Action.END_GRACE
WEEKLY = Interval(unit=Unit.WEEK)
DAY = timedelta(days=1)


def weekly(**policy: Any) -> Life:
    """Due each Thursday at nine, beginning with 1 January 2026."""
    return Life(terms("2026-01-01 09:00", interval=WEEKLY, policy=CollectionPolicy(**policy)))


def owed_for_two_weeks(**policy: Any) -> Life:
    """The first period is declined, and paid by its second attempt on the 15th, when two more have fallen due."""
    life = weekly(soft_decline_delays=(timedelta(days=14, hours=2), DAY), **policy)
    life.step(CHARGE, "2026-01-01 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-01 09:00", chargeable())
    return life


# While an older one is owed


def test_by_default_periods_that_fell_due_meanwhile_follow_each_a_day_after_the_other() -> None:
    life = owed_for_two_weeks()
    life.step(CHARGE, "2026-01-15 11:00", CAPTURED)
    life.step(CHARGE, "2026-01-16 11:00", CAPTURED)
    life.step(CHARGE, "2026-01-17 11:00", CAPTURED)

    assert life.next == (CHARGE, at("2026-01-22 09:00"))
    assert life.book == [(0, "paid", 2), (1, "paid", 1), (2, "paid", 1)]


def test_the_spacing_is_the_policys_and_never_more_than_half_an_interval() -> None:
    life = owed_for_two_weeks(catch_up_spacing=timedelta(days=2))
    life.step(CHARGE, "2026-01-15 11:00", CAPTURED)
    assert life.next == (CHARGE, at("2026-01-17 11:00"))

    life = owed_for_two_weeks(catch_up_spacing=timedelta(days=30))
    life.step(CHARGE, "2026-01-15 11:00", CAPTURED)
    assert life.next == (CHARGE, at("2026-01-18 23:00"))


def test_a_policy_may_say_that_they_are_not_owed() -> None:
    life = owed_for_two_weeks(next_due=NextDue.SKIP)
    life.step(CHARGE, "2026-01-15 11:00", CAPTURED)

    assert life.next == (CHARGE, at("2026-01-22 09:00"))
    assert life.book == [(0, "paid", 2), (1, "skipped", 0), (2, "skipped", 0)]
    assert life.told[-2:] == ["period.skipped", "period.skipped"]
    assert life.subscription.outbox.notices[-1].reason == "an older period was owed"


def test_a_policy_may_write_the_older_one_off_for_the_next() -> None:
    life = owed_for_two_weeks(next_due=NextDue.REPLACE)

    life.step(Action.WRITE_OFF_FOR_NEXT, "2026-01-08 09:00")

    assert life.book == [(0, "written_off", 1)]
    assert life.next == (CHARGE, at("2026-01-08 09:00"))
    life.step(CHARGE, "2026-01-08 09:00", CAPTURED)
    assert life.subscription.outbox.notices[-2].reason_code == "SoftDeclined"


def test_the_last_period_is_not_written_off_for_one_that_the_plan_does_not_have() -> None:
    policy = CollectionPolicy(next_due=NextDue.REPLACE, soft_decline_delays=(timedelta(days=20),))
    life = Life(terms("2026-01-01 09:00", interval=WEEKLY, periods=1, policy=policy))
    life.step(CHARGE, "2026-01-01 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-01 09:00", chargeable())

    assert life.next == (CHARGE, at("2026-01-21 09:00"))


def test_an_unknown_outcome_is_awaited_before_a_period_is_written_off_for_the_next() -> None:
    life = weekly(next_due=NextDue.REPLACE, soft_decline_delays=(timedelta(days=6),))
    life.step(CHARGE, "2026-01-01 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-01 09:00", chargeable())
    life.step(CHARGE, "2026-01-07 09:00", PENDING)
    for hour in range(10, 24):
        life.step(READ_CHARGE, f"2026-01-07 {hour}:00", PENDING)
    for hour in range(10):
        life.step(READ_CHARGE, f"2026-01-08 {hour:02}:00", PENDING)

    life.step(READ_CHARGE, "2026-01-08 10:00", CAPTURED)

    assert life.book == [(0, "paid", 2)]
    assert life.next == (CHARGE, at("2026-01-08 22:00") + 12 * timedelta(hours=1)), "a day after the charge"


def test_a_card_that_is_not_mended_before_the_next_due_date_is_the_next_periods_matter() -> None:
    life = weekly(next_due=NextDue.REPLACE, payment_method_poll=10 * DAY, payment_method_reminders=())
    life.step(CHARGE, "2026-01-01 09:00", HARD)
    life.step(READ_PERMISSION, "2026-01-01 09:00", non_chargeable("PaymentMethodInvalid"))

    life.step(Action.WRITE_OFF_FOR_NEXT, "2026-01-08 09:00")

    assert life.next == (CHARGE, at("2026-01-08 09:00"))
    assert life.book == [(0, "written_off", 1)]


# After an outage


def after_an_outage(catch_up: CatchUp, **policy: Any) -> Life:
    """Nobody was there from the first due date until 16 January, when three periods are due."""
    life = weekly(catch_up=catch_up, **policy)
    life.now = at("2026-01-16 12:00")
    return life


def test_each_missed_period_is_charged_a_day_after_the_other() -> None:
    life = after_an_outage(CatchUp.EACH)
    life.step(CHARGE, "2026-01-01 09:00", CAPTURED)
    life.step(CHARGE, "2026-01-17 12:00", CAPTURED)
    life.step(CHARGE, "2026-01-18 12:00", CAPTURED)

    assert life.next == (CHARGE, at("2026-01-22 09:00"))
    assert [outcome for _, outcome, _ in life.book] == ["paid"] * 3


def test_only_the_latest_missed_period_is_charged_where_the_policy_says_so() -> None:
    life = after_an_outage(CatchUp.LATEST)
    life.step(CHARGE, "2026-01-01 09:00", CAPTURED)

    assert life.book == [(0, "skipped", 0), (1, "skipped", 0), (2, "paid", 1)]
    assert life.next == (CHARGE, at("2026-01-22 09:00"))
    assert life.told == ["period.skipped", "period.skipped", "period.paid"]


def test_missed_periods_are_held_until_the_merchant_wants_them() -> None:
    life = after_an_outage(CatchUp.HOLD)
    life.step(CHARGE, "2026-01-01 09:00")

    assert (life.subscription.status, life.subscription.last_reason) == (Status.ON_HOLD, MISSED_PERIODS)
    assert (life.next, life.subscription.needs_attention) == (None, True)
    assert life.told == ["subscription.held"]
    assert life.subscription.outbox.notices[0].reason == "3 periods fell due and were not charged in time"

    life.wants("2026-01-20 10:00", RetryNow())
    life.step(CHARGE, "2026-01-20 10:00", CAPTURED)
    life.step(CHARGE, "2026-01-21 10:00", CAPTURED)
    life.step(CHARGE, "2026-01-22 10:00", CAPTURED)
    assert life.book == [(0, "paid", 1), (1, "paid", 1), (2, "paid", 1)]


def test_what_is_held_stays_held_whatever_the_permission_is_like() -> None:
    life = after_an_outage(CatchUp.HOLD)
    life.step(CHARGE, "2026-01-01 09:00")
    life.signal("2026-01-17 09:00", non_chargeable("PaymentMethodExpired"))
    life.signal("2026-01-18 09:00", chargeable("2026-01-18 08:00"))

    assert (life.subscription.status, life.next) == (Status.ON_HOLD, None)


def test_a_reading_that_comes_back_after_the_merchant_asked_for_a_retry_changes_nothing() -> None:
    life = after_an_outage(CatchUp.HOLD)
    life.step(CHARGE, "2026-01-01 09:00")
    life.happens(Refresh(Thing.PERMISSION))
    life.wants("2026-01-20 10:00", RetryNow())

    life.read(non_chargeable("PaymentMethodExpired"))

    assert life.next == (CHARGE, at("2026-01-20 10:00"))


def test_what_is_held_may_be_canceled() -> None:
    life = after_an_outage(CatchUp.HOLD)
    life.step(CHARGE, "2026-01-01 09:00")
    life.cancel("2026-01-17 09:00")
    life.step(CLOSE, "2026-01-17 09:00", closed("MerchantClosed"))

    assert life.subscription.status is Status.CANCELED
    assert life.book == [(0, "written_off", 0), (1, "written_off", 0), (2, "written_off", 0)], (
        "none of them is forgotten"
    )
    assert life.told.count("period.written_off") == 1, "the notice of the end tells enough of the others"


@pytest.mark.parametrize("catch_up", CatchUp)
def test_a_single_late_period_is_charged_whatever_the_policy_says_of_missed_ones(catch_up: CatchUp) -> None:
    life = weekly(catch_up=catch_up)
    life.now = at("2026-01-06 12:00")
    life.step(CHARGE, "2026-01-01 09:00", CAPTURED)

    assert life.book == [(0, "paid", 1)]
    assert life.next == (CHARGE, at("2026-01-08 09:00"))


# The grace


def test_the_grace_ends_a_week_after_the_first_failure_whatever_the_retries_do() -> None:
    life = owed_for_two_weeks()
    life.beside(END_GRACE, "2026-01-08 09:00")

    notice = life.subscription.outbox.notices[-1]
    assert (notice.type.value, notice.reason_code, notice.period) == ("grace.ended", "SoftDeclined", 0)
    assert life.next == (CHARGE, at("2026-01-15 11:00")), "the retry stays where it was"
    life.step(CHARGE, "2026-01-15 11:00", CAPTURED)
    assert life.told.count("grace.ended") == 1


def test_what_is_paid_in_time_never_hears_of_the_grace() -> None:
    life = weekly()
    life.step(CHARGE, "2026-01-01 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-01 09:00", chargeable())
    life.step(CHARGE, "2026-01-01 21:00", CAPTURED)

    assert next_command(life.subscription) == main_command(life.subscription)


def test_a_grace_of_nothing_ends_with_the_first_failure() -> None:
    life = weekly(grace=timedelta(0))
    life.step(CHARGE, "2026-01-01 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-01 09:00", chargeable())

    life.beside(END_GRACE, "2026-01-01 09:00")


def test_the_grace_of_a_period_that_fails_again_after_it_was_unpaid_runs_anew() -> None:
    life = weekly(soft_decline_delays=(), final_action=FinalAction.PAUSE)
    life.step(CHARGE, "2026-01-01 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-01 09:00", chargeable())
    life.step(WRITE_OFF, "2026-01-01 09:00")
    assert life.first == (READ_PERMISSION, at("2026-01-08 09:00")), "while it is unpaid, no grace runs"

    life.signal("2026-02-01 09:00", chargeable())
    life.step(CHARGE, "2026-02-01 09:00", HARD)
    life.step(READ_PERMISSION, "2026-02-01 09:00", non_chargeable("PaymentMethodInvalid"))
    life.step(READ_PERMISSION, "2026-02-02 09:00", non_chargeable("PaymentMethodInvalid"))
    for day in range(3, 8):
        life.step(READ_PERMISSION, f"2026-02-{day:02} 09:00", non_chargeable("PaymentMethodInvalid"))
    assert "grace.ended" not in life.told

    life.beside(READ_PERMISSION, "2026-02-08 09:00", non_chargeable("PaymentMethodInvalid"))
    life.beside(END_GRACE, "2026-02-08 09:00")
    assert life.told[-1] == "grace.ended"


# The merchant asks to try again now


def test_a_retry_is_made_at_once_when_the_merchant_asks_and_the_schedule_goes_on_from_there() -> None:
    life = owed_for_two_weeks()
    life.wants("2026-01-03 10:00", RetryNow())
    command = main_command(life.subscription)
    assert command is not None
    assert command.urgent

    life.step(CHARGE, "2026-01-03 10:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-03 10:00", chargeable())
    assert life.next == (CHARGE, at("2026-01-04 10:00"))


def test_a_held_attempt_is_sent_again_with_its_key_when_the_merchant_asks() -> None:
    life = weekly()
    life.step(CHARGE, "2026-01-01 09:00", refused("InvalidParameterValue"))
    life.wants("2026-01-01 09:10", RetryNow())
    life.step(Action.REPEAT_CHARGE, "2026-01-01 09:10", CAPTURED)

    assert life.book == [(0, "paid", 1)]


def test_what_the_operator_looks_at_is_told_once_however_often_it_is_asked_for() -> None:
    life = weekly()
    life.step(CHARGE, "2026-01-01 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-01 09:00", unreadable())
    for minute in (10, 20):
        life.wants(f"2026-01-01 09:{minute}", RetryNow())
        life.wants(f"2026-01-01 09:{minute}", RetryNow())
        assert life.subscription.status is Status.ON_HOLD
        life.step(READ_PERMISSION, f"2026-01-01 09:{minute}", unreadable())

    assert life.told == ["subscription.held", "subscription.changed", "subscription.changed"]


def test_what_was_left_to_the_merchant_is_tried_when_they_ask_though_the_next_period_fell_due() -> None:
    life = weekly(next_due=NextDue.REPLACE)
    life.step(CHARGE, "2026-01-01 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-01 09:00", chargeable())
    life.step(CHARGE, "2026-01-01 21:00", declined("MerchantCanceled"))
    assert life.next is None

    life.wants("2026-01-09 10:00", RetryNow())
    life.step(CHARGE, "2026-01-09 10:00", CAPTURED)

    assert life.book == [(0, "paid", 3)]


def test_what_is_used_up_is_not_tried_again() -> None:
    life = weekly(max_attempts=1)
    life.step(CHARGE, "2026-01-01 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-01 09:00", chargeable())

    with pytest.raises(Refused, match="the policy's final action follows"):
        life.wants("2026-01-01 09:00", RetryNow())

    life.step(WRITE_OFF, "2026-01-01 09:00")


def test_where_only_the_buyer_can_mend_it_the_permission_is_read_first() -> None:
    life = weekly()
    life.step(CHARGE, "2026-01-01 09:00", HARD)
    life.step(READ_PERMISSION, "2026-01-01 09:00", non_chargeable("PaymentMethodInvalid"))
    life.wants("2026-01-02 08:00", RetryNow())

    life.beside(READ_PERMISSION, "2026-01-02 08:00", non_chargeable("PaymentMethodInvalid"))
    assert life.subscription.status is Status.AWAITING_PAYMENT_METHOD
    life.signal("2026-01-03 09:00", chargeable("2026-01-03 08:59"))
    life.step(CHARGE, "2026-01-03 09:00", CAPTURED)


def test_there_is_nothing_to_try_where_nothing_is_owed_or_an_outcome_is_awaited() -> None:
    life = weekly()
    with pytest.raises(ValueError, match="nothing is owed; next: period 0 falls due"):
        life.wants("2026-01-01 09:00", RetryNow())
    life.step(CHARGE, "2026-01-01 09:00", PENDING)
    with pytest.raises(ValueError, match="its outcome is awaited"):
        life.wants("2026-01-01 09:10", RetryNow())
    life.step(READ_CHARGE, "2026-01-01 10:00", declined("AmazonRejected"))
    with pytest.raises(ValueError, match="only a new charge permission can be charged"):
        life.wants("2026-01-01 10:00", RetryNow())
    life.cancel("2026-01-03 09:00")
    with pytest.raises(ValueError, match=r"subscription: ending is not possible now; nothing is charged any more"):
        life.wants("2026-01-03 09:00", RetryNow())


# Pending charges, when it is canceled


@pytest.mark.parametrize(
    ("answer", "book"),
    [
        (declined("ChargePermissionCanceled"), [(0, "written_off", 1)]),
        (ChargeAnswer(outcome=ChargeOutcome.CAPTURED, charge_id="S01-1"), [(0, "paid", 1)]),
    ],
)
def test_a_policy_may_cancel_a_pending_charge_with_the_permission_and_its_outcome_is_still_recorded(
    answer: ChargeAnswer, book: list[tuple[int, str, int]]
) -> None:
    life = weekly(cancel_pending_charges=True)
    life.step(CHARGE, "2026-01-01 09:00", PENDING)
    life.cancel("2026-01-01 09:30")
    close = main_command(life.subscription)
    assert isinstance(close, ClosePermission)
    assert close.cancel_pending_charges
    life.step(CLOSE, "2026-01-01 09:30", closed("MerchantClosed"))
    assert life.subscription.status is Status.ENDING
    life.step(READ_CHARGE, "2026-01-01 09:30", PENDING)
    life.step(READ_CHARGE, "2026-01-01 10:30", answer)

    assert (life.subscription.status, life.book, life.next) == (Status.CANCELED, book, None)
    assert life.told[-1] == "subscription.ended"


def test_by_default_a_pending_charge_is_awaited_before_the_permission_is_closed() -> None:
    life = weekly()
    life.step(CHARGE, "2026-01-01 09:00", PENDING)
    life.cancel("2026-01-01 09:30")
    assert life.first == (READ_CHARGE, at("2026-01-01 10:00"))
    life.step(READ_CHARGE, "2026-01-01 10:00", CAPTURED)
    life.begin_cancellation_if_due()
    close = main_command(life.subscription)
    assert isinstance(close, ClosePermission)
    assert not close.cancel_pending_charges
    life.step(CLOSE, "2026-01-01 10:00", closed("MerchantClosed"))

    assert life.book == [(0, "paid", 1)]
