"""Transaction reports of Live: a line for each capture or refund that came about, or changed, in a time.

Source of the columns of captures: merchants' published readers of Amazon's own files; no page lists them ("transaction
report details" tells which reports there are). Those of refunds are an assumption by their likeness. The states are
those of the API that the reports are older than. What they say of buyers is left empty.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from amazon_pay_client.models import ChargeState, Price, ReportType
from amazon_pay_client.models.refunds import RefundState
from amazon_pay_simulator.books import Books
from amazon_pay_simulator.environments import ReleaseEnvironment

CAPTURE_COLUMNS: Final = (
    "AmazonCaptureId",
    "CaptureReferenceId",
    "AmazonAuthorizationId",
    "AmazonOrderReferenceId",
    "CaptureAmount",
    "CurrencyCode",
    "SellerCaptureNote",
    "CaptureStatus",
    "LastUpdateTimestamp",
    "ReasonCode",
    "CreationTimestamp",
)
REFUND_COLUMNS: Final = (
    "AmazonRefundId",
    "RefundReferenceId",
    "AmazonCaptureId",
    "AmazonOrderReferenceId",
    "RefundAmount",
    "CurrencyCode",
    "SellerRefundNote",
    "RefundStatus",
    "LastUpdateTimestamp",
    "ReasonCode",
    "CreationTimestamp",
)
COLUMNS: Final = {ReportType.CAPTURE: CAPTURE_COLUMNS, ReportType.REFUND: REFUND_COLUMNS}
"""The reports that there are, with their columns."""

_STATES: Final = {
    ChargeState.CAPTURE_INITIATED: "Pending",
    ChargeState.CAPTURED: "Completed",
    RefundState.REFUND_INITIATED: "Pending",
    RefundState.REFUNDED: "Completed",
    RefundState.DECLINED: "Declined",
}
_DATE_FORMAT: Final = "%Y-%m-%d %H:%M:%S"
"""UTC, which the files do not say."""
_SEPARATORS: Final = {"comma": ",", "tab": "\t"}


def transaction_report(books: Books, report_type: str, start: datetime, end: datetime, separator: str) -> str | None:
    """The file of a time, both ends in it; None where nothing came about or changed.

    Args:
        books: of whom.
        report_type: one of `COLUMNS`.
        start: of the time (UTC).
        end: of the time (UTC).
        separator: comma or tab.
    """
    kind = ReportType(report_type)
    rows = list(_captures(books, start, end) if kind is ReportType.CAPTURE else _refunds(books, start, end))
    if not rows:
        return None
    text = io.StringIO()
    writer = csv.writer(text, delimiter=_SEPARATORS[separator], quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS[kind])
    writer.writerows(rows)
    return text.getvalue()


def _captures(books: Books, start: datetime, end: datetime) -> Iterator[Sequence[str]]:
    for charge in books.charges.values():
        details = charge.status_details
        if not _is_in(charge.release_environment, details.state, details.last_updated_timestamp, start, end):
            continue
        metadata = charge.merchant_metadata
        yield (
            charge.charge_id,
            (metadata.merchant_reference_id if metadata is not None else None) or "",
            charge.charge_id,
            charge.charge_permission_id,
            *_amount(charge.capture_amount or charge.charge_amount),
            "",
            _STATES[ChargeState(details.state)],
            _written(details.last_updated_timestamp),
            details.reason_code or "",
            _written(charge.creation_timestamp),
        )


def _refunds(books: Books, start: datetime, end: datetime) -> Iterator[Sequence[str]]:
    for refund in books.refunds.values():
        details = refund.status_details
        if not _is_in(refund.release_environment, details.state, details.last_updated_timestamp, start, end):
            continue
        yield (
            refund.refund_id,
            "",
            refund.charge_id,
            books.charge(refund.charge_id).charge_permission_id,
            *_amount(refund.refund_amount),
            "",
            _STATES[RefundState(details.state)],
            _written(details.last_updated_timestamp),
            details.reason_code or "",
            _written(refund.creation_timestamp),
        )


def _is_in(environment: str | None, state: str, updated: datetime | None, start: datetime, end: datetime) -> bool:
    is_of_live = environment == ReleaseEnvironment.LIVE and state in _STATES
    return is_of_live and updated is not None and start <= updated.replace(microsecond=0) <= end


def _amount(price: Price) -> tuple[str, str]:
    return f"{price.amount:f}", str(price.currency_code)


def _written(instant: datetime | None) -> str:
    return instant.strftime(_DATE_FORMAT) if instant is not None else ""
