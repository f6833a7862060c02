"""Settlements are taken once and whole, and held against what subscriptions told."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.ledger.errors import LedgerUnavailableError
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.settlements import reading, reconciling, storing
from perennial_billing.ledger.settlements.matching import Difference, DifferenceKind
from perennial_billing.ledger.settlements.parsing import checked
from perennial_billing.ledger.settlements.reading import COLUMNS, lines, sums
from perennial_billing.ledger.settlements.reconciling import compared, count
from perennial_billing.ledger.settlements.refusals import ReportRefusedError
from perennial_billing.ledger.settlements.scope import Scope
from perennial_billing.ledger.settlements.storing import known_reports, settled_times, take
from perennial_billing.ledger.tables import settlement_lines, settlements
from tests.ledger.settlement import CAPTURE, REFUND, REPORT, Line, Report
from tests.ledger.told import lenient, notice, told

TEA, MILK = "C01-2702031-0000001", "C01-2702031-0000002"
MARCH: Final = Scope("default", settled_within=timedelta(0))
PAID_AT: Final = datetime(2027, 3, 4, 9, 15, 31, tzinfo=UTC)


class Books:
    """A ledger, and Amazon's files beside it."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self.ledger, self.folder = ledger, folder
        self._files = 0

    async def tell(self, *notices: Notice, permission: str = TEA, **changes: Any) -> None:
        await self.ledger.record(told(*notices, permission=permission, **changes))

    async def paid(
        self, amount: str = "14.90 EUR", charge: str = CAPTURE.transaction_id, number: int = 1, **changes: Any
    ) -> None:
        at = changes.pop("at", PAID_AT)
        await self.tell(notice(number, at=at, amount=Money.parse(amount), charge_id=charge), **changes)

    async def refunded(self, amount: str = "5.00 EUR", refund: str = REFUND.transaction_id, number: int = 2) -> None:
        kind = NoticeType.REFUND_COMPLETED
        about = {"charge_id": CAPTURE.transaction_id, "refund_id": refund, "amount": Money.parse(amount)}
        await self.tell(notice(number, kind, at=PAID_AT + timedelta(days=3), **about))

    async def settle(self, *lines: Line, account: str = "default", report_id: str | None = None, **form: Any) -> bool:
        self._files += 1
        path = Report(lines, **form).write(self.folder / f"settlement-{self._files}.csv")
        return await take(self.ledger, checked(path), account, report_id=report_id)

    async def differences(self, scope: Scope = MARCH) -> list[Difference]:
        return [each async for some in compared(self.ledger, scope) for each in some.differences]

    async def kinds(self, scope: Scope = MARCH) -> list[DifferenceKind]:
        return [each.kind for each in await self.differences(scope)]

    async def rows(self) -> tuple[int, int]:
        async with self.ledger.engine.connect() as connection:
            of_both = [
                (await connection.execute(select(func.count()).select_from(table))).scalar_one()
                for table in (settlements, settlement_lines)
            ]
        return of_both[0], of_both[1]


@pytest.fixture
def books(ledger: Ledger, tmp_path: Path) -> Books:
    return Books(ledger, tmp_path)


# What is taken


async def test_a_settlement_is_taken_once_in_whatever_form_it_comes_again(books: Books) -> None:
    assert await books.settle(CAPTURE, REFUND)
    before = await books.rows()

    assert not await books.settle(CAPTURE, REFUND)
    assert not await books.settle(CAPTURE, REFUND, separator="\t", report_id="A7")

    assert before == await books.rows() == (1, 3)
    assert await known_reports(books.ledger, "default") == {"A7"}
    assert await settled_times(books.ledger, "default") == [
        (datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 3, 31, 23, 59, 59, tzinfo=UTC))
    ]


async def test_another_one_under_the_same_id_is_refused_and_nothing_of_it_taken(books: Books) -> None:
    await books.settle(CAPTURE, REFUND)

    with pytest.raises(
        ReportRefusedError,
        match=r"settlement-2\.csv, column SettlementId: '5044561311': .* taken on .* with 3 lines, and says something",
    ):
        await books.settle(CAPTURE)
    with pytest.raises(ReportRefusedError, match=r"taken for account 'default', not for 'shop'"):
        await books.settle(CAPTURE, REFUND, account="shop")
    with pytest.raises(ReportRefusedError, match=r"SellerId: 'A2': settlements of account 'default' so far are of A1"):
        await books.settle(CAPTURE, seller="A2", settlement_id="1")

    assert await books.rows() == (1, 3)


async def test_the_same_id_of_another_merchant_is_another_settlement(books: Books) -> None:
    await books.settle(CAPTURE)

    assert await books.settle(REFUND, CAPTURE, account="shop", seller="A2SHOP")
    assert await books.rows() == (2, 5)


async def test_a_file_that_changes_while_it_is_taken_is_not_taken(books: Books, tmp_path: Path) -> None:
    path = REPORT.write(tmp_path / "march.csv")
    settlement = checked(path)
    REPORT.but(lines=[CAPTURE]).write(path)

    with pytest.raises(ReportRefusedError, match=r"march\.csv: it was changed while it was read"):
        await take(books.ledger, settlement, "default")

    assert await books.rows() == (0, 0)


async def test_what_the_database_cannot_keep_is_not_taken_by_half(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "AT_ONCE", 2)
    row = storing._row

    def broken(key: int, line: Any) -> Any:
        return row(key, line) | ({"kind": None} if line.line == 7 else {})

    monkeypatch.setattr(storing, "_row", broken)

    with pytest.raises(LedgerUnavailableError):
        await books.settle(CAPTURE, REFUND)

    assert await books.rows() == (0, 0)


# What is compared


async def test_where_both_sides_agree_there_is_no_difference_however_often_it_is_asked(books: Books) -> None:
    await books.paid()
    await books.refunded()
    await books.settle(CAPTURE, REFUND)

    assert await books.differences() == await books.differences() == []
    assert await count(books.ledger, MARCH) == 2


async def test_a_charge_that_no_entry_knows_is_told_with_its_line(books: Books) -> None:
    await books.paid()
    stray = Line("Capture", "S01-9-C000009", "14.90", "-0.73")
    await books.settle(CAPTURE, stray)

    [found] = await books.differences()

    assert (found.kind, found.transaction_id, found.charge_permission_id) == ("no_entry", "S01-9-C000009", TEA)
    assert (found.settlement_id, found.line, found.settled, found.recorded) == ("5044561311", 6, "14.90 EUR", None)
    assert found.why == "Amazon captured it, and no entry names it"
    assert "refund it" in found.what_to_do


async def test_a_charge_that_was_told_to_have_failed_and_was_settled_says_so(books: Books) -> None:
    declined = notice(1, NoticeType.CHARGE_DECLINED, at=PAID_AT, charge_id=CAPTURE.transaction_id)
    await books.tell(declined)
    await books.settle(CAPTURE)

    [found] = await books.differences()

    assert found.kind is DifferenceKind.NO_ENTRY
    assert found.why == "Amazon captured it, and the last entry that names it is charge.declined"


async def test_a_refund_that_nobody_asked_for_and_one_that_was_told_to_have_failed(books: Books) -> None:
    await books.paid()
    await books.settle(CAPTURE, REFUND)
    [unasked] = await books.differences()

    failed = notice(2, NoticeType.REFUND_FAILED, at=PAID_AT, refund_id=REFUND.transaction_id)
    await books.tell(failed)
    [told_failed] = await books.differences()

    assert (unasked.kind, unasked.settled) == (DifferenceKind.UNASKED_REFUND, "-5.00 EUR")
    assert told_failed.why == "Amazon gave it back, and the last entry that names it is refund.failed"


async def test_what_is_told_of_a_subscription_that_has_ended_counts_as_what_it_told_itself(books: Books) -> None:
    await books.paid()
    completed = notice(
        9, NoticeType.REFUND_COMPLETED, at=PAID_AT, refund_id=REFUND.transaction_id, amount=Money.parse("5.00 EUR")
    )
    await books.tell(completed, summary=None)
    await books.settle(CAPTURE, REFUND)

    assert await books.differences() == []


async def test_an_entry_that_no_settlement_names_is_told_once_it_is_old_enough(books: Books) -> None:
    await books.paid()
    await books.paid(charge="S01-2-C000002", number=2, at=datetime(2027, 3, 20, tzinfo=UTC))
    await books.settle(CAPTURE)
    after_fourteen_days = Scope("default")

    [found] = await books.differences()

    assert (found.kind, found.transaction_id) == (DifferenceKind.NOT_SETTLED, "S01-2-C000002")
    assert (found.recorded, found.settled, found.settlement_id) == ("14.90 EUR", None, None)
    assert found.at == datetime(2027, 3, 20, tzinfo=UTC)
    assert await books.differences(after_fourteen_days) == []
    await books.settle(
        Line("Capture", "S01-8-C000008", "14.90"),
        settlement_id="2",
        starts="2027-04-01T00:00:00+0000",
        ends="2027-04-30T23:59:59+0000",
    )
    assert await books.kinds(after_fourteen_days) == ["no_entry", "not_settled"]


async def test_what_was_told_before_the_first_settlement_or_after_the_last_is_not_missed(books: Books) -> None:
    for number, at in enumerate(
        [
            datetime(2027, 2, 28, 12, tzinfo=UTC),
            datetime(2027, 3, 1, 0, 40, tzinfo=UTC),
            datetime(2027, 4, 1, tzinfo=UTC),
        ],
        start=2,
    ):
        await books.paid(charge=f"S01-2-C00000{number}", number=number, at=at)
    await books.paid(number=5)
    await books.settle(CAPTURE)

    assert await books.differences() == []


async def test_a_refund_that_no_settlement_names_is_told_as_well(books: Books) -> None:
    await books.paid()
    await books.refunded()
    await books.settle(CAPTURE)

    [found] = await books.differences()

    assert (found.kind, found.transaction_id) == (DifferenceKind.NOT_SETTLED, REFUND.transaction_id)
    assert found.why == "refund.completed was told, and no settlement names it"


async def test_a_charge_that_one_settlement_names_twice_is_doubled_and_so_is_one_that_two_name(books: Books) -> None:
    await books.paid()
    await books.paid(charge="S01-2-C000002", number=2)
    other = Line("Capture", "S01-2-C000002", "14.90")
    await books.settle(CAPTURE, CAPTURE, other)
    await books.settle(other, settlement_id="2", starts="2027-04-01T00:00:00Z", ends="2027-04-02T00:00:00Z")

    second, first = await books.differences()

    assert (first.kind, first.settled, first.recorded) == ("doubled", "29.80 EUR", "14.90 EUR")
    assert first.why == "2 lines name it: line 5 of settlement 5044561311, line 6 of settlement 5044561311"
    assert (second.kind, second.why) == (
        "doubled",
        "2 lines name it: line 7 of settlement 5044561311, line 5 of settlement 2",
    )
    only_april = Scope("default", since=datetime(2027, 4, 1, tzinfo=UTC), settled_within=timedelta(0))
    assert await books.kinds(only_april) == ["doubled"]


async def test_what_two_settlements_name_is_told_once_and_an_adjustment_does_not_hide_it(books: Books) -> None:
    await books.settle(Line("Adjustment", CAPTURE.transaction_id, "1.00"), settlement_id="1")
    await books.settle(CAPTURE, settlement_id="2")
    await books.settle(CAPTURE, settlement_id="3")

    assert await books.kinds() == ["foreign"]


@pytest.mark.parametrize(
    ("amounts", "kinds"),
    [
        (["14.90"], []),
        (["10.00", "4.90"], []),
        (["7.45", "7.45"], []),
        (["10.00", "4.90", "4.90"], ["doubled"]),
        (["7.45", "7.45", "7.45"], ["doubled"]),
        (["8.99"], ["other_amount"]),
        (["10.00", "10.00"], ["other_amount"]),
        (["10.00", "4.80"], ["other_amount"]),
    ],
    ids=str,
)
async def test_parts_of_a_charge_are_added_up(books: Books, amounts: Sequence[str], kinds: list[str]) -> None:
    await books.paid()
    await books.settle(*(Line("Capture", CAPTURE.transaction_id, amount) for amount in amounts))

    assert await books.kinds() == kinds


async def test_another_amount_and_another_currency_are_told_with_both_sides(books: Books) -> None:
    await books.paid()
    await books.refunded("4.00 EUR")
    await books.paid("1200 JPY", charge="S03-2-C000002", number=3)
    yen = Line("Capture", "S03-2-C000002", "12.00", currency="USD")
    await books.settle(CAPTURE, REFUND, yen)

    refund, charge = await books.differences()

    assert (refund.kind, refund.settled, refund.recorded) == ("other_amount", "-5.00 EUR", "4.00 EUR")
    assert (charge.kind, charge.settled, charge.recorded) == ("other_currency", "12.00 USD", "1200 JPY")


async def test_what_was_paid_out_to_another_account_is_told_there_and_not_missed_here(books: Books) -> None:
    await books.paid()
    await books.settle(Line("Capture", "S01-7-C000007", "1.00", permission=MILK), settlement_id="1")
    await books.settle(CAPTURE, account="shop", seller="A2SHOP")
    elsewhere = Scope("shop", settled_within=timedelta(0))

    [found] = await books.differences(elsewhere)

    assert (found.kind, found.merchant_account, found.recorded) == ("other_account", "shop", "14.90 EUR")
    assert found.why == "it is of account default, and was settled to shop"
    assert await books.kinds() == ["foreign"]


async def test_under_a_charge_permission_of_nobodys_it_is_told_unless_the_account_is_shared(books: Books) -> None:
    await books.paid()
    order = Line("Capture", "P01-5-C000005", "80.00", permission="P01-5")
    await books.settle(CAPTURE, order, Line("Refund", "P01-5-R000006", "-80.00", permission="P01-5"))
    shared = Scope("default", settled_within=timedelta(0), is_shared=True)

    assert await books.kinds() == ["foreign", "foreign"]
    [some] = [each async for each in compared(books.ledger, shared)]
    assert (some.transactions, some.differences, some.foreign) == (3, [], 2)


async def test_a_charge_that_was_taken_back_is_held_against_the_dispute(books: Books) -> None:
    await books.paid()
    await books.tell(
        notice(2, NoticeType.DISPUTE_OPENED, at=PAID_AT, dispute_id="S01-1-B000001", charge_id=CAPTURE.transaction_id)
    )
    taken_back = Line("Chargeback", "S01-1-B000001", "-14.90")

    await books.settle(CAPTURE, taken_back, Line("Chargeback", "S01-2-B000002", "-9.99"))

    [found] = await books.differences()
    assert (found.kind, found.transaction_id) == (DifferenceKind.UNKNOWN_DISPUTE, "S01-2-B000002")
    assert found.why == "the buyer's bank took it back, and no entry names it"


@pytest.mark.parametrize(
    ("lines", "kinds"),
    [
        ([Line("A-to-z Guarantee Claim", CAPTURE.transaction_id, "-14.90")], []),
        ([Line("Chargeback", "B1", "-14.90"), Line("Chargeback", "B1", "14.90")], []),
        ([Line("Chargeback", "B1", "-14.90"), Line("Chargeback", "B1", "-14.90")], ["doubled"]),
        ([Line("Chargeback", "B1", "-10.00")], ["other_amount"]),
        ([Line("Chargeback", "B1", "-14.90", currency="USD")], ["other_currency"]),
    ],
    ids=["by the charge's id", "won", "twice", "another amount", "another currency"],
)
async def test_what_was_taken_back_is_what_the_dispute_is_about(
    books: Books, lines: Sequence[Line], kinds: list[str]
) -> None:
    await books.paid()
    await books.tell(
        notice(2, NoticeType.DISPUTE_OPENED, at=PAID_AT, dispute_id="B1", charge_id=CAPTURE.transaction_id)
    )
    await books.settle(CAPTURE, *lines)

    assert await books.kinds() == kinds


async def test_the_latest_entry_counts_where_temporal_was_set_back(books: Books) -> None:
    await books.paid("12.00 EUR")
    books.ledger = lenient(books.ledger)
    await books.paid("14.90 EUR")
    await books.settle(CAPTURE)

    assert await books.differences() == []


async def test_page_by_page_it_is_the_same(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "AT_ONCE", 2)
    for number in range(1, 6):
        await books.paid(charge=f"S01-1-C00000{number}", number=number)
    strays = [Line("Capture", f"S01-9-C00000{number}", "1.00") for number in range(5)]
    await books.settle(*strays)

    found = await books.differences()

    assert [each.kind for each in found] == ["no_entry"] * 5 + ["not_settled"] * 5
    assert len({each.transaction_id for each in found}) == 10


async def test_each_settlement_is_summed_up_by_currency_and_adds_up(books: Books) -> None:
    yen = Line("Capture", "S03-2-C000002", "1200", "-36", currency="JPY")
    fee = Line("Authorization", "S01-4-A000001", "0", "-0.30")
    adjusted = Line("Adjustment", "", "2.00", permission="")
    await books.settle(CAPTURE, REFUND, Line("Chargeback", "B1", "-3.00"), fee, adjusted, yen)

    euro, japan = await sums(books.ledger, MARCH)

    assert (euro.settlement_id, euro.merchant_account, euro.currency) == ("5044561311", "default", "EUR")
    figures = (euro.charged_minor, euro.refunded_minor, euro.taken_back_minor, euro.fees_minor, euro.other_minor)
    assert figures == (1490, 500, 300, 88, 200)
    assert euro.paid_out_minor == 1490 - 500 - 300 - 88 + 200
    assert (japan.currency, japan.charged_minor, japan.fees_minor, japan.paid_out_minor) == ("JPY", 1200, 36, 1164)


async def test_only_settlements_of_the_time_and_the_account_are_summed_up(books: Books) -> None:
    await books.settle(CAPTURE)
    april = Scope("default", since=datetime(2027, 4, 1, tzinfo=UTC))
    before = Scope("default", until=datetime(2027, 3, 1, tzinfo=UTC))

    assert [await sums(books.ledger, scope) for scope in (april, before, Scope("shop"))] == [[], [], []]
    assert await books.kinds(april) == []


async def test_lines_are_read_with_their_fees_page_by_page(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "AT_ONCE", 2)
    yen = Line("Capture", "S03-2-C000002", "1200", "-36", currency="JPY")
    await books.settle(CAPTURE, yen)
    await books.settle(REFUND, settlement_id="2", ends="2027-04-30T23:59:59+0000")

    rows = [row async for part in lines(books.ledger, MARCH) for row in part]

    assert [tuple(row) for row in rows] == [COLUMNS] * 5
    capture, of_yen, *_, refund = rows
    assert (capture["amount"], capture["percentage_fee"], capture["fee"], capture["net"]) == (
        "14.90",
        "-0.73",
        "-0.73",
        "14.17",
    )
    assert (of_yen["net"], of_yen["currency"], of_yen["merchant_reference"]) == ("1164", "JPY", "order-7")
    assert (refund["settlement_id"], refund["kind"], refund["amount"]) == ("2", "refund", "-5.00")
    assert capture["posted_at"] == datetime(2027, 3, 4, 9, 15, 30, tzinfo=UTC)
