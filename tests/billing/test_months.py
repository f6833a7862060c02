"""Amazon's monthly limit, wherever Amazon counts its months: when it is tried again, and that no month is lost."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import product
from typing import Final

import pytest

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import RetryNow
from perennial_billing.billing.dunning.months import limited_month
from perennial_billing.billing.machine import apply
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.protocol.commands import Action, Elapse
from perennial_billing.billing.protocol.events import Answered, Elapsed, Event
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import view_of
from tests.billing.amazon_in_memory import AmazonInMemory, MonthlyLimit
from tests.billing.support import CAPTURED, SOFT, Life, at, chargeable, declined, pinned_zone, terms, unreadable

SUBSCRIBERS: Final = ("UTC", "Europe/Berlin", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Honolulu")
AMAZONS: Final = ("UTC", "America/Los_Angeles", "Asia/Tokyo", "Europe/Berlin", "Pacific/Honolulu", "Pacific/Kiritimati")
USED_UP: Final = declined("PeriodicAmountExceeded")


@pytest.mark.parametrize(
    ("zone", "now", "look_at", "ends_at"),
    [
        # In the middle of a month: until it has turned everywhere, which is last in Seattle.
        ("UTC", "2026-01-15 09:00", "2026-02-01 08:00", "2026-02-01 08:00"),
        ("Europe/Berlin", "2026-01-15 09:00", "2026-02-01 08:00", "2026-02-01 08:00"),
        ("Asia/Tokyo", "2026-01-15 09:00", "2026-02-01 08:00", "2026-02-01 08:00"),
        ("Pacific/Kiritimati", "2026-01-15 09:00", "2026-02-01 08:00", "2026-02-01 08:00"),
        ("America/Los_Angeles", "2026-01-15 09:00", "2026-02-01 08:00", "2026-02-01 08:00"),
        ("Pacific/Honolulu", "2026-01-15 09:00", "2026-02-01 10:00", "2026-02-01 10:00"),
        ("UTC", "2026-12-31 23:59:59", "2027-01-01 08:00", "2027-01-01 08:00"),
        # Where clocks are changed on the way to the turn: Seattle on 8 March, Berlin on 29 March and on 25 October.
        ("UTC", "2026-03-05 09:00", "2026-04-01 07:00", "2026-04-01 07:00"),
        (
            "Europe/Berlin",
            "2026-10-24 09:00",
            "2026-11-01 07:00",
            "2026-11-01 07:00",
        ),  # Seattle's own change is hours on
        ("America/Los_Angeles", "2026-11-02 09:00", "2026-12-01 08:00", "2026-12-01 08:00"),
        ("America/Asuncion", "2017-09-15 12:00", "2017-10-01 07:00", "2017-10-01 07:00"),
        # The first turn of all begins the time in which a refusal may still be the old month's.
        ("Europe/Berlin", "2026-01-31 22:59:59", "2026-02-01 08:00", "2026-02-01 08:00"),
        ("Europe/Berlin", "2026-01-31 23:00", "2026-02-01 05:00", "2026-02-01 08:00"),
        ("Asia/Tokyo", "2026-01-31 14:59:59", "2026-02-01 08:00", "2026-02-01 08:00"),
        ("Asia/Tokyo", "2026-01-31 15:00", "2026-01-31 21:00", "2026-02-01 08:00"),
        ("Pacific/Kiritimati", "2026-01-31 09:59:59", "2026-02-01 08:00", "2026-02-01 08:00"),
        ("Pacific/Kiritimati", "2026-01-31 10:00", "2026-01-31 16:00", "2026-02-01 08:00"),
        ("UTC", "2026-02-01 00:00", "2026-02-01 06:00", "2026-02-01 08:00"),
        ("America/Los_Angeles", "2026-02-01 00:00", "2026-02-01 06:00", "2026-02-01 08:00"),
        ("Pacific/Honolulu", "2026-02-01 09:00", "2026-02-01 15:00", "2026-02-01 10:00"),
        # At the turn itself, and until a day after the last of them.
        ("UTC", "2026-02-01 08:00", "2026-02-01 14:00", "2026-02-01 08:00"),
        ("Asia/Tokyo", "2026-02-02 02:00", "2026-02-02 08:00", "2026-02-01 08:00"),
        ("UTC", "2026-02-02 07:59:59", "2026-02-02 13:59:59", "2026-02-01 08:00"),
        ("UTC", "2026-02-02 08:00", "2026-03-01 08:00", "2026-03-01 08:00"),
        ("Pacific/Honolulu", "2026-02-02 09:00", "2026-02-02 15:00", "2026-02-01 10:00"),
        ("Pacific/Honolulu", "2026-02-02 10:00", "2026-03-01 10:00", "2026-03-01 10:00"),
    ],
)
def test_a_refusal_belongs_to_the_month_that_has_not_turned_for_a_day_everywhere(
    zone: str, now: str, look_at: str, ends_at: str
) -> None:
    assert limited_month(at(now), zone) == (at(ends_at), at(look_at))


@pytest.mark.parametrize("zone", [*SUBSCRIBERS, "Pacific/Kiritimati", "America/Asuncion", "Asia/Kathmandu"])
def test_at_every_hour_of_a_year_it_is_looked_at_later_and_at_the_turn_within_hours(zone: str) -> None:
    now, looks = at("2026-01-01 00:00"), Counter[datetime]()
    while now < at("2027-01-01 00:00"):
        month = limited_month(now, zone)
        assert now < month.look_at <= now + timedelta(days=32)
        assert month.look_at == month.ends_at or month.look_at == now + timedelta(hours=6)
        now, looks[month.ends_at] = now + timedelta(hours=1), looks[month.ends_at] + 1
    assert len(looks) == 13  # the year's twelve months, and the one that its first hours still belong to
    assert all(672 - 24 <= hours <= 744 + 24 for end, hours in sorted(looks.items())[1:-1])


def led(
    zone: str, limit: MonthlyLimit, begins: str, ends: str, interval: Interval, price: str
) -> tuple[Subscription, list[tuple[int, datetime]], list[tuple[datetime, NoticeType]]]:
    """A subscriber led from one instant to another: when which period was paid, and what was told when."""
    policy = CollectionPolicy(catch_up_spacing=timedelta(hours=12))
    agreed = terms(begins, amount=Money.parse(price), interval=interval, zone=zone, policy=policy)
    subscription, amazon = (
        Subscription.begin(agreed),
        AmazonInMemory(keeps_refusals=True, permission=chargeable(), limit=limit),
    )
    now, paid, told = agreed.anchor, list[tuple[int, datetime]](), list[tuple[datetime, NoticeType]]()
    while True:
        command = next_command(subscription)
        assert command is not None
        now = max(now, command.at)
        if now >= at(ends):
            return subscription, paid, told
        event: Event
        if isinstance(command, Elapse):
            event = Elapsed(command.timer)
        else:
            event = Answered(command, amazon.perform(command, now))
        told_before, before = subscription.outbox.told, subscription.next_period
        subscription = apply(subscription, event, now)
        told += [(now, notice.type) for notice in subscription.outbox.notices if notice.number > told_before]
        if subscription.next_period > before:
            paid.append((before, now))


def months_allowed(dues: list[datetime], limit: MonthlyLimit, price: Money) -> list[tuple[int, int]]:
    """In which month each period is paid at the earliest, where each month bears so many."""
    bears, used, months = int(limit.amount.amount / price.amount), Counter[tuple[int, int]](), list[tuple[int, int]]()
    for due in dues:
        year, month = max([limit.month(due), *months[-1:]])
        while used[year, month] >= bears:
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        used[year, month] += 1
        months.append((year, month))
    return months


@pytest.mark.parametrize(("subscriber", "amazons"), list(product(SUBSCRIBERS, AMAZONS)))
def test_every_period_that_the_limit_allows_is_paid_wherever_amazon_counts_its_months(
    subscriber: str, amazons: str
) -> None:
    limit = MonthlyLimit(Money.parse("1000.00 USD"), amazons)
    weekly, price = Interval(unit=Unit.WEEK), Money.parse("300.00 USD")

    subscription, paid, told = led(subscriber, limit, "2026-02-27 09:00", "2026-07-01 12:00", weekly, str(price))

    dues = [subscription.schedule.due(period) for period, _ in paid]
    assert [limit.month(when) for _, when in paid] == months_allowed(dues, limit, price)
    assert len(paid) >= 1 + 4 * 3  # February's, and three in each month from March to June
    limits = [when for when, kind in told if kind is NoticeType.MONTHLY_LIMIT_REACHED]
    assert len(limits) <= 4, "once a month, from March to June"


@pytest.mark.parametrize("amazons", AMAZONS)
@pytest.mark.parametrize("subscriber", ["UTC", "Asia/Tokyo", "Pacific/Honolulu"])
def test_what_the_limit_holds_up_is_paid_within_a_day_of_amazons_own_turn(subscriber: str, amazons: str) -> None:
    limit = MonthlyLimit(Money.parse("500.00 EUR"), amazons)
    fortnights = Interval(unit=Unit.DAY, count=15)

    # Two periods of 250.00 EUR are what a month bears: a third, as on 31 May or 30 July, is for the month after.
    subscription, paid, _ = led(subscriber, limit, "2026-05-01 10:30", "2026-08-20 00:00", fortnights, "250.00 EUR")

    assert len(paid) == 8
    for period, when in paid:
        turned = datetime(*limit.month(when), 1, tzinfo=pinned_zone(amazons))
        assert when - max(subscription.schedule.due(period), turned) <= timedelta(days=1), f"period {period}"


def refused(life: Life, when: str, limit: str = "1000.00 EUR") -> None:
    """The limit refuses an attempt, and the charge permission is read."""
    life.step(Action.CHARGE, when, USED_UP)
    life.step(Action.READ_PERMISSION, when, chargeable().but(monthly_limit=Money.parse(limit)))


def test_looks_at_the_turn_are_told_once_and_spend_nothing() -> None:
    life = Life(terms("2026-01-20 09:00", zone="Europe/Berlin", policy=CollectionPolicy(max_attempts=2)))
    for when in ("2026-01-20 09:00", "2026-02-01 08:00", "2026-02-01 14:00", "2026-02-01 20:00", "2026-02-02 02:00"):
        refused(life, when)
    assert life.told == ["monthly_limit.reached"]

    refused(life, "2026-02-02 08:00")

    assert life.told == ["monthly_limit.reached"] * 2, "February's is used up, too"
    assert life.next == (Action.CHARGE, at("2026-03-01 08:00"))
    collection = life.subscription.owed
    assert (collection.attempts, collection.dunning) == (6, None)


def test_the_deadlines_and_the_grace_stand_still_while_a_month_is_waited_for() -> None:
    life = Life(terms("2026-01-20 09:00", policy=CollectionPolicy(grace=timedelta(days=14))))
    life.step(Action.CHARGE, "2026-01-20 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-01-20 09:00", chargeable())
    refused(life, "2026-01-20 21:00")
    refused(life, "2026-02-01 08:00")
    life.step(Action.CHARGE, "2026-02-01 14:00", SOFT)

    dunning = life.subscription.owed.dunning
    assert dunning is not None
    assert dunning.first_failed_at == at("2026-02-01 02:00")  # twelve hours before, as it was when the wait began
    assert dunning.grace_ends_at == at("2026-02-15 02:00")
    assert life.told == ["charge.declined", "monthly_limit.reached"]


def test_a_retry_that_the_merchant_asks_for_takes_back_the_time_that_was_not_waited() -> None:
    life = Life(terms("2026-01-20 09:00"))
    life.step(Action.CHARGE, "2026-01-20 09:00", SOFT)
    life.step(Action.READ_PERMISSION, "2026-01-20 09:00", chargeable())
    refused(life, "2026-01-20 21:00")

    life.wants("2026-01-22 21:00", RetryNow())
    refused(life, "2026-01-22 21:00")

    dunning = life.subscription.owed.dunning
    assert dunning is not None
    assert dunning.first_failed_at == at("2026-01-31 20:00")  # twelve hours before the wait's end, not ten days later
    assert life.told == ["charge.declined", "monthly_limit.reached", "subscription.changed"], "once for January"


def test_an_amount_that_no_month_bears_is_held_at_once_and_the_limit_is_named() -> None:
    life = Life(terms("2026-01-20 09:00", amount=Money.parse("600.00 EUR")))
    refused(life, "2026-01-20 09:00", limit="500.00 EUR")

    subscription = life.subscription
    assert (subscription.status, life.next) == (Status.ON_HOLD, None)
    assert (subscription.needs_attention, subscription.last_reason) == (True, "AmountAboveLimit")
    (told,) = subscription.outbox.notices
    assert (told.type, told.reason_code) == (NoticeType.SUBSCRIPTION_HELD, "AmountAboveLimit")
    because = "600.00 EUR is more than the charge permission allows in any calendar month, 500.00 EUR"
    owed = view_of(subscription).owed
    assert owed is not None
    assert (told.reason, owed.held_because) == (because, because)

    life.wants("2026-01-22 10:00", RetryNow())  # Amazon has raised the limit
    life.step(Action.CHARGE, "2026-01-22 10:00", CAPTURED)
    assert life.book == [(0, "paid", 2)]


def test_an_amount_as_high_as_the_limit_waits_for_the_month_and_so_does_one_of_which_nothing_is_known() -> None:
    for limit in (Money.parse("600.00 EUR"), Money.parse("500.00 USD"), None):
        life = Life(terms("2026-01-20 09:00", amount=Money.parse("600.00 EUR")))
        life.step(Action.CHARGE, "2026-01-20 09:00", USED_UP)
        life.step(Action.READ_PERMISSION, "2026-01-20 09:00", chargeable().but(monthly_limit=limit))
        assert life.next == (Action.CHARGE, at("2026-02-01 08:00"))

    life = Life(terms("2026-01-20 09:00"))
    life.step(Action.CHARGE, "2026-01-20 09:00", USED_UP)
    life.step(Action.READ_PERMISSION, "2026-01-20 09:00", unreadable())
    assert life.next == (Action.CHARGE, at("2026-02-01 08:00"))


def test_what_is_left_of_the_month_is_shown() -> None:
    life = Life(terms("2026-01-20 09:00", amount=Money.parse("600.00 EUR")))
    life.step(Action.CHARGE, "2026-01-20 09:00", USED_UP)
    left = chargeable().but(monthly_limit=Money.parse("1000.00 EUR"), monthly_balance=Money.parse("550.00 EUR"))
    life.step(Action.READ_PERMISSION, "2026-01-20 09:00", left)

    assert "the charge permission's monthly limit leaves 550.00 EUR" in life.why
