"""A date that is off by a day or an hour charges somebody early: here are the figures that it has to agree with."""

from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from perennial_billing.billing.calendar import BillingCalendar, Interval, Unit, first_anchor_on_or_after
from perennial_billing.billing.refusals import Refused
from tests.billing.calendar_figures import (
    FIRST_ANCHORS,
    LOCAL_DAYS,
    NTH_MONTHS,
    NTH_MONTHS_OF_OTHERS,
    PERIODS_CONTAINING,
)
from tests.billing.support import at, calendar, pinned_zone, wall

LONGEST_INTERVAL_MONTHS = 12


def due_days(anchor: str, months: int, number: int) -> set[str]:
    """The date as each calendar gives it that has it among its dates: by the interval itself, by months, by years."""
    intervals = [(Interval(unit=Unit.MONTH), months * number)]
    if months <= LONGEST_INTERVAL_MONTHS:
        intervals.append((Interval(unit=Unit.MONTH, count=months), number))
    if months % 12 == 0:
        intervals.append((Interval(unit=Unit.YEAR), months // 12 * number))
    return {f"{calendar(anchor, interval=interval).due(n):%Y-%m-%d}" for interval, n in intervals}


@pytest.mark.parametrize(("start", "anchor_day", "expected", "source"), FIRST_ANCHORS)
def test_the_first_anchor_is_the_next_such_day_of_the_month(
    start: str, anchor_day: int, expected: str, source: str
) -> None:
    assert first_anchor_on_or_after(date.fromisoformat(start), anchor_day).isoformat() == expected


@pytest.mark.parametrize("anchor_day", [-1, 0, 32])
def test_a_day_that_no_month_has_is_refused(anchor_day: int) -> None:
    with pytest.raises(Refused, match=f"anchor day: {anchor_day} is not accepted; the days of a month are, 1 to 31"):
        first_anchor_on_or_after(date(2026, 1, 1), anchor_day)


@pytest.mark.parametrize(("anchor", "months", "dates", "source"), NTH_MONTHS)
def test_the_nth_month_is_reckoned_from_the_anchor_and_clamped(
    anchor: str, months: int, dates: dict[int, str], source: str
) -> None:
    assert {number: due_days(anchor, months, number) for number in dates} == {n: {day} for n, day in dates.items()}


@pytest.mark.parametrize(("anchor", "months", "number", "theirs", "ours", "source"), NTH_MONTHS_OF_OTHERS)
def test_where_another_system_has_another_rule_ours_gives_another_date(
    anchor: str, months: int, number: int, theirs: str, ours: str, source: str
) -> None:
    assert due_days(anchor, months, number) == {ours}
    assert theirs != ours


@pytest.mark.parametrize(("anchor", "months", "day", "start", "end", "source"), PERIODS_CONTAINING)
def test_a_day_lies_in_the_period_that_starts_on_or_before_it(
    anchor: str, months: int, day: str, start: str, end: str, source: str
) -> None:
    period = calendar(anchor, interval=Interval(unit=Unit.MONTH, count=months)).period_containing(at(day))

    assert (period.start, period.end) == (at(start), at(end))


@pytest.mark.parametrize(("instant", "zone", "day", "source"), LOCAL_DAYS)
def test_the_billing_day_is_the_anchors_day_in_the_zone(instant: str, zone: str, day: int, source: str) -> None:
    billing = BillingCalendar(anchor=at(instant), zone=zone, interval=Interval(unit=Unit.MONTH))

    assert [billing.due(number).astimezone(pinned_zone(zone)).day for number in range(12)] == [day] * 12


@pytest.mark.parametrize(
    ("zone", "anchor", "interval", "number", "expected"),
    [
        # Skipped: the first instant after the gap.
        ("America/Los_Angeles", "2015-02-08 02:00", "1 month", 1, "2015-03-08 10:00"),
        ("America/Los_Angeles", "2015-02-08 02:59:59", "1 month", 1, "2015-03-08 10:00"),
        ("America/Los_Angeles", "2014-03-08 02:00", "1 year", 1, "2015-03-08 10:00"),
        ("America/Los_Angeles", "2015-02-08 03:00", "1 month", 1, "2015-03-08 10:00"),
        ("America/Los_Angeles", "2015-02-08 01:59:59", "1 month", 1, "2015-03-08 09:59:59"),
        ("Australia/Lord_Howe", "2024-09-06 02:15", "1 month", 1, "2024-10-05 15:30"),
        ("Asia/Beirut", "2024-01-31 00:00", "1 month", 2, "2024-03-30 22:00"),
        ("Africa/Cairo", "2023-03-28 00:30", "1 month", 1, "2023-04-27 22:00"),
        ("America/Santiago", "2024-08-08 00:00", "1 month", 1, "2024-09-08 04:00"),
        ("America/Santiago", "2024-09-01 00:20", "1 week", 1, "2024-09-08 04:00"),
        ("Pacific/Apia", "2011-10-30 09:00", "1 month", 2, "2011-12-30 10:00"),
        ("Europe/Berlin", "2031-02-28 02:30", "1 month", 1, "2031-03-28 01:30"),
        ("Europe/Berlin", "2031-03-29 02:30", "1 day", 1, "2031-03-30 01:00"),
        # And the wall time comes back afterwards.
        ("America/Los_Angeles", "2015-02-08 02:00", "1 month", 2, "2015-04-08 09:00"),
        ("Australia/Lord_Howe", "2024-09-06 02:15", "1 month", 2, "2024-11-05 15:15"),
        ("Asia/Beirut", "2024-01-31 00:00", "1 month", 3, "2024-04-29 21:00"),
        ("America/Santiago", "2024-08-08 00:00", "1 month", 2, "2024-10-08 03:00"),
        ("Pacific/Apia", "2011-10-30 09:00", "1 month", 3, "2012-01-29 19:00"),
        # Occurs twice: the first of the two.
        ("America/Los_Angeles", "2015-10-01 01:30", "1 month", 1, "2015-11-01 08:30"),
        ("Australia/Lord_Howe", "2024-03-07 01:45", "1 month", 1, "2024-04-06 14:45"),
        ("Asia/Beirut", "2024-09-26 23:30", "1 month", 1, "2024-10-26 20:30"),
        ("Africa/Cairo", "2023-09-26 23:30", "1 month", 1, "2023-10-26 20:30"),
        ("America/Santiago", "2024-03-06 23:30", "1 month", 1, "2024-04-07 02:30"),
    ],
)
def test_a_skipped_wall_time_moves_to_the_end_of_the_gap_and_a_double_one_is_the_first(
    zone: str, anchor: str, interval: str, number: int, expected: str
) -> None:
    count, unit = interval.split()

    billing = calendar(anchor, zone, Interval(unit=Unit(unit), count=int(count)))

    assert billing.due(number) == at(expected)


@pytest.mark.parametrize(
    ("zone", "anchor", "gap_seconds", "end"),
    [
        ("Europe/Berlin", "2025-01-30 02:00", 3600, "2025-03-30 01:00"),
        ("Australia/Lord_Howe", "2024-08-06 02:00", 1800, "2024-10-05 15:30"),
        ("Asia/Beirut", "2024-01-31 00:00", 3600, "2024-03-30 22:00"),
        ("Pacific/Apia", "2011-10-30 00:00", 86_400, "2011-12-30 10:00"),
    ],
)
def test_every_second_of_a_gap_moves_to_the_gaps_end_and_not_a_second_further(
    zone: str, anchor: str, gap_seconds: int, end: str
) -> None:
    start = calendar(anchor, zone).anchor
    for offset in range(0, gap_seconds, 1 + gap_seconds // 97):
        billing = BillingCalendar(
            anchor=start + timedelta(seconds=offset), zone=zone, interval=Interval(unit=Unit.MONTH)
        )
        assert billing.due(2) == at(end)


def test_a_monthly_subscription_begun_in_a_gap_misses_no_month_and_doubles_none() -> None:
    # killbill TestWithTimeZones.testReferenceTimeInDSTGap: 02:00 of that day does not exist.
    billing = calendar("2015-03-08 02:00", "America/Los_Angeles")
    zone = pinned_zone("America/Los_Angeles")

    days = [billing.due(number).astimezone(zone) for number in range(25)]

    assert [f"{day:%m-%d}" for day in days[:4]] == ["03-08", "04-08", "05-08", "06-08"]
    assert [(day.year, day.month, day.day) for day in days] == [
        (2015 + index // 12, index % 12 + 1, 8) for index in range(2, 27)
    ]


def test_the_second_of_two_equal_wall_times_stays_the_anchor_itself() -> None:
    second_half_past_one = at("2015-11-01 09:30")
    billing = BillingCalendar(
        anchor=second_half_past_one, zone="America/Los_Angeles", interval=Interval(unit=Unit.MONTH)
    )

    assert billing.due(0) == second_half_past_one
    assert billing.due(1) == wall("2015-12-01 01:30", "America/Los_Angeles")


def test_a_day_that_a_zone_left_out_is_an_empty_period_of_a_daily_plan_begun_at_midnight() -> None:
    billing = calendar("2011-12-28 00:00", "Pacific/Apia", Interval(unit=Unit.DAY))
    left_out = billing.period(2)

    assert left_out.start == left_out.end == at("2011-12-30 10:00")
    assert billing.period_containing(left_out.start).number == 3


def test_the_zones_are_those_of_the_pinned_data_and_not_of_the_machine() -> None:
    """Two workers on two images have to wake a subscriber at the same instant."""
    names = files("tzdata").joinpath("zones").read_text().split()
    anchor = datetime(2020, 1, 15, 12, tzinfo=UTC)
    differing = [
        name
        for name in names
        if any(
            BillingCalendar(anchor=anchor, zone=name, interval=Interval(unit=Unit.MONTH)).due(number)
            != first_reading(anchor, name, number)
            for number in range(1, 16 * 12, 3)
        )
    ]

    assert differing == []


def first_reading(anchor: datetime, name: str, months: int) -> datetime:
    """The same by the shortest way: right for a wall time around noon, which no zone skips."""
    zone: ZoneInfo = pinned_zone(name)
    local = anchor.astimezone(zone)
    index = local.year * 12 + local.month - 1 + months
    return local.replace(year=index // 12, month=index % 12 + 1, fold=0).astimezone(UTC)


def test_what_was_before_the_anchor_has_no_period() -> None:
    billing = calendar("2026-01-31 09:00")

    words = (
        r"instant: 2026-01-31T08:59:59\+00:00 is not accepted; instants from the anchor 2026-01-31T09:00:00\+00:00 on"
    )
    with pytest.raises(Refused, match=words):
        billing.period_containing(billing.anchor - timedelta(seconds=1))
    with pytest.raises(Refused, match="period: -1 is not accepted; periods are counted from 0"):
        billing.due(-1)
