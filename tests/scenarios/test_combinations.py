"""Two changes together, on a real server: what the buyer pays is what the dry run and the answer said before."""

from datetime import timedelta

import pytest

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import ChangePlan, PauseSubscription, ResumeSubscription, SkipPeriod, When
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.refusals import Refused
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.errors import RequestRefusedError
from tests.scenarios.story import Story

MONTH, YEAR = Interval(unit=Unit.MONTH), Interval(unit=Unit.YEAR)
DAY = timedelta(days=1)


@pytest.mark.long  # the rule: tests/billing/test_combinations.py
async def test_seats_now_a_scheduled_plan_a_skip_and_a_moving_pause_come_to_what_was_said(house: Stage) -> None:
    story = await Story.begin(house, Plan.of("basic", Money.parse("31.00 USD"), MONTH))
    permission, ask = story.charge_permission_id, house.subscriptions.change
    start = story.terms.anchor
    await story.until(start + 3 * DAY)

    await ask(permission, SkipPeriod())
    scheduled = await ask(permission, ChangePlan(plan=Plan.of("gold", Money.parse("62.00 USD"), MONTH)))
    assert scheduled.effective_at == story.terms.schedule.due(2), "the skipped month stays as it was"
    await story.until(start + 10 * DAY)
    seats = ChangePlan(quantity=2, when=When.NOW)
    told = await house.subscriptions.dry_run(permission, seats, await story.now())
    await ask(permission, seats)
    await story.quiet()
    charged = [str(charge.charge_amount.amount) for charge in await story.charges()]
    assert charged[1:] == [str(each.amount.amount) for each in told.charged_now]

    await ask(permission, PauseSubscription(keeps_anchor=False))
    with pytest.raises(RequestRefusedError, match="the subscription is paused: change it at the renewal"):
        await ask(permission, ChangePlan(plan=Plan.of("year", Money.parse("99.00 USD"), YEAR), when=When.NOW))
    await story.after(20 * DAY)
    await ask(permission, ResumeSubscription())
    upcoming = await house.subscriptions.upcoming(permission, 2)
    assert [str(each.amount) for each in upcoming] == ["124.00 USD", "124.00 USD"], "gold, for both seats"
    await story.until(upcoming[1].at + DAY)

    paid = [(charge.creation_timestamp, str(charge.charge_amount.amount)) for charge in await story.charges()]
    for (at, amount), said in zip(paid[2:], upcoming, strict=True):
        assert at is not None
        assert timedelta(0) <= at - said.at < timedelta(minutes=2)
        assert amount == str(said.amount.amount)
    assert upcoming[0].at - story.terms.schedule.due(2) >= 19 * DAY, "moved by the pause"


async def test_a_start_that_is_a_year_late_is_refused_unless_that_is_meant(house: Stage) -> None:
    story = await Story.begin(house)
    terms = story.terms.but(charge_permission_id="C01-5550000-0000001", anchor=story.terms.anchor - 366 * DAY)

    with pytest.raises(Refused, match="13 periods have fallen due since then"):
        await house.subscriptions.start(terms)
    assert (await house.subscriptions.start(story.terms)).already, "the running one is found as ever"
