"""Phases and billing days: what falls due when, and what it costs, in figures that a person can check."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.contract.agreement import BillingDay, FirstPeriod
from perennial_billing.billing.contract.schedule import Schedule
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Phase, Plan
from perennial_billing.billing.refusals import Refused
from tests.billing.support import PERMISSION_ID, at

MONTH, WEEK, YEAR = Interval(unit=Unit.MONTH), Interval(unit=Unit.WEEK), Interval(unit=Unit.YEAR)
GOLD = Money.parse("249.95 USD")
NOTHING = Money.parse("0 USD")
HALF = Money.parse("124.97 USD")


def days(count: int) -> Interval:
    return Interval(unit=Unit.DAY, count=count)


def phase(amount: Money, interval: Interval, periods: int | None = None) -> Phase:
    return Phase(amount=amount, interval=interval, periods=periods)


def agreed(
    *phases: Phase,
    begins: str,
    zone: str = "UTC",
    billing_day: BillingDay | None = None,
    ends_at: str | None = None,
    quantity: int = 1,
) -> Schedule:
    return Terms(
        charge_permission_id=PERMISSION_ID,
        plan=Plan(plan_id="gold", phases=phases),
        quantity=quantity,
        anchor=at(begins),
        billing_day=billing_day,
        ends_at=at(ends_at) if ends_at else None,
        zone=zone,
    ).schedule


def told(schedule: Schedule, count: int) -> list[tuple[str, str]]:
    """Date and amount of the first periods."""
    return [
        (f"{schedule.due(number):%Y-%m-%d %H:%M}", str(schedule.amount(number).amount))
        for number in range(count)
        if schedule.has_period(number)
    ]


def test_a_trial_of_days_is_followed_by_months_from_its_end() -> None:
    schedule = agreed(phase(NOTHING, days(14), 1), phase(GOLD, MONTH), begins="2026-01-20 09:00")

    assert told(schedule, 4) == [
        ("2026-01-20 09:00", "0.00"),
        ("2026-02-03 09:00", "249.95"),
        ("2026-03-03 09:00", "249.95"),
        ("2026-04-03 09:00", "249.95"),
    ]


def test_a_trial_of_months_keeps_the_day_that_a_short_month_does_not_have() -> None:
    schedule = agreed(phase(NOTHING, MONTH, 1), phase(HALF, MONTH, 2), phase(GOLD, MONTH), begins="2026-01-31 09:00")

    assert told(schedule, 5) == [
        ("2026-01-31 09:00", "0.00"),
        ("2026-02-28 09:00", "124.97"),
        ("2026-03-31 09:00", "124.97"),
        ("2026-04-30 09:00", "249.95"),
        ("2026-05-31 09:00", "249.95"),
    ]


def test_an_introductory_week_becomes_years() -> None:
    schedule = agreed(phase(HALF, WEEK, 2), phase(GOLD, YEAR), begins="2024-02-15 09:00")

    assert told(schedule, 5) == [
        ("2024-02-15 09:00", "124.97"),
        ("2024-02-22 09:00", "124.97"),
        ("2024-02-29 09:00", "249.95"),
        ("2025-02-28 09:00", "249.95"),
        ("2026-02-28 09:00", "249.95"),
    ]


def test_instalments_end_and_their_last_period_is_lived_to_its_end() -> None:
    schedule = agreed(phase(GOLD, MONTH, 3), begins="2026-01-31 09:00")

    assert [schedule.has_period(number) for number in range(5)] == [True, True, True, False, False]
    assert schedule.due(3) == at("2026-04-30 09:00")
    assert schedule.periods_due(at("2030-01-01 00:00")) == 3


@pytest.mark.parametrize(
    ("kind", "first"), [(FirstPeriod.SHORT, "116.64"), (FirstPeriod.WHOLE, "249.95"), (FirstPeriod.FREE, "0.00")]
)
def test_the_period_before_the_billing_day_is_short_whole_or_free(kind: FirstPeriod, first: str) -> None:
    day = BillingDay(day=15, first_period=kind)
    schedule = agreed(phase(GOLD, MONTH), begins="2016-05-01 09:00", billing_day=day)

    assert told(schedule, 3) == [
        ("2016-05-01 09:00", first),
        ("2016-05-15 09:00", "249.95"),
        ("2016-06-15 09:00", "249.95"),
    ]


def test_a_trial_is_not_moved_to_the_billing_day_and_what_follows_it_is() -> None:
    schedule = agreed(
        phase(NOTHING, days(30), 1), phase(GOLD, MONTH), begins="2016-04-01 09:00", billing_day=BillingDay(day=15)
    )

    assert told(schedule, 4) == [
        ("2016-04-01 09:00", "0.00"),
        ("2016-05-01 09:00", "116.64"),
        ("2016-05-15 09:00", "249.95"),
        ("2016-06-15 09:00", "249.95"),
    ]


def test_the_thirty_first_is_the_last_day_of_each_month_and_comes_back() -> None:
    day = BillingDay(day=31, at=time(6, 30))
    schedule = agreed(phase(GOLD, MONTH), begins="2026-02-10 09:00", zone="Europe/Berlin", billing_day=day)

    local = [f"{schedule.due(number):%m-%d}" for number in range(1, 6)]
    assert local == ["02-28", "03-31", "04-30", "05-31", "06-30"]
    assert schedule.due(1) == at("2026-02-28 05:30")
    assert schedule.due(2) == at("2026-03-31 04:30"), "summer time has begun"


@pytest.mark.parametrize(
    ("begins", "first", "second"),
    [
        ("2026-03-15 09:00", ("2026-03-15 09:00", "249.95"), "2026-04-15 09:00"),  # on the day: nothing is short
        ("2026-03-15 17:23", ("2026-03-15 17:23", "249.95"), "2026-04-15 09:00"),  # after its hour: to the next one
        ("2026-03-16 00:00", ("2026-03-16 00:00", "241.89"), "2026-04-15 09:00"),
        ("2026-03-14 23:00", ("2026-03-14 23:00", "8.93"), "2026-03-15 09:00"),
        ("2026-12-20 09:00", ("2026-12-20 09:00", "209.64"), "2027-01-15 09:00"),  # over the end of a year
    ],
)
def test_the_billing_day_has_an_hour_of_its_own(begins: str, first: tuple[str, str], second: str) -> None:
    schedule = agreed(phase(GOLD, MONTH), begins=begins, billing_day=BillingDay(day=15, at=time(9)))

    assert told(schedule, 1) == [first]
    assert schedule.due(1) == at(second)


def test_a_whole_first_period_is_one_of_the_instalments_and_a_short_one_comes_before_them() -> None:
    def of(kind: FirstPeriod) -> int:
        day = BillingDay(day=15, first_period=kind)
        schedule = agreed(phase(GOLD, MONTH, 3), begins="2026-05-01 09:00", billing_day=day)
        return schedule.periods_due(at("2030-01-01 00:00"))

    assert {kind: of(kind) for kind in FirstPeriod} == {
        FirstPeriod.SHORT: 4,
        FirstPeriod.WHOLE: 3,
        FirstPeriod.FREE: 4,
    }


def test_a_single_short_period_is_over_on_the_billing_day() -> None:
    """Found by the machine that drives any subscription: nothing follows that its end could be read from."""
    day = BillingDay(day=15, first_period=FirstPeriod.WHOLE)
    schedule = agreed(phase(GOLD, MONTH, 1), begins="2026-05-01 09:00", billing_day=day)

    assert [schedule.has_period(number) for number in range(2)] == [True, False]
    assert schedule.due(1) == schedule.due(2) == at("2026-05-15 09:00")
    assert schedule.grid(1).instant("UTC") == at("2026-05-15 09:00")
    assert schedule.periods_due(at("2026-07-01 00:00")) == 1


def test_weeks_have_no_billing_day() -> None:
    schedule = agreed(phase(GOLD, WEEK), begins="2026-05-01 09:00", billing_day=BillingDay(day=15))

    assert [when for when, _ in told(schedule, 3)] == ["2026-05-01 09:00", "2026-05-08 09:00", "2026-05-15 09:00"]


def test_the_quantity_is_part_of_every_amount() -> None:
    schedule = agreed(
        phase(NOTHING, days(30), 1),
        phase(GOLD, MONTH),
        begins="2016-04-01 09:00",
        billing_day=BillingDay(day=15),
        quantity=2,
    )

    assert [amount for _, amount in told(schedule, 3)] == ["0.00", "233.29", "499.90"]


def test_nothing_falls_due_at_or_after_the_end() -> None:
    schedule = agreed(phase(GOLD, MONTH), begins="2026-01-31 09:00", ends_at="2026-04-30 09:00")

    assert [when for when, _ in told(schedule, 9)] == ["2026-01-31 09:00", "2026-02-28 09:00", "2026-03-31 09:00"]
    assert schedule.periods_due(at("2026-04-30 09:00")) == schedule.periods_due(at("2030-01-01 00:00")) == 3
    assert schedule.due(3) == at("2026-04-30 09:00")


def test_the_end_may_lie_within_a_period_and_is_when_all_is_over() -> None:
    schedule = agreed(phase(GOLD, MONTH), begins="2026-01-31 09:00", ends_at="2026-03-10 00:00")

    assert [schedule.has_period(number) for number in range(4)] == [True, True, False, False]
    assert schedule.due(2) == at("2026-03-10 00:00")


def test_a_negative_period_is_refused() -> None:
    with pytest.raises(Refused, match="period: -1 is not accepted; periods are counted from 0"):
        agreed(phase(GOLD, MONTH), begins="2026-01-31 09:00").due(-1)


intervals = st.builds(Interval, unit=st.sampled_from([Unit.DAY, Unit.WEEK, Unit.MONTH]), count=st.integers(1, 4))
amounts = st.sampled_from([NOTHING, HALF, GOLD])
bounded = st.builds(Phase, amount=amounts, interval=intervals, periods=st.integers(1, 5))
lasting = st.builds(Phase, amount=amounts, interval=intervals, periods=st.none() | st.integers(1, 5))
billing_days = st.none() | st.builds(
    BillingDay,
    day=st.integers(1, 31),
    at=st.none() | st.times().map(lambda wall: wall.replace(microsecond=0)),
    first_period=st.sampled_from(FirstPeriod),
)
schedules_of_terms = st.builds(
    lambda first, last, begins, zone, day: Terms(
        charge_permission_id=PERMISSION_ID,
        plan=Plan(plan_id="p", phases=(*first, last)),
        anchor=begins,
        zone=zone,
        billing_day=day,
    ),
    st.lists(bounded, max_size=3),
    lasting,
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - aware by the zone
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]),
    billing_days,
)
schedules = schedules_of_terms.map(lambda terms: terms.schedule)


@given(schedule=schedules)
def test_periods_follow_each_other_and_each_instant_lies_in_one_of_them(schedule: Schedule) -> None:
    dates = [schedule.due(number) for number in range(30) if number == 0 or schedule.has_period(number - 1)]

    assert all(earlier < later for earlier, later in pairwise(dates))
    for number, due in enumerate(dates):
        if schedule.has_period(number):
            assert schedule.periods_due(due) == number + 1
            assert schedule.periods_due(due - timedelta(seconds=1)) == number


@given(schedule=schedules)
def test_no_period_costs_more_than_its_phase_says(schedule: Schedule) -> None:
    assert all(schedule.amount(number).amount <= GOLD.amount for number in range(30))


@given(day=st.integers(1, 31), start=st.dates(date(2024, 1, 1), date(2030, 1, 1)))
def test_the_billing_day_comes_back_in_every_month_that_has_it(day: int, start: date) -> None:
    schedule = agreed(phase(GOLD, MONTH), begins=f"{start} 12:00", billing_day=BillingDay(day=day))
    due = [schedule.due(number) for number in range(1, 26)]

    assert all(each.day == day or (each + timedelta(days=1)).day == 1 for each in due)
    assert all(each.day <= day for each in due)
