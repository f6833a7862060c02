"""The reports say of real stories what became of them: who paid after all and how, what came in, what is still owed."""

from datetime import UTC, datetime, timedelta
from typing import Final

from amazon_pay_client.models import Currency
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import RefundPeriod
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.status import Status
from perennial_billing.ledger.reports.aging import aging
from perennial_billing.ledger.reports.forecast import Quota, forecast
from perennial_billing.ledger.reports.recovery import Outcome, Periods, recovery
from perennial_billing.ledger.reports.revenue import Movement, revenue
from perennial_billing.sandbox.stage import Stage
from tests.scenarios.story import Story

SKIS: Final = Plan.of("skis", Money.parse("119.00 NOK"), Interval(unit=Unit.MONTH))
"""In a currency of its own: the house's ledger is that of all stories."""

YEAR: Final = datetime.now(UTC).year + 1
FIRST: Final = datetime(YEAR, 1, 11, 8, tzinfo=UTC)
NEXT: Final = datetime(YEAR, 2, 11, 8, tzinfo=UTC)
DAY: Final = timedelta(days=1)


def kroner(amount: str) -> Money:
    return Money.parse(f"{amount} NOK")


async def test_four_troubled_subscribers_are_in_the_reports_as_they_were(house: Stage) -> None:
    """One is retried, one mends the card, one checks out anew, and one still owes; each of 119 NOK on 11 January."""
    scripts = (["SoftDeclined"], ["HardDeclined"], ["AmazonRejected"], ["HardDeclined"])
    retried, mended, left, owing = [
        await Story.begin(house, SKIS, script=script, first_charge_at=FIRST) for script in scripts
    ]
    for story in (retried, mended, left, owing):
        await story.until_due(0)
    await retried.until(FIRST + 2 * DAY)
    await mended.until(FIRST + 3 * DAY)
    await mended.mend_card()
    await mended.quiet()
    assert (await left.status()).status is Status.AWAITING_CHECKOUT
    await left.until(FIRST + 5 * DAY)
    successor = (await house.simulator.open_permission(Currency.NOK)).charge_permission_id
    await house.subscriptions.replace_charge_permission(left.charge_permission_id, successor)
    after = Story(house, left.terms.model_copy(update={"charge_permission_id": successor}))
    await after.quiet()
    wanted = RefundPeriod(period=0, amount=kroner("19.00"))
    await retried.until(NEXT - DAY)
    await house.subscriptions.refund(retried.charge_permission_id, wanted)
    await retried.after(timedelta(hours=12))

    [found] = [each for each in (await recovery(house.ledger, FIRST, NEXT)).currencies if each.currency == "NOK"]
    one = Periods(1, kroner("119.00"))
    assert found.all.outcomes == {
        Outcome.RETRY: one,
        Outcome.MENDED: one,
        Outcome.NEW_CHECKOUT: one,
        Outcome.OPEN: one,
        Outcome.WRITTEN_OFF: Periods(0, kroner("0.00")),
    }
    assert {reason: of.refused.count for reason, of in found.by_reason.items()} == {
        "HardDeclined": 2,
        "AmazonRejected": 1,
        "SoftDeclined": 1,
    }
    assert found.by_attempt == {2: Periods(2, kroner("238.00"))}

    earned = await revenue(house.ledger, datetime(YEAR, 1, 1, tzinfo=UTC), datetime(YEAR, 3, 1, tzinfo=UTC))
    lines = [line for line in earned.taken if line.plan_id == "skis"]
    assert [(line.month.month, line.charges, line.charged, line.refunded) for line in lines] == [
        (1, 3, kroner("357.00"), kroner("0.00")),
        (2, 0, kroner("0.00"), kroner("19.00")),
    ]
    assert isinstance(earned.movements[0], Movement)
    assert [(each.subscriptions, each.monthly) for each in earned.recurring if each.plan_id == "skis"] == [
        (4, kroner("476.00"))
    ], "who owes is still tried, and who checked out anew is one"

    owed = [each for each in (await aging(house.ledger, FIRST + 9 * DAY)).past_due if each.amount.currency == "NOK"]
    assert [(str(each.age), each.reason, each.subscriptions, each.amount) for each in owed] == [
        ("8-14", "HardDeclined", 1, kroner("119.00"))
    ]

    falls_due = await forecast(house.ledger, NEXT - DAY, 2, Quota(burst=10, per_second=4))
    due = [each for each in falls_due.hours if each.amount.currency == "NOK" and each.charges]
    assert [(each.begins, each.charges, each.amount) for each in due] == [(NEXT, 3, kroner("357.00"))]
