"""The reports say what a plain reckoning over the same entries says, whatever was told."""

import math
from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.ledger.entries import money
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.aging import aging
from perennial_billing.ledger.reports.forecast import Quota, forecast
from perennial_billing.ledger.reports.recovery import Outcome, recovery
from perennial_billing.ledger.reports.revenue import RECURS, revenue
from perennial_billing.ledger.tables import entries, subscriptions
from tests.ledger.told import notice, summary, told

BEGIN, END = datetime(2028, 1, 15, tzinfo=UTC), datetime(2028, 6, 2, tzinfo=UTC)
ZONE = "America/Los_Angeles"
SECOND = timedelta(seconds=1)
REASONS = ["SoftDeclined", "HardDeclined", None]


@dataclass(frozen=True)
class Told:
    """What one subscriber told, and how that stands."""

    permission: str
    plan: str
    notices: Sequence[Notice]
    price: Money
    quantity: int
    interval: Interval
    status: Status
    next_charge_at: datetime | None
    past_due_since: datetime | None


instants = st.integers(0, 200 * 86_400).map(lambda seconds: datetime(2027, 12, 1, tzinfo=UTC) + seconds * SECOND)


@st.composite
def subscribers(draw: st.DrawFn) -> list[Told]:
    found = []
    for number in range(draw(st.integers(0, 5))):
        currency = draw(st.sampled_from(["EUR", "JPY", "USD"]))
        amounts = st.builds(money, st.integers(0, 100_000), st.just(currency))
        notices: list[Notice] = []
        for at in sorted(draw(st.lists(instants, max_size=7))):
            kind = draw(
                st.sampled_from(
                    [
                        *(NoticeType.PERIOD_PAID, NoticeType.REFUND_COMPLETED, NoticeType.PERIOD_WRITTEN_OFF),
                        *(NoticeType.CHARGE_DECLINED, NoticeType.PAYMENT_METHOD_NEEDED, NoticeType.PERIOD_FREE),
                    ]
                )
            )
            period, which = draw(st.integers(0, 2)), f"{number}-{len(notices)}"
            notices.append(
                notice(
                    len(notices) + 1,
                    kind,
                    at=at,
                    period=period,
                    due=BEGIN + timedelta(days=30 * period),
                    amount=draw(amounts),
                    attempt=draw(st.integers(1, 4)),
                    charge_id=f"C{which}" if kind is NoticeType.PERIOD_PAID else None,
                    refund_id=f"R{which}" if kind is NoticeType.REFUND_COMPLETED else None,
                    reason_code=draw(st.sampled_from(REASONS)),
                )
            )
        owes = draw(st.booleans())
        found.append(
            Told(
                permission=f"C01-2702031-{number:07}",
                plan=draw(st.sampled_from(["tea", "milk"])),
                notices=notices,
                price=draw(amounts),
                quantity=draw(st.integers(1, 3)),
                interval=Interval(unit=draw(st.sampled_from(list(Unit)))),
                status=draw(st.sampled_from([Status.ACTIVE, Status.RETRYING, Status.PAUSED, Status.CANCELED])),
                next_charge_at=None if owes else draw(st.none() | instants),
                past_due_since=draw(instants) if owes else None,
            )
        )
    return found


async def recorded(ledger: Ledger, everybody: Sequence[Told]) -> None:
    """Nothing else is in the ledger then."""
    async with ledger.engine.begin() as connection:
        for table in (entries, subscriptions):
            await connection.execute(delete(table))
    for each in everybody:
        stands = summary(
            plan_id=each.plan,
            price=each.price,
            quantity=each.quantity,
            interval=each.interval,
            status=each.status,
            next_charge_at=each.next_charge_at,
            past_due_since=each.past_due_since,
            began_at=each.next_charge_at or BEGIN,
            next_action=Action.READ_PERMISSION,
            last_reason="SoftDeclined" if each.past_due_since else None,
        )
        if each.notices:
            await ledger.record(
                told(*each.notices, permission=each.permission, plan_id=each.plan, summary=stands),
            )


def nothing() -> dict[str, Decimal]:
    return defaultdict(Decimal)


async def assert_revenue(ledger: Ledger, everybody: Sequence[Told]) -> None:
    sums: dict[tuple[date, str, str], dict[str, Decimal]] = defaultdict(nothing)
    for each in everybody:
        for told_ in each.notices:
            column = {
                NoticeType.PERIOD_PAID: "charged",
                NoticeType.REFUND_COMPLETED: "refunded",
                NoticeType.PERIOD_WRITTEN_OFF: "written_off",
            }.get(told_.type)
            again = any(
                told_.type is NoticeType.PERIOD_WRITTEN_OFF is other.type and told_.period == other.period
                for other in each.notices[: told_.number - 1]
            )
            if column and told_.amount and BEGIN <= told_.at < END and not again:
                month = told_.at.astimezone(ZoneInfo(ZONE)).date().replace(day=1)
                sums[month, each.plan, told_.amount.currency][column] += told_.amount.amount
                sums[month, each.plan, told_.amount.currency]["charges"] += column == "charged"

    found = await revenue(ledger, BEGIN, END, zone=ZONE)

    assert {
        (line.month, line.plan_id, line.charged.currency): (
            line.charges,
            line.charged.amount,
            line.refunded.amount,
            line.written_off.amount,
        )
        for line in found.taken
    } == {key: (int(of["charges"]), of["charged"], of["refunded"], of["written_off"]) for key, of in sums.items()}
    assert sum(each.subscriptions for each in found.recurring) == sum(
        each.status in RECURS and bool(each.notices) for each in everybody
    )


async def assert_recovery(ledger: Ledger, everybody: Sequence[Told]) -> None:
    counts: Counter[tuple[str, str, Outcome]] = Counter()
    hours = []
    for each in everybody:
        for period in range(3):
            of = [told_ for told_ in each.notices if told_.period == period]
            trouble = [
                told_
                for told_ in of
                if told_.type in {NoticeType.CHARGE_DECLINED, NoticeType.PAYMENT_METHOD_NEEDED}
                or (told_.type is NoticeType.PERIOD_PAID and (told_.attempt or 0) > 1)
            ]
            if not trouble or trouble[0].amount is None or trouble[0].due is None:
                continue
            kinds = {told_.type for told_ in of}
            paid = next((told_ for told_ in of if told_.type is NoticeType.PERIOD_PAID), None)
            if paid is None:
                outcome = Outcome.WRITTEN_OFF if NoticeType.PERIOD_WRITTEN_OFF in kinds else Outcome.OPEN
            else:
                outcome = Outcome.MENDED if NoticeType.PAYMENT_METHOD_NEEDED in kinds else Outcome.RETRY
                hours.append(max(int((paid.at - trouble[0].due).total_seconds() // 3600), 0))
            counts[trouble[0].amount.currency, trouble[0].reason_code or "", outcome] += 1

    found = await recovery(ledger)

    assert {
        (of.currency, reason, outcome): periods.count
        for of in found.currencies
        for reason, recovered in of.by_reason.items()
        for outcome, periods in recovered.outcomes.items()
        if periods.count
    } == counts
    assert (found.duration is None) == (not hours)
    if found.duration is not None:
        ranked = sorted(hours)
        assert found.duration.median == timedelta(hours=ranked[math.ceil(len(hours) / 2) - 1])
        assert found.duration.ninety == timedelta(hours=ranked[math.ceil(len(hours) * 0.9) - 1])


async def assert_aging(ledger: Ledger, everybody: Sequence[Told]) -> None:
    owing = [each for each in everybody if each.past_due_since and each.notices]
    sums = nothing()
    for each in owing:
        sums[each.price.currency] += each.price.amount * each.quantity

    found = (await aging(ledger, END)).past_due

    assert sum(each.subscriptions for each in found) == len(owing)
    for currency, amount in sums.items():
        assert sum(each.amount.amount for each in found if each.amount.currency == currency) == amount
    for each in owing:
        assert each.past_due_since is not None
        days = max((END - each.past_due_since) // timedelta(days=1), 0)
        assert any(of.age.least <= days <= (of.age.most or days) for of in found)


def charged_at(each: Told, until: datetime) -> Iterator[datetime]:
    """When a subscriber is charged, from the next charge on."""
    assert each.next_charge_at is not None
    first = each.next_charge_at.replace(second=0)
    for number in count():
        months = first.month - 1 + number * each.interval.months
        year, month = first.year + months // 12, months % 12 + 1
        at = first.replace(year=year, month=month, day=min(first.day, monthrange(year, month)[1]))
        at += timedelta(days=number * each.interval.days)
        if at >= until:
            return
        yield at


async def assert_forecast(ledger: Ledger, everybody: Sequence[Told]) -> None:
    since, days = datetime(2028, 3, 3, tzinfo=UTC), 40
    charges: Counter[str] = Counter()
    sums = nothing()
    for each in everybody:
        if each.next_charge_at is not None and each.notices:
            dates = list(charged_at(each, since + timedelta(days=days)))
            late = [at for at in dates if at < since]
            due = len(dates) - len(late) + bool(late)
            charges[each.price.currency] += due
            sums[each.price.currency] += due * each.price.amount * each.quantity

    found = await forecast(ledger, since, days, Quota(burst=2, per_second=1))

    for lines in (found.days, found.hours):
        for currency in ("EUR", "JPY", "USD"):
            of = [each for each in lines if each.amount.currency == currency]
            assert sum(each.charges for each in of) == charges[currency]
            assert sum(each.amount.amount for each in of) == sums[currency]
    for done in (found.days_done, found.hours_done):
        assert sum(each.calls for each in done) == charges.total()
        assert all(each.done_at >= each.begins + each.longest_wait for each in done)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(everybody=subscribers())
async def test_reports_are_what_a_plain_reckoning_comes_to(ledger: Ledger, everybody: list[Told]) -> None:
    await recorded(ledger, everybody)

    await assert_revenue(ledger, everybody)
    await assert_recovery(ledger, everybody)
    await assert_aging(ledger, everybody)
    await assert_forecast(ledger, everybody)
