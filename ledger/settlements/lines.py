"""What a settlement report says, typed: its heading's settlement, and its lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path


class LineKind(StrEnum):
    """What a line is about. Amazon's own word stands beside it."""

    CAPTURE = "capture"
    """A charge was captured."""
    REFUND = "refund"
    """A refund was paid."""
    CHARGEBACK = "chargeback"
    """The buyer's bank took a charge back."""
    CLAIM = "claim"
    """The buyer was given a charge back under Amazon's A-to-z Guarantee."""
    DISPUTE = "dispute"
    """A dispute was opened, or decided."""
    AUTHORIZATION = "authorization"
    """A fee for what was authorized and not captured."""
    TRANSFER = "transfer"
    """What goes to the merchant's bank account."""
    OTHER = "other"
    """Adjustments, debts, reserves, and whatever Amazon thinks of next."""


TAKEN_BACK = frozenset({LineKind.CHARGEBACK, LineKind.CLAIM, LineKind.DISPUTE})
"""Kinds of lines that a dispute brings about."""

HAS_ID = TAKEN_BACK | {LineKind.CAPTURE, LineKind.REFUND}
"""Kinds of lines that are held against entries; each names its transaction ("settlement report details")."""


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One line. Amounts are in the currency's minor units: below zero where the merchant pays.

    Attributes:
        line: in the file, counted from 1.
        kind: what it is about.
        type: Amazon's word for that.
        transaction_id: the charge's, refund's or dispute's; None where the line is about none.
        charge_permission_id: whose charge it is about, as far as the line says so.
        merchant_reference: the merchant's own, as far.
        posted_at: when it was credited or debited (UTC).
        currency: of all its amounts.
        amount_minor: what was moved.
        percentage_fee_minor: Amazon's fee, the part that grows with the amount.
        fixed_fee_minor: the part that does not.
        fee_minor: all fees.
        net_minor: what the merchant's balance changed by: amount and fees together.
    """

    line: int
    kind: LineKind
    type: str
    transaction_id: str | None
    charge_permission_id: str | None
    merchant_reference: str | None
    posted_at: datetime
    currency: str
    amount_minor: int
    percentage_fee_minor: int
    fixed_fee_minor: int
    fee_minor: int
    net_minor: int


@dataclass(frozen=True, slots=True)
class SettlementFile:
    """A settlement report that was read to its end, and is whole.

    Attributes:
        path: of its file.
        encoding: as it was named; None where the file says it.
        merchant_id: Amazon's id of whoever was settled (SellerId).
        settlement_id: Amazon's.
        starts_at: of the settlement (UTC).
        ends_at: of the settlement (UTC).
        lines: how many.
        digest: of what its lines say, in whichever form the file has them.
        balance_minor: by currency, what all lines add up to.
    """

    path: Path
    encoding: str | None
    merchant_id: str
    settlement_id: str
    starts_at: datetime
    ends_at: datetime
    lines: int
    digest: str
    balance_minor: Mapping[str, int]
