"""What is told is recorded once, whatever becomes of who tells it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.moment import Moment
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from perennial_billing.ledger.deliveries import Delivery, DeliveryState
from perennial_billing.ledger.endpoints import did_not_take
from perennial_billing.ledger.entries import minor, money
from perennial_billing.ledger.errors import LedgerAheadError
from perennial_billing.ledger.finding import Search, find, timeline
from perennial_billing.ledger.kept import Kept, kept_of
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.rebuilding import rebuild
from perennial_billing.ledger.tables import deliveries, entries
from tests.billing.support import terms
from tests.ledger.told import BEGAN, MONTH, notice, summary, told

TEA = "C01-2702031-0000001"


async def test_what_was_told_is_there_as_it_was_told(ledger: Ledger) -> None:
    first = notice(1, NoticeType.SUBSCRIPTION_STARTED, amount=None)
    second = notice(2, period=0, due=BEGAN, attempt=1, charge_id="C01-2702031-0000001-C000001")

    await ledger.record(told(first, second))

    recorded = await timeline(ledger, TEA)
    assert [each.notice for each in recorded] == [first, second]
    assert {each.merchant_reference for each in recorded} == {f"order-{TEA}"}
    [found] = await find(ledger, Search())
    assert (found.charged, found.periods_paid, found.told) == (Money.parse("14.90 EUR"), 1, 2)
    assert (found.price, found.quantity, found.status) == (Money.parse("7.45 EUR"), 2, Status.ACTIVE)
    assert (found.as_of, found.next_charge_at) == (BEGAN + 2 * MONTH, BEGAN + MONTH)


async def test_told_again_it_is_not_recorded_again(ledger: Ledger) -> None:
    both = told(notice(1), notice(2))
    await ledger.record(both)
    before = await find(ledger, Search())

    await ledger.record(both)
    await ledger.record(told(notice(2), notice(3), summary=summary(status=Status.PAUSED)))

    assert [each.notice.number for each in await timeline(ledger, TEA)] == [1, 2, 3]
    [found] = await find(ledger, Search())
    assert before[0].periods_paid == 2
    assert (found.periods_paid, found.charged, found.status) == (3, Money.parse("44.70 EUR"), Status.PAUSED)


async def test_told_again_a_little_later_it_is_not_recorded_again(ledger: Ledger) -> None:
    """The workflow task that told it was lost, and worked on again: its time is another one."""
    await ledger.record(told(notice(1), notice(2, deadline=BEGAN + 3 * MONTH, next_action_at=BEGAN)))
    later = timedelta(milliseconds=47)

    await ledger.record(told(notice(2, at=BEGAN + 2 * MONTH + later, deadline=BEGAN + 3 * MONTH + later)))

    assert [each.notice.at for each in await timeline(ledger, TEA)] == [BEGAN + MONTH, BEGAN + 2 * MONTH]


async def test_a_number_that_is_told_again_with_something_else_is_refused_and_nothing_is_recorded(
    ledger: Ledger,
) -> None:
    """Temporal was set back to an older state, and something else happened then."""
    known = [notice(number, charge_id=f"{TEA}-C00000{number}") for number in (1, 2, 3)]
    await ledger.record(told(*known))
    otherwise = notice(2, NoticeType.CHARGE_DECLINED, reason_code="SoftDeclined")

    with pytest.raises(LedgerAheadError) as refused:
        await ledger.record(told(otherwise, known[2]))

    assert (refused.value.told, await ledger.last_told(TEA)) == (3, 3)
    assert [each.notice for each in await timeline(ledger, TEA)] == known


async def test_a_task_that_was_lost_after_it_told_may_tell_more_when_it_is_worked_on_again(ledger: Ledger) -> None:
    """Somebody had asked for something by then, which is told first."""
    begun, lost = notice(1, NoticeType.SUBSCRIPTION_STARTED), notice(2, charge_id=f"{TEA}-C000001")
    await ledger.record(told(begun, lost))
    asked = notice(2, NoticeType.SUBSCRIPTION_CHANGED, request="skip", amount=None)
    paid = lost.but(number=3)

    for _ in range(2):
        await ledger.record(told(asked, paid))

    assert [each.notice for each in await timeline(ledger, TEA)] == [begun, lost, asked, paid]
    [found] = await find(ledger, Search())
    assert (found.charged, found.periods_paid) == (Money.parse("14.90 EUR"), 1), "what was paid is paid once"
    async for rebuilt in rebuild(ledger, writes=False):
        assert rebuilt.differences == []


@pytest.mark.parametrize(
    ("moment", "seconds", "is_again"),
    [
        (Moment(run="r-2", before="r-1", length=40), 12, True),
        (Moment(run="r-2", before="r-1", length=44), 55, True),
        (Moment(run="r-3", before="r-2", length=5), 12, True),
        (Moment(run="r-2", before="r-1", length=39), 12, False),
        (Moment(run="r-1", length=200), 12, False),
        (Moment(run="r-2", before="r-1", length=40), 75, False),
        (None, 12, False),
    ],
    ids=["at once", "signalled meanwhile", "in the next run", "set back", "in an older run", "later", "unknown"],
)
async def test_something_else_is_told_beside_only_where_a_task_was_lost_a_moment_ago(
    ledger: Ledger, moment: Moment | None, seconds: int, *, is_again: bool
) -> None:
    now = datetime.now(UTC)
    clock = Ledger(ledger.engine, ledger.place, lambda: now)
    state = Subscription.begin(terms("2027-05-31 08:00")).model_dump_json()
    begun = notice(1, NoticeType.SUBSCRIPTION_STARTED)
    lost = [
        notice(2, NoticeType.SUBSCRIPTION_CHANGED, reference=name).but(number=at) for at, name in ((2, "a"), (3, "b"))
    ]
    await clock.record(replace(told(begun, *lost), state=state, moment=Moment(run="r-2", before="r-1", length=40)))
    now += timedelta(seconds=seconds)
    again = replace(told(lost[1].but(number=2)), state=state, moment=moment)

    assert await clock.last_told(TEA) == 3
    assert await clock.last_told(TEA, moment) == (0 if is_again else 3)
    if not is_again:
        with pytest.raises(LedgerAheadError):
            await clock.record(again)
        return
    await clock.record(again)
    kept = await kept_of(clock, TEA)
    assert (await clock.last_told(TEA), kept.told, kept.last) == (2, 2, 3)


async def test_the_state_is_kept_that_was_told_last(ledger: Ledger) -> None:
    states = [Subscription.begin(terms(anchor)) for anchor in ("2027-05-31 08:00", "2027-06-30 08:00")]
    first, second = (
        replace(told(notice(at)), state=state.model_dump_json(), moment=Moment(run="r-1", length=10 * at))
        for at, state in enumerate(states, 1)
    )
    assert await kept_of(ledger, TEA) == Kept(0, 0)

    for each in (first, second, second):
        await ledger.record(each)

    kept = await kept_of(ledger, TEA)
    assert (kept.told, kept.last, kept.subscription) == (2, 2, states[1])


async def test_what_is_told_after_the_end_is_beside_what_the_subscription_told(ledger: Ledger) -> None:
    await ledger.record(told(notice(1), notice(2, NoticeType.SUBSCRIPTION_ENDED, status="canceled")))
    opened = notice(3, NoticeType.DISPUTE_OPENED, dispute_id="D01-1")

    await ledger.record(told(opened, summary=None))

    assert [each.notice.number for each in await timeline(ledger, TEA)] == [1, 2, 3]
    [found] = await find(ledger, Search(charge_id="D01-1"))
    assert (found.told, found.status) == (3, Status.ACTIVE)


async def test_many_who_tell_at_once_are_all_recorded(ledger: Ledger) -> None:
    permissions = [f"C01-2702031-{number:07}" for number in range(40)]

    await asyncio.gather(
        *(ledger.record(told(notice(number), permission=each)) for each in permissions for number in (1,))
    )
    await asyncio.gather(*(ledger.record(told(notice(2), permission=each)) for each in permissions))

    found = await find(ledger, Search())
    assert [each.charge_permission_id for each in found] == permissions
    assert {(each.told, each.charged) for each in found} == {(2, Money.parse("29.80 EUR"))}


async def test_two_who_tell_the_same_at_once_count_it_once(ledger: Ledger) -> None:
    """Two workers: one has lost its lease on the task, and does not know it."""
    for number in range(1, 16):
        await asyncio.gather(*(ledger.record(told(notice(number))) for _ in range(3)))

    [found] = await find(ledger, Search())
    async with ledger.engine.connect() as connection:
        rows = (await connection.execute(select(func.count()).select_from(entries))).scalar_one()
    assert (rows, found.periods_paid, found.charged) == (15, 15, Money.parse("223.50 EUR"))


async def test_what_becomes_of_a_delivery_is_kept(ledger: Ledger) -> None:
    delivery = Delivery(f"notice-{TEA}-1", TEA, 1)
    await ledger.record(told(notice(1)), [delivery])
    await did_not_take(ledger, delivery.id, 1, DeliveryState.QUEUED, 1, "status 503", delivery.endpoint)
    await ledger.record(told(notice(1)), [delivery])
    await did_not_take(ledger, delivery.id, 1, DeliveryState.GIVEN_UP, 2, "status 410", delivery.endpoint)

    async with ledger.engine.connect() as connection:
        [row] = (await connection.execute(select(deliveries))).mappings()
    assert (row["state"], row["attempts"], row["trouble"]) == ("given_up", 2, "status 410")
    assert row["since"] <= row["updated_at"]


@pytest.mark.parametrize(("amount", "units"), [("19.90 EUR", 1990), ("500 JPY", 500), ("0.01 USD", 1), ("0 JPY", 0)])
def test_an_amount_in_minor_units_is_the_same_amount(amount: str, units: int) -> None:
    assert minor(Money.parse(amount)) == units
    assert money(units, Money.parse(amount).currency) == Money.parse(amount)
