"""What subscriptions tell is in the ledger, without gaps and once, whatever happened to them and to the ledger."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select, text

from perennial_billing.billing.changes import RefundPeriod
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.ledger.finding import EntryFound, Found, Search, find, timeline
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.rebuilding import rebuild
from perennial_billing.ledger.tables import deliveries
from perennial_billing.sandbox.stage import Stage
from perennial_billing.workflows.names import LAST_REASON, NEEDS_ATTENTION
from tests.endpoint import Endpoint
from tests.scenarios.story import Story

BEGINS: Final = datetime(datetime.now(UTC).year + 1, 5, 12, 7, tzinfo=UTC)


async def told_by(story: Story) -> list[EntryFound]:
    return await timeline(story.stage.ledger, story.charge_permission_id)


async def found(story: Story) -> Found:
    [row] = await find(story.stage.ledger, Search(charge_permission_id=story.charge_permission_id))
    return row


async def assert_is_whole(story: Story) -> None:
    """Without gaps, once each, and the row is what the entries make of it."""
    view = await story.status()
    assert [entry.notice.number for entry in await told_by(story)] == list(range(1, view.notices_told + 1))
    differences = [each async for done in rebuild(story.stage.ledger, writes=False) for each in done.differences]
    assert [each for each in differences if each.charge_permission_id == story.charge_permission_id] == []


async def test_a_year_is_in_the_ledger_as_amazon_has_it(house: Stage) -> None:
    story = await Story.begin(house, script=[None, "SoftDeclined"], first_charge_at=BEGINS)
    await story.until(BEGINS + timedelta(days=100))
    wanted = RefundPeriod(period=2, amount=Money.parse("4.00 USD"))
    await house.subscriptions.refund(story.charge_permission_id, wanted)
    await story.after(timedelta(days=2))
    await story.cancel()

    charges, entries, row = await story.charges(), await told_by(story), await found(story)
    paid = [entry.notice for entry in entries if entry.notice.type is NoticeType.PERIOD_PAID]
    assert [notice.charge_id for notice in paid] == [charge.charge_id for charge in charges]
    assert row.charged == Money.parse("39.96 USD")
    assert (row.refunded, row.status, row.next_charge_at) == (Money.parse("4.00 USD"), Status.CANCELED, None)
    assert row.ended_at is not None
    assert NoticeType.CHARGE_DECLINED in [entry.notice.type for entry in entries]
    [by_charge] = await find(house.ledger, Search(charge_id=charges[1].charge_id))
    assert by_charge.charge_permission_id == story.charge_permission_id
    await assert_is_whole(story)


@asynccontextmanager
async def away(ledger: Ledger) -> AsyncIterator[None]:
    """Its entries are gone while the context is open."""
    async with ledger.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE entries RENAME TO entries_elsewhere"))
    try:
        yield
    finally:
        async with ledger.engine.begin() as connection:
            await connection.execute(text("ALTER TABLE entries_elsewhere RENAME TO entries"))


async def test_while_the_ledger_is_away_buyers_are_charged_and_afterwards_all_is_recorded(house: Stage) -> None:
    story = await Story.begin(house, first_charge_in=timedelta(minutes=10))
    await story.quiet()
    async with away(house.ledger):
        status = await story.after(timedelta(minutes=15))

        assert len(await story.charges()) == 1
        assert (status.notices_waiting, status.notices_told) == (1, 2)
        assert (status.needs_attention, status.last_reason) == (True, "NoticesWaiting")
        attributes = (await story.handle.describe()).typed_search_attributes
        assert (attributes.get(NEEDS_ATTENTION), attributes.get(LAST_REASON)) == (True, "NoticesWaiting")

    status = await story.after(timedelta(days=40))
    assert (status.notices_waiting, status.needs_attention, status.last_reason) == (0, False, None)
    assert not (await found(story)).needs_attention
    await assert_is_whole(story)
    assert (await found(story)).periods_paid == 2


async def test_each_notice_on_its_way_is_known_until_the_merchant_has_taken_it(house: Stage, notices: Endpoint) -> None:
    story = await Story.begin(house, first_charge_in=timedelta(minutes=10))
    status = await story.after(timedelta(minutes=15))
    await notices.told(story.charge_permission_id, status.notices_told)

    chosen = select(deliveries.c.number, deliveries.c.state, deliveries.c.attempts)
    mine = chosen.where(deliveries.c.charge_permission_id == story.charge_permission_id).order_by(deliveries.c.number)
    async with asyncio.timeout(20):
        while True:
            async with house.ledger.engine.connect() as connection:
                rows = [tuple(row) for row in await connection.execute(mine)]
            assert [number for number, _, _ in rows] == list(range(1, status.notices_told + 1))
            if {state for _, state, _ in rows} == {"delivered"}:
                break
            await asyncio.sleep(0.02)  # it is written down just after the endpoint has answered
    assert {attempts for _, _, attempts in rows} == {1}
