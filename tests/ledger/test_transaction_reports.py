"""Transaction reports, of captures and of refunds, are held against what was told the day after it happened."""

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.settlements.lines import LineKind
from perennial_billing.ledger.settlements.matching import Difference
from perennial_billing.ledger.settlements.reconciling import compared_transactions
from perennial_billing.ledger.settlements.refusals import ReportRefusedError
from perennial_billing.ledger.settlements.scope import Scope
from perennial_billing.ledger.settlements.transactions import CAPTURES, REFUNDS, Form, form_of, transactions_in
from tests.ledger.settlement import REPORT
from tests.ledger.told import BEGAN, notice, told

TEA: Final = "C01-2702031-0000001"
CAPTURE: Final = {
    "AmazonCaptureId": "S01-2702031-0000001-C000001",
    "CaptureReferenceId": "7",
    "AmazonAuthorizationId": "S01-2702031-0000001-A000001",
    "AmazonOrderReferenceId": TEA,
    "CaptureAmount": "14.90",
    "CurrencyCode": "EUR",
    "SellerCaptureNote": "",
    "CaptureStatus": "Completed",
    "LastUpdateTimestamp": "2027-03-04 09:15:30",
    "ReasonCode": "",
    "CreationTimestamp": "2027-03-04 09:15:29",
    "BuyerName": "Ada, Countess of Lovelace",
}
"""As a public reader of Amazon's own files has the columns."""

REFUND: Final = {
    "AmazonRefundId": "S01-2702031-0000001-R000001",
    "AmazonCaptureId": "S01-2702031-0000001-C000001",
    "AmazonOrderReferenceId": TEA,
    "RefundAmount": "5.00",
    "CurrencyCode": "EUR",
    "RefundStatus": "Completed",
    "LastUpdateTimestamp": "2027-03-07T09:15:30+0000",
}


def written(path: Path, *rows: Mapping[str, str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "yesterday.csv"


def test_which_report_a_file_is_is_known_by_its_columns(file: Path) -> None:
    assert form_of(written(file, CAPTURE)) is CAPTURES
    assert form_of(written(file, REFUND)) is REFUNDS
    assert form_of(REPORT.write(file)) is None


def test_what_has_moved_is_read_and_nothing_of_the_buyer(file: Path) -> None:
    pending, yen = CAPTURE | {"CaptureStatus": "Pending"}, CAPTURE | {"CaptureAmount": "1200", "CurrencyCode": "JPY"}

    capture, japan = transactions_in(written(file, pending, CAPTURE, yen), CAPTURES, "default")
    [refund] = transactions_in(written(file, REFUND), REFUNDS, "default")

    assert (capture.kind, capture.transaction_id, capture.charge_permission_id, capture.line) == (
        LineKind.CAPTURE,
        "S01-2702031-0000001-C000001",
        TEA,
        3,
    )
    assert (capture.amount_minor, capture.currency) == (1490, "EUR")
    assert (japan.amount_minor, japan.currency) == (1200, "JPY")
    assert capture.posted_at == datetime(2027, 3, 4, 9, 15, 30, tzinfo=UTC)
    assert (refund.kind, refund.amount_minor, refund.transaction_id) == (
        LineKind.REFUND,
        -500,
        "S01-2702031-0000001-R000001",
    )
    assert not any("Ada" in str(each) for each in (capture, japan))


@pytest.mark.parametrize(
    ("form", "row", "said"),
    [
        (CAPTURES, CAPTURE | {"CaptureAmount": "14,90"}, ["line 2, column CaptureAmount: '14,90'", "2 decimals"]),
        (CAPTURES, CAPTURE | {"CurrencyCode": "XXX"}, ["line 2, column CurrencyCode: 'XXX'", "JPY"]),
        (CAPTURES, CAPTURE | {"CaptureStatus": "Melted"}, ["line 2, column CaptureStatus: 'Melted'", "completed"]),
        (CAPTURES, CAPTURE | {"AmazonCaptureId": ""}, ["line 2, column AmazonCaptureId: ''"]),
        (CAPTURES, CAPTURE | {"LastUpdateTimestamp": "noon"}, ["line 2, column LastUpdateTimestamp: 'noon'"]),
        (CAPTURES, {"AmazonCaptureId": "S01"}, ["line 1: CaptureAmount, CaptureStatus, CurrencyCode"]),
        (REFUNDS, REFUND | {"RefundAmount": "NaN"}, ["line 2, column RefundAmount: 'NaN'"]),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(
    file: Path, form: Form, row: Mapping[str, str], said: Sequence[str]
) -> None:
    with pytest.raises(ReportRefusedError) as refused:
        list(transactions_in(written(file, row), form, "default"))

    assert all(part in str(refused.value) for part in said), str(refused.value)


def test_one_that_is_cut_within_a_line_is_refused(file: Path) -> None:
    whole = written(file, CAPTURE, CAPTURE).read_bytes()

    file.write_bytes(whole[:-30])

    with pytest.raises(ReportRefusedError, match=r"yesterday\.csv, line 3"):
        list(transactions_in(file, CAPTURES, "default"))


async def test_each_line_is_held_against_what_was_told(ledger: Ledger, file: Path) -> None:
    at = BEGAN + timedelta(days=28)
    paid = notice(1, at=at, charge_id=CAPTURE["AmazonCaptureId"])
    refunded = notice(
        2,
        NoticeType.REFUND_COMPLETED,
        at=at,
        refund_id=REFUND["AmazonRefundId"],
        amount=Money.parse("5.00 EUR"),
    )
    await ledger.record(told(paid, refunded, permission=TEA))

    async def found(form: Form, *rows: Mapping[str, str], is_shared: bool = False) -> list[Difference]:
        scope = Scope("default", is_shared=is_shared)
        lines = transactions_in(written(file, *rows), form, "default")
        return [each async for some in compared_transactions(ledger, scope, lines) for each in some.differences]

    stray = CAPTURE | {"AmazonCaptureId": "S01-9-C000009"}
    order = CAPTURE | {"AmazonCaptureId": "P01-9-C000009", "AmazonOrderReferenceId": "P01-9"}
    less, twice = CAPTURE | {"CaptureAmount": "8.99"}, CAPTURE | {"CaptureStatus": "Closed"}

    assert await found(CAPTURES, CAPTURE, twice) == []
    assert await found(REFUNDS, REFUND) == []
    assert [(each.kind, each.settled) for each in await found(CAPTURES, stray)] == [("no_entry", "14.90 EUR")]
    assert [(each.kind, each.settled, each.recorded) for each in await found(CAPTURES, less)] == [
        ("other_amount", "8.99 EUR", "14.90 EUR")
    ]
    assert [each.kind for each in await found(REFUNDS, REFUND | {"AmazonRefundId": "R7"})] == ["unasked_refund"]
    [foreign] = await found(CAPTURES, order)
    assert (foreign.kind, foreign.settlement_id, foreign.line) == ("foreign", None, 2)
    assert await found(CAPTURES, order, is_shared=True) == []
