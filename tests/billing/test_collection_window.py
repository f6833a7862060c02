"""First attempts are spread over a window from the due date on; of calls that wait, what matters more goes first."""

from datetime import timedelta
from typing import Any

import pytest

from perennial_billing.billing.agenda import main_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import AddItem, RetryNow, SkipPeriod, When
from perennial_billing.billing.keys import spread_of
from perennial_billing.billing.plan.policy import CollectionPolicy, NextDue
from perennial_billing.billing.protocol.commands import Action, CreateCharge, Precedence, Timer
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import view_of
from tests.billing.support import CAPTURED, MONTHLY, PERMISSION_ID, PRICE, SOFT, Life, at, chargeable, terms

CHARGE, READ_PERMISSION = Action.CHARGE, Action.READ_PERMISSION
YEARLY = Interval(unit=Unit.YEAR)
TEN_HOURS = timedelta(hours=10)


def spread(interval: Interval = MONTHLY, **policy: Any) -> Life:
    """This subscriber's turn is 935 thousandths into the window: of ten hours, 9:21 h."""
    assert spread_of(PERMISSION_ID) == 935
    rules = CollectionPolicy(collection_window=TEN_HOURS, **policy)
    return Life(terms("2026-01-05 20:00", interval=interval, policy=rules))


def test_each_period_but_the_first_is_charged_at_the_subscribers_turn() -> None:
    life = spread()
    life.step(CHARGE, "2026-01-05 20:00", CAPTURED)
    life.step(CHARGE, "2026-02-06 05:21", CAPTURED)
    life.step(CHARGE, "2026-03-06 05:21", CAPTURED)

    assert [record.due for record in life.subscription.ledger.records] == [
        at("2026-01-05 20:00"),
        at("2026-02-05 20:00"),
        at("2026-03-05 20:00"),
    ]


def test_what_is_shown_and_reckoned_with_is_the_turn() -> None:
    life = spread()
    life.step(CHARGE, "2026-01-05 20:00", CAPTURED)

    assert view_of(life.subscription).next_charge_at == at("2026-02-06 05:21")
    command = main_command(life.subscription)
    assert command is not None
    assert command.why == ("period 1 fell due on 2026-02-05 at 20:00, and it is its turn within the window: 9.99 EUR")


def test_another_subscribers_turn_is_another_and_none_is_outside_of_the_window() -> None:
    policy = CollectionPolicy(collection_window=TEN_HOURS)
    turns = []
    for number in range(200):
        agreed = terms("2026-01-05 20:00", policy=policy).but(charge_permission_id=f"C01-0000000-{number:07}")
        turns.append(Subscription.begin(agreed).collected_at(1) - at("2026-02-05 20:00"))

    assert all(timedelta(0) <= turn < TEN_HOURS for turn in turns)
    by_hour = [sum(hour <= turn / timedelta(hours=1) < hour + 1 for turn in turns) for hour in range(10)]
    assert min(by_hour) >= 8, "about as many in each hour"


def test_who_cancels_before_the_turn_is_not_charged() -> None:
    life = spread()
    life.step(CHARGE, "2026-01-05 20:00", CAPTURED)

    life.cancel("2026-02-06 05:20")

    assert life.next == (Action.CLOSE_PERMISSION, at("2026-02-06 05:20"))
    assert life.book == [(0, "paid", 1), (1, "written_off", 0)], "it fell due, and is not forgotten"


def test_who_skips_before_the_due_date_is_not_charged_at_the_turn() -> None:
    life = spread()
    life.step(CHARGE, "2026-01-05 20:00", CAPTURED)
    life.ask("2026-02-05 19:59", SkipPeriod())
    life.step(CHARGE, "2026-02-06 05:21")

    assert life.next == (CHARGE, at("2026-03-06 05:21"))
    assert life.book[-1] == (1, "skipped", 0)


def test_the_window_is_no_outage_that_a_policy_has_something_to_say_to() -> None:
    daily = spread(Interval(unit=Unit.DAY), next_due=NextDue.SKIP)
    daily.step(CHARGE, "2026-01-05 20:00", CAPTURED)
    daily.step(CHARGE, "2026-01-07 05:21", CAPTURED)
    daily.step(CHARGE, "2026-01-08 05:21", CAPTURED)

    assert daily.book == [(0, "paid", 1), (1, "paid", 1), (2, "paid", 1)]


def test_retries_count_from_the_failure_and_have_no_turn() -> None:
    life = spread(soft_decline_delays=(timedelta(days=2),))
    life.step(CHARGE, "2026-01-05 20:00", CAPTURED)
    life.step(CHARGE, "2026-02-06 05:21", SOFT)
    life.step(READ_PERMISSION, "2026-02-06 05:21", chargeable())

    assert life.next == (CHARGE, at("2026-02-08 05:21"))


def test_what_is_charged_by_itself_waits_for_no_turn_and_for_a_turn_that_has_not_come() -> None:
    life = spread()
    life.step(CHARGE, "2026-01-05 20:00", CAPTURED)
    cup = AddItem(amount=PRICE, what="a cup", when=When.NOW)

    life.ask("2026-01-20 10:00", cup)
    life.step(CHARGE, "2026-01-20 10:00", CAPTURED)
    assert life.next == (CHARGE, at("2026-02-06 05:21"))

    with pytest.raises(Refused, match="a period is owed: add it to the next charge"):
        life.ask("2026-02-06 05:20", cup)


@pytest.mark.parametrize(
    ("interval", "first", "again"),
    [(MONTHLY, Precedence.REGULAR, Precedence.RETRY), (YEARLY, Precedence.YEAR, Precedence.RETRY)],
)
def test_a_year_goes_before_a_month_and_both_before_what_was_refused(
    interval: Interval, first: Precedence, again: Precedence
) -> None:
    life = Life(terms("2026-01-05 20:00", interval=interval, policy=CollectionPolicy()))
    life.elapses(Timer.PERIOD)
    assert _precedence(life) is first

    life.answered(SOFT)
    life.read(chargeable())
    life.now = at("2026-01-06 08:00")
    life.elapses(Timer.RETRY)
    assert _precedence(life) is again

    life.answered(SOFT)
    life.read(chargeable())
    life.wants("2026-01-06 09:00", RetryNow())
    life.elapses(Timer.RETRY)
    assert _precedence(life) is Precedence.URGENT


def _precedence(life: Life) -> Precedence:
    command = main_command(life.subscription)
    assert isinstance(command, CreateCharge)
    return command.precedence
