"""The year of very many subscribers reckons right where it can be reckoned by hand."""

import pytest

from benchmarks.year_of_many import DAY, WAYS, Account, Anchors, Outcome, way_of
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.protocol.commands import Precedence
from perennial_billing.workflows.names import Call

MONTHLY = Interval(unit=Unit.MONTH)
HOUR = 3_600.0


def lived(subscribers: int, anchors: Anchors) -> Outcome:
    return Account(subscribers, anchors, seed=4).live()


def test_a_way_is_what_the_rules_do() -> None:
    assert [
        (step.wait / HOUR, step.call, step.precedence, step.attempt) for step in way_of("SoftDeclined, paid", MONTHLY)
    ] == [
        (0.0, Call.CREATE_CHARGE, Precedence.REGULAR, 1),
        (0.0, Call.GET_CHARGE_PERMISSION, Precedence.REGULAR, 0),
        (12.0, Call.CREATE_CHARGE, Precedence.RETRY, 2),
    ]
    assert [way_of("paid", Interval(unit=Unit.YEAR))[0].precedence] == [Precedence.YEAR]
    assert sum(WAYS.values()) == pytest.approx(1)


def test_those_of_the_first_are_through_when_the_limit_has_let_them_and_a_year_goes_before_a_month() -> None:
    year = lived(400, Anchors.FIRST)

    january = year.days[0]
    assert january.done_at == pytest.approx((january.due - 10) / 4, abs=3), "ten at once, then four a second"
    assert january.backlog == january.due - 10
    assert year.unsent == 0
    assert year.waits_by_precedence["year"][2] < year.waits_by_precedence["regular"][2] / 5


def test_spread_over_a_window_or_a_month_nobody_waits() -> None:
    for anchors in (Anchors.WINDOW, Anchors.UNIFORM):
        year = lived(300, anchors)
        assert year.waited(1.0) <= 5
        assert all(day.done_at < (number + 1) * DAY for number, day in year.days.items())
        assert year.unsent == 0


def test_every_period_is_sent_once_and_paid_but_for_those_that_never_are() -> None:
    year = lived(300, Anchors.UNIFORM)

    first_attempts = sum(year.waits.values())
    assert first_attempts == sum(day.due for day in year.days.values())
    never = first_attempts - year.paid
    assert 0 <= never <= 0.02 * first_attempts
