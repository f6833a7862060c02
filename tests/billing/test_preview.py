"""What is shown of the future is what is then charged: both are the rules' own."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import AddItem, ChangePlan, RefundPeriod
from perennial_billing.billing.contract.agreement import BillingDay
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.forecast.drive import perform, success
from perennial_billing.billing.forecast.preview import MOST_CHARGES, Upcoming, upcoming
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Amounts, Capture, Phase, Plan, Texts
from perennial_billing.billing.plan.policy import CatchUp, CollectionPolicy
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome
from perennial_billing.billing.protocol.commands import Action, Command, CreateCharge, Timer
from perennial_billing.billing.protocol.events import Answer, Refresh, Thing, Unanswered
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.subscription import Subscription
from tests.billing.support import CAPTURED as PAID
from tests.billing.support import HARD, PERMISSION_ID, SOFT, Life, at, chargeable, closed, non_chargeable, terms
from tests.billing.test_schedule import schedules_of_terms

MONTH = Interval(unit=Unit.MONTH)


def told(found: list[Upcoming]) -> list[tuple[int, str, str, str]]:
    return [(each.period, f"{each.at:%Y-%m-%d %H:%M}", str(each.amount), each.why) for each in found]


def test_a_plan_is_shown_with_its_phases_and_its_short_period() -> None:
    phases = (
        Phase(amount=Money.parse("0 USD"), interval=Interval(unit=Unit.DAY, count=30), periods=1),
        Phase(amount=Money.parse("100 USD"), interval=MONTH, periods=2),
        Phase(amount=Money.parse("249.95 USD"), interval=MONTH),
    )
    agreed = Terms(
        charge_permission_id=PERMISSION_ID,
        plan=Plan(plan_id="gold", phases=phases),
        anchor=at("2016-04-01 09:00"),
        billing_day=BillingDay(day=15),
    )

    assert told(upcoming(Subscription.begin(agreed), 5, agreed.anchor)) == [
        (0, "2016-04-01 09:00", "0.00 USD", "gold, phase 1, 1 of 1"),
        (1, "2016-05-01 09:00", "46.67 USD", "gold, phase 2, short: until 2016-05-15"),
        (2, "2016-05-15 09:00", "100.00 USD", "gold, phase 2, 1 of 2"),
        (3, "2016-06-15 09:00", "100.00 USD", "gold, phase 2, 2 of 2"),
        (4, "2016-07-15 09:00", "249.95 USD", "gold, phase 3"),
    ]


def test_looking_ahead_changes_nothing() -> None:
    life = Life(terms())
    before = life.subscription.model_dump_json()

    upcoming(life.subscription, 24, life.now)

    assert life.subscription.model_dump_json() == before


def test_a_fixed_term_is_shown_to_its_end() -> None:
    agreed = terms(periods=3)

    assert len(upcoming(Subscription.begin(agreed), 12, agreed.anchor)) == 3


def test_what_is_owed_comes_first_when_it_is_tried_again() -> None:
    life = Life(terms())
    life.step(Action.CHARGE, "2026-01-31 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-01-31 09:00", chargeable())

    first, second = upcoming(life.subscription, 2, life.now)

    assert (first.period, first.at, first.why) == (0, at("2026-01-31 21:00"), "SoftDeclined: retry, attempt 2")
    assert (second.period, second.at) == (1, at("2026-02-28 09:00"))


def test_what_waits_for_the_buyer_is_shown_for_when_it_is_next_looked_at() -> None:
    life = Life(terms())
    life.step(Action.CHARGE, "2026-01-31 09:00", HARD)
    life.step(Action.READ_PERMISSION, "2026-01-31 09:00", non_chargeable("PaymentMethodInvalid"))

    assert [each.period for each in upcoming(life.subscription, 2, life.now)] == [0, 1]


def test_what_runs_beside_does_not_hide_the_charges_to_come() -> None:
    """A refund under way, a dispute, and a charge that waits to be captured each have a step of their own."""
    life = Life(terms("2026-01-31 09:00", capture=Capture.LATER))
    life.step(Action.CHARGE, "2026-01-31 09:00", ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED, charge_id="S01-1"))
    paid = Life(terms("2026-01-31 09:00"))
    paid.step(Action.CHARGE, "2026-01-31 09:00", PAID)
    paid.wants("2026-02-01 09:00", RefundPeriod(period=0))
    paid.happens(Refresh(Thing.DISPUTE, "S01-1-B000001"))

    for subscription in (life.subscription, paid.subscription):
        assert [each.period for each in upcoming(subscription, 3, at("2026-02-01 09:00"))] == [1, 2, 3]


def test_what_runs_beside_is_not_why_a_period_is_charged() -> None:
    life = Life(terms("2026-01-31 09:00"))
    life.step(Action.CHARGE, "2026-01-31 09:00", PAID)
    life.step(Action.CHARGE, "2026-02-28 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-02-28 09:00", chargeable())
    life.wants("2026-02-28 10:00", RefundPeriod(period=0))

    (owed,) = upcoming(life.subscription, 1, life.now)

    assert (owed.period, owed.at, owed.why) == (1, at("2026-02-28 21:00"), "SoftDeclined: retry, attempt 2")


def test_of_missed_periods_the_latest_is_told_as_what_it_is() -> None:
    agreed = terms("2026-01-31 09:00", periods=6, policy=CollectionPolicy(catch_up=CatchUp.LATEST))

    found = upcoming(Subscription.begin(agreed), 2, at("2026-04-10 00:00"))

    assert told(found) == [
        (2, "2026-04-10 00:00", "9.99 EUR", "basic, 3 of 6"),
        (3, "2026-04-30 09:00", "9.99 EUR", "basic, 4 of 6"),
    ]


def test_an_amount_that_the_merchant_says_is_shown_as_the_most_it_may_be_also_while_it_is_asked_for() -> None:
    plan = Plan.of("metered", Money.parse("40.00 EUR"), MONTH).but(amounts=Amounts.ASKED)
    life = Life(Terms(charge_permission_id=PERMISSION_ID, plan=plan, anchor=at("2026-01-31 09:00")))
    why = "metered; at most, your endpoint says so when it falls due"
    assert told(upcoming(life.subscription, 1, life.now)) == [(0, "2026-01-31 09:00", "40.00 EUR", why)]

    life.elapses(Timer.PERIOD)
    assert told(upcoming(life.subscription, 1, life.now)) == [(0, "2026-01-31 09:00", "40.00 EUR", why)]

    command = next_command(life.subscription)
    assert command is not None
    life.happens(Unanswered(command))
    assert told(upcoming(life.subscription, 1, life.now)) == [(0, "2026-01-31 10:00", "40.00 EUR", why)]


def test_an_item_is_shown_with_the_charge_that_it_comes_with() -> None:
    life = Life(terms())
    life.ask("2026-01-20 09:00", AddItem(amount=Money.parse("3.00 EUR"), what="a mug"))

    assert [str(each.amount) for each in upcoming(life.subscription, 2, life.now)] == ["12.99 EUR", "9.99 EUR"]


def test_nothing_is_shown_where_the_permission_is_closed() -> None:
    life = Life(terms(policy=CollectionPolicy()))
    life.signal("2026-01-20 09:00", closed("BuyerClosed"))

    assert upcoming(life.subscription, 2, life.now) == []


def test_periods_that_were_missed_are_shown_at_their_distance() -> None:
    agreed = terms("2026-01-31 09:00", policy=CollectionPolicy(catch_up=CatchUp.EACH))

    found = upcoming(Subscription.begin(agreed), 4, at("2026-04-10 00:00"))

    assert [f"{each.at:%m-%d}" for each in found] == ["04-10", "04-11", "04-12", "04-30"]


def test_what_the_buyer_will_read_is_shown_and_of_a_period_that_is_owed_what_was_said_first() -> None:
    agreed = terms("2026-01-31 09:00")
    first, other = (agreed.plan.but(texts=Texts(note_to_buyer=note)) for note in ("Box {nth}", "Crate {nth}"))
    life = Life(agreed.but(plan=first))
    life.step(Action.CHARGE, "2026-01-31 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-01-31 09:00", chargeable())

    life.ask("2026-01-31 10:00", ChangePlan(plan=other))
    found = upcoming(life.subscription, 2, life.now)

    assert [each.texts and each.texts.note_to_buyer for each in found] == ["Box 1", "Crate 2"]


@pytest.mark.parametrize("count", [0, -1, MOST_CHARGES + 1])
def test_a_count_that_is_not_accepted_is_refused(count: int) -> None:
    with pytest.raises(Refused, match=f"count: {count} is not accepted; 1 to 120 are"):
        upcoming(Subscription.begin(terms()), count, at("2026-01-01 00:00"))


@given(agreed=schedules_of_terms, count=st.integers(1, 12), late=st.timedeltas(timedelta(0), timedelta(days=90)))
def test_what_is_shown_is_what_is_charged(agreed: Terms, count: int, late: timedelta) -> None:
    subscription, now = Subscription.begin(agreed), agreed.anchor + late
    shown = upcoming(subscription, count, now)
    charged: list[tuple[int, Money]] = []
    clock = now

    def answered(command: Command) -> Answer:
        if isinstance(command, CreateCharge):
            charged.append((command.attempt.period, command.attempt.amount))
        return success(command)

    while (command := next_command(subscription)) and subscription.next_period <= (shown[-1].period if shown else 0):
        clock = max(clock, command.at)
        subscription = perform(subscription, command, clock, answered)

    assert charged == [(each.period, each.amount) for each in shown if not each.amount.is_zero]
