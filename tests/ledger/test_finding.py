"""Subscriptions and what they told are found by whatever is known of them, page by page."""

from datetime import timedelta
from typing import Any

import pytest

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.ledger.finding import Search, find, last_recorded, timeline
from perennial_billing.ledger.ledger import Ledger
from tests.ledger.told import BEGAN, MONTH, notice, summary, told

PAYS, OWES, LEFT = (f"C01-2702031-000000{number}" for number in (1, 2, 3))
HOUR = timedelta(hours=1)


@pytest.fixture
async def filled(ledger: Ledger) -> Ledger:
    """One who pays, one who owes a period, and one who has left."""
    await ledger.record(told(notice(1, charge_id="S01-C1"), permission=PAYS))
    owes: dict[str, Any] = {"status": Status.RETRYING, "past_due_since": BEGAN, "last_reason": "SoftDeclined"}
    declined = notice(1, NoticeType.CHARGE_DECLINED)
    await ledger.record(told(declined, permission=OWES, summary=summary(**owes, next_charge_at=None)))
    left = summary(status=Status.CANCELED, ended_at=BEGAN + MONTH, next_charge_at=None, plan_id="milk")
    ended = notice(1, NoticeType.SUBSCRIPTION_ENDED, amount=None, status="canceled")
    await ledger.record(told(ended, permission=LEFT, summary=left, plan_id="milk"))
    return ledger


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (Search(), [PAYS, OWES, LEFT]),
        (Search(has_ended=False), [PAYS, OWES]),
        (Search(has_ended=True), [LEFT]),
        (Search(ended_from=BEGAN + MONTH, ended_before=BEGAN + MONTH + HOUR), [LEFT]),
        (Search(ended_from=BEGAN, ended_before=BEGAN + MONTH), []),
        (Search(statuses=(Status.CANCELED, Status.RETRYING)), [OWES, LEFT]),
        (Search(past_due=True), [OWES]),
        (Search(past_due=False), [PAYS, LEFT]),
        (Search(past_due_before=BEGAN), []),
        (Search(past_due_before=BEGAN + HOUR), [OWES]),
        (Search(charged_before=BEGAN + MONTH + HOUR), [PAYS]),
        (Search(charge_id="S01-C1"), [PAYS]),
        (Search(plan_id="milk", has_ended=True), [LEFT]),
        (Search(plan_id="milk", past_due=True), []),
    ],
    ids=str,
)
async def test_who_is_searched_for_is_found_and_nobody_else(
    filled: Ledger, search: Search, expected: list[str]
) -> None:
    assert [each.charge_permission_id for each in await find(filled, search)] == expected
    by_one, after = [], ""
    while page := await find(filled, search, after=after, limit=1):
        after = page[0].charge_permission_id
        by_one.append(after)
    assert by_one == expected


async def test_a_subscriber_may_have_paid_more_than_one_charge_can_be(ledger: Ledger) -> None:
    """Ten years of 98,000 JPY a month are 11,760,000 JPY, and no charge exceeds 10,000,000."""
    yen = Money.parse("98000 JPY")
    for year in range(10):
        months = (12 * year + month for month in range(12))
        paid = [notice(number + 1, amount=yen, charge_id=f"S03-C{number}") for number in months]
        await ledger.record(told(*paid, summary=summary(price=yen, quantity=1)))

    [found] = await find(ledger, Search())

    assert str(found.charged) == "11760000 JPY"


async def test_the_ledger_tells_when_it_was_last_written_to(ledger: Ledger) -> None:
    assert await last_recorded(ledger) is None

    await ledger.record(told(notice(1)))

    assert await last_recorded(ledger) == (await timeline(ledger, PAYS))[0].recorded_at
