"""Reading a settlement report: once to its end, to know that it is whole, and again line by line.

So a file of any length is gone through in the memory of one line, and nothing is made of one that turns out cut.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from perennial_billing.billing.money import MINOR_UNIT_DECIMALS
from perennial_billing.ledger.settlements.amounts import decimal, minor_units
from perennial_billing.ledger.settlements.flat_file import FlatFile, Row, plain
from perennial_billing.ledger.settlements.lines import HAS_ID, LineKind, SettlementFile, SettlementLine
from perennial_billing.ledger.settlements.refusals import ReportRefusedError, refusal
from perennial_billing.ledger.settlements.text import TextLines, lines_of

Progress = Callable[[int], None]
"""Is told how many lines were gone through since it was told last."""

TOLD_EVERY: Final = 1_000
"""Lines between two words to a `Progress`."""

LONGEST_ID: Final = 64
"""Characters; Amazon's ids have about 30."""

_NEEDED: Final = (
    "TransactionPostedDate",
    "SettlementId",
    "AmazonTransactionId",
    "TransactionType",
    "CurrencyCode",
    "TransactionAmount",
    "TotalTransactionFee",
    "NetTransactionAmount",
)
_WELCOME: Final = (
    "AmazonOrderReferenceId",
    "SellerReferenceId",
    "SellerOrderId",
    "TransactionPercentageFee",
    "TransactionFixedFee",
)
_SELLER: Final = "SellerId"
_START: Final = "SettlementStartDate"
_END: Final = "SettlementEndDate"

_KINDS: Final = {
    "capture": LineKind.CAPTURE,
    "refund": LineKind.REFUND,
    "chargeback": LineKind.CHARGEBACK,
    "atoz": LineKind.CLAIM,
    "atozguarantee": LineKind.CLAIM,
    "atozguaranteeclaim": LineKind.CLAIM,
    "guaranteeclaim": LineKind.CLAIM,
    "claim": LineKind.CLAIM,
    "dispute": LineKind.DISPUTE,
    "authorization": LineKind.AUTHORIZATION,
    "transfer": LineKind.TRANSFER,
}
"""By Amazon's word in plain letters: its pages spell them with and without hyphens and blanks."""

_NOWHERE: Final = -1
"""The place of a column that the file has not: a row ends with an empty cell for it."""

_SPACE_BEFORE_ZONE: Final = re.compile(r"\s+(?=[+-]\d{2}:?\d{2}$)")
_DATES: Final = "an instant with its zone is accepted, such as 2027-05-18T15:48:50-0000"


class SettlementReader:
    """A settlement report that is being gone through.

    Args:
        path: of the file.
        lines: of the file.

    Attributes:
        settlement_id: what the lines so far name.
        digest: of the lines so far.

    Raises:
        ReportRefusedError: its head is none of a settlement report's.
    """

    def __init__(self, path: Path, lines: TextLines) -> None:
        self._path = path
        self._file = FlatFile(path, lines, _NEEDED)
        of_columns = {name: index for index, name in enumerate(self._file.columns)}
        self._at = {name: of_columns.get(plain(name), _NOWHERE) for name in (*_NEEDED, *_WELCOME)}
        self.settlement_id = ""
        self.digest = hashlib.sha256()

    @property
    def merchant_id(self) -> str:
        """Who was settled."""
        return self._heading(_SELLER)

    @property
    def period(self) -> tuple[datetime, datetime]:
        """Start and end of the settlement (UTC)."""
        starts, ends = (self._instant(self._heading(name), name, None) for name in (_START, _END))
        if ends < starts:
            raise refusal(self._path, f"it is before {_START}", column=_END, value=self._heading(_END))
        return starts, ends

    def lines(self, progress: Progress | None = None) -> Iterator[SettlementLine]:
        """Its lines, in their order.

        Raises:
            ReportRefusedError: one says something that cannot be.
        """
        count = 0
        for line_number, cells in self._file.rows():
            line = self._line(Row(line_number, [*map(str.strip, cells), ""]))
            self.digest.update(_said(line).encode())
            count += 1
            if progress is not None and count % TOLD_EVERY == 0:
                progress(TOLD_EVERY)
            yield line
        if progress is not None:
            progress(count % TOLD_EVERY)

    def _heading(self, name: str) -> str:
        value = self._file.heading.get(plain(name), "")
        if not value:
            before = f"the lines before line {self._file.columns_line}, which names the columns, do not tell it"
            raise refusal(self._path, f"{before}; the report as it was downloaded is accepted", column=name)
        return value

    def _line(self, row: Row) -> SettlementLine:
        settlement_id = self._id(row, "SettlementId", needed=True) or ""
        if self.settlement_id and settlement_id != self.settlement_id:
            why = f"the lines before are of settlement {self.settlement_id}; one settlement a file is accepted"
            raise self._refusal(row, "SettlementId", why)
        self.settlement_id = settlement_id
        type_ = self._cell(row, "TransactionType")
        if not type_:
            raise self._refusal(row, "TransactionType", "a word of Amazon's is accepted, such as Capture")
        kind = _KINDS.get(plain(type_), LineKind.OTHER)
        currency = self._cell(row, "CurrencyCode")
        if currency not in MINOR_UNIT_DECIMALS:
            raise self._refusal(row, "CurrencyCode", f"{', '.join(MINOR_UNIT_DECIMALS)} are accepted")
        fee, net = (self._minor(row, name, currency) for name in ("TotalTransactionFee", "NetTransactionAmount"))
        has_amount = bool(self._cell(row, "TransactionAmount"))
        amount = self._minor(row, "TransactionAmount", currency) if has_amount else net - fee
        if amount + fee != net:
            why = "TransactionAmount and TotalTransactionFee do not add up to it; the report as downloaded is accepted"
            raise self._refusal(row, "NetTransactionAmount", why)
        return SettlementLine(
            line=row.line,
            kind=kind,
            type=type_[:LONGEST_ID],
            transaction_id=self._id(row, "AmazonTransactionId", needed=kind in HAS_ID),
            charge_permission_id=self._id(row, "AmazonOrderReferenceId"),
            merchant_reference=(self._cell(row, "SellerOrderId") or self._cell(row, "SellerReferenceId"))[:256] or None,
            posted_at=self._instant(self._cell(row, "TransactionPostedDate"), "TransactionPostedDate", row.line),
            currency=currency,
            amount_minor=amount,
            percentage_fee_minor=self._minor(row, "TransactionPercentageFee", currency),
            fixed_fee_minor=self._minor(row, "TransactionFixedFee", currency),
            fee_minor=fee,
            net_minor=net,
        )

    def _cell(self, row: Row, name: str) -> str:
        """What stands in a column; nothing where the file has none of that name."""
        return row.cells[self._at[name]]

    def _id(self, row: Row, name: str, *, needed: bool = False) -> str | None:
        value = self._cell(row, name)
        if (needed and not value) or len(value) > LONGEST_ID:
            raise self._refusal(row, name, f"an id of Amazon's of 1 to {LONGEST_ID} characters is accepted")
        return value or None

    def _minor(self, row: Row, name: str, currency: str) -> int:
        """An amount in minor units; nothing is zero."""
        cell = self._cell(row, name)
        if not cell:
            return 0
        units = minor_units(cell, currency)
        if units is None:
            decimals = MINOR_UNIT_DECIMALS[currency]
            example = "1990" if decimals == 0 else "19.90"
            why = f"a number is accepted with at most {decimals} decimals, as {currency} has, such as -{example}"
            raise self._refusal(row, name, why)
        return units

    def _instant(self, value: str, column: str, line: int | None) -> datetime:
        try:
            instant = datetime.fromisoformat(_SPACE_BEFORE_ZONE.sub("", value))
        except ValueError:
            raise refusal(self._path, _DATES, line=line, column=column, value=value) from None
        if instant.tzinfo is None:
            raise refusal(self._path, _DATES, line=line, column=column, value=value)
        return instant.astimezone(UTC)

    def _refusal(self, row: Row, column: str, why: str) -> ReportRefusedError:
        return refusal(self._path, why, line=row.line, column=column, value=self._cell(row, column))


@contextmanager
def reading_settlement(path: Path, encoding: str | None = None) -> Iterator[SettlementReader]:
    """Opens a settlement report.

    Raises:
        ReportRefusedError: it is none.
    """
    with lines_of(path, encoding) as lines:
        yield SettlementReader(path, lines)


def checked(
    path: Path,
    *,
    merchant_id: str | None = None,
    encoding: str | None = None,
    is_balanced: bool = True,
    progress: Progress | None = None,
) -> SettlementFile:
    """Reads a settlement report to its end.

    Args:
        path: of the file.
        merchant_id: Amazon's id of the account whose settlements are wanted; any when not given.
        encoding: of the file; what its byte order mark says, or UTF-8, when not given.
        is_balanced: what it pays out is to be what its lines come to, as in every report that was seen so far; a file
            that was cut between two lines is known by that. Amazon documents no total.
        progress: is told of the lines that were gone through.

    Raises:
        ReportRefusedError: it is none, is cut, or is another account's; with line, column, value, what is accepted.
    """
    count, balance, paid_out = 0, Counter[str](), set[str]()
    with lines_of(path, encoding) as text:
        reader = SettlementReader(path, text)
        starts_at, ends_at = reader.period
        if merchant_id is not None and reader.merchant_id != merchant_id:
            why = f"the settlements of {merchant_id} are accepted here; is it another account's?"
            raise refusal(path, why, column=_SELLER, value=reader.merchant_id)
        for line in reader.lines(progress):
            count += 1
            balance[line.currency] += line.net_minor
            if line.kind is LineKind.TRANSFER:
                paid_out.add(line.currency)
        if not count:
            raise refusal(path, "it has no lines; a settlement of something is accepted")
        last, is_open = text.number, text.ends_within_a_line
    if is_balanced:
        _check_balance(path, balance, paid_out, last)
    elif is_open:
        raise refusal(path, "it is the last one, and has no end: the file was cut; download it again", line=last)
    return SettlementFile(
        path=path,
        encoding=encoding,
        merchant_id=reader.merchant_id,
        settlement_id=reader.settlement_id,
        starts_at=starts_at,
        ends_at=ends_at,
        lines=count,
        digest=reader.digest.hexdigest(),
        balance_minor=dict(balance),
    )


def _check_balance(path: Path, balance: Mapping[str, int], paid_out: set[str], last: int) -> None:
    """Refuses what is not paid out as the lines come to. A balance below zero is not transferred, but carried over."""
    for currency, left in balance.items():
        if left > 0 or (left and currency in paid_out):
            amount = decimal(left, currency)
            what = "more than" if left > 0 else "less than"
            why = (
                f"up to here its lines come to {abs(amount)} {currency} {what} is transferred: the file was cut, or "
                "changed; download it again, or take it with --unbalanced if that is how Amazon made it"
            )
            raise refusal(path, why, line=last)


def _said(line: SettlementLine) -> str:
    """What a line says, in one form for all files."""
    return "\x1f".join(
        (
            line.type,
            line.transaction_id or "",
            line.charge_permission_id or "",
            line.posted_at.isoformat(),
            line.currency,
            str(line.amount_minor),
            str(line.percentage_fee_minor),
            str(line.fixed_fee_minor),
            str(line.fee_minor),
            "\n",
        )
    )
