"""The rows of subscriptions are what their entries make of them; where they are not, that is seen and mended."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.ledger.entries import entries_of
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.projection import folded
from perennial_billing.ledger.rebuilding import Difference, rebuild
from perennial_billing.ledger.tables import subscriptions
from tests.ledger.told import BEGAN, notice, summary, told

TEA, MILK = "C01-2702031-0000001", "C01-2702031-0000002"


async def differences(ledger: Ledger, *, writes: bool = True) -> list[Difference]:
    return [each async for done in rebuild(ledger, writes=writes) for each in done.differences]


@pytest.fixture
async def filled(ledger: Ledger) -> Ledger:
    for permission in (TEA, MILK):
        await ledger.record(told(notice(1, NoticeType.SUBSCRIPTION_STARTED, amount=None), permission=permission))
        await ledger.record(told(notice(2), notice(3), permission=permission))
    refund = notice(4, NoticeType.REFUND_COMPLETED, amount=Money.parse("3.00 EUR"), refund_id="S01-R1")
    await ledger.record(told(refund, summary=summary(status=Status.PAUSED, next_charge_at=None)))
    return ledger


async def test_rows_that_were_kept_up_are_what_their_entries_make_of_them(filled: Ledger) -> None:
    assert await differences(filled) == []


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("charged_minor", 2981, 2980),
        ("refunded_minor", 0, 300),
        ("status", "active", "paused"),
        ("told", 3, 4),
        ("next_charge_at", BEGAN, None),
        ("merchant_reference", "order-7", f"order-{TEA}"),
    ],
)
async def test_a_column_that_is_not_is_told_and_mended(filled: Ledger, column: str, value: Any, expected: Any) -> None:
    async with filled.engine.begin() as connection:
        await connection.execute(
            update(subscriptions).where(subscriptions.c.charge_permission_id == TEA).values({column: value})
        )

    assert await differences(filled, writes=False) == [Difference(TEA, column, value, expected)]
    assert await differences(filled) == [Difference(TEA, column, value, expected)]
    assert await differences(filled) == []


async def test_a_row_that_is_missing_is_made_and_one_that_nobody_told_of_goes(filled: Ledger) -> None:
    async with filled.engine.begin() as connection:
        row = dict((await connection.execute(select(subscriptions))).mappings().first() or {})
        await connection.execute(delete(subscriptions).where(subscriptions.c.charge_permission_id == MILK))
        await connection.execute(insert(subscriptions).values(row | {"charge_permission_id": "C01-2702031-0000009"}))

    found = await differences(filled)

    assert found == [Difference(MILK, "", None, "a row"), Difference("C01-2702031-0000009", "", "a row", None)]
    assert await differences(filled) == []


kinds = st.sampled_from(list(NoticeType))
amounts = st.sampled_from([None, "0.05 EUR", "12.00 EUR", "99.99 EUR"])


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(things=st.lists(st.tuples(kinds, amounts, st.booleans()), min_size=1, max_size=12), cut=st.integers(0, 12))
def test_folded_in_at_once_or_bit_by_bit_a_row_is_the_same(
    things: list[tuple[NoticeType, str | None, bool]], cut: int
) -> None:
    notices = [
        notice(number, kind, amount=Money.parse(amount) if amount else None)
        for number, (kind, amount, _) in enumerate(things, start=1)
    ]
    rows = [
        row
        for each, (_, _, pauses) in zip(notices, things, strict=True)
        for row in entries_of(told(each, summary=summary(status=Status.PAUSED) if pauses else None), BEGAN)
    ]

    at_once = folded(None, rows)
    bit_by_bit = folded(folded(None, rows[:cut]), rows[cut:]) if rows[:cut] else folded(None, rows)

    assert bit_by_bit == at_once
