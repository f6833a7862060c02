"""Notifications come twice, early, late, in any order or never: none may be lost and none may be believed."""

from datetime import timedelta

import pytest

from perennial_billing.billing.changes import Resolve, WriteOff
from perennial_billing.billing.parts.permission import REMEMBERED_NOTIFICATIONS
from perennial_billing.billing.plan import Capture
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer, PermissionState
from perennial_billing.billing.protocol.commands import Action, Timer
from perennial_billing.billing.protocol.events import Refresh, Thing
from perennial_billing.billing.requests import Request
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
    non_chargeable,
    refused,
    terms,
    unreadable,
)

CHARGE, READ_PERMISSION = Action.CHARGE, Action.READ_PERMISSION
BROKEN = non_chargeable("PaymentMethodExpired")


def sleeping() -> Life:
    life = Life(terms("2026-01-31 09:00"))
    life.step(CHARGE, "2026-01-31 09:00", CAPTURED)
    return life


def unpaid() -> Life:
    """Unpaid after the only attempt; nothing happens by itself any more."""
    life = Life(terms("2026-01-31 09:00", policy=CollectionPolicy(soft_decline_delays=())))
    life.step(CHARGE, "2026-01-31 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-31 09:00", chargeable())
    life.step(Action.FINAL_ACTION, "2026-01-31 09:00")
    return life


def test_an_unpaid_subscription_is_charged_once_a_weekly_look_finds_that_something_has_changed_and_not_before() -> None:
    """No notification comes through; what was chargeable all along is no reason to try again."""
    life = unpaid()
    for when in ("2026-02-07 09:00", "2026-02-14 09:00"):
        life.step(READ_PERMISSION, when, chargeable())
    assert life.subscription.status is Status.UNPAID

    life.step(READ_PERMISSION, "2026-02-21 09:00", chargeable("2026-02-19 20:00"))
    life.step(CHARGE, "2026-02-21 09:00", CAPTURED)
    assert life.book == [(0, "paid", 2)]


def test_a_repeated_notification_asks_for_no_second_look() -> None:
    life = sleeping()
    life.signal("2026-02-10 12:00", chargeable(), "n-1")

    life.happens(Refresh(Thing.PERMISSION, notification_id="n-1"))
    assert life.subscription.permission.look_at is None
    life.happens(Refresh(Thing.PERMISSION, notification_id="n-2"))
    assert life.first == (READ_PERMISSION, at("2026-02-10 12:00"))


def test_a_signal_without_an_id_is_never_taken_for_a_repetition() -> None:
    life = sleeping()
    for when in ("2026-02-10 12:00", "2026-02-10 12:01"):
        life.signal(when, chargeable())

    assert life.subscription.permission.notification_ids == ()


def test_the_latest_notifications_are_remembered_and_the_state_stays_small() -> None:
    life = sleeping()
    for number in range(REMEMBERED_NOTIFICATIONS + 5):
        life.happens(Refresh(Thing.PERMISSION, notification_id=f"n-{number}"))

    kept = tuple(f"n-{number}" for number in range(5, REMEMBERED_NOTIFICATIONS + 5))
    assert life.subscription.permission.notification_ids == kept


def test_a_payment_method_that_breaks_while_nothing_is_owed_is_shown_and_the_due_date_stays() -> None:
    life = sleeping()
    life.signal("2026-02-10 12:00", BROKEN)
    assert (life.subscription.status, life.subscription.last_reason) == (Status.ACTIVE, "PaymentMethodExpired")
    assert life.subscription.needs_attention
    assert life.next == (CHARGE, at("2026-02-28 09:00"))

    life.signal("2026-02-11 12:00", chargeable("2026-02-11 11:00"))
    assert (life.subscription.needs_attention, life.subscription.last_reason) == (False, None)


def test_a_payment_method_known_to_be_broken_needs_attention_while_the_buyer_is_awaited() -> None:
    life = Life(terms())
    life.step(CHARGE, "2026-01-31 09:00", HARD)
    life.step(READ_PERMISSION, "2026-01-31 09:00", BROKEN)

    assert life.subscription.status is Status.AWAITING_PAYMENT_METHOD
    assert life.subscription.needs_attention


def test_the_buyer_is_not_reminded_while_nobody_can_tell_whether_it_is_mended() -> None:
    life = Life(terms(policy=CollectionPolicy(payment_method_reminders=(timedelta(hours=2),))))
    life.step(CHARGE, "2026-01-31 09:00", HARD)
    life.step(READ_PERMISSION, "2026-01-31 09:00", BROKEN)
    for hour in (11, 12, 13):
        life.step(READ_PERMISSION, f"2026-01-31 {hour}:00", unreadable())
    assert life.told == ["payment_method.needed", "subscription.held"]

    life.step(READ_PERMISSION, "2026-01-31 14:00", BROKEN)
    life.step(READ_PERMISSION, "2026-02-01 14:00", BROKEN)
    assert life.told[2:] == ["payment_method.needed", "payment_method.reminder"]


def test_a_look_that_amazon_refused_leaves_what_was_known() -> None:
    life = sleeping()
    life.signal("2026-02-10 12:00", BROKEN)

    life.signal("2026-02-11 12:00", unreadable())

    assert life.subscription.permission.seen == BROKEN


def test_a_state_that_nobody_knows_is_shown_and_crashes_nothing() -> None:
    life = sleeping()

    life.signal("2026-02-10 12:00", PermissionAnswer(state=PermissionState.UNKNOWN))

    assert (life.subscription.needs_attention, life.subscription.last_reason) == (True, "unknown")
    assert life.next == (CHARGE, at("2026-02-28 09:00"))


def test_a_charge_notification_when_no_charge_is_pending_does_nothing() -> None:
    life = sleeping()
    before, life.now = life.subscription, at("2026-02-10 12:00")

    life.happens(Refresh(Thing.CHARGE, "S01-1-1-C000009"))

    assert life.subscription == before


def test_a_signal_that_comes_while_a_charge_is_pending_is_not_lost_by_looking_too_early() -> None:
    life = Life(terms())
    life.step(CHARGE, "2026-01-31 09:00", PENDING)
    life.signal("2026-01-31 09:30", chargeable())
    life.step(Action.READ_CHARGE, "2026-01-31 10:00", HARD)

    life.step(READ_PERMISSION, "2026-01-31 10:00", chargeable())

    assert life.next == (CHARGE, at("2026-01-31 10:00"))


def test_a_permission_closed_while_a_charge_was_pending_ends_the_subscription_once_the_charge_is_captured() -> None:
    life = Life(terms())
    life.step(CHARGE, "2026-01-31 09:00", PENDING)
    life.signal("2026-01-31 09:30", closed("BuyerCanceled"))

    life.step(Action.READ_CHARGE, "2026-01-31 10:00", CAPTURED)

    assert life.book == [(0, "paid", 1)]
    life.beside(READ_PERMISSION, "2026-01-31 10:00", closed("BuyerCanceled"))
    assert life.subscription.status is Status.CLOSED


def test_a_permission_closed_while_a_charge_was_pending_is_noticed_where_the_charge_is_only_authorized() -> None:
    """No charge of the next period has to find it, weeks later or never, as a credit may pay that one."""
    agreed = terms()
    life = Life(agreed.but(plan=agreed.plan.but(capture=Capture.LATER)))
    authorized = ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED, charge_id="S01-1-1-C000001")
    life.step(CHARGE, "2026-01-31 09:00", PENDING)
    life.signal("2026-01-31 09:30", closed("BuyerClosed"))

    life.step(Action.READ_CHARGE, "2026-01-31 10:00", authorized)

    life.beside(READ_PERMISSION, "2026-01-31 10:00", closed("BuyerClosed"))
    assert (life.book, life.subscription.status) == ([(0, "authorized", 1)], Status.ENDING)


@pytest.mark.parametrize(
    ("refusal", "settling"), [(SOFT, WriteOff(period=0)), (refused("ANewCode"), Resolve(write_off=True))]
)
def test_a_signal_that_no_reading_answered_outlives_the_period_that_it_waited_for(
    refusal: ChargeAnswer, settling: Request
) -> None:
    life = Life(terms())
    life.step(CHARGE, "2026-01-31 09:00", refusal)
    life.signal("2026-01-31 09:30", unreadable())

    life.wants("2026-01-31 09:40", settling)

    assert life.book == [(0, "written_off", 1)]
    life.beside(READ_PERMISSION, "2026-01-31 09:40", closed("BuyerClosed"))
    assert life.subscription.status is Status.CLOSED


@pytest.mark.parametrize("unknown", [unreadable(), PermissionAnswer(state=PermissionState.UNKNOWN)])
def test_a_signal_whose_look_told_nothing_still_wakes_an_unpaid_subscription(unknown: PermissionAnswer) -> None:
    life = unpaid()

    life.signal("2026-03-10 12:00", unknown)

    assert life.first == (READ_PERMISSION, at("2026-03-10 13:00"))


def test_an_unpaid_subscription_looks_again_until_the_permission_can_be_read_and_then_sleeps_on() -> None:
    life = unpaid()
    life.signal("2026-03-10 12:00", unreadable())
    life.step(READ_PERMISSION, "2026-03-10 13:00", unreadable())
    life.step(READ_PERMISSION, "2026-03-10 14:00", BROKEN)
    assert (life.subscription.status, life.next) == (Status.UNPAID, (READ_PERMISSION, at("2026-03-17 14:00")))

    life.signal("2026-03-11 12:00", unreadable())
    life.step(READ_PERMISSION, "2026-03-11 13:00", chargeable("2026-03-11 11:00"))
    life.step(CHARGE, "2026-03-11 13:00", CAPTURED)
    assert life.book[0] == (0, "paid", 2)


def test_a_pending_charge_that_cannot_be_read_is_shown_until_it_can() -> None:
    life = Life(terms())
    life.step(CHARGE, "2026-01-31 09:00", PENDING)
    assert not life.subscription.needs_attention
    life.step(Action.READ_CHARGE, "2026-01-31 10:00", refused("UnauthorizedAccess"))
    assert (life.subscription.status, life.subscription.last_reason) == (Status.PENDING, "UnauthorizedAccess")
    assert life.subscription.needs_attention
    life.step(Action.READ_CHARGE, "2026-01-31 11:00", PENDING)
    assert (life.subscription.needs_attention, life.subscription.last_reason) == (False, None)


@pytest.mark.parametrize("unknown", [unreadable(), PermissionAnswer(state=PermissionState.UNKNOWN)])
def test_a_signal_whose_look_told_nothing_still_counts_when_the_permission_can_be_read_again(
    unknown: PermissionAnswer,
) -> None:
    life = Life(terms())
    life.step(CHARGE, "2026-01-31 09:00", HARD)
    life.step(READ_PERMISSION, "2026-01-31 09:00", chargeable())
    life.signal("2026-01-31 12:00", unknown)

    life.step(READ_PERMISSION, "2026-02-01 09:00", chargeable())

    assert life.next == (CHARGE, at("2026-02-01 09:00"))


def test_a_signal_during_the_first_look_after_a_hard_decline_that_told_nothing_still_counts() -> None:
    life = Life(terms())
    life.elapses(Timer.PERIOD)
    life.happens(Refresh(Thing.PERMISSION, notification_id="mended"))
    life.answered(HARD)
    life.step(READ_PERMISSION, "2026-01-31 09:00", unreadable())

    life.step(READ_PERMISSION, "2026-01-31 10:00", chargeable())

    assert life.next == (CHARGE, at("2026-01-31 10:00"))


@pytest.mark.parametrize("code", ["ProcessingFailure", "InvalidChargePermissionStatus"])
def test_amazons_own_trouble_with_the_first_charge_of_what_was_unpaid_does_not_leave_it_unpaid_again(code: str) -> None:
    life = unpaid()
    life.signal("2026-06-01 09:00", chargeable("2026-06-01 08:00"))
    life.step(CHARGE, "2026-06-01 09:00", SOFT.model_copy(update={"reason_code": code}))

    life.step(READ_PERMISSION, "2026-06-01 09:00", chargeable("2026-06-01 08:00"))

    assert life.next == (CHARGE, at("2026-06-01 09:05"))


def test_what_the_buyer_cannot_mend_is_told_between_two_charges_and_a_charge_in_progress_is_no_trouble() -> None:
    life = Life(terms())
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    told = len(life.told)

    life.signal("2026-02-02 09:00", non_chargeable("ChargeInProgress", updated="2026-02-02 08:00"))
    assert (life.told[told:], life.subscription.needs_attention) == ([], False)
    life.signal("2026-02-03 09:00", non_chargeable("AmountNotSet", updated="2026-02-03 08:00"))
    assert (life.told[told:], life.subscription.needs_attention) == (["subscription.held"], True)
    life.signal("2026-02-04 09:00", non_chargeable("PaymentMethodExpired", updated="2026-02-04 08:00"))
    life.signal("2026-02-05 09:00", chargeable("2026-02-05 08:00"))

    assert life.told[told + 1 :] == ["payment_method.needed", "payment_method.mended"]
    assert not life.subscription.needs_attention


def test_a_pending_charge_that_amazon_does_not_show_is_told_once() -> None:
    life = Life(terms())
    life.step(Action.CHARGE, "2026-01-31 09:00", PENDING)
    for hour in ("10:00", "11:00"):
        life.step(Action.READ_CHARGE, f"2026-01-31 {hour}", refused("UnauthorizedAccess"))

    assert life.told == ["charge.pending", "subscription.held"]
    assert life.subscription.outbox.notices[-1].reason_code == "UnauthorizedAccess"
