"""The few numbers that are watched: who owes, who is held, what is late, and what was not taken."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from perennial_billing.billing.status import Status
from perennial_billing.ledger.deliveries import Delivery, DeliveryState
from perennial_billing.ledger.figures import LATE_AFTER, Undelivered, read_figures
from perennial_billing.ledger.ledger import Ledger
from tests.ledger.told import notice, summary, told

NOW: Final = datetime(2027, 6, 9, 16, 20, tzinfo=UTC)
LATER: Final = NOW + timedelta(days=3)
WAREHOUSE: Final = "ep-warehouse"


def _always(at: datetime) -> datetime:
    return at


async def tell(ledger: Ledger, number: int, account: str, **stands: object) -> None:
    stands = {"next_charge_at": LATER, "next_action_at": LATER, "merchant_account": account, **stands}
    permission = f"C01-2702033-000000{number}"
    await ledger.record(told(notice(1), permission=permission, merchant_account=account, summary=summary(**stands)))


async def test_subscriptions_are_counted_by_account(ledger: Ledger) -> None:
    ledger.now = lambda: NOW
    await tell(ledger, 1, "tea")
    await tell(ledger, 2, "tea", past_due_since=NOW - timedelta(days=2), status=Status.RETRYING, next_charge_at=None)
    await tell(ledger, 3, "tea", status=Status.ON_HOLD, needs_attention=True, past_due_since=NOW, next_charge_at=None)
    await tell(ledger, 4, "mugs", status=Status.UNPAID, needs_attention=True, past_due_since=NOW, next_charge_at=None)

    figures = await read_figures(ledger)

    assert (figures.past_due, figures.on_hold) == ({"tea": 2, "mugs": 1}, {"tea": 1})
    assert (figures.needing_attention, figures.overdue) == ({"tea": 1, "mugs": 1}, {})
    assert (figures.undelivered, figures.read_at) == ({}, NOW)


async def test_a_charge_is_overdue_once_nothing_was_told_of_it_for_an_hour(ledger: Ledger) -> None:
    ledger.now = lambda: NOW
    await tell(ledger, 1, "tea", next_charge_at=NOW - LATE_AFTER)
    await tell(ledger, 2, "tea", next_charge_at=NOW - LATE_AFTER - timedelta(seconds=1))
    await tell(ledger, 3, "mugs", next_charge_at=None)

    assert (await read_figures(ledger)).overdue == {"tea": 1}


async def test_what_was_not_taken_is_counted_by_endpoint_and_state_with_the_oldest(ledger: Ledger) -> None:
    permission = "C01-2702033-0000001"
    states = [DeliveryState.QUEUED, DeliveryState.QUEUED, DeliveryState.NOT_SENT, DeliveryState.DELIVERED]
    for number, state in enumerate(states, 1):
        begun = NOW - timedelta(hours=10 - number)
        ledger.now = partial(_always, begun)
        delivery = Delivery(f"notice-{permission}-{number}", permission, number, WAREHOUSE, state)
        await ledger.record(told(notice(number), permission=permission), [delivery])

    assert (await read_figures(ledger)).undelivered == {
        (WAREHOUSE, DeliveryState.QUEUED): Undelivered(2, NOW - timedelta(hours=9)),
        (WAREHOUSE, DeliveryState.NOT_SENT): Undelivered(1, NOW - timedelta(hours=7)),
    }


async def test_what_was_told_before_is_not_said_to_be_new(ledger: Ledger) -> None:
    permission = "C01-2702033-0000007"
    first, second = told(notice(1), permission=permission), told(notice(1), notice(2), permission=permission)

    assert [set(await ledger.record(each)) for each in (first, first, second)] == [{1}, set(), {2}]
