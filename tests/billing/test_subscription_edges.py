"""The corners of a subscription's life: exact instants, what a driver must never do, and what people are shown."""

import pytest
from pydantic import ValidationError

from perennial_billing.billing.agenda import main_command, next_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Amounts, Plan
from perennial_billing.billing.plan.policy import CollectionPolicy, FinalAction
from perennial_billing.billing.protocol.commands import (
    Action,
    AskAmount,
    ClosePermission,
    CreateCharge,
    ReadCharge,
    StartSuccessor,
    Timer,
)
from perennial_billing.billing.protocol.events import Answered, Unanswered
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from tests.billing.support import (
    CAPTURED,
    PERMISSION_ID,
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


def used_up(policy: CollectionPolicy, interval: Interval = DAILY) -> Life:
    """The first period's only attempt failed."""
    life = Life(terms("2026-01-31 09:00", policy=policy, interval=interval))
    life.step(CHARGE, "2026-01-31 09:00", SOFT)
    life.step(READ_PERMISSION, "2026-01-31 09:00", chargeable())
    life.step(Action.FINAL_ACTION, "2026-01-31 09:00")
    return life


def test_a_new_subscription_waits_for_its_anchor_and_asks_for_nothing() -> None:
    subscription = Subscription.begin(terms("2026-01-31 09:00"))

    command = next_command(subscription)
    assert command is not None
    assert (command.action, command.at, command.at_once) == (CHARGE, at("2026-01-31 09:00"), False)
    assert str(PRICE) in command.why
    assert (subscription.status, subscription.ledger.records, subscription.next_period) == (Status.ACTIVE, (), 0)
    assert subscription.permission.look_at is None
    assert not subscription.needs_attention


def test_a_period_that_falls_due_at_the_very_instant_of_recovery_was_missed_too() -> None:
    life = used_up(ONE_ATTEMPT)

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
    life.step(Action.FINAL_ACTION, "2026-01-02 21:00")

    assert life.book == [(0, "written_off", 3)]
    assert life.next == (CHARGE, at("2026-01-02 09:00"))


def test_the_final_action_is_the_one_that_stood_when_the_first_attempt_failed() -> None:
    life = Life(terms("2026-01-31 09:00", policy=ONE_ATTEMPT))
    life.step(CHARGE, "2026-01-31 09:00", SOFT)
    other = terms("2026-01-31 09:00", policy=CollectionPolicy(max_attempts=1, final_action=FinalAction.CANCEL))
    life.subscription = life.subscription.but(contract=life.subscription.contract.but(terms=other))
    assert life.subscription.plan.collection.final_action is FinalAction.CANCEL
    life.step(READ_PERMISSION, "2026-01-31 09:00", chargeable())
    life.step(Action.FINAL_ACTION, "2026-01-31 09:00")

    assert life.subscription.status is Status.UNPAID


def test_a_payment_proves_that_the_payment_method_works_whatever_was_seen_before() -> None:
    life = Life(terms("2026-01-31 09:00"))
    life.step(CHARGE, "2026-01-31 09:00", CAPTURED)
    life.signal("2026-02-10 12:00", non_chargeable("PaymentMethodExpired"))
    assert life.subscription.needs_attention

    life.step(CHARGE, "2026-02-28 09:00", CAPTURED)

    assert (life.subscription.needs_attention, life.subscription.last_reason) == (False, None)


def test_what_a_person_wrote_when_canceling_is_told_to_amazon_and_shown_nowhere_else() -> None:
    life = used_up(ONE_ATTEMPT)
    life.cancel("2026-02-01 12:00", "Anna Example moved away")
    assert "Anna" not in life.why
    command = main_command(life.subscription)
    assert isinstance(command, ClosePermission)
    assert command.reason == "Anna Example moved away"

    life.step(CLOSE, "2026-02-01 12:00", unreadable("InvalidAccountStatus"))
    assert "InvalidAccountStatus" in life.why
    life.step(CLOSE, "2026-02-01 13:00", closed("MerchantClosed"))

    assert life.subscription.last_reason is None
    assert all("Anna" not in str(record.reason) for record in life.subscription.ledger.records)
    assert life.subscription.permission.seen == closed("MerchantClosed")


def test_a_reason_that_ended_it_stands_in_what_happens_next() -> None:
    life = used_up(CollectionPolicy(max_attempts=1, final_action=FinalAction.CANCEL))

    assert "SoftDeclined" in life.why


def test_what_has_been_written_into_the_account_is_never_changed() -> None:
    life = used_up(CollectionPolicy(max_attempts=1, final_action=FinalAction.CANCEL))

    ledger, ending = life.subscription.ledger, life.subscription.lifecycle.ending
    for value, field in ((ledger, "records"), (ledger.records[0], "attempts"), (ending, "reason")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(value, field, None)


def test_a_driver_that_does_what_no_step_says_is_stopped_before_any_harm() -> None:
    life = Life(terms("2026-01-31 09:00"))
    read = ReadCharge(charge_id="S01-1-1-C000001", at=life.now, why="")
    close = ClosePermission(
        charge_permission_id=PERMISSION_ID, reason="", cancel_pending_charges=False, at=life.now, why=""
    )

    for timer in (Timer.RETRY, Timer.FINAL_ACTION, Timer.NEXT_DUE, Timer.GRACE):
        with pytest.raises(AssertionError, match="no period is being collected"):
            life.elapses(timer)
    with pytest.raises(AssertionError, match="no period is being collected"):
        life.happens(Answered(read, CAPTURED))
    with pytest.raises(AssertionError, match="no end was decided"):
        life.happens(Answered(close, unreadable()))
    with pytest.raises(AssertionError, match="no end was decided"):
        life.happens(Answered(close, closed()))
    life.elapses(Timer.PERIOD)
    charge = main_command(life.subscription)
    assert isinstance(charge, CreateCharge)
    with pytest.raises(AssertionError, match="PermissionAnswer is no answer to CreateCharge"):
        life.happens(Answered(charge, chargeable()))
    start = StartSuccessor(charge_permission_id=PERMISSION_ID, at=life.now, why="")
    with pytest.raises(AssertionError, match="StartSuccessor is asked for until it is answered"):
        life.happens(Unanswered(start))
    with pytest.raises(AssertionError, match="no known outcome yet"):
        life.elapses(Timer.RETRY)


def test_what_the_merchants_endpoint_said_instead_of_an_amount_is_told_once_and_shown_while_it_lasts() -> None:
    plan = Plan.of("metered", Money.parse("81 CHF"), Interval(unit=Unit.WEEK)).but(amounts=Amounts.ASKED)
    life = Life(terms("2027-04-02 07:00").but(plan=plan))
    for when, why in (("2027-04-02 07:00", "it said 12.3456 CHF"), ("2027-04-02 08:00", "status 500")):
        life.now = at(when)
        life.elapses(Timer.PERIOD)
        question = next_command(life.subscription)
        assert isinstance(question, AskAmount)
        life.happens(Unanswered(question, why))
        assert life.why == f"period 0 fell due, and {why}; it is asked again"

    (notice,) = life.subscription.outbox.notices
    assert (notice.type.value, notice.reason_code) == ("subscription.held", "AmountUnknown")
    assert notice.reason == "period 0 fell due, and it said 12.3456 CHF; it is asked again"
