"""What falls due in the next days, and when the quota has let it through."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.status import Status
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.forecast import ALL_ACCOUNTS, Done, Due, Forecast, Quota, forecast
from tests.ledger.told import notice, summary, told

NOW = datetime(2028, 1, 20, 12, tzinfo=UTC)
LIVE = Quota(burst=10, per_second=4)
DAY, HOUR, MINUTE, SECOND = (timedelta(**{unit: 1}) for unit in ("days", "hours", "minutes", "seconds"))
MONTHLY, DAILY, WEEKLY = Interval(unit=Unit.MONTH), Interval(unit=Unit.DAY), Interval(unit=Unit.WEEK)


async def charged_next(ledger: Ledger, number: int, at: datetime | None, **changes: Any) -> None:
    """A subscriber who is charged then; 14.90 EUR where nothing else is said."""
    stands = summary(**{"next_charge_at": at, "began_at": at} | changes)
    account = stands.merchant_account
    entry = told(notice(1), permission=f"C01-2702031-{number:07}", summary=stands, merchant_account=account)
    await ledger.record(entry)


def on(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2028, month, day, hour, minute, tzinfo=UTC)


def dates(found: Forecast) -> list[datetime]:
    """The hours in which something falls due, once for each charge."""
    return [each.begins for each in found.hours for _ in range(each.charges)]


async def test_nothing_falls_due_in_an_empty_ledger(ledger: Ledger) -> None:
    await ledger.record(told(notice(1), summary=summary(next_charge_at=None, status=Status.PAUSED)))

    found = await forecast(ledger, NOW, 31, LIVE)

    assert (found.days, found.hours, found.days_done, found.hours_done) == ([], [], [], [])


async def test_a_daily_plan_counts_each_day_up_to_but_not_at_the_end(ledger: Ledger) -> None:
    await charged_next(ledger, 1, NOW + HOUR, interval=DAILY)
    await charged_next(ledger, 2, NOW, interval=Interval(unit=Unit.DAY, count=2))

    found = await forecast(ledger, NOW, 4, LIVE)

    assert [(each.begins, each.charges, str(each.amount)) for each in found.days] == [
        (on(1, 20), 2, "29.80 EUR"),
        (on(1, 21), 1, "14.90 EUR"),
        (on(1, 22), 2, "29.80 EUR"),
        (on(1, 23), 1, "14.90 EUR"),
    ]


async def test_a_charge_comes_back_to_its_day_after_a_shorter_month(ledger: Ledger) -> None:
    """The 31st, next on 29 February; the 29th, which stays; and the 15th, which no month cuts off."""
    await charged_next(ledger, 1, on(2, 29), began_at=on(1, 31), interval=MONTHLY)
    await charged_next(ledger, 2, on(2, 29, 1), began_at=on(1, 29), interval=MONTHLY)
    await charged_next(ledger, 3, on(2, 15), began_at=on(1, 31), interval=MONTHLY)

    found = await forecast(ledger, on(2, 1), 95, LIVE)

    assert sorted(dates(found)) == [
        on(2, 15),
        on(2, 29),
        on(2, 29, 1),
        on(3, 15),
        on(3, 29, 1),
        on(3, 31),
        on(4, 15),
        on(4, 29, 1),
        on(4, 30),
    ]


async def test_what_is_late_falls_due_now_and_once(ledger: Ledger) -> None:
    await charged_next(ledger, 1, NOW - 100 * DAY - HOUR, interval=DAILY)

    assert dates(await forecast(ledger, NOW, 2, LIVE)) == [NOW, NOW + DAY - HOUR, NOW + 2 * DAY - HOUR]


async def test_currencies_and_accounts_stand_by_themselves(ledger: Ledger) -> None:
    await charged_next(ledger, 1, on(2, 1))
    await charged_next(ledger, 2, on(2, 1), price=Money.parse("700 JPY"), quantity=3)
    await charged_next(ledger, 3, on(2, 1), price=Money.parse("0 JPY"), merchant_account="shop-jp")

    found = await forecast(ledger, NOW, 20, LIVE)

    assert found.days == found.hours
    assert found.days == [
        Due(on(2, 1), "default", 1, Money.parse("14.90 EUR"), 0),
        Due(on(2, 1), "default", 1, Money.parse("2100 JPY"), 0),
        Due(on(2, 1), "shop-jp", 1, Money.parse("0 JPY"), 0),
    ]
    assert [(each.account, each.calls) for each in found.days_done] == [
        (ALL_ACCOUNTS, 3),
        ("default", 2),
        ("shop-jp", 1),
    ]
    alone = await forecast(ledger, NOW, 20, LIVE, account="shop-jp")
    assert (alone.days, [each.account for each in alone.days_done]) == (found.days[2:], ["shop-jp"])


async def test_another_attempt_takes_its_place_in_the_quota_and_is_no_new_amount(ledger: Ledger) -> None:
    owes = {"status": Status.RETRYING, "past_due_since": NOW - DAY, "next_action": Action.CHARGE}
    await charged_next(ledger, 1, None, began_at=NOW, next_action_at=NOW + HOUR, **owes)
    await charged_next(ledger, 2, None, began_at=NOW, next_action_at=NOW - HOUR, **owes)
    await charged_next(ledger, 3, None, began_at=NOW, **owes | {"next_action": Action.READ_PERMISSION})

    found = await forecast(ledger, NOW, 1, LIVE)

    assert found.hours == [
        Due(NOW, "default", 0, Money.parse("0 EUR"), 1),
        Due(NOW + HOUR, "default", 0, Money.parse("0 EUR"), 1),
    ]
    assert [each.calls for each in found.hours_done] == [1, 1]


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
async def test_days_and_hours_are_those_of_the_merchants_wall(ledger: Ledger, zone: str) -> None:
    """In Kolkata, half an hour off, 18:40 UTC is ten past midnight; in New York it is still the day before at 4."""
    await charged_next(ledger, 1, on(2, 1, 18, 40) if zone == "Asia/Kolkata" else on(2, 2, 4, 40))

    found = await forecast(ledger, NOW, 20, LIVE, zone=zone)

    if zone == "Asia/Kolkata":
        assert (found.days[0].begins, found.hours[0].begins) == (on(2, 1, 18, 30), on(2, 1, 18, 30))
    else:
        assert (found.days[0].begins, found.hours[0].begins) == (on(2, 1, 5), on(2, 2, 4))


async def test_a_zone_that_is_none_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="IANA"):
        await forecast(ledger, NOW, 20, LIVE, zone="Mars/Olympus")


async def test_the_first_of_the_month_is_done_when_the_quota_has_let_all_through(ledger: Ledger) -> None:
    """30 at midnight: 10 at once, the other 20 in 5 s. 30 more after a second: none is saved up, so 30 / 4 s more."""
    for number in range(30):
        await charged_next(ledger, number, on(2, 1))
        await charged_next(ledger, 100 + number, on(2, 1, 0, 1), merchant_account="shop-2")

    found = await forecast(ledger, NOW, 20, LIVE)

    by_account = {each.account: each for each in found.days_done}
    assert by_account["default"] == Done(
        on(2, 1), "default", 30, on(2, 1) + 5 * SECOND, 5 * SECOND, queued_until=on(2, 1) + 5 * SECOND
    )
    assert by_account["shop-2"].done_at == on(2, 1, 0, 1) + 5 * SECOND
    assert by_account["shop-2"].longest_wait == 5 * SECOND
    assert by_account[ALL_ACCOUNTS].calls == 60


async def test_who_waits_behind_an_earlier_hour_waits_for_it(ledger: Ledger) -> None:
    """At one call in two minutes, 40 of them at ten need until 11:20, so the one at eleven is let through at 11:22."""
    slow = Quota(burst=1, per_second=1 / 120)
    for number in range(41):
        await charged_next(ledger, number, on(2, 1, 10))
    await charged_next(ledger, 99, on(2, 1, 11))

    found = await forecast(ledger, NOW, 20, slow)

    assert [(each.begins, each.done_at) for each in found.hours_done] == [
        (on(2, 1, 10), on(2, 1, 11, 20)),
        (on(2, 1, 11), on(2, 1, 11, 22)),
    ]
    assert [(each.done_at, each.longest_wait) for each in found.days_done] == [(on(2, 1, 11, 22), 80 * MINUTE)]


async def test_a_day_is_queued_until_its_crowd_is_through_not_until_its_last_straggler(ledger: Ledger) -> None:
    for number in range(18):
        await charged_next(ledger, number, on(2, 1))
    await charged_next(ledger, 99, on(2, 1, 23, 30))

    [day] = (await forecast(ledger, NOW, 20, LIVE)).days_done

    assert (day.queued_until, day.done_at) == (on(2, 1) + 2 * SECOND, on(2, 1, 23, 30))
    [quiet] = (await forecast(ledger, on(2, 1, 1), 1, LIVE, account="default")).hours_done[1:]
    assert quiet.queued_until is None


async def test_each_account_waits_for_its_own_quota_and_all_are_done_with_the_last(ledger: Ledger) -> None:
    due = on(3, 1, 9)
    for number in range(60):
        account = ("tea", "jam", "ink")[number % 3]
        await charged_next(ledger, number, due, merchant_account=account)

    found = await forecast(ledger, NOW, 60, Quota(10, 4.0), quotas={"jam": Quota(10, 1.0)})

    waits = {each.account: each.longest_wait.total_seconds() for each in found.days_done if each.calls >= 20}
    assert waits == {"tea": 3.0, "ink": 3.0, "jam": 10.0, ALL_ACCOUNTS: 10.0}
    of_all = next(each for each in found.hours_done if each.account == ALL_ACCOUNTS)
    assert (of_all.calls, of_all.done_at) == (60, due + timedelta(seconds=10))
