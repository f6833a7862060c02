"""What holds of every calendar, whatever the zone and the interval.

The instants lie between 2012 and 2021: there old and new zone data agree, so that what is checked here are the rules.
"""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from perennial_billing.billing.calendar import BillingCalendar, Interval, Unit
from tests.billing.support import pinned_zone

END = datetime(2022, 1, 1, tzinfo=UTC)
ZONES = files("tzdata").joinpath("zones").read_text().split()
ALL = settings(deadline=None, max_examples=150)

intervals = st.one_of(
    st.builds(Interval, unit=st.just(Unit.DAY), count=st.integers(1, 366)),
    st.builds(Interval, unit=st.just(Unit.WEEK), count=st.integers(1, 52)),
    st.builds(Interval, unit=st.just(Unit.MONTH), count=st.integers(1, 12)),
    st.just(Interval(unit=Unit.YEAR)),
)
anchors = st.datetimes(datetime(2012, 1, 1), datetime(2013, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
calendars = st.builds(BillingCalendar, anchor=anchors, zone=st.sampled_from(ZONES), interval=intervals)


def numbers_in_ten_years(billing: BillingCalendar) -> st.SearchStrategy[int]:
    shortest_days = billing.interval.days or billing.interval.months * 28
    return st.integers(0, (END - billing.anchor).days // (shortest_days + 3))


def nominal_wall_time(billing: BillingCalendar, number: int) -> datetime:
    """The wall time agreed upon for a period, whether or not the zone has it."""
    anchor = billing.anchor.astimezone(pinned_zone(billing.zone)).replace(tzinfo=None, fold=0)
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + number * billing.interval.months, 12)
    day = min(anchor.day, monthrange(year, month + 1)[1])
    return anchor.replace(year=year, month=month + 1, day=day) + timedelta(days=number * billing.interval.days)


@ALL
@given(calendars, st.data())
def test_each_due_date_is_later_than_the_one_before(billing: BillingCalendar, data: st.DataObject) -> None:
    first = data.draw(numbers_in_ten_years(billing))
    dates = [billing.due(number) for number in range(first, first + 30)]

    assert all(earlier < later for earlier, later in pairwise(dates))


@ALL
@given(calendars, st.data())
def test_each_interval_has_one_due_date_at_the_agreed_wall_time_or_at_the_end_of_the_gap_that_skips_it(
    billing: BillingCalendar, data: st.DataObject
) -> None:
    number, zone = data.draw(numbers_in_ten_years(billing)), pinned_zone(billing.zone)
    agreed, due = nominal_wall_time(billing, number), billing.due(number).astimezone(zone)
    shown, before = due.replace(tzinfo=None), (due.astimezone(UTC) - timedelta(seconds=1)).astimezone(zone)

    if shown == agreed:
        # The first of two: the other reading of the same wall time is not earlier.
        assert number == 0 or due.astimezone(UTC) <= due.replace(fold=1 - due.fold).astimezone(UTC)
    else:
        assert before.utcoffset() != due.utcoffset()
        assert before.replace(tzinfo=None) < agreed < shown


@ALL
@given(st.sampled_from([29, 30, 31]), st.sampled_from(ZONES), st.integers(1, 12), st.integers(0, 60))
def test_the_anchor_day_comes_back_after_a_short_month(day: int, zone: str, count: int, number: int) -> None:
    anchor = datetime(2012, 1, day, 12, tzinfo=pinned_zone(zone))
    billing = BillingCalendar(anchor=anchor, zone=zone, interval=Interval(unit=Unit.MONTH, count=count))

    due = billing.due(number).astimezone(pinned_zone(zone))

    assert due.day == min(day, monthrange(due.year, due.month)[1])
    assert (due.year - 2012) * 12 + due.month - 1 == number * count


@ALL
@given(calendars, st.data())
def test_periods_are_half_open_and_leave_no_instant_out(billing: BillingCalendar, data: st.DataObject) -> None:
    number = data.draw(numbers_in_ten_years(billing))
    period, following = billing.period(number), billing.period(number + 1)

    assert period.end == following.start
    assert period.start in period
    assert period.end not in period
    assert period.end - timedelta(microseconds=1) in period
    assert billing.period_containing(period.end - timedelta(microseconds=1)) == period
    assert billing.period_containing(period.end) == following


@ALL
@given(calendars, st.floats(0, 1))
def test_the_period_containing_an_instant_contains_it(billing: BillingCalendar, share: float) -> None:
    instant = billing.anchor + (END - billing.anchor) * share

    period = billing.period_containing(instant)

    assert instant in period
    assert period == billing.period(period.number)


@ALL
@given(calendars, st.data())
def test_a_due_date_is_told_in_utc_and_the_same_whatever_zone_the_anchor_was_written_in(
    billing: BillingCalendar, data: st.DataObject
) -> None:
    number = data.draw(numbers_in_ten_years(billing))
    elsewhere = billing.anchor.astimezone(pinned_zone(data.draw(st.sampled_from(ZONES))))

    due = BillingCalendar(anchor=elsewhere, zone=billing.zone, interval=billing.interval).due(number)

    assert due == billing.due(number)
    assert due.utcoffset() == timedelta(0)
