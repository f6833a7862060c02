"""Calls that Amazon has not answered for an hour: seen and told once, made again with the same key, overtaken by
nothing that may take money, and forgotten once they are answered."""

import pytest

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.changes import Cancel, Capture, RefundPeriod, ReplacePermission, RetryNow, When
from perennial_billing.billing.parts.unanswered import NOT_TAKEN, OUTCOME_UNKNOWN
from perennial_billing.billing.plan import Capture as WhenCaptured
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.protocol.answers import (
    ChargeAnswer,
    ChargeOutcome,
    PermissionAnswer,
    RefundAnswer,
    RefundState,
)
from perennial_billing.billing.protocol.commands import Action, Command, CreateCharge, Timer
from perennial_billing.billing.protocol.events import Refresh, Thing, Unanswered
from perennial_billing.billing.protocol.foreign import LONGEST_PROSE
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import view_of
from tests.billing.support import CAPTURED, HARD, PENDING, SOFT, Life, at, chargeable, closed, refused, terms

WHY = "503 ServiceUnavailable: try again later"
DUE = "2026-01-31 09:00"
HOUR_LATER = "2026-01-31 10:00"


def stands(life: Life) -> Command:
    command = next_command(life.subscription)
    assert command is not None
    return command


def not_answered(life: Life, when: str, why: str | None = WHY) -> Command:
    """What stands first was asked for until then, in vain; gives what was asked."""
    command = stands(life)
    life.now = at(when)
    life.happens(Unanswered(command, why))
    return command


def charging(policy: CollectionPolicy | None = None) -> Life:
    """The first attempt of period 0 is under way since its due date."""
    life = Life(terms(DUE, policy=policy) if policy else terms(DUE))
    life.now = at(DUE)
    life.elapses(Timer.PERIOD)
    return life


def test_a_charge_without_an_answer_for_an_hour_is_seen_and_told_once() -> None:
    life = charging()
    not_answered(life, HOUR_LATER)

    view = view_of(life.subscription)
    assert (view.status, view.needs_attention, view.last_reason) == (Status.ON_HOLD, True, OUTCOME_UNKNOWN)
    assert view.owed is not None
    assert (view.owed.held_for, view.owed.attempt_is_open, view.past_due) == (OUTCOME_UNKNOWN, True, False)
    (call,) = view.unanswered
    assert (call.action, call.since, call.why) == (Action.CHARGE, at(DUE), WHY)
    notice = life.subscription.outbox.notices[-1]
    assert (notice.type.value, notice.reason_code, notice.period, notice.attempt) == (
        "subscription.held",
        OUTCOME_UNKNOWN,
        0,
        1,
    )
    assert notice.reason == f"charge: not answered since 2026-01-31 09:00 UTC ({WHY}); asked again"

    not_answered(life, "2026-01-31 13:00")
    assert life.told == ["subscription.held"]


def test_the_same_attempt_is_asked_for_again_at_once_and_for_as_long_as_it_takes() -> None:
    life = charging()
    first = not_answered(life, HOUR_LATER)

    again = stands(life)
    assert isinstance(first, CreateCharge)
    assert isinstance(again, CreateCharge)
    assert (again.attempt, again.texts, again.merchant_reference) == (
        first.attempt,
        first.texts,
        first.merchant_reference,
    )
    assert (first.until_answered, again.until_answered, again.at_once, again.urgent) == (False, True, True, True)


@pytest.mark.parametrize(
    ("answer", "told", "status"),
    [
        (CAPTURED, "period.paid", Status.ACTIVE),
        (SOFT, "charge.declined", Status.RETRYING),
        (HARD, "payment_method.needed", Status.AWAITING_PAYMENT_METHOD),
        (PENDING, "charge.pending", Status.PENDING),
        (refused("InvalidRequest"), "subscription.held", Status.ON_HOLD),
    ],
)
def test_once_the_outcome_is_known_it_goes_on_as_if_nothing_had_been(
    answer: ChargeAnswer, told: str, status: Status
) -> None:
    smooth, rough = charging(), charging()
    not_answered(rough, HOUR_LATER)
    for life in (smooth, rough):
        life.now = at("2026-01-31 14:30")
        life.answered(answer)
        if life.next == (Action.READ_PERMISSION, life.now):
            life.answered(chargeable() if answer is SOFT else PermissionAnswer(state=chargeable().state))

    assert rough.subscription.but(outbox=smooth.subscription.outbox) == smooth.subscription
    assert (rough.subscription.status, rough.told[1:]) == (status, smooth.told)
    assert rough.told[-1] == told
    assert rough.subscription.last_reason != OUTCOME_UNKNOWN


def test_nothing_overtakes_an_attempt_whose_outcome_is_unknown() -> None:
    life = charging(CollectionPolicy(cancel_pending_charges=True))
    asked = not_answered(life, HOUR_LATER)
    life.wants("2026-01-31 10:04", ReplacePermission(charge_permission_id="C01-7654321-7654321"))
    life.wants("2026-01-31 10:05", Cancel(when=When.NOW))
    life.cancel("2026-01-31 10:06")
    life.happens(Refresh(Thing.PERMISSION))

    assert stands(life).but(until_answered=False, urgent=False, why=asked.why) == asked
    with pytest.raises(Refused, match="its outcome is awaited"):
        life.wants("2026-01-31 10:08", RetryNow())
    not_answered(life, "2026-01-31 11:00")
    assert stands(life).action is Action.CHARGE

    life.answered(CAPTURED)
    life.elapses(Timer.CANCELLATION)
    life.step(Action.CLOSE_PERMISSION, "2026-01-31 11:00", closed("MerchantClosed"))
    assert (life.subscription.status, life.book) == (Status.CANCELED, [(0, "paid", 1)])
    assert not life.subscription.needs_attention


def test_a_repeated_attempt_whose_outcome_has_become_unknown_is_not_written_off_either() -> None:
    life = charging()
    life.answered(refused("UnauthorizedAccess"))
    not_answered(life, "2026-01-31 11:00")

    life.cancel("2026-01-31 11:30")

    assert stands(life).action is Action.REPEAT_CHARGE
    life.answered(CAPTURED)
    assert life.book == [(0, "paid", 1)]


def test_where_no_worker_has_taken_it_that_is_said() -> None:
    life = charging()
    not_answered(life, HOUR_LATER, None)

    assert view_of(life.subscription).unanswered[0].why == NOT_TAKEN


def test_what_a_proxy_says_is_kept_short_and_on_one_line() -> None:
    life = charging()
    not_answered(life, HOUR_LATER, "403\n<html>\n" + "Forbidden " * 1_000)

    why = view_of(life.subscription).unanswered[0].why
    assert why.startswith("403 <html> Forbidden")
    assert len(why) == LONGEST_PROSE


def test_a_capture_without_an_answer_is_made_again_with_its_key_before_all_else() -> None:
    policy = CollectionPolicy(cancel_pending_charges=True)
    life = charging(policy)
    life.answered(ChargeAnswer(outcome=ChargeOutcome.DECLINED, reason_code="TransactionTimedOut"))
    life.answered(chargeable())
    life.step(Action.CHARGE, "2026-01-31 21:00", PENDING)
    life.happens(Refresh(Thing.CHARGE, PENDING.charge_id))
    life.answered(ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED, charge_id=PENDING.charge_id))
    asked = not_answered(life, "2026-01-31 22:00")
    life.cancel("2026-01-31 22:10")

    again = stands(life)
    assert (asked.action, again.action) == (Action.CAPTURE, Action.CAPTURE)
    assert again.but(until_answered=False, urgent=False, why=asked.why) == asked
    assert (life.subscription.status, life.subscription.last_reason) == (Status.PENDING, OUTCOME_UNKNOWN)
    life.answered(CAPTURED)
    assert life.book == [(0, "paid", 2)]


def test_a_pending_charge_that_cannot_be_read_is_seen_and_read_again_an_hour_later() -> None:
    life = charging()
    life.answered(PENDING)
    not_answered(life, "2026-01-31 11:00")

    assert (life.subscription.status, life.subscription.needs_attention) == (Status.PENDING, True)
    assert life.told == ["charge.pending", "subscription.held"]
    assert life.next == (Action.READ_CHARGE, at("2026-01-31 12:00"))
    life.step(Action.READ_CHARGE, "2026-01-31 12:00", PENDING)
    assert (life.subscription.needs_attention, life.subscription.unanswered.calls) == (False, ())


def test_a_charge_permission_that_is_not_shown_keeps_the_failure_that_it_was_to_explain() -> None:
    life = charging()
    life.answered(SOFT)
    not_answered(life, HOUR_LATER)

    assert (life.subscription.status, life.told) == (Status.ON_HOLD, ["subscription.held"])
    life.step(Action.READ_PERMISSION, "2026-01-31 11:00", chargeable())
    notice = life.subscription.outbox.notices[-1]
    assert (notice.type.value, notice.reason_code, life.subscription.status) == (
        "charge.declined",
        "SoftDeclined",
        Status.RETRYING,
    )


def test_what_a_signal_has_said_is_looked_at_again_and_holds_up_no_due_date() -> None:
    life = Life(terms(DUE))
    life.step(Action.CHARGE, DUE, CAPTURED)
    life.now = at("2026-02-28 07:30")
    life.happens(Refresh(Thing.PERMISSION))
    not_answered(life, "2026-02-28 08:30")

    assert life.subscription.needs_attention
    assert life.first == (Action.CHARGE, at("2026-02-28 09:00"))
    life.beside(Action.CHARGE, "2026-02-28 09:00", CAPTURED)
    assert life.subscription.unanswered.calls == (), "it was charged, which tells more"


def test_a_refund_without_an_answer_is_asked_for_again_with_its_key_and_holds_up_nothing() -> None:
    life = Life(terms(DUE))
    life.step(Action.CHARGE, DUE, CAPTURED)
    life.wants("2026-02-27 12:00", RefundPeriod(period=0))
    asked = not_answered(life, "2026-02-27 13:00")

    assert (life.subscription.status, life.subscription.needs_attention) == (Status.ACTIVE, True)
    notice = life.subscription.outbox.notices[-1]
    assert (notice.type.value, notice.period, notice.charge_id) == ("subscription.held", 0, CAPTURED.charge_id)
    again = stands(life)
    assert (again.action, again.at, again.at_once) == (Action.REFUND, at("2026-02-27 14:00"), False)
    assert again.but(at=asked.at, at_once=True, why=asked.why) == asked
    life.beside(
        Action.REFUND, "2026-02-27 14:00", RefundAnswer(state=RefundState.REFUNDED, refund_id="S01-1-1-R000001")
    )
    assert (life.told[-1], life.subscription.needs_attention) == ("refund.completed", False)


def test_the_capture_of_an_authorized_charge_is_asked_for_again_with_its_key() -> None:
    life = Life(terms(DUE, capture=WhenCaptured.LATER))
    life.step(Action.CHARGE, DUE, ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED, charge_id="S01-1-1-C000001"))
    life.wants("2026-02-03 12:00", Capture(period=0))
    asked = not_answered(life, "2026-02-03 13:00")

    again = stands(life)
    assert (again.action, again.at) == (Action.CAPTURE_AUTHORIZED, at("2026-02-03 14:00"))
    assert again.but(at=asked.at, at_once=True, why=asked.why) == asked
    life.beside(Action.CAPTURE_AUTHORIZED, "2026-02-03 14:00", CAPTURED)
    assert (life.book, life.subscription.needs_attention) == ([(0, "paid", 1)], False)


@pytest.mark.parametrize("refusal", [None, "UnauthorizedAccess"])
def test_a_charge_permission_that_is_not_closed_is_seen_and_told_once(refusal: str | None) -> None:
    life = Life(terms(DUE))
    life.step(Action.CHARGE, DUE, CAPTURED)
    life.cancel("2026-02-03 12:00")
    for when in ("2026-02-03 12:00", "2026-02-03 13:00"):
        if refusal:
            life.step(Action.CLOSE_PERMISSION, when, PermissionAnswer(state=chargeable().state, refused=refusal))
        else:
            not_answered(life, when)

    assert (life.subscription.status, life.subscription.needs_attention) == (Status.ENDING, True)
    assert life.told[1:] == ["subscription.held"]
    life.step(Action.CLOSE_PERMISSION, "2026-02-03 14:00", closed("MerchantClosed"))
    assert (life.subscription.status, life.subscription.needs_attention) == (Status.CANCELED, False)


def test_a_plan_that_amazon_is_not_told_of_is_seen_after_an_hour_not_after_a_minute() -> None:
    life = Life(terms(DUE))
    life.step(Action.CHARGE, DUE, CAPTURED)
    life.subscription = life.subscription.but(permission=life.subscription.permission.plan_changed(at(DUE)))
    not_answered(life, "2026-01-31 09:01")
    assert (life.subscription.needs_attention, life.told) == (False, ["period.paid"])

    assert not_answered(life, "2026-01-31 10:02").at == at("2026-01-31 10:01")
    assert (life.subscription.needs_attention, life.told) == (True, ["period.paid", "subscription.held"])
    life.beside(Action.UPDATE_PERMISSION, "2026-01-31 11:02", chargeable())
    assert not life.subscription.needs_attention
