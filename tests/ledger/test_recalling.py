"""What the ledger recalls of charges of long ago: how much of each is left, under all permissions."""

from datetime import UTC, datetime
from typing import Any

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.answers import RefundState
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.billing.protocol.recollection import Recollection
from perennial_billing.billing.status import Status
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.recalling import is_known, owner_of, recall, successor_of
from tests.ledger.told import lenient, notice, summary, told

FIRST, SECOND, THIRD = (f"C01-2702031-000000{number}" for number in (1, 2, 3))
DUE = datetime(2027, 3, 3, 10, 30, tzinfo=UTC)


def paid(number: int, period: int, amount: str = "14.90 EUR", **fields: Any) -> Notice:
    return notice(
        number,
        period=period,
        due=DUE,
        charge_id=f"C-{period}",
        amount=Money.parse(amount),
        attempt=2,
        **fields,
    )


def refund(
    number: int, period: int, amount: str, kind: NoticeType = NoticeType.REFUND_COMPLETED, **fields: Any
) -> Notice:
    given: dict[str, Any] = {"refund_id": f"R-{number}", "reference": f"ticket-{number}"} | fields
    return notice(number, kind, period=period, charge_id=f"C-{period}", amount=Money.parse(amount), **given)


async def lineage(ledger: Ledger) -> None:
    """Three charge permissions, one after the other, with a period paid under each."""
    for own, following, start in ((FIRST, SECOND, 0), (SECOND, THIRD, 1)):
        replaced = summary(status=Status.REPLACED, successor=following)
        gone = notice(start * 2 + 2, NoticeType.CHARGE_PERMISSION_REPLACED, successor=following)
        await ledger.record(told(paid(start * 2 + 1, start), gone, permission=own, summary=replaced))
    await ledger.record(told(paid(5, 2, "15.20 EUR"), permission=THIRD))


async def test_a_charge_is_recalled_with_all_that_went_back_under_any_permission(ledger: Ledger) -> None:
    await lineage(ledger)
    await ledger.record(told(refund(6, 0, "3.00 EUR"), refund(7, 0, "1.25 EUR"), permission=THIRD))
    failed = refund(8, 0, "9.00 EUR", NoticeType.REFUND_FAILED, refund_id=None, reason_code="AmazonRejected")
    await ledger.record(told(failed, permission=THIRD))
    await lenient(ledger).record(told(refund(7, 0, "1.25 EUR", reason="told again"), permission=THIRD))

    by_period = await recall(ledger, Recollection(charge_permission_id=THIRD, period=0))
    by_charge = await recall(ledger, Recollection(charge_permission_id=THIRD, charge_id="C-0"))

    assert by_period == by_charge
    (charge,) = by_period.charges
    assert (charge.period, charge.due, charge.attempts) == (0, DUE, 2)
    assert (charge.amount, charge.refunded) == (Money.parse("14.90 EUR"), Money.parse("4.25 EUR"))
    assert [(each.reference, each.state) for each in by_period.refunds] == [
        ("ticket-6", RefundState.REFUNDED),
        ("ticket-7", RefundState.REFUNDED),
        ("ticket-8", RefundState.FAILED),
    ]
    assert by_period.refund_ids == ("R-6", "R-7")
    assert (by_period.told, by_period.successor, by_period.merchant_reference) == (8, None, f"order-{THIRD}")


async def test_all_charges_are_those_of_every_permission_before(ledger: Ledger) -> None:
    await lineage(ledger)

    everything = await recall(ledger, Recollection(charge_permission_id=THIRD, all_charges=True))
    of_the_first = await recall(ledger, Recollection(charge_permission_id=FIRST, all_charges=True))

    await ledger.record(told(refund(6, 1, "1.00 EUR"), permission=THIRD))
    assert await owner_of(ledger, "C-1") == SECOND, "who made it, not who gave money of it back"
    assert [charge.charge_id for charge in everything.charges] == ["C-0", "C-1", "C-2"]
    assert [charge.charge_id for charge in of_the_first.charges] == ["C-0"]
    assert of_the_first.successor == SECOND
    assert await successor_of(ledger, FIRST) == THIRD
    assert await successor_of(ledger, THIRD) is None
    assert (await owner_of(ledger, "C-1"), await owner_of(ledger, "C-9")) == (SECOND, None)
    assert (await is_known(ledger, FIRST), await is_known(ledger, "C01-9-9")) == (True, False)


async def test_one_that_was_only_named_is_no_successor(ledger: Ledger) -> None:
    await ledger.record(told(paid(1, 0), permission=FIRST, summary=summary(successor=SECOND)))

    assert await successor_of(ledger, FIRST) is None
    assert (await recall(ledger, Recollection(charge_permission_id=FIRST))).successor is None


async def test_what_was_credited_for_days_that_were_not_served_is_recalled_too(ledger: Ledger) -> None:
    changed = notice(2, NoticeType.PLAN_CHANGED, period=1, credited=Money.parse("6.10 EUR"))
    again = refund(3, 0, "6.10 EUR", NoticeType.REFUND_FAILED, credited=Money.parse("8.00 EUR"))
    await ledger.record(told(paid(1, 0, credit=Money.parse("1.10 EUR")), changed))
    (before,) = (await recall(ledger, Recollection(charge_permission_id=FIRST, period=0))).charges
    await ledger.record(told(again))

    (after,) = (await recall(ledger, Recollection(charge_permission_id=FIRST, period=0))).charges

    assert (before.credited, before.credit) == (Money.parse("6.10 EUR"), Money.parse("1.10 EUR"))
    assert after.credited == Money.parse("8.00 EUR")


async def test_of_whom_nothing_was_ever_told_nothing_is_known(ledger: Ledger) -> None:
    recalled = await recall(ledger, Recollection(charge_permission_id="C01-0000000-0000000", all_charges=True))

    assert (recalled.is_known, recalled.told, recalled.charges, recalled.refund_ids) == (False, 0, (), ())
