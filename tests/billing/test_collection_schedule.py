"""How often, how long and until when a period is collected: the schedules, the cap, the deadlines, Amazon's month."""

from datetime import timedelta

import pytest

from perennial_billing.billing.keys import spread_of
from perennial_billing.billing.plan.policy import CollectionPolicy, HourWindow
from perennial_billing.billing.protocol.commands import Action
from tests.billing.collecting import DAY, DUE, HOUR, MINUTE, SECOND, Collecting
from tests.billing.support import at, chargeable, non_chargeable

QUICK = [5 * MINUTE, 30 * MINUTE, 2 * HOUR, 8 * HOUR]
SLOW = [12 * HOUR, DAY, 2 * DAY, 4 * DAY, 7 * DAY, 7 * DAY]


@pytest.mark.parametrize(
    "code", ["SoftDeclined", "TransactionTimedOut", "ExpiredUnused", "AmazonCanceled", "BuyerCanceled"]
)
def test_soft_declines_are_retried_by_the_soft_schedule_and_then_given_up(code: str) -> None:
    assert Collecting().delays_until_giving_up(*[code] * 20) == SLOW


@pytest.mark.parametrize("code", ["ProcessingFailure", "InvalidChargePermissionStatus"])
def test_amazons_own_trouble_is_retried_soon_and_then_as_a_soft_decline(code: str) -> None:
    assert Collecting().delays_until_giving_up(*[code] * 20) == QUICK + SLOW


def test_the_two_schedules_are_used_up_each_by_its_own_failures() -> None:
    alternating = Collecting().delays_until_giving_up(*["ProcessingFailure", "SoftDeclined"] * 10)

    assert alternating == [delay for pair in zip(QUICK, SLOW, strict=False) for delay in pair] + SLOW[4:]


def test_a_wait_counts_from_the_failure_and_not_from_when_it_was_planned_for() -> None:
    period = Collecting()
    period.fail("SoftDeclined")
    period.now = period.must_read(chargeable()).at + 3 * HOUR  # the worker was late

    period.fail("SoftDeclined")

    assert period.must_read(chargeable()).at == DUE + 12 * HOUR + 3 * HOUR + DAY


def test_no_more_attempts_are_spent_than_the_policy_allows() -> None:
    period = Collecting(CollectionPolicy(max_attempts=3))

    assert period.delays_until_giving_up(*["SoftDeclined"] * 20) == SLOW[:2]
    assert period.collection.attempts == period.attempts_spent == 3


def test_the_only_attempt_of_a_policy_without_retries_is_given_up_at_once() -> None:
    assert Collecting(CollectionPolicy(max_attempts=1)).delays_until_giving_up("SoftDeclined") == []
    assert Collecting(CollectionPolicy(soft_decline_delays=())).delays_until_giving_up("SoftDeclined") == []


def test_a_mended_payment_method_does_not_lift_the_cap() -> None:
    period = Collecting(CollectionPolicy(max_attempts=2))
    steps = []
    for _ in range(2):
        period.fail("HardDeclined")
        period.must_read(non_chargeable("PaymentMethodInvalid"))
        steps.append(period.must_read(chargeable("2026-01-31 09:30"), prompted=True))

    assert [step.action for step in steps] == [Action.CHARGE, Action.FINAL_ACTION]
    assert "all 2 attempts failed" in steps[-1].why


@pytest.mark.parametrize(("within", "delays"), [(36 * HOUR, SLOW[:2]), (36 * HOUR - MINUTE, SLOW[:1])])
def test_no_attempt_is_later_than_the_time_to_collect_and_the_last_instant_counts(
    within: timedelta, delays: list[timedelta]
) -> None:
    assert Collecting(CollectionPolicy(collect_within=within)).delays_until_giving_up(*["SoftDeclined"] * 20) == delays


def test_a_policy_is_frozen_when_the_first_attempt_fails() -> None:
    period = Collecting()
    period.fail("SoftDeclined")
    period.policy = CollectionPolicy(soft_decline_delays=(MINUTE,))

    assert period.must_read(chargeable()).at == DUE + 12 * HOUR
    assert period.delays_until_giving_up(*["SoftDeclined"] * 20) == SLOW[1:]


def test_the_buyer_has_twenty_one_days_to_mend_the_payment_method_and_is_looked_at_daily() -> None:
    period = Collecting()
    period.fail("HardDeclined")
    looks = []
    while (step := period.must_read(non_chargeable("PaymentMethodInvalid"))).action is Action.READ_PERMISSION:
        looks.append(step.at - DUE)
        period.now = step.at

    assert looks == [day * DAY for day in range(1, 22)]
    assert (step.action, step.at) == (Action.FINAL_ACTION, DUE + 21 * DAY)
    assert "within 21 days" in step.why
    assert period.collection.attempts == 1


def test_the_last_look_is_on_the_deadline_itself() -> None:
    period = Collecting()
    period.fail("HardDeclined")
    period.must_read(chargeable())
    period.now = DUE + 20 * DAY + HOUR

    assert period.must_read(chargeable()).at == DUE + 21 * DAY
    period.now = DUE + 21 * DAY - SECOND
    assert period.must_read(chargeable()).action is Action.READ_PERMISSION
    period.now = DUE + 21 * DAY
    assert period.must_read(chargeable()).action is Action.FINAL_ACTION


def test_what_was_mended_on_the_last_day_is_charged() -> None:
    period = Collecting()
    period.fail("HardDeclined")
    period.must_read(non_chargeable("PaymentMethodInvalid"))
    period.now = DUE + 21 * DAY

    step = period.must_read(chargeable("2026-02-21 08:00"))

    assert (step.action, step.at) == (Action.CHARGE, period.now)


def test_amazons_monthly_limit_spends_no_attempt_and_none_of_the_schedule() -> None:
    period = Collecting(CollectionPolicy(max_attempts=2))
    period.fail("SoftDeclined")
    assert period.must_read(chargeable()).at == DUE + 12 * HOUR

    for turn, later in (("2026-02-01 08:00", "2026-02-02 09:00"), ("2026-03-01 08:00", "2026-03-01 08:00")):
        assert period.run_into_the_limit().at == at(turn)
        period.now = at(later)

    assert (period.collection.attempts, period.attempts_spent) == (3, 1)
    assert period.collection.dunning is not None
    assert period.collection.dunning.soft_declines == 1


@pytest.mark.parametrize(
    ("code", "action", "after"),
    [
        ("SoftDeclined", Action.CHARGE, 12 * HOUR),
        ("ProcessingFailure", Action.CHARGE, 5 * MINUTE),
        ("HardDeclined", Action.READ_PERMISSION, DAY),
    ],
)
def test_waiting_for_amazons_next_month_takes_nothing_from_the_time_to_collect(
    code: str, action: Action, after: timedelta
) -> None:
    period = Collecting(due=at("2026-03-05 09:00"))
    period.now = period.run_into_the_limit().at
    assert period.now == at("2026-04-01 07:00")

    period.fail(code)
    step = period.must_read(chargeable())

    assert (step.action, step.at - period.now) == (action, after)


def test_waiting_for_amazons_next_month_takes_nothing_from_the_time_that_an_earlier_failure_began() -> None:
    period = Collecting(due=at("2026-03-05 09:00"))
    period.fail("SoftDeclined")
    period.now = period.must_read(chargeable()).at
    period.now = period.run_into_the_limit().at
    assert period.now == at("2026-04-01 07:00")

    period.fail("SoftDeclined")
    step = period.must_read(chargeable())

    assert (step.action, step.at - period.now) == (Action.CHARGE, DAY)


def test_a_permission_that_stays_busy_is_looked_at_hourly_until_the_time_to_collect_is_over() -> None:
    period = Collecting(CollectionPolicy(collect_within=5 * HOUR))
    period.fail("SoftDeclined")
    looks = []
    while (step := period.must_read(non_chargeable("ChargeInProgress"))).action is Action.READ_PERMISSION:
        looks.append(step.at - DUE)
        period.now = step.at

    assert looks == [hours * HOUR for hours in range(1, 6)]
    assert step.action is Action.FINAL_ACTION


@pytest.mark.parametrize(
    ("zone", "failed", "retry"),
    [
        ("UTC", "2026-01-31 09:00", "2026-02-01 08:00"),  # 21:00 is too late in the evening
        ("UTC", "2026-01-31 03:00", "2026-01-31 15:00"),  # within the hours already
        ("UTC", "2026-01-31 19:30", "2026-02-01 08:00"),  # 07:30 is too early in the morning
        ("Asia/Tokyo", "2026-01-31 09:00", "2026-01-31 23:00"),  # 06:00 there
        ("America/New_York", "2026-03-07 13:30", "2026-03-08 12:00"),  # the clocks change that night
        ("UTC", "2026-01-31 08:00", "2026-02-01 08:00"),  # 20:00 is past the last hour
    ],
)
def test_a_retry_is_made_within_the_hours_of_the_day_that_the_policy_allows(zone: str, failed: str, retry: str) -> None:
    policy = CollectionPolicy(retry_hours=HourWindow(start=8, end=20))
    collecting = Collecting(policy, zone=zone, due=at(failed))
    collecting.fail("SoftDeclined")

    assert collecting.must_read(chargeable()).at == at(retry)


def test_a_jitter_spreads_subscribers_and_is_always_the_same_for_each() -> None:
    policy = CollectionPolicy(retry_jitter=2 * HOUR)

    def retry_of(spread: int) -> timedelta:
        collecting = Collecting(policy, spread=spread)
        collecting.fail("SoftDeclined")
        return collecting.must_read(chargeable()).at - DUE

    assert [retry_of(spread) - 12 * HOUR for spread in (0, 250, 999)] == [
        timedelta(0),
        30 * MINUTE,
        timedelta(seconds=7192.8),
    ]
    spreads = [spread_of(f"C01-{number:07}-0000000") for number in range(1000)]
    assert spreads == [spread_of(f"C01-{number:07}-0000000") for number in range(1000)]
    assert min(spreads) >= 0
    assert max(spreads) <= 999
    assert len(set(spreads)) > 500


def test_a_retry_that_the_hours_move_past_the_time_to_collect_is_not_made() -> None:
    policy = CollectionPolicy(retry_hours=HourWindow(start=8, end=9), collect_within=12 * HOUR)
    collecting = Collecting(policy)
    collecting.fail("SoftDeclined")

    step = collecting.must_read(chargeable())

    assert (step.action, step.why) == (Action.FINAL_ACTION, "SoftDeclined: the time to collect is over")
