"""A signal says "look", never "believe": what a reading may lead to depends on who asked for it and what was seen."""

import pytest

from perennial_billing.billing.parts.stages import Stage
from perennial_billing.billing.protocol.answers import PermissionAnswer
from perennial_billing.billing.protocol.commands import Action
from tests.billing.collecting import DAY, DUE, HOUR, LOST, Collecting
from tests.billing.support import PENDING, chargeable, closed, non_chargeable, refused, unreadable

BROKEN = non_chargeable("PaymentMethodInvalid", updated="2026-01-31 09:00")
MENDED = chargeable("2026-02-03 00:00")


def awaiting_buyer(first_reading: PermissionAnswer = BROKEN) -> Collecting:
    """A hard decline two days ago; the buyer has been asked to mend the payment method."""
    period = Collecting()
    period.fail("HardDeclined")
    assert period.must_read(first_reading).action is Action.READ_PERMISSION
    period.now = DUE + 2 * DAY
    return period


def retrying() -> Collecting:
    """A soft decline an hour ago; the next attempt is eleven hours away."""
    period = Collecting()
    period.fail("SoftDeclined")
    assert period.must_read(chargeable()).action is Action.CHARGE
    period.now = DUE + HOUR
    return period


def unpaid() -> Collecting:
    """The policy's time is used up, and its final action leaves the period unpaid."""
    period = awaiting_buyer()
    period.now = DUE + 21 * DAY
    assert period.must_read(BROKEN).action is Action.FINAL_ACTION
    period.use_up()
    return period


def test_a_mended_payment_method_is_charged_at_once_when_a_signal_tells() -> None:
    period = awaiting_buyer()

    step = period.hear(MENDED)

    assert step is not None
    assert (step.action, step.at, period.stage) == (Action.CHARGE, period.now, Stage.RETRYING)


def test_a_mended_payment_method_is_charged_at_once_when_only_the_slow_look_finds_it() -> None:
    period = awaiting_buyer()

    step = period.must_read(MENDED)

    assert (step.action, step.at) == (Action.CHARGE, period.now)


def test_a_permission_that_never_stopped_being_chargeable_is_not_charged_again_unasked() -> None:
    period = awaiting_buyer(chargeable())

    step = period.must_read(chargeable())

    assert (step.action, step.at) == (Action.READ_PERMISSION, period.now + DAY)
    assert period.stage is Stage.AWAITING_PAYMENT_METHOD


def test_a_permission_that_never_stopped_being_chargeable_is_charged_when_somebody_says_it_was_mended() -> None:
    period = awaiting_buyer(chargeable())

    step = period.hear(chargeable())

    assert step is not None
    assert (step.action, step.at) == (Action.CHARGE, period.now)


def test_a_permission_that_amazon_updated_since_is_charged_though_no_signal_came() -> None:
    period = awaiting_buyer(chargeable())

    assert period.must_read(MENDED).action is Action.CHARGE


def test_a_signal_that_came_while_the_attempt_was_under_way_is_not_lost() -> None:
    period = Collecting()
    period.fail("HardDeclined")

    step = period.must_read(chargeable(), prompted=True)

    assert (step.action, step.at) == (Action.CHARGE, DUE)


def test_a_signal_does_not_charge_what_is_still_broken() -> None:
    period = awaiting_buyer()

    step = period.hear(BROKEN)

    assert step is not None
    assert (step.action, step.at) == (Action.READ_PERMISSION, period.now + DAY)


def test_a_signal_while_a_retry_is_planned_leaves_the_plan_where_nothing_changed() -> None:
    period = retrying()

    assert period.hear(chargeable()) is None
    assert period.stage is Stage.RETRYING


def test_a_new_payment_method_while_a_retry_is_planned_is_charged_at_once() -> None:
    period = retrying()

    step = period.hear(MENDED)

    assert step is not None
    assert (step.action, step.at) == (Action.CHARGE, period.now)


def test_a_payment_method_that_breaks_while_a_retry_is_planned_waits_for_the_buyer() -> None:
    period = retrying()

    step = period.hear(BROKEN)

    assert step is not None
    assert (step.action, step.at) == (Action.READ_PERMISSION, period.now + DAY)
    assert period.collection.last_reason == "PaymentMethodInvalid"


def test_a_stale_reading_older_than_the_last_one_is_not_a_change() -> None:
    period = Collecting()
    period.fail("SoftDeclined")
    period.must_read(chargeable("2026-01-31 09:00"))

    assert period.hear(chargeable("2026-01-31 08:00")) is None


def test_a_stale_reading_from_before_the_payment_method_broke_does_not_mend_it() -> None:
    period = awaiting_buyer(BROKEN)

    step = period.must_read(chargeable("2026-01-01 00:00"))

    assert (step.action, period.stage) == (Action.READ_PERMISSION, Stage.AWAITING_PAYMENT_METHOD)


def test_amazons_monthly_limit_is_waited_for_whatever_else_changed_on_the_permission() -> None:
    period = Collecting()
    period.run_into_the_limit()

    assert period.hear(chargeable()) is None
    assert period.hear(MENDED) is None


def test_a_closed_permission_ends_it_in_every_stage_but_while_amazon_decides_on_a_charge() -> None:
    for period in (awaiting_buyer(), retrying(), unpaid()):
        step = period.hear(closed("BuyerCanceled"))
        assert step is not None
        assert (step.action, step.at) == (LOST, period.now)
        assert "BuyerCanceled" in step.why


def test_a_charge_that_amazon_decides_on_outlives_the_closed_permission() -> None:
    period = Collecting()
    period.begin_attempt()
    period.answer(PENDING)

    assert period.hear(closed("BuyerCanceled")) is None
    assert (period.stage, period.attempt_is_open) == (Stage.PENDING, True)


@pytest.mark.parametrize("code", ["UnauthorizedAccess", "ResourceNotFound", None])
def test_a_pending_charge_that_could_not_be_read_is_still_pending(code: str | None) -> None:
    period = Collecting()
    period.begin_attempt()
    period.now = period.answer(PENDING).at

    step = period.answer(refused(code))

    assert step.at == period.now + HOUR
    assert period.attempt_is_open
    assert period.hear(closed("BuyerCanceled")) is None


def test_a_permission_that_could_not_be_read_changes_nothing_when_only_a_signal_asked() -> None:
    for period in (awaiting_buyer(), retrying()):
        before = period.collection.model_copy(update={"prompted": True})
        assert period.hear(unreadable()) is None
        assert period.collection == before


def test_a_hard_decline_stays_one_when_the_permission_could_not_be_read_at_first() -> None:
    period = Collecting()
    period.fail("HardDeclined")
    period.now = period.must_read(unreadable()).at

    step = period.must_read(chargeable())

    assert (step.action, period.stage) == (Action.READ_PERMISSION, Stage.AWAITING_PAYMENT_METHOD)


def test_a_hard_decline_stays_one_when_a_signal_came_before_the_permission_could_be_read() -> None:
    period = Collecting()
    period.fail("HardDeclined")
    held = period.must_read(unreadable())

    step = period.hear(chargeable())

    assert held.action is Action.READ_PERMISSION
    assert step is not None
    assert (step.action, step.at) == (Action.CHARGE, DUE)


def test_a_hard_decline_stays_one_when_the_permission_was_merely_busy() -> None:
    period = Collecting()
    period.fail("HardDeclined")
    period.now = period.must_read(non_chargeable("ChargeInProgress", updated="2026-01-31 09:00")).at

    step = period.must_read(chargeable("2026-01-31 09:30"))

    assert (step.action, period.stage) == (Action.READ_PERMISSION, Stage.AWAITING_PAYMENT_METHOD)


def test_a_permission_that_was_merely_busy_does_not_shorten_the_wait_after_a_soft_decline() -> None:
    period = Collecting()
    period.fail("SoftDeclined")
    period.now = period.must_read(non_chargeable("ChargeInProgress", updated="2026-01-31 09:00")).at

    step = period.must_read(chargeable("2026-01-31 09:30"))

    assert step.action is Action.CHARGE
    assert step.at >= DUE + 12 * HOUR


def test_an_unpaid_collection_is_charged_at_once_when_the_payment_method_was_mended() -> None:
    period = unpaid()

    step = period.hear(MENDED)

    assert step is not None
    assert (step.action, step.at, period.stage) == (Action.CHARGE, period.now, Stage.RETRYING)


def test_an_unpaid_collection_stays_so_while_the_payment_method_is_broken() -> None:
    period = unpaid()

    assert period.hear(BROKEN) is None
    assert period.hear(non_chargeable("ChargeInProgress", updated="2026-02-21 09:00")) is None
    assert period.stage is Stage.UNPAID
