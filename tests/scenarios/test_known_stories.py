"""Stories that other billing systems tell of themselves, in their tests and their issues. Their dates are moved to the
coming years; days, months and amounts are theirs.

Two of that collection are told elsewhere: partial refunds in `test_refunds`, and a billing day that changes within a
trial in `test_changes`.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.faults import Fault
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.plan.policy import CollectionPolicy, FinalAction
from perennial_billing.billing.status import Status
from perennial_billing.billing.zones import zone
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.client import Started
from perennial_billing.workflows.messages import NotificationSignal
from tests.endpoint import Endpoint
from tests.scenarios.story import Story, pending_charge_of
from tests.scenarios.test_decision_table import attempts_of
from tests.scenarios.test_notices import kinds, told, when

DAY = timedelta(days=1)
EIGHT_DAYS = CollectionPolicy(soft_decline_delays=(8 * DAY, 8 * DAY, 8 * DAY))
NEXT_YEAR = datetime.now(UTC).year + 1


def monthly(amount: str = "249.95 USD", periods: int | None = None) -> Plan:
    return Plan.of("gold", Money.parse(amount), Interval(unit=Unit.MONTH), periods)


def on(month: int, day: int, *, hour: int = 9) -> datetime:
    """A date of the coming year."""
    return datetime(NEXT_YEAR, month, day, hour, tzinfo=UTC)


@pytest.mark.long  # the rule: tests/billing/test_subscription.py
async def test_declined_once_and_recovered_by_the_first_retry(house: Stage) -> None:
    """Created on 1 April with a trial of 30 days; the first charge is on 1 May."""
    story = await Story.begin(
        house, monthly(), first_charge_at=on(5, 1), script=["SoftDeclined"], collection=EIGHT_DAYS
    )
    await story.until(on(5, 1))
    assert await story.charges() == []

    status = await story.until(on(5, 9))

    await story.assert_charged_at(on(5, 9))
    (record,) = status.ledger
    assert (record.period, record.due, record.attempts) == (0, on(5, 1), 2)
    assert (status.owed, status.periods_paid) == (None, 1)


@pytest.mark.long  # the rule: tests/billing/test_unanswered.py
async def test_an_unknown_outcome_that_turns_out_to_be_a_decline_is_retried_by_the_schedule(house: Stage) -> None:
    unknown = ScriptedAnswer(code="SoftDeclined", fault=Fault.LOST_ANSWER)
    story = await Story.begin(house, monthly(), first_charge_at=on(5, 1), script=[unknown], collection=EIGHT_DAYS)
    await story.until(on(5, 1))

    first, again = await story.calls()
    assert first.idempotency_key == again.idempotency_key, "no other charge before the first one is known"
    assert (again.replayed, again.status) == (True, 422)
    await story.until(on(5, 9))
    await story.assert_charged_at(on(5, 9))


@pytest.mark.long  # the rule: tests/workflows/test_life.py
async def test_pending_and_then_a_success(house: Stage) -> None:
    story = await Story.begin(house, monthly(), first_charge_at=on(5, 1), script=["AuthorizationInitiated"])
    status = await story.until(on(5, 1))
    await story.after(timedelta(hours=5))
    assert len(await story.calls()) == 1, "nothing is charged while it is pending"

    await house.simulator.decide_charge(pending_charge_of(status), at=await story.now())
    status = await story.quiet()

    assert (status.periods_paid, len(await story.charges()), len(await story.calls())) == (1, 1, 1)


@pytest.mark.long  # the rule: tests/billing/test_collection_schedule.py
async def test_the_ladder_of_retries_and_the_grace_are_two_clocks(house: Stage, notices: Endpoint) -> None:
    """First declined on 31 May, retried every eight days; access ends 30 days after the oldest unpaid period."""
    policy = CollectionPolicy(
        soft_decline_delays=(8 * DAY,) * 5,
        collect_within=60 * DAY,
        grace=30 * DAY,
        final_action=FinalAction.MARK_UNPAID,
    )
    story = await Story.begin(
        house, monthly(), first_charge_at=on(5, 31), script=["SoftDeclined"] * 6, collection=policy
    )
    status = await story.until(on(7, 10))

    assert await attempts_of(story) == [0, *(24.0 * days for days in (8, 16, 24, 32, 40)), 24.0 * 40]
    (ended,) = [event for event in await told(notices, story) if event["type"] == "grace.ended"]
    assert (when(ended) - on(6, 30)) < timedelta(minutes=2)
    assert [record.outcome for record in status.ledger] == [PeriodOutcome.WRITTEN_OFF, PeriodOutcome.PAID]
    assert (status.status, status.ledger[1].due) == (Status.ACTIVE, on(6, 30)), "the next period was still owed"


@pytest.mark.long  # the rule: tests/billing/test_subscription.py
async def test_without_a_usable_payment_method_nothing_is_charged_until_one_is_added(
    house: Stage, notices: Endpoint
) -> None:
    story = await Story.begin(house, monthly(), first_charge_at=on(5, 1))
    await story.quiet()
    await house.simulator.break_payment_method(story.charge_permission_id, "PaymentMethodNotSet", await story.now())
    await story.quiet()
    status = await story.until(on(5, 1))
    assert status.status is Status.AWAITING_PAYMENT_METHOD
    await story.until(on(5, 9))
    assert await story.charges() == []

    status = await story.mend_card()

    assert (status.status, status.periods_paid, len(await story.charges())) == (Status.ACTIVE, 1, 1)
    assert [kind for kind in await kinds(notices, story) if kind != "subscription.started"] == [
        "payment_method.needed", "payment_method.needed", "payment_method.reminder", "payment_method.reminder",
        "grace.ended", "payment_method.mended", "period.paid",
    ]  # fmt: skip


@pytest.mark.long  # the rule: tests/billing/test_subscription.py
async def test_twelve_periods_end_beside_a_subscription_that_goes_on(house: Stage, notices: Endpoint) -> None:
    added, base = await asyncio.gather(
        Story.begin(house, monthly("199.95 USD", periods=12), first_charge_at=on(4, 1)),
        Story.begin(house, monthly("29.95 USD"), first_charge_at=on(5, 1)),
    )
    end = datetime(NEXT_YEAR + 1, 4, 1, 9, tzinfo=UTC)
    status, base_status = await asyncio.gather(added.until(end), base.until(end + timedelta(days=30)))

    due = added.terms.schedule.due
    await added.assert_charged_at(*(due(period) for period in range(12)))
    assert (due(0), due(11), due(12)) == (on(4, 1), datetime(NEXT_YEAR + 1, 3, 1, 9, tzinfo=UTC), end)
    assert (status.status, await added.permission_state()) == (Status.COMPLETED, "Closed")
    assert status.ended_at is not None
    assert status.ended_at - end < timedelta(minutes=2)
    assert (base_status.status, base_status.periods_paid) == (Status.ACTIVE, 13)


@pytest.mark.long  # the rule: tests/billing/test_subscription_ending.py
async def test_a_fixed_term_that_is_canceled_ends_at_once_and_only_once(house: Stage, notices: Endpoint) -> None:
    story = await Story.begin(house, monthly(periods=12), first_charge_at=on(1, 1))
    await story.until(on(1, 11))

    status = await story.cancel()

    assert status.status is Status.CANCELED
    assert status.next is None
    await story.assert_charged_at(on(1, 1))
    assert (await kinds(notices, story)).count("subscription.ended") == 1


@pytest.mark.long  # the rule: tests/billing/test_subscription.py
async def test_a_subscription_that_moved_here_is_charged_when_its_trial_is_over_and_not_before(house: Stage) -> None:
    """Known since 1 January; 30 days of trial from the month's end, so first charged on 1 or 2 March."""
    begins = datetime(NEXT_YEAR, 1, 31, 9, tzinfo=UTC) + 30 * DAY
    story = await Story.begin(house, monthly(), first_charge_at=begins)
    await story.until(begins - timedelta(hours=1))
    assert await story.calls() == []

    status = await story.until(begins)

    await story.assert_charged_at(begins)
    assert status.terms.schedule.due(1).month == begins.month + 1


@pytest.mark.long  # the rule: tests/billing/test_calendar.py
async def test_a_wall_time_that_the_clocks_skip_is_charged_once_each_month(house: Stage) -> None:
    """At 02:00 in Los Angeles, monthly on the day of which the clocks skip that hour in March."""
    los_angeles = zone("America/Los_Angeles")
    march = datetime(NEXT_YEAR, 3, 1)  # noqa: DTZ001 - a date, to find the second Sunday
    change = march + timedelta(days=(6 - march.weekday()) % 7 + 7)
    first = datetime(NEXT_YEAR, 2, change.day, 2, tzinfo=los_angeles)
    story = await Story.begin(house, monthly(), zone="America/Los_Angeles", first_charge_at=first)
    await story.until(first + timedelta(days=762))

    due = story.terms.schedule.due
    charges = await story.charges()
    assert len(charges) == 25 + (due(25) <= await story.now())
    await story.assert_charged_at(*(due(period) for period in range(len(charges))))
    local = [charge.creation_timestamp.astimezone(los_angeles) for charge in charges if charge.creation_timestamp]
    assert {(instant.year, instant.month) for instant in local} == {
        (NEXT_YEAR + (month - 1) // 12, (month - 1) % 12 + 1) for month in range(2, 2 + len(charges))
    }
    assert [instant.hour for instant in local if (instant.month, instant.year) == (3, NEXT_YEAR)] == [3]


async def test_a_subscriber_who_is_started_and_woken_twice_on_a_heavy_day_is_charged_once(house: Stage) -> None:
    story = await Story.begin(house, monthly(), first_charge_in=timedelta(0))

    started: list[Started] = await asyncio.gather(*(house.subscriptions.start(story.terms) for _ in range(5)))
    await asyncio.gather(
        *(story.handle.signal("instrument_updated", NotificationSignal(
            notification_id=f"n-{number % 2}", object_type="CHARGE_PERMISSION", object_id=story.charge_permission_id,
        )) for number in range(6))
    )  # fmt: skip
    status = await story.quiet()

    assert all(each.already for each in started)
    assert (status.periods_paid, len(await story.charges()), len(await story.calls())) == (1, 1, 1)


@pytest.mark.long  # the rule: tests/billing/test_collection_schedule.py
async def test_attempts_on_exactly_these_days_and_the_end_after_the_last(house: Stage) -> None:
    policy = CollectionPolicy(soft_decline_delays=(2 * DAY, 5 * DAY, 7 * DAY, 7 * DAY), final_action=FinalAction.CANCEL)
    story = await Story.begin(house, monthly(), script=["SoftDeclined"] * 5, collection=policy)
    await story.until_due(0)
    status = await story.after(21 * DAY)

    assert await attempts_of(story) == [24.0 * days for days in (0, 2, 7, 14, 21)]
    assert (status.status, await story.permission_state()) == (Status.WRITTEN_OFF, "Closed")


@pytest.mark.long  # the rule: tests/billing/test_collection_schedule.py
async def test_a_ladder_in_hours(house: Stage) -> None:
    hours = (12, 12, 24, 48, 72)
    policy = CollectionPolicy(soft_decline_delays=tuple(timedelta(hours=step) for step in hours))
    story = await Story.begin(house, monthly(), script=["SoftDeclined"] * 5, collection=policy)
    await story.until_due(0)
    status = await story.after(8 * DAY)

    assert await attempts_of(story) == [0, 12, 24, 48, 96, 168]
    assert (status.status, status.ledger[0].attempts) == (Status.ACTIVE, 6)


@pytest.mark.long  # the rule: tests/billing/test_subscription_ending.py
async def test_the_final_action_is_a_setting(house: Stage) -> None:
    outcome = {
        FinalAction.MARK_UNPAID: (Status.ACTIVE, [PeriodOutcome.WRITTEN_OFF]),
        FinalAction.PAUSE: (Status.UNPAID, []),
        FinalAction.CANCEL: (Status.WRITTEN_OFF, [PeriodOutcome.WRITTEN_OFF]),
    }
    for action, expected in outcome.items():
        policy = CollectionPolicy(soft_decline_delays=(3 * DAY, 3 * DAY), final_action=action)
        story = await Story.begin(house, monthly(), script=["SoftDeclined"] * 3, collection=policy)
        await story.until_due(0)
        status = await story.after(6 * DAY)

        assert await attempts_of(story) == [0, 72, 144]
        assert (status.status, [record.outcome for record in status.ledger]) == expected


async def test_the_same_key_for_a_lost_answer_and_another_for_a_known_decline(house: Stage) -> None:
    lost = ScriptedAnswer(fault=Fault.LOST_ANSWER)
    story = await Story.begin(house, monthly("9.99 USD"), script=[lost, "SoftDeclined"])
    await story.until_due(0)
    await story.until_due(1)
    await story.after(timedelta(hours=12))

    first, again, declined, retried = await story.calls()
    assert first.idempotency_key == again.idempotency_key
    assert declined.idempotency_key != retried.idempotency_key
    assert len(await story.charges()) == 2


async def test_notifications_out_of_order_and_twice_make_one_attempt_and_a_stale_one_makes_none(house: Stage) -> None:
    story = await Story.begin(house, monthly(), script=["HardDeclined"])
    await story.quiet()
    early = NotificationSignal(
        notification_id="early", object_type="CHARGE_PERMISSION", object_id=story.charge_permission_id
    )
    await story.handle.signal("instrument_updated", early)
    await story.quiet()
    await story.until_due(0)
    for _ in range(2):
        await story.handle.signal("instrument_updated", early)
    status = await story.quiet()
    assert (status.status, len(await story.calls())) == (Status.AWAITING_PAYMENT_METHOD, 1), "stale ones make none"

    await house.simulator.mend_payment_method(story.charge_permission_id, await story.now())
    mended = early.model_copy(update={"notification_id": "mended"})
    await asyncio.gather(*(story.handle.signal("instrument_updated", mended) for _ in range(2)))
    status = await story.quiet()

    assert (status.status, len(await story.calls()), len(await story.charges())) == (Status.ACTIVE, 2, 1)
