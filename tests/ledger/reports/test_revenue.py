"""What was charged, went back, was disputed and given up: when it happened, and each currency by itself."""

from datetime import UTC, date, datetime

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.revenue import Movement, Recurring, Taken, months_of, revenue
from tests.ledger.told import notice, summary, told

TEA, MILK, BREAD = "C01-2702031-0000001", "C01-2702031-0000002", "C01-2702031-0000003"
JANUARY, FEBRUARY, MARCH = (date(2028, month, 1) for month in (1, 2, 3))
NEW_YEAR, APRIL = datetime(2028, 1, 1, tzinfo=UTC), datetime(2028, 4, 1, tzinfo=UTC)


def at(month: int, day: int, hour: int = 9) -> datetime:
    return datetime(2028, month, day, hour, tzinfo=UTC)


def taken(
    month: date,
    plan: str = "tea-monthly",
    currency: str = "EUR",
    *,
    charges: int = 0,
    disputes: int = 0,
    disputes_lost: int = 0,
    **amounts: str,
) -> Taken:
    """A line of which all that is not given is nothing."""

    def amount(name: str) -> Money:
        return Money.parse(amounts.get(name, f"0 {currency}"))

    return Taken(
        month=month,
        plan_id=plan,
        charges=charges,
        charged=amount("charged"),
        refunded=amount("refunded"),
        disputes=disputes,
        disputed=amount("disputed"),
        disputes_lost=disputes_lost,
        lost=amount("lost"),
        written_off=amount("written_off"),
    )


async def test_an_empty_ledger_has_months_in_which_nothing_happened(ledger: Ledger) -> None:
    found = await revenue(ledger, NEW_YEAR, APRIL)

    assert (found.taken, found.recurring, found.unseen_disputes) == ([], [], 0)
    assert found.movements == [Movement(month, 0, 0, 0, 0) for month in (JANUARY, FEBRUARY, MARCH)]
    assert found.movements[0].churn_rate is None


async def test_a_refund_counts_in_its_own_month_and_under_the_plan_of_its_charge(ledger: Ledger) -> None:
    await ledger.record(told(notice(1, at=at(1, 31), charge_id="S01-C1")))
    refund = notice(
        2,
        NoticeType.REFUND_COMPLETED,
        at=at(3, 1),
        amount=Money.parse("4.95 EUR"),
        charge_id="S01-C1",
        refund_id="S01-R1",
    )
    await ledger.record(told(refund, plan_id="coffee-yearly"))

    found = await revenue(ledger, NEW_YEAR, APRIL)

    assert found.taken == [taken(JANUARY, charges=1, charged="14.90 EUR"), taken(MARCH, refunded="4.95 EUR")]


async def test_two_currencies_are_never_added_together(ledger: Ledger) -> None:
    await ledger.record(told(notice(1, at=at(2, 1), charge_id="S01-C1"), notice(2, at=at(2, 2), charge_id="S01-C2")))
    yen = notice(1, at=at(2, 1), amount=Money.parse("1980 JPY"), charge_id="S03-C1")
    await ledger.record(told(yen, permission=MILK))

    found = await revenue(ledger, NEW_YEAR, APRIL)

    assert found.taken == [
        taken(FEBRUARY, charges=2, charged="29.80 EUR"),
        taken(FEBRUARY, currency="JPY", charges=1, charged="1980 JPY"),
    ]
    assert str(found.taken[1].charged) == "1980 JPY"


async def test_a_sum_may_be_more_than_any_charge_can_be(ledger: Ledger) -> None:
    most = Money.parse("9999999 JPY")
    await ledger.record(told(*(notice(n, at=at(2, n), amount=most, charge_id=f"S03-C{n}") for n in range(1, 8))))

    [line] = (await revenue(ledger, NEW_YEAR, APRIL)).taken

    assert str(line.charged) == "69999993 JPY"


async def test_a_month_begins_when_it_does_on_the_merchants_wall(ledger: Ledger) -> None:
    """In Tokyo it is February nine hours before it is in UTC, and in Los Angeles eight hours after."""
    await ledger.record(told(notice(1, at=at(1, 31, 16), charge_id="S01-C1")))

    tokyo = await revenue(ledger, NEW_YEAR, APRIL, zone="Asia/Tokyo")
    utc = await revenue(ledger, NEW_YEAR, APRIL)

    assert [line.month for line in tokyo.taken] == [FEBRUARY]
    assert [line.month for line in utc.taken] == [JANUARY]


def test_months_of_a_zone_touch_each_other_also_where_the_clocks_change() -> None:
    begins, ends = datetime(2027, 12, 31, 23, tzinfo=UTC), datetime(2028, 4, 14, 22, tzinfo=UTC)

    months = list(months_of(begins, ends, "Europe/Berlin"))

    assert [(month.first, month.start, month.end) for month in months] == [
        (JANUARY, begins, datetime(2028, 1, 31, 23, tzinfo=UTC)),
        (FEBRUARY, datetime(2028, 1, 31, 23, tzinfo=UTC), datetime(2028, 2, 29, 23, tzinfo=UTC)),
        (MARCH, datetime(2028, 2, 29, 23, tzinfo=UTC), datetime(2028, 3, 31, 22, tzinfo=UTC)),
        (date(2028, 4, 1), datetime(2028, 3, 31, 22, tzinfo=UTC), ends),
    ]


async def test_what_was_told_again_after_a_restore_counts_once(ledger: Ledger) -> None:
    """The same charge under another number: Temporal was set back to before the notice that stood between."""
    await ledger.record(told(notice(1, at=at(1, 5), charge_id="S01-C1")))
    await ledger.record(told(notice(2, at=at(1, 6), charge_id="S01-C1")))
    gone = notice(3, NoticeType.PERIOD_WRITTEN_OFF, at=at(2, 5), period=1)
    await ledger.record(told(gone))
    await ledger.record(told(gone.but(number=4)))

    found = await revenue(ledger, NEW_YEAR, APRIL)

    assert found.taken == [
        taken(JANUARY, charges=1, charged="14.90 EUR"),
        taken(FEBRUARY, written_off="14.90 EUR"),
    ]


async def test_disputes_count_when_they_are_opened_and_when_they_are_lost(ledger: Ledger) -> None:
    about = {"dispute_id": "S01-B1", "charge_id": "S01-C1", "amount": Money.parse("14.90 EUR")}
    await ledger.record(told(notice(1, at=at(1, 5), charge_id="S01-C1")))
    opened = notice(2, NoticeType.DISPUTE_OPENED, at=at(1, 20), status="ActionRequired", **about)
    changed = notice(3, NoticeType.DISPUTE_CHANGED, at=at(2, 1), status="UnderReview", **about)
    lost = notice(4, NoticeType.DISPUTE_CHANGED, at=at(3, 2), status="BuyerWon", **about)
    await ledger.record(told(opened, changed, lost))
    again = lost.but(number=5, at=at(3, 9))
    await ledger.record(told(again, summary=None, plan_id=""))

    found = await revenue(ledger, NEW_YEAR, APRIL)

    assert found.taken == [
        taken(JANUARY, charges=1, charged="14.90 EUR", disputes=1, disputed="14.90 EUR"),
        taken(MARCH, disputes_lost=1, lost="14.90 EUR"),
    ]


async def test_a_dispute_that_amazon_has_not_shown_is_told_of_and_in_no_sum(ledger: Ledger) -> None:
    hidden = notice(1, NoticeType.DISPUTE_OPENED, at=at(1, 5), amount=None, dispute_id="S01-B1")
    shown = notice(2, NoticeType.DISPUTE_OPENED, at=at(1, 6), amount=None, dispute_id="S01-B2")
    details = notice(
        3, NoticeType.DISPUTE_CHANGED, at=at(2, 6), amount=Money.parse("3.10 EUR"), dispute_id="S01-B2", status="Closed"
    )
    await ledger.record(told(hidden, shown, details))

    found = await revenue(ledger, NEW_YEAR, APRIL)

    assert found.unseen_disputes == 1
    assert found.taken == [taken(JANUARY, disputes=1, disputed="3.10 EUR")]


async def test_who_goes_on_under_another_permission_neither_comes_nor_leaves(ledger: Ledger) -> None:
    for permission, begun, ended, status in (
        (TEA, at(1, 3), at(2, 10), "replaced"),
        (MILK, at(1, 4), at(2, 11), "canceled"),
        (BREAD, at(1, 5), at(3, 12), "completed"),
    ):
        first = notice(1, NoticeType.SUBSCRIPTION_STARTED, at=begun)
        last = notice(2, NoticeType.SUBSCRIPTION_ENDED, at=ended, status=status, amount=None)
        await ledger.record(told(first, last, permission=permission))

    found = await revenue(ledger, NEW_YEAR, APRIL)
    later = await revenue(ledger, at(3, 1, 0), APRIL)

    assert found.movements == [
        Movement(JANUARY, 0, begun=3, completed=0, churned=0),
        Movement(FEBRUARY, 3, begun=0, completed=0, churned=1),
        Movement(MARCH, 2, begun=0, completed=1, churned=0),
    ]
    assert found.movements[1].churn_rate == 1 / 3
    assert later.movements == found.movements[2:]


async def test_what_recurs_is_brought_to_a_month_and_rounded_at_the_end(ledger: Ledger) -> None:
    """7.45 EUR for each of two, by the year, the week, the quarter and the day; of three weeks' worth of yen."""
    yearly, weekly = Interval(unit=Unit.YEAR), Interval(unit=Unit.WEEK)
    quarter, daily = Interval(unit=Unit.MONTH, count=3), Interval(unit=Unit.DAY)
    every = [
        (yearly, Status.ACTIVE, "7.45 EUR"),  # 1490 / 12 = 124.1666...
        (weekly, Status.RETRYING, "7.45 EUR"),  # 1490 x 52 / 12 = 6456.6666...
        (quarter, Status.ON_HOLD, "7.45 EUR"),  # 1490 / 3 = 496.6666...
        (daily, Status.PENDING, "0.05 EUR"),  # 10 x 365 / 12 = 304.1666...
        (Interval(unit=Unit.WEEK, count=3), Status.ACTIVE, "1000 JPY"),  # 2000 x 52 / 36 = 2888.8888...
        (daily, Status.PAUSED, "9.99 EUR"),
        (daily, Status.UNPAID, "9.99 EUR"),
        (daily, Status.CANCELED, "9.99 EUR"),
    ]
    for number, (interval, status, price) in enumerate(every):
        stands = summary(interval=interval, status=status, price=Money.parse(price))
        await ledger.record(told(notice(1), permission=f"C01-2702031-{number:07}", summary=stands))

    found = await revenue(ledger, NEW_YEAR, APRIL)

    assert found.recurring == [
        Recurring("tea-monthly", 4, Money.parse("73.82 EUR")),  # 7381.6666...
        Recurring("tea-monthly", 1, Money.parse("2889 JPY")),
    ]


async def test_one_account_alone_is_reported_on(ledger: Ledger) -> None:
    await ledger.record(told(notice(1, at=at(1, 5), charge_id="S01-C1")))
    other = told(notice(1, at=at(1, 5), charge_id="S01-C2"), permission=MILK, merchant_account="shop-jp")
    await ledger.record(other)

    found = await revenue(ledger, NEW_YEAR, APRIL, account="shop-jp")

    assert [line.charges for line in found.taken] == [1]
    assert [each.subscriptions for each in (await revenue(ledger, NEW_YEAR, APRIL, account="none")).recurring] == []
