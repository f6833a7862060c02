"""Transaction reports: each capture or refund on a line, the day after it happened and not only once it is paid out.

They are held against entries as settlements are, and not kept: they have no fees, and a settlement says it all again.
What stands in them of the buyer is not read.

Source: Amazon Pay, "transaction report details", which does not list the columns. Those of captures are as merchants'
published readers of Amazon's files have them. Those of refunds are an assumption by their likeness, after the fields of
the refund in the API of that time. A file without them is refused by the names that it lacks.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from perennial_billing.billing.money import MINOR_UNIT_DECIMALS
from perennial_billing.ledger.settlements.amounts import minor_units
from perennial_billing.ledger.settlements.flat_file import MOST_BEFORE_THE_COLUMNS, FlatFile, cells_of, plain
from perennial_billing.ledger.settlements.lines import LineKind
from perennial_billing.ledger.settlements.matching import Settled
from perennial_billing.ledger.settlements.parsing import LONGEST_ID, TOLD_EVERY, Progress
from perennial_billing.ledger.settlements.refusals import refusal
from perennial_billing.ledger.settlements.text import lines_of


class Form(NamedTuple):
    """What such a report is about, and its columns.

    Attributes:
        kind: of its lines.
        id: the column of Amazon's id, which no other report has.
        amount: the column of the amount, which is without a sign.
        status: the column of the state.
        sign: of what a settlement says of it.
    """

    kind: LineKind
    id: str
    amount: str
    status: str
    sign: int


REFUNDS: Final = Form(LineKind.REFUND, "AmazonRefundId", "RefundAmount", "RefundStatus", -1)
CAPTURES: Final = Form(LineKind.CAPTURE, "AmazonCaptureId", "CaptureAmount", "CaptureStatus", 1)

_CURRENCY: Final = "CurrencyCode"
_PERMISSION: Final = "AmazonOrderReferenceId"
_UPDATED: Final = "LastUpdateTimestamp"

_MOVED: Final = frozenset({"completed", "closed", "captured", "refunded"})
_NOT_MOVED: Final = frozenset(
    {"pending", "declined", "canceled", "cancelled", "open", "captureinitiated", "refundinitiated"}
)
"""States, in plain letters: those of the API of that time ("capture states", "refund states") and of today's."""


def form_of(path: Path, encoding: str | None = None) -> Form | None:
    """Which transaction report a file is; None for what is not one, such as a settlement report.

    Raises:
        ReportRefusedError: it cannot be read.
    """
    with lines_of(path, encoding) as lines:
        for line in lines:
            names = set(map(plain, cells_of(line)))
            for form in (REFUNDS, CAPTURES):  # a refund may name its capture as well
                if plain(form.id) in names:
                    return form
            if lines.number == MOST_BEFORE_THE_COLUMNS:
                break
    return None


def transactions_in(
    path: Path, form: Form, account: str, encoding: str | None = None, progress: Progress | None = None
) -> Iterator[Settled]:
    """What a transaction report says has moved; what is pending or was declined is left out.

    Args:
        path: of the file.
        form: which of the reports it is.
        account: the short name of the account whose report it is.
        encoding: of the file; what its byte order mark says, or UTF-8, when not given.
        progress: is told of the lines that were gone through.

    Raises:
        ReportRefusedError: a line says something that cannot be, or the file is cut.
    """
    with lines_of(path, encoding) as text:
        needed = (form.id, form.amount, form.status, _CURRENCY, _PERMISSION, _UPDATED)
        file = FlatFile(path, text, needed, known_by=form.id)
        at = {name: file.columns.index(plain(name)) for name in needed}
        for number, row in enumerate(file.rows(), start=1):
            cell = {name: row.cells[index].strip() for name, index in at.items()}
            if progress is not None and number % TOLD_EVERY == 0:
                progress(TOLD_EVERY)
            state = plain(cell[form.status])
            if state in _NOT_MOVED:
                continue
            if state not in _MOVED:
                why = f"{', '.join(sorted(_MOVED | _NOT_MOVED))} are accepted"
                raise refusal(path, why, line=row.line, column=form.status, value=cell[form.status])
            if not 0 < len(cell[form.id]) <= LONGEST_ID:
                why = f"an id of Amazon's of 1 to {LONGEST_ID} characters is accepted"
                raise refusal(path, why, line=row.line, column=form.id, value=cell[form.id])
            currency = cell[_CURRENCY]
            if currency not in MINOR_UNIT_DECIMALS:
                why = f"{', '.join(MINOR_UNIT_DECIMALS)} are accepted"
                raise refusal(path, why, line=row.line, column=_CURRENCY, value=currency)
            minor = minor_units(cell[form.amount], currency)
            if minor is None:
                why = f"a number is accepted with at most {MINOR_UNIT_DECIMALS[currency]} decimals"
                raise refusal(path, why, line=row.line, column=form.amount, value=cell[form.amount])
            yield Settled(
                settlement_id=None,
                merchant_account=account,
                line=row.line,
                kind=form.kind,
                transaction_id=cell[form.id],
                charge_permission_id=cell[_PERMISSION] or None,
                posted_at=_instant(path, row.line, cell[_UPDATED]),
                currency=currency,
                amount_minor=form.sign * abs(minor),
            )


def _instant(path: Path, line: int, value: str) -> datetime:
    """When; what has no zone is taken for UTC, as published readers do."""
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        why = "an instant is accepted, such as 2027-05-18 15:48:50"
        raise refusal(path, why, line=line, column=_UPDATED, value=value) from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
