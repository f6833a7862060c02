"""A transaction of Amazon's held against what subscriptions told of it: the rules, without any database.

What is compared, by Amazon's own ids, and whoever told it:

- a captured charge with the period that it paid (`period.paid`): the same amount, however many captures it came in;
- a refund with the one that was told to be completed (`refund.completed`);
- a chargeback or claim with the dispute that was told of.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.ledger.settlements.amounts import decimal
from perennial_billing.ledger.settlements.lines import TAKEN_BACK, LineKind


class DifferenceKind(StrEnum):
    """What can differ between Amazon's settlements and the ledger."""

    NO_ENTRY = "no_entry"
    """Amazon took money under a charge permission of ours, and no entry says so."""
    UNASKED_REFUND = "unasked_refund"
    """Money went back that nobody of ours asked for."""
    UNKNOWN_DISPUTE = "unknown_dispute"
    """A charge was taken back, and no entry tells of a dispute."""
    FOREIGN = "foreign"
    """It is under a charge permission that no subscription here has."""
    NOT_SETTLED = "not_settled"
    """An entry that no settlement names, although it is old enough."""
    OTHER_AMOUNT = "other_amount"
    OTHER_CURRENCY = "other_currency"
    DOUBLED = "doubled"
    """Settlements name it more than once, and it happened once."""
    OTHER_ACCOUNT = "other_account"
    """It was settled to another account of the merchant's."""


WHAT_TO_DO: Final = {
    DifferenceKind.NO_ENTRY: (
        "look at the charge in Seller Central and at `perennial timeline`; refund it where nothing is paid by it, or "
        "count it with `perennial resolve`"
    ),
    DifferenceKind.UNASKED_REFUND: (
        "find out in Seller Central who gave it back, and see that Amazon's notifications arrive, which tell of it"
    ),
    DifferenceKind.UNKNOWN_DISPUTE: (
        "look at it in Seller Central while it may still be contested, and see that Amazon's notifications arrive"
    ),
    DifferenceKind.FOREIGN: (
        "find out in Seller Central whose it is; where this account takes other orders as well, reconcile with --shared"
    ),
    DifferenceKind.NOT_SETTLED: (
        "see whether a settlement is missing here; if not, ask Amazon Pay's support for it by its id"
    ),
    DifferenceKind.OTHER_AMOUNT: (
        "look at it in Seller Central, and correct your books, or have Amazon Pay's support correct the settlement"
    ),
    DifferenceKind.OTHER_CURRENCY: "look at it in Seller Central, and ask Amazon Pay's support why it was settled so",
    DifferenceKind.DOUBLED: (
        "see in Seller Central whether the buyer was charged twice; if not, ask Amazon Pay's support which is wrong"
    ),
    DifferenceKind.OTHER_ACCOUNT: (
        "see which account's keys the worker has, and move the money between the books of the two accounts"
    ),
}
"""What a person does next, by the kind of difference; in one sentence."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A line of a settlement, or of a transaction report, as far as it is compared.

    Attributes:
        settlement_id: Amazon's id of the settlement; None of a transaction report.
        merchant_account: the account that was settled.
        line: in its file.
    """

    settlement_id: str | None
    merchant_account: str
    line: int
    kind: LineKind
    transaction_id: str
    charge_permission_id: str | None
    posted_at: datetime
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry that names a transaction, as far as it is compared.

    Attributes:
        type: of the notice.
        at: when it happened (UTC).
    """

    type: NoticeType
    at: datetime
    charge_permission_id: str
    merchant_account: str
    charge_id: str | None
    refund_id: str | None
    dispute_id: str | None
    currency: str | None
    amount_minor: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        kind: which.
        transaction_id: Amazon's id of the charge, refund or dispute.
        charge_permission_id: whose; None where the line does not say.
        merchant_account: the account that was settled, or was to be.
        settlement_id: of the settlement that names it; None where none does.
        line: in that settlement's file.
        at: when it was posted, or told (UTC).
        settled: what the settlements say, as `9.99 USD`; None where they say nothing.
        recorded: what the entries say.
        why: in words.
    """

    kind: DifferenceKind
    transaction_id: str
    charge_permission_id: str | None
    merchant_account: str
    settlement_id: str | None
    line: int | None
    at: datetime
    settled: str | None
    recorded: str | None
    why: str

    @property
    def what_to_do(self) -> str:
        """What a person does next."""
        return WHAT_TO_DO[self.kind]


_TOLD_BY: Final = {LineKind.CAPTURE: NoticeType.PERIOD_PAID, LineKind.REFUND: NoticeType.REFUND_COMPLETED}
"""Of such a line, the entry that says the money moved."""

_DISPUTES: Final = frozenset({NoticeType.DISPUTE_OPENED, NoticeType.DISPUTE_CHANGED})
_UNTOLD: Final = {LineKind.CAPTURE: DifferenceKind.NO_ENTRY, LineKind.REFUND: DifferenceKind.UNASKED_REFUND}
_IN_WORDS: Final = {
    LineKind.CAPTURE: "Amazon captured it",
    LineKind.REFUND: "Amazon gave it back",
    LineKind.CHARGEBACK: "the buyer's bank took it back",
    LineKind.CLAIM: "Amazon gave it back under its A-to-z Guarantee",
    LineKind.DISPUTE: "it was taken for a dispute",
}


def differences(lines: Sequence[Settled], entries: Sequence[Recorded], *, is_ours: bool) -> Iterator[Difference]:
    """What differs about one transaction.

    Args:
        lines: of all settlements, those that name it.
        entries: those that name it, the oldest first.
        is_ours: whether a subscription of this ledger has the charge permission that the lines name.
    """
    for kind in (LineKind.CAPTURE, LineKind.REFUND):
        of_kind = [line for line in lines if line.kind is kind]
        if of_kind:
            yield from _of_moved(of_kind, entries, is_ours=is_ours)
    taken_back = [line for line in lines if line.kind in TAKEN_BACK]
    if taken_back:
        yield from _of_taken_back(taken_back, entries, is_ours=is_ours)


def not_settled(entry: Recorded) -> Difference:
    """An entry that no settlement names."""
    is_refund = entry.type is NoticeType.REFUND_COMPLETED
    what = f"{entry.type.value} was told, and no settlement names it"
    return Difference(
        kind=DifferenceKind.NOT_SETTLED,
        transaction_id=(entry.refund_id if is_refund else entry.charge_id) or "",
        charge_permission_id=entry.charge_permission_id,
        merchant_account=entry.merchant_account,
        settlement_id=None,
        line=None,
        at=entry.at,
        settled=None,
        recorded=_amount(entry),
        why=what,
    )


def amount(minor: int, currency: str) -> str:
    """An amount as people write it, below zero too: `-9.99 USD`."""
    return f"{decimal(minor, currency):f} {currency}"


def _of_moved(lines: Sequence[Settled], entries: Sequence[Recorded], *, is_ours: bool) -> Iterator[Difference]:
    """A charge or a refund: it was told with its amount."""
    kind = lines[0].kind
    told = [entry for entry in entries if entry.type is _TOLD_BY[kind] and entry.amount_minor is not None]
    if not told:
        yield _untold(lines, entries, _UNTOLD[kind], is_ours=is_ours)
        return
    entry = told[-1]
    yield from _of_account(lines, entry)
    if {line.currency for line in lines} != {entry.currency}:
        yield _difference(DifferenceKind.OTHER_CURRENCY, lines, entry, "it was settled in another currency")
        return
    sign = -1 if kind is LineKind.REFUND else 1
    moved, expected = [sign * line.amount_minor for line in lines], entry.amount_minor or 0
    if sum(moved) == expected:
        return
    if _is_doubled(moved, expected):
        yield _difference(DifferenceKind.DOUBLED, lines, entry, f"{len(lines)} lines name it: {_places(lines)}")
    else:
        yield _difference(DifferenceKind.OTHER_AMOUNT, lines, entry, "it was settled with another amount")


def _of_taken_back(lines: Sequence[Settled], entries: Sequence[Recorded], *, is_ours: bool) -> Iterator[Difference]:
    """A charge that was taken back. Where a dispute was won, it was given again, and the lines come to nothing."""
    told = [entry for entry in entries if entry.type in _DISPUTES]
    if not told:
        yield _untold(lines, entries, DifferenceKind.UNKNOWN_DISPUTE, is_ours=is_ours)
        return
    yield from _of_account(lines, told[-1])
    read = [entry for entry in told if entry.amount_minor is not None]
    if not read:
        return  # Amazon did not show its amount, and the dispute is told as such
    entry = read[-1]
    if {line.currency for line in lines} != {entry.currency}:
        yield _difference(DifferenceKind.OTHER_CURRENCY, lines, entry, "it was taken back in another currency")
        return
    moved, expected = [-line.amount_minor for line in lines], entry.amount_minor or 0
    if sum(moved) in {0, expected}:
        return
    if _is_doubled(moved, expected):
        yield _difference(DifferenceKind.DOUBLED, lines, entry, f"{len(lines)} lines name it: {_places(lines)}")
    else:
        yield _difference(DifferenceKind.OTHER_AMOUNT, lines, entry, "it was taken back with another amount")


def _is_doubled(moved: Sequence[int], expected: int) -> bool:
    """Whether it would be right if a line that is there more than once were there fewer times."""
    excess = sum(moved) - expected
    return any(
        times > 1 and each and excess % each == 0 and 0 < excess // each < times
        for each, times in Counter(moved).items()
    )


def _of_account(lines: Sequence[Settled], entry: Recorded) -> Iterator[Difference]:
    elsewhere = [line for line in lines if line.merchant_account != entry.merchant_account]
    if elsewhere:
        why = f"it is of account {entry.merchant_account}, and was settled to {elsewhere[0].merchant_account}"
        yield _difference(DifferenceKind.OTHER_ACCOUNT, elsewhere, entry, why)


def _untold(
    lines: Sequence[Settled], entries: Sequence[Recorded], kind: DifferenceKind, *, is_ours: bool
) -> Difference:
    what = _IN_WORDS[lines[0].kind]
    if entries:
        return _difference(kind, lines, None, f"{what}, and the last entry that names it is {entries[-1].type.value}")
    if is_ours:
        return _difference(kind, lines, None, f"{what}, and no entry names it")
    return _difference(DifferenceKind.FOREIGN, lines, None, f"{what}, under no charge permission of this ledger")


def _difference(kind: DifferenceKind, lines: Sequence[Settled], entry: Recorded | None, why: str) -> Difference:
    first = lines[-1]
    totals: Counter[str] = Counter()
    for line in lines:
        totals[line.currency] += line.amount_minor
    return Difference(
        kind=kind,
        transaction_id=first.transaction_id,
        charge_permission_id=entry.charge_permission_id if entry else first.charge_permission_id,
        merchant_account=first.merchant_account,
        settlement_id=first.settlement_id,
        line=first.line,
        at=first.posted_at,
        settled=" and ".join(amount(minor, currency) for currency, minor in totals.items()),
        recorded=_amount(entry) if entry else None,
        why=why,
    )


def _amount(entry: Recorded) -> str | None:
    if entry.amount_minor is None or entry.currency is None:
        return None
    return amount(entry.amount_minor, entry.currency)


def _places(lines: Sequence[Settled]) -> str:
    return ", ".join(f"line {line.line} of settlement {line.settlement_id}" for line in lines)
