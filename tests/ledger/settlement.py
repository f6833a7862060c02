"""Settlement reports as Amazon writes them, made by hand."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from perennial_billing.billing.money import MINOR_UNIT_DECIMALS

COLUMNS: Final = (
    "TransactionPostedDate",
    "SettlementId",
    "AmazonTransactionId",
    "SellerReferenceId",
    "TransactionType",
    "AmazonOrderReferenceId",
    "SellerOrderId",
    "StoreName",
    "CurrencyCode",
    "TransactionDescription",
    "TransactionAmount",
    "TransactionPercentageFee",
    "TransactionFixedFee",
    "TotalTransactionFee",
    "NetTransactionAmount",
)


@dataclass(frozen=True)
class Line:
    """One line; fees are what Amazon takes, below zero."""

    kind: str
    transaction_id: str
    amount: str
    fee: str = "0"
    currency: str = "EUR"
    permission: str = "C01-2702031-0000001"
    posted: str = "2027-03-04T09:15:30+0000"
    reference: str = "order-7"

    @property
    def net(self) -> Decimal:
        return Decimal(self.amount) + Decimal(self.fee)

    def cells(self, settlement_id: str) -> dict[str, str]:
        unit = Decimal(1).scaleb(-MINOR_UNIT_DECIMALS.get(self.currency, 2))
        amount, fee, net = (str(Decimal(each).quantize(unit)) for each in (self.amount, self.fee, self.net))
        return {
            "TransactionPostedDate": self.posted,
            "SettlementId": settlement_id,
            "AmazonTransactionId": self.transaction_id,
            "TransactionType": self.kind,
            "AmazonOrderReferenceId": self.permission,
            "SellerOrderId": self.reference,
            "StoreName": "Tee & Co",
            "CurrencyCode": self.currency,
            "TransactionAmount": amount,
            "TransactionPercentageFee": fee,
            "TransactionFixedFee": str(Decimal(0).quantize(unit)),
            "TotalTransactionFee": fee,
            "NetTransactionAmount": net,
        }


def transfer(*lines: Line) -> list[Line]:
    """What is paid out of some lines, by currency."""
    totals: dict[str, Decimal] = {}
    for line in lines:
        totals[line.currency] = totals.get(line.currency, Decimal(0)) + line.net
    return [
        Line("Transfer", "", str(-total), currency=currency, permission="", reference="")
        for currency, total in totals.items()
        if total > 0
    ]


@dataclass(frozen=True)
class Report:
    """A file: by default of March 2027, of one merchant, with everything paid out."""

    lines: Sequence[Line]
    settlement_id: str = "5044561311"
    seller: str = "A1SIMULATOR"
    starts: str = "2027-03-01T00:00:00+0000"
    ends: str = "2027-03-31T23:59:59+0000"
    columns: Sequence[str] = COLUMNS
    separator: str = ","
    is_paid_out: bool = True

    def text(self) -> str:
        written = io.StringIO()
        writer = csv.writer(written, delimiter=self.separator, quoting=csv.QUOTE_ALL)
        writer.writerow(("SellerId", self.seller))
        writer.writerow(("SettlementStartDate", self.starts))
        writer.writerow(("SettlementEndDate", self.ends))
        writer.writerow(self.columns)
        lines = [*self.lines, *(transfer(*self.lines) if self.is_paid_out else ())]
        for line in lines:
            cells = line.cells(self.settlement_id)
            writer.writerow([cells.get(column, "") for column in self.columns])
        return written.getvalue()

    def write(self, path: Path, encoding: str = "utf-8") -> Path:
        path.write_bytes(self.text().encode(encoding))
        return path

    def but(self, **changes: Any) -> "Report":
        return replace(self, **changes)


CAPTURE: Final = Line("Capture", "S01-2702031-0000001-C000001", "14.90", "-0.73")
REFUND: Final = Line("Refund", "S01-2702031-0000001-R000001", "-5.00", "0.15")
REPORT: Final = Report([CAPTURE, REFUND])
