"""Settlements: what the books say was paid to a merchant, and the flat file that tells it.

Source of the columns and of what stands in them: Amazon Pay, "settlement report details" and "getting started with
reports". How the file is written is not on those pages: here as merchants' published readers of Amazon's own files
expect it, every value quoted and separated by commas, fees below zero, and the payout to the bank as a `Transfer` at
the end. How many lines stand before the names of the columns is documented nowhere: look for their first name.

Not simulated: reserves, debts, A-to-z claims, what a dispute that was won brings back, and a chargeback's own fee.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from amazon_pay_client.models import ChargeState, Currency, Price
from amazon_pay_client.models.refunds import RefundState
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.books import Books
from amazon_pay_simulator.objects import Charge
from amazon_pay_simulator.report_objects import MistakeKind, SettlementMistake

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

_DATE_FORMAT: Final = "%Y-%m-%dT%H:%M:%S+0000"
"""ISO 8601 with a numeric zone, as on the page; always UTC here."""
_SEPARATORS: Final = {"comma": ",", "tab": "\t"}
SOMEBODY_ELSE: Final = "P01-9999999-9999999"
"""An order that the simulator never makes: its own are counted from 1."""

_NOTHING: Final = Decimal(0)
_COMMON_DECIMALS: Final = 2
"""Of a currency that is not known."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction of a settlement.

    Attributes:
        posted: when it was credited or debited (UTC, whole seconds).
        transaction_id: the charge's, refund's or dispute's.
        kind: Amazon's word for it.
        charge: what it is about; a payout is about none.
        amount: in the currency; below zero where the merchant pays.
        percentage_fee: below zero where Amazon takes it, above where it is given back.
        fixed_fee: likewise.
    """

    posted: datetime
    transaction_id: str
    kind: str
    charge: Charge | None
    currency: Currency | str
    amount: Decimal
    percentage_fee: Decimal = _NOTHING
    fixed_fee: Decimal = _NOTHING

    @property
    def fee(self) -> Decimal:
        """Both fees."""
        return self.percentage_fee + self.fixed_fee

    @property
    def net(self) -> Decimal:
        """What the merchant's balance changes by."""
        return self.amount + self.fee


class Heading(NamedTuple):
    """What a settlement's file says of the whole."""

    seller_id: str
    settlement_id: str
    start: datetime
    end: datetime


def transactions_in(books: Books, release_environment: str, assumptions: Assumptions) -> list[Transaction]:
    """Everything that moves money: captures, refunds that were paid, chargebacks, by when they were posted."""
    found = [
        *_captures(books, release_environment, assumptions),
        *_refunds(books, release_environment, assumptions),
        *_chargebacks(books, release_environment),
    ]
    return sorted(found, key=lambda transaction: (transaction.posted, transaction.transaction_id))


def with_mistakes(
    transactions: Iterable[Transaction], mistakes: Mapping[str, SettlementMistake]
) -> Iterator[Transaction]:
    """The transactions as a settlement with mistakes has them. Fees stay as they were."""
    for transaction in transactions:
        mistake = mistakes.get(transaction.transaction_id)
        match mistake.kind if mistake is not None else None:
            case MistakeKind.MISSING:
                continue
            case MistakeKind.DOUBLED:
                yield transaction
            case MistakeKind.FOREIGN:
                yield _of_somebody_else(transaction)
        yield _told(transaction, mistake) if mistake is not None else transaction


def _told(transaction: Transaction, mistake: SettlementMistake) -> Transaction:
    """As it is told instead: with another amount or in another currency, if that is the mistake."""
    if mistake.amount is not None:
        told = _rounded(mistake.amount, transaction.currency)
        return replace(transaction, amount=told if transaction.amount >= 0 else -told)
    if mistake.currency is not None:
        return replace(
            transaction,
            currency=mistake.currency,
            amount=_rounded(transaction.amount, mistake.currency),
            percentage_fee=_rounded(transaction.percentage_fee, mistake.currency),
            fixed_fee=_rounded(transaction.fixed_fee, mistake.currency),
        )
    return transaction


def _of_somebody_else(transaction: Transaction) -> Transaction:
    """Another like it, under an order that is in no books here."""
    charge = transaction.charge
    suffix = transaction.transaction_id.rpartition("-")[2]
    return replace(
        transaction,
        transaction_id=f"{SOMEBODY_ELSE}-{suffix}",
        charge=charge.model_copy(update={"charge_permission_id": SOMEBODY_ELSE, "merchant_metadata": None})
        if charge is not None
        else None,
    )


def with_payout(transactions: Sequence[Transaction], at: datetime) -> list[Transaction]:
    """The transactions, and for each currency what is transferred to the bank: then they add up to nothing.

    A balance below zero is not transferred: Amazon charges it to the merchant's own card.
    """
    totals: dict[Currency | str, Decimal] = {}
    for transaction in transactions:
        totals[transaction.currency] = totals.get(transaction.currency, _NOTHING) + transaction.net
    payouts = [
        Transaction(at, "", "Transfer", None, currency, -total) for currency, total in totals.items() if total > 0
    ]
    return [*transactions, *payouts]


def flat_file(heading: Heading, transactions: Iterable[Transaction], books: Books, separator: str) -> str:
    """The file, its lines ended by CR and LF."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=_SEPARATORS[separator], quoting=csv.QUOTE_ALL)
    writer.writerow(("SellerId", heading.seller_id))
    writer.writerow(("SettlementStartDate", heading.start.strftime(_DATE_FORMAT)))
    writer.writerow(("SettlementEndDate", heading.end.strftime(_DATE_FORMAT)))
    writer.writerow(COLUMNS)
    writer.writerows(_row(heading.settlement_id, transaction, books) for transaction in transactions)
    return text.getvalue()


def _row(settlement_id: str, transaction: Transaction, books: Books) -> Sequence[str]:
    charge = transaction.charge
    of_charge = charge.merchant_metadata if charge is not None else None
    permission = books.permissions.get(charge.charge_permission_id) if charge is not None else None
    of_order = (permission.merchant_metadata if permission is not None else None) or of_charge
    amounts = (
        transaction.amount,
        transaction.percentage_fee,
        transaction.fixed_fee,
        transaction.fee,
        transaction.net,
    )
    return (
        transaction.posted.strftime(_DATE_FORMAT),
        settlement_id,
        transaction.transaction_id,
        (of_charge.merchant_reference_id if of_charge is not None else None) or "",
        transaction.kind,
        charge.charge_permission_id if charge is not None else "",
        (of_order.merchant_reference_id if of_order is not None else None) or "",
        (of_order.merchant_store_name if of_order is not None else None) or "",
        transaction.currency,
        (charge.soft_descriptor if charge is not None else None) or "",
        *(f"{_rounded(amount, transaction.currency):f}" for amount in amounts),
    )


def _captures(books: Books, release_environment: str, assumptions: Assumptions) -> Iterator[Transaction]:
    for charge in books.charges.values():
        details, captured = charge.status_details, charge.capture_amount
        if charge.release_environment != release_environment or details.state != ChargeState.CAPTURED:
            continue
        if captured is None or details.last_updated_timestamp is None:
            continue  # nothing was captured that a settlement could pay
        currency = captured.currency_code
        yield Transaction(
            details.last_updated_timestamp.replace(microsecond=0),
            charge.charge_id,
            "Capture",
            charge,
            currency,
            captured.amount,
            -_share(captured, assumptions.settlement_fee_percent),
            -_rounded(assumptions.settlement_fee_fixed, currency),
        )


def _refunds(books: Books, release_environment: str, assumptions: Assumptions) -> Iterator[Transaction]:
    for refund in books.refunds.values():
        details, amount = refund.status_details, refund.refund_amount
        if refund.release_environment != release_environment or details.state != RefundState.REFUNDED:
            continue
        if details.last_updated_timestamp is None:
            continue  # it was not paid
        given_back = assumptions.settlement_fee_percent if assumptions.settlement_fee_returned else _NOTHING
        yield Transaction(
            details.last_updated_timestamp.replace(microsecond=0),
            refund.refund_id,
            "Refund",
            books.charge(refund.charge_id),
            amount.currency_code,
            -amount.amount,
            _share(amount, given_back),
        )


def _chargebacks(books: Books, release_environment: str) -> Iterator[Transaction]:
    for dispute in books.disputes.values():
        filed, amount = dispute.creation_timestamp, dispute.dispute_amount
        if dispute.release_environment != release_environment or filed is None or amount is None:
            continue
        yield Transaction(
            filed.replace(microsecond=0),
            dispute.dispute_id,
            "Chargeback",
            books.charge(dispute.charge_id),
            amount.currency_code,
            -amount.amount,
        )


def _share(price: Price, percent: Decimal) -> Decimal:
    return _rounded(price.amount * percent / 100, price.currency_code)


def _rounded(amount: Decimal, currency: Currency | str) -> Decimal:
    """In the currency's minor unit, a half away from zero."""
    decimals = currency.decimals if isinstance(currency, Currency) else _COMMON_DECIMALS
    return amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP) + _NOTHING  # never minus zero
