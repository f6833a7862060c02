"""What is past due, by how long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.aging import AGES, PastDue, aging
from tests.ledger.told import notice, summary, told

NOW = datetime(2028, 3, 1, 15, 30, tzinfo=UTC)
DAY = timedelta(days=1)


async def owes(ledger: Ledger, number: int, since: datetime, amount: str, **changes: Any) -> None:
    """A subscriber who owes a period that fell due then."""
    price = Money.parse("7.45 EUR" if amount.endswith("EUR") else "700 JPY")
    stands = {"status": Status.RETRYING, "past_due_since": since, "last_reason": "SoftDeclined", "price": price}
    declined = notice(1, NoticeType.CHARGE_DECLINED, at=since, period=3, due=since, amount=Money.parse(amount))
    await ledger.record(
        told(declined, permission=f"C01-2702031-{number:07}", summary=summary(**stands | changes)),
    )


async def test_nobody_owes_anything_in_an_empty_ledger(ledger: Ledger) -> None:
    await ledger.record(told(notice(1)))

    assert (await aging(ledger, NOW)).past_due == []


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(0), "0-7"),
        (8 * DAY - timedelta(seconds=1), "0-7"),
        (8 * DAY, "8-14"),
        (15 * DAY, "15-30"),
        (31 * DAY - timedelta(microseconds=1), "15-30"),
        (31 * DAY, "31-60"),
        (61 * DAY, "61+"),
        (3000 * DAY, "61+"),
    ],
    ids=str,
)
async def test_whole_days_count(ledger: Ledger, age: timedelta, expected: str) -> None:
    await owes(ledger, 1, NOW - age, "14.90 EUR")

    assert [str(each.age) for each in (await aging(ledger, NOW)).past_due] == [expected]


async def test_it_is_the_owed_periods_amount_that_counts_each_currency_and_reason_by_itself(ledger: Ledger) -> None:
    """One-off items and credits are in it; the regular price is not what is owed."""
    await owes(ledger, 1, NOW - 2 * DAY, "14.90 EUR")
    await owes(ledger, 2, NOW - 3 * DAY, "21.35 EUR")
    await owes(ledger, 3, NOW - 3 * DAY, "1400 JPY")
    await owes(ledger, 4, NOW - 4 * DAY, "0.00 EUR", last_reason=None, status=Status.ON_HOLD)
    await owes(ledger, 5, NOW - 99 * DAY, "5.00 EUR", last_reason="HardDeclined", merchant_account="shop-2")

    found = await aging(ledger, NOW)

    week, ever = AGES[0], AGES[-1]
    assert found.past_due == [
        PastDue(week, "", 1, Money.parse("0.00 EUR")),
        PastDue(week, "SoftDeclined", 2, Money.parse("36.25 EUR")),
        PastDue(week, "SoftDeclined", 1, Money.parse("1400 JPY")),
        PastDue(ever, "HardDeclined", 1, Money.parse("5.00 EUR")),
    ]
    assert (await aging(ledger, NOW, account="shop-2")).past_due == found.past_due[3:]


async def test_where_no_amount_was_told_it_is_the_regular_price(ledger: Ledger) -> None:
    stands = summary(status=Status.ON_HOLD, past_due_since=NOW - DAY, last_reason="Odd")
    await ledger.record(told(notice(1, NoticeType.SUBSCRIPTION_HELD, amount=None), summary=stands))

    assert (await aging(ledger, NOW)).past_due == [PastDue(AGES[0], "Odd", 1, Money.parse("14.90 EUR"))]
