"""What `perennial reconcile` found, as people and machines read it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple

from perennial_billing.starter.cli.output import say
from perennial_billing.starter.cli.tables import Column, Sheet

if TYPE_CHECKING:
    from perennial_billing.ledger.settlements.lines import SettlementFile
    from perennial_billing.ledger.settlements.matching import Difference
    from perennial_billing.ledger.settlements.reading import Sums

_SUMS = (
    Column("Settlement"),
    Column("From (UTC)", rank=2),
    Column("To (UTC)", rank=1),
    Column("Charged", justify="right"),
    Column("Refunded", justify="right"),
    Column("Taken back", rank=1, justify="right"),
    Column("Fees", justify="right"),
    Column("Other", rank=3, justify="right"),
    Column("Paid out", justify="right"),
)
_DIFFERENCES = (
    Column("Amazon's id"),
    Column("What"),
    Column("Settled", justify="right"),
    Column("Recorded", justify="right"),
    Column("Charge permission", rank=3),
    Column("Why, and what to do", is_prose=True),
)


class Found(NamedTuple):
    """What the settlements come to, and in what they differ from the ledger.

    Attributes:
        transactions: that were compared.
        foreign: of them, those that are not of this ledger, where the account is shared.
    """

    sums: "Sequence[Sums]" = ()
    differences: "Sequence[Difference]" = ()
    transactions: int = 0
    foreign: int = 0

    def and_also(self, other: "Found") -> "Found":
        """Both."""
        return Found(
            (*self.sums, *other.sums),
            (*self.differences, *other.differences),
            self.transactions + other.transactions,
            self.foreign + other.foreign,
        )


class Taken(NamedTuple):
    """A settlement, and whether it was taken only now."""

    file: "SettlementFile"
    is_new: bool


def tell(taken: Sequence[Taken], found: Found, *, as_json: bool) -> None:
    data = {
        "taken": [
            {
                "settlement_id": each.file.settlement_id,
                "file": each.file.path.name,
                "lines": each.file.lines,
                "is_new": each.is_new,
            }
            for each in taken
        ],
        "settlements": [_as_data(each) for each in found.sums],
        "transactions": found.transactions,
        "foreign": found.foreign,
        "differences": [
            {**asdict(each), "at": each.at.isoformat(), "what_to_do": each.what_to_do} for each in found.differences
        ],
    }
    known = [each.file.settlement_id for each in taken if not each.is_new]
    say(
        data,
        *([f"taken before, and not again: {', '.join(known)}"] if known else []),
        *([sums_sheet(found.sums)] if found.sums else []),
        *([differences_sheet(found.differences)] if found.differences else []),
        f"{numbered(found.transactions, 'transaction')} compared{_of_others(found.foreign)}; "
        f"{numbered(len(found.differences), 'difference') if found.differences else 'both sides agree'}",
        as_json=as_json,
    )


def sums_sheet(sums: "Sequence[Sums]") -> Sheet:
    """A line for each settlement and currency."""
    return Sheet(
        _SUMS,
        [
            (each.settlement_id, f"{each.starts_at:%Y-%m-%d}", f"{each.ends_at:%Y-%m-%d}", *_amounts(each).values())
            for each in sums
        ],
    )


def differences_sheet(differences: "Sequence[Difference]") -> Sheet:
    """A line for each difference."""
    return Sheet(
        _DIFFERENCES,
        [
            (
                each.transaction_id,
                each.kind.value,
                each.settled or "-",
                each.recorded or "-",
                each.charge_permission_id or "-",
                f"{each.why}; {each.what_to_do}",
            )
            for each in differences
        ],
    )


def _amounts(sums: "Sums") -> dict[str, str]:
    """The figures as people write them, by their names."""
    from perennial_billing.ledger.settlements.matching import amount

    figures = {
        "charged": sums.charged_minor,
        "refunded": sums.refunded_minor,
        "taken_back": sums.taken_back_minor,
        "fees": sums.fees_minor,
        "other": sums.other_minor,
        "paid_out": sums.paid_out_minor,
    }
    return {name: amount(minor, sums.currency) for name, minor in figures.items()}


def _as_data(sums: "Sums") -> dict[str, str]:
    return {
        "merchant_account": sums.merchant_account,
        "settlement_id": sums.settlement_id,
        "starts_at": sums.starts_at.isoformat(),
        "ends_at": sums.ends_at.isoformat(),
        "currency": sums.currency,
        **_amounts(sums),
    }


def _of_others(foreign: int) -> str:
    return f", {foreign} of them of other orders of this account" if foreign else ""


def numbered(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
