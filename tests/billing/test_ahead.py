"""What the merchant is told before it happens: charges, the end of a trial, a renewal, another price."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import AddItem, Cancel, ChangePlan, PauseSubscription, SkipPeriod
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Amounts, Phase, Plan
from perennial_billing.billing.plan.lead_times import LeadTimes
from perennial_billing.billing.protocol.commands import AskAmount, Elapse, Timer
from perennial_billing.billing.protocol.events import Answered, Unanswered
from tests.billing.support import CAPTURED, PERMISSION_ID, Life, at

MONTH, YEAR, WEEK = (Interval(unit=unit) for unit in (Unit.MONTH, Unit.YEAR, Unit.WEEK))
DAY = timedelta(days=1)


def plan(amount: str, interval: Interval = MONTH, *after: Phase, asks: bool = False, **leads: Any) -> Plan:
    agreed = Plan.of("p", Money.parse(f"{amount} EUR"), interval, after=after)
    return agreed.but(lead_times=LeadTimes(**leads), amounts=Amounts.ASKED if asks else Amounts.FIXED)


def begun(agreed: Plan, begins: str = "2027-02-08 09:00") -> Life:
    return Life(Terms(charge_permission_id=PERMISSION_ID, plan=agreed, anchor=at(begins)))


def told_until(life: Life, until: str) -> list[tuple[str, str, str]]:
    """Lets time pass, all going well; tells day, kind and amount of what was told ahead."""
    seen = life.subscription.outbox.told
    while (command := next_command(life.subscription)) is not None and command.at <= at(until):
        life.now = max(life.now, command.at)
        if isinstance(command, Elapse):
            life.elapses(command.timer)
        else:
            life.happens(Answered(command, command.at_most if isinstance(command, AskAmount) else CAPTURED))
    life.now = max(life.now, at(until))
    return [
        (f"{notice.at:%m-%d}", notice.type.value, str(notice.amount.amount if notice.amount else ""))
        for notice in life.subscription.outbox.notices
        if notice.number > seen and notice.type.value.split(".")[1] in {"upcoming", "ending", "changing"}
    ]


def test_nothing_is_told_ahead_where_no_lead_time_is_given() -> None:
    life = begun(plan("10.00"))
    assert told_until(life, "2027-06-01 00:00") == []
    command = next_command(life.subscription)
    assert isinstance(command, Elapse)
    assert command.timer is Timer.PERIOD, "no timer more"


def test_each_charge_is_told_as_long_before_as_the_plan_says_and_once() -> None:
    life = begun(plan("10.00", charge=(10 * DAY, 3 * DAY)))

    assert told_until(life, "2027-04-07 00:00") == [
        ("02-26", "charge.upcoming", "10.00"),
        ("03-05", "charge.upcoming", "10.00"),
        ("03-29", "charge.upcoming", "10.00"),
        ("04-05", "charge.upcoming", "10.00"),
    ]


def test_one_whose_time_is_over_already_is_told_at_once() -> None:
    """Ten days before the charge of a week that has just begun."""
    life = begun(plan("7.00", WEEK, charge=(10 * DAY,)))

    assert told_until(life, "2027-02-16 00:00") == [
        ("02-08", "charge.upcoming", "7.00"),
        ("02-15", "charge.upcoming", "7.00"),
    ]


def test_the_amount_is_with_items_and_less_what_is_credited() -> None:
    life = begun(plan("10.00", charge=(5 * DAY,)))
    told_until(life, "2027-02-09 00:00")
    life.ask("2027-02-10 09:00", AddItem(amount=Money.parse("2.40 EUR"), what="a cup"))

    assert told_until(life, "2027-03-08 00:00") == [("03-03", "charge.upcoming", "12.40")]


def test_the_end_of_a_trial_is_told_and_only_that() -> None:
    trial = Phase(amount=Money.parse("0 EUR"), interval=WEEK, periods=2)
    life = begun(plan("10.00", MONTH, trial, trial_end=(3 * DAY,)))

    assert told_until(life, "2027-05-01 00:00") == [("02-19", "trial.ending", "10.00")]


def test_the_renewal_of_a_year_is_told_and_a_month_is_no_term() -> None:
    life = begun(plan("99.00", YEAR, renewal=(30 * DAY,)))
    assert told_until(life, "2028-02-07 00:00") == [("01-09", "renewal.upcoming", "99.00")]

    assert told_until(begun(plan("9.00", MONTH, renewal=(3 * DAY,))), "2027-05-01 00:00") == []


def test_another_price_is_told_before_it_is_charged() -> None:
    intro = Phase(amount=Money.parse("5 EUR"), interval=MONTH, periods=2)
    life = begun(plan("10.00", MONTH, intro, price_change=(14 * DAY,)))
    assert told_until(life, "2027-05-01 00:00") == [("03-25", "price.changing", "10.00")]

    life.ask("2027-05-02 09:00", ChangePlan(quantity=2, when=at("2027-06-01 00:00")))
    assert told_until(life, "2027-07-01 00:00") == [("05-25", "price.changing", "20.00")]


@pytest.mark.parametrize("request_", [SkipPeriod(), Cancel(), PauseSubscription()])
def test_what_will_not_be_charged_is_not_told(request_: Any) -> None:
    life = begun(plan("10.00", charge=(5 * DAY,)))
    told_until(life, "2027-02-10 00:00")
    life.ask("2027-02-10 09:00", request_)

    assert told_until(life, "2027-03-07 00:00") == []


def test_an_amount_is_asked_for_ahead_told_and_charged_when_it_falls_due() -> None:
    life = begun(plan("50.00", asks=True, question=12 * DAY, charge=(10 * DAY,)))
    told_until(life, "2027-02-23 00:00")
    life.now = at("2027-02-24 09:00")
    life.elapses(Timer.QUESTION)
    command = next_command(life.subscription)
    assert isinstance(command, AskAmount)
    assert (command.period, command.due) == (1, at("2027-03-08 09:00"))
    life.happens(Answered(command, Money.parse("31.20 EUR")))
    assert life.subscription.collection is None, "nothing is charged before it falls due"

    assert told_until(life, "2027-03-08 08:00") == [("02-26", "charge.upcoming", "31.20")]
    told_until(life, "2027-03-08 09:00")
    assert str(life.subscription.ledger.records[-1].amount) == "31.20 EUR"


def test_a_question_that_is_not_answered_is_asked_again_each_hour_in_plain_sight() -> None:
    life = begun(plan("50.00", asks=True, question=12 * DAY))
    told_until(life, "2027-02-23 00:00")
    life.now = at("2027-02-24 09:00")
    life.elapses(Timer.QUESTION)
    command = next_command(life.subscription)
    assert command is not None
    life.happens(Unanswered(command))

    assert life.subscription.needs_attention
    again = next_command(life.subscription)
    assert isinstance(again, Elapse)
    assert (again.timer, again.at) == (Timer.QUESTION, at("2027-02-24 10:00"))


def test_a_lead_time_is_between_an_hour_and_ninety_days() -> None:
    for lead in (timedelta(minutes=59), timedelta(days=91)):
        with pytest.raises(ValidationError, match="charge"):
            LeadTimes(charge=(lead,))
