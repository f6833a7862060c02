"""What the buyer pays is what was said before: by the dry run, by the charges to come, and by the answer to a request.

Each story compares the simulator's books with what was told, by day and amount.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from amazon_pay_client import clock
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    Change,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    Settle,
    UndoCancellation,
    When,
)
from perennial_billing.billing.forecast.preview import Upcoming
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Capture, Phase, Plan
from perennial_billing.billing.plan.lead_times import LeadTimes
from perennial_billing.billing.protocol.answers import RefundState
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.errors import RequestRefusedError
from tests.endpoint import Endpoint
from tests.scenarios.story import Story, pending_charge_of
from tests.scenarios.test_notices import told

WEEK, MONTH, YEAR = (Interval(unit=unit) for unit in (Unit.WEEK, Unit.MONTH, Unit.YEAR))
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SPRING: Final = datetime(datetime.now(UTC).year + 1, 4, 1, 9, tzinfo=UTC)
Paid = list[tuple[str, str]]


def usd(amount: str) -> Money:
    return Money.parse(f"{amount} USD")


def plan(amount: str, interval: Interval = MONTH, *after: Phase, name: str = "basic", **leads: Any) -> Plan:
    return Plan.of(name, usd(amount), interval, after=after).but(lead_times=LeadTimes(**leads))


async def begun(house: Stage, agreed: Plan, **how: Any) -> Story:
    """From 1 April of the next year on; the first period has begun."""
    story = await Story.begin(house, agreed, first_charge_at=SPRING, **how)
    await story.until(SPRING)
    return story


async def paid(story: Story) -> Paid:
    """Day and amount of what the books say was captured."""
    return [
        (f"{charge.creation_timestamp:%m-%d}", str((charge.capture_amount or charge.charge_amount).amount))
        for charge in await story.charges()
    ]


def said(charges: Sequence[Upcoming]) -> Paid:
    """The same of what was told before; what costs nothing is asked of nobody."""
    return [(f"{each.at:%m-%d}", str(each.amount.amount)) for each in charges if not each.amount.is_zero]


async def upcoming(story: Story, count: int) -> Paid:
    return said(await story.stage.subscriptions.upcoming(story.charge_permission_id, count))


async def asked(story: Story, request: Change) -> tuple[Paid, Paid]:
    """Asks for something, having seen what it would come to; tells that: what is charged at once, and next."""
    permission, subscriptions = story.charge_permission_id, story.stage.subscriptions
    before = await subscriptions.dry_run(permission, request, await story.now())
    changed = await subscriptions.change(permission, request)
    assert before.effective_at is not None
    assert timedelta(0) <= changed.effective_at - before.effective_at < timedelta(minutes=1)
    await story.quiet()
    return said(before.charged_now), said(before.upcoming)


async def refused(story: Story, request: Change, why: str) -> None:
    """It is refused, and so is trying what it would come to."""
    permission, subscriptions = story.charge_permission_id, story.stage.subscriptions
    with pytest.raises(RequestRefusedError, match=why):
        await subscriptions.dry_run(permission, request, await story.now())
    with pytest.raises(RequestRefusedError, match=why):
        await subscriptions.change(permission, request)


async def ahead(notices: Endpoint, story: Story) -> list[tuple[str, str, str]]:
    """Day, kind and amount of what was told before it happened."""
    return [
        (event["timestamp"][5:10], event["type"], event["data"]["amount"]["amount"])
        for event in await told(notices, story)
        if event["type"].split(".")[1] in {"upcoming", "ending", "changing"}
    ]


@pytest.mark.long  # the rule: tests/billing/test_combinations.py
async def test_before_a_planned_end_only_days_until_then_are_sold_and_what_meets_no_charge_is_refused_or_told(
    house: Stage, notices: Endpoint
) -> None:
    """30.00 a month, and canceled for the end of April."""
    story = await begun(house, plan("30.00"))
    await asked(story, AddItem(amount=usd("4.00"), what="a cup"))
    await asked(story, Cancel(when=When.RENEWAL))

    year = ChangePlan(plan=plan("190.00", YEAR), when=When.NOW)
    await story.until(SPRING + 10 * DAY)
    await refused(story, year, "is to end on .*-05-01: take the cancellation back first")
    await refused(story, AddItem(amount=usd("2.00"), what="a spoon"), "no charge follows: charge it now")
    credit = AddItem(amount=usd("80.00"), what="sorry", credit=True)
    await refused(story, credit, "no charge follows: refund a period instead")
    now, later = await asked(story, ChangePlan(quantity=2, when=When.NOW))
    assert (now, later) == ([("04-11", "24.00")], []), "20 of 30 days of another unit, and the cup"
    await asked(story, UndoCancellation())
    await asked(story, credit)
    assert await upcoming(story, 2) == [("06-01", "40.00")], "60.00 for both units; 20.00 of the credit are left"
    await asked(story, Cancel(when=SPRING + 45 * DAY))
    status = await story.until(SPRING + 46 * DAY)

    assert status.status is Status.CANCELED
    assert await paid(story) == [("04-01", "30.00"), *now]
    assert (await told(notices, story))[-1]["data"]["credit"] == {"amount": "20.00", "currency": "USD"}


@pytest.mark.long  # the rule: tests/billing/test_combinations.py
async def test_a_pause_that_moves_dates_within_a_paid_year_charges_no_day_again_and_the_renewal_is_told(
    house: Stage, notices: Endpoint
) -> None:
    story = await begun(house, plan("120.00", YEAR, renewal=(30 * DAY, 7 * DAY)))
    await story.until(SPRING + 50 * DAY)

    pause = PauseSubscription(until=SPRING + 53 * DAY, keeps_anchor=False)
    _, next_year = await asked(story, pause)
    assert next_year[:1] == [("04-04", "120.00")], "three days later, as the pause is three days long"
    await story.until(SPRING + 54 * DAY)
    assert await upcoming(story, 4) == next_year[:4]
    await story.until(SPRING + 369 * DAY)

    assert await paid(story) == [("04-01", "120.00"), *next_year[:1]]
    assert await ahead(notices, story) == [
        ("03-05", "renewal.upcoming", "120.00"),
        ("03-28", "renewal.upcoming", "120.00"),
    ]


async def test_what_is_credited_is_the_unused_share_of_what_was_really_paid_and_no_money_goes_back_twice(
    house: Stage,
) -> None:
    """30.00 for April. Of one charge a part is captured, of another a refund is under way."""
    gold = ChangePlan(plan=plan("60.00", name="gold"), when=When.NOW)
    part = await begun(house, plan("30.00").but(capture=Capture.LATER))
    refunded = await begun(house, plan("30.00"))
    subscriptions, (captured, back) = house.subscriptions, (each.charge_permission_id for each in (part, refunded))
    await subscriptions.capture(captured, 0, usd("6.00"))
    for story in (part, refunded):
        await story.until(SPRING + 15 * DAY)

    now, _ = await asked(part, gold)
    assert now == [("04-16", "27.00")], "15 of 30 days of gold, less half of the 6.00 that were captured"
    assert await paid(part) == [("04-01", "6.00"), *now]

    refund = await subscriptions.refund(back, RefundPeriod(period=0, amount=usd("8.00")))
    assert refund.state is RefundState.PENDING
    now, later = await asked(refunded, gold)
    assert now == [("04-16", "23.00")], "half of 60.00; of the 15.00 for unused days 8.00 are going back already"
    with pytest.raises(RequestRefusedError, match=r"at most 15\.00 USD is left"):
        await subscriptions.refund(back, RefundPeriod(period=0, amount=usd("15.01")))
    await refunded.until(SPRING + 31 * DAY)
    assert await paid(refunded) == [("04-01", "30.00"), *now, *later[:1]]


@pytest.mark.long  # the rule: tests/billing/test_combinations.py
async def test_a_change_cuts_no_trial_short_and_its_end_and_a_dearer_price_are_told_before_they_are_charged(
    house: Stage, notices: Endpoint
) -> None:
    leads: dict[str, Any] = {"trial_end": (3 * DAY,), "charge": (2 * DAY,), "price_change": (14 * DAY,)}
    free = Phase(amount=usd("0"), interval=WEEK, periods=2)
    story = await begun(house, plan("10.00", MONTH, free, **leads))
    await story.until(SPRING + 3 * DAY)

    _, first = await asked(story, ChangePlan(plan=plan("12.00", MONTH, name="silver", **leads)))
    assert first[:1] == [("04-15", "12.00")], "the second free week stays"
    await story.until(SPRING + 20 * DAY)
    _, dearer = await asked(story, ChangePlan(plan=plan("15.50", MONTH, name="gold", **leads), when=SPRING + 50 * DAY))
    assert dearer[:2] == [("05-15", "12.00"), ("06-15", "15.50")]
    await story.until(SPRING + 80 * DAY)

    assert await paid(story) == [*first[:1], *dearer[:2]]
    assert await ahead(notices, story) == [
        ("04-12", "trial.ending", "12.00"),
        ("04-13", "charge.upcoming", "12.00"),
        ("05-13", "charge.upcoming", "12.00"),
        ("06-01", "price.changing", "15.50"),
        ("06-13", "charge.upcoming", "15.50"),
    ]


@pytest.mark.long  # the rule: tests/billing/test_combinations.py
async def test_many_small_changes_of_a_month_are_one_charge_with_the_next_and_a_flat_plan_says_what_seats_it_keeps(
    house: Stage,
) -> None:
    """30.00 a seat and month: a second one for 27 of 30 days, a third one for 21; what is taken back the same day costs
    nothing.
    """
    story = await begun(house, plan("30.00"))
    permission = story.charge_permission_id
    later: Paid = []
    for days, *counts in ((3, 4, 2), (9, 5, 3), (15, 2, 3)):
        await story.until(SPRING + days * DAY)
        for seats in counts:
            now, later = await asked(story, ChangePlan(quantity=seats, when=When.NOW, settle=Settle.RENEWAL))
            assert now == []
    assert later[:2] == [("05-01", "138.00"), ("06-01", "90.00")]
    far = await house.subscriptions.upcoming(permission, 120)
    assert {str(each.amount.amount) for each in far[1:]} == {"90.00"}

    flat = await house.subscriptions.change(permission, ChangePlan(plan=plan("50.00", name="flat")))
    assert str(flat.agreed) == "flat: 50.00 USD a month, for 3 units", "seats that nobody named stay"
    _, later = await asked(story, ChangePlan(quantity=1))
    assert later[:2] == [("05-01", "98.00"), ("06-01", "50.00")]
    await story.until(SPRING + 65 * DAY)

    assert await paid(story) == [("04-01", "30.00"), *later[:2]]


async def test_a_charge_told_as_declined_and_captured_since_is_found_before_another_attempt(house: Stage) -> None:
    pending = ["TransactionTimedOut", "AuthorizationInitiated"]
    story = await begun(house, plan("9.50"), script=pending)
    charge = pending_charge_of(await story.after(DAY))
    await house.simulator.decide_charge(charge, "SoftDeclined", at=await story.now())
    await story.quiet()
    to_come = await upcoming(story, 2)
    await house.simulator.send_notifications_to(None)
    try:
        await house.simulator.decide_charge(charge, at=await story.now())
    finally:
        await house.simulator.send_notifications_to(house.ipn_url)
    await story.until(SPRING + 40 * DAY)

    assert to_come[1:] == [("05-01", "9.50")]
    assert [amount for _, amount in await paid(story)] == [amount for _, amount in to_come]
    assert (await story.charges())[0].charge_id == charge, "no second charge for April"


@pytest.mark.long  # the rule: tests/billing/test_collection.py
async def test_a_card_that_is_mended_after_the_final_action_is_found_without_a_notification(house: Stage) -> None:
    story = await begun(house, plan("9.50"), script=["HardDeclined"])
    unpaid = await story.until(SPRING + 25 * DAY)
    assert (unpaid.status, unpaid.needs_attention) == (Status.UNPAID, True)
    assert unpaid.next is not None
    await house.simulator.send_notifications_to(None)
    try:
        await house.simulator.mend_payment_method(story.charge_permission_id, await story.now())
        await story.until(unpaid.next.at)
    finally:
        await house.simulator.send_notifications_to(house.ipn_url)

    assert unpaid.next.at - (SPRING + 25 * DAY) <= 7 * DAY
    assert await paid(story) == [(f"{unpaid.next.at:%m-%d}", "9.50")]


async def test_a_worker_whose_clock_is_wrong_is_named_as_the_cause_and_the_same_attempt_is_paid_once_it_is_right(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = await Story.begin(house, plan("9.50"), first_charge_at=SPRING)
    to_come = await upcoming(story, 1)
    right = clock.now
    with monkeypatch.context() as wrong:
        wrong.setattr(clock, "now", lambda: right() - DAY)
        held = await story.until(SPRING)
    status = await story.after(2 * HOUR)

    assert (held.status, held.last_reason) == (Status.ON_HOLD, "InvalidRequestSignature")
    assert held.owed is not None
    assert "this machine's clock is 24 h behind Amazon's" in (held.owed.held_because or "")
    assert status.periods_paid == 1
    assert await paid(story) == to_come
