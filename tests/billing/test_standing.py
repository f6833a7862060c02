"""A bulk change that is asked for again finds whom it holds for already."""

from datetime import datetime

import pytest

from perennial_billing.billing.changes import (
    Cancel,
    Change,
    ChangePlan,
    PauseSubscription,
    ResumeSubscription,
    SkipPeriod,
    When,
)
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.standing import why_already
from perennial_billing.billing.view import view_of
from tests.billing.support import CAPTURED, MONTHLY, Life, at, closed, terms

GOLD = Plan.of("gold", Money.parse("20 EUR"), MONTHLY)
TODAY = "2026-02-10 09:00"
MARCH, APRIL = at("2026-03-31 09:00"), at("2026-04-30 09:00")


def paid() -> Life:
    """The first period is paid; the next falls due on the 28th of February."""
    life = Life(terms())
    life.step(Action.CHARGE, "2026-01-31 09:00", CAPTURED)
    return life


def again(life: Life, change: Change) -> bool:
    return why_already(view_of(life.subscription), change, life.now) is not None


@pytest.mark.parametrize(
    "change",
    [
        PauseSubscription(),
        PauseSubscription(when=When.RENEWAL),
        PauseSubscription(when=MARCH),
        PauseSubscription(until=APRIL, keeps_anchor=False),
        PauseSubscription(until=APRIL, stops_collecting=True),
        ChangePlan(plan=GOLD),
        ChangePlan(plan=GOLD, when=When.NOW),
        ChangePlan(plan=GOLD, when=MARCH),
        ChangePlan(plan=GOLD, when=at("2026-03-15 00:00")),
        ChangePlan(quantity=3),
        ChangePlan(quantity=3, when=When.NOW),
        Cancel(),
        Cancel(when=MARCH),
        Cancel(when=When.NOW),
    ],
    ids=lambda change: change.model_dump_json(exclude_defaults=True)[:60],
)
def test_what_was_done_is_done_already_and_was_not_before(change: Change) -> None:
    life = paid()
    assert not again(life, change)

    life.ask(TODAY, change)
    if isinstance(change, Cancel) and change.when is When.NOW:
        life.begin_cancellation_if_due()

    assert again(life, change)


def test_a_plan_that_holds_from_now_on_is_there_already_while_and_after_its_first_charge_is_made() -> None:
    life, change = paid(), ChangePlan(plan=GOLD, when=When.NOW)
    life.ask(TODAY, change)
    assert again(life, change)

    life.step(Action.CHARGE, TODAY, CAPTURED)

    assert again(life, change)
    assert again(life, ChangePlan(plan=GOLD))
    assert not again(life, ChangePlan(plan=GOLD, quantity=2, when=When.NOW))


def test_a_plan_that_is_to_come_does_not_hold_now() -> None:
    life = paid()
    life.ask(TODAY, ChangePlan(plan=GOLD))

    assert not again(life, ChangePlan(plan=GOLD, when=When.NOW))


def test_a_plan_that_is_to_come_later_than_asked_for_does_not_hold_then() -> None:
    life = paid()
    life.ask(TODAY, ChangePlan(plan=GOLD, when=APRIL))

    assert not again(life, ChangePlan(plan=GOLD, when=MARCH))
    assert again(life, ChangePlan(plan=GOLD, when=at("2026-05-01 00:00")))


def test_a_pause_of_another_kind_is_none_of_these() -> None:
    life = paid()
    life.ask(TODAY, PauseSubscription(until=APRIL))

    for other in (
        PauseSubscription(),
        PauseSubscription(until=MARCH),
        PauseSubscription(until=APRIL, keeps_anchor=False),
        PauseSubscription(until=APRIL, stops_collecting=True),
    ):
        assert not again(life, other)


@pytest.mark.parametrize("when", [None, MARCH])
def test_who_is_not_paused_is_resumed_already_and_who_is_or_will_be_is_not(when: datetime | None) -> None:
    life = paid()
    assert again(life, ResumeSubscription())

    life.ask(TODAY, PauseSubscription(when=when or When.NOW))

    assert not again(life, ResumeSubscription())


def test_an_end_at_another_instant_is_not_this_one() -> None:
    life = paid()
    life.ask(TODAY, Cancel(when=APRIL))

    assert not again(life, Cancel())
    assert not again(life, Cancel(when=MARCH))
    assert not again(life, Cancel(when=When.NOW))


def test_who_has_ended_is_canceled_already_and_resumed_by_nothing() -> None:
    life = paid()
    life.cancel(TODAY)
    life.step(Action.CLOSE_PERMISSION, TODAY, closed("MerchantClosed"))

    assert again(life, Cancel(when=When.NOW))
    assert not again(life, ResumeSubscription())


def test_of_any_other_change_nobody_can_tell() -> None:
    assert not again(paid(), SkipPeriod())
