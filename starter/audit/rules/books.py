"""What must hold within the ledger, and between it and what a subscription shows of itself."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.starter.audit.case import Case

TOLD_FOR: Final = timedelta(days=30)
"""For so long a notice that was given up is a finding: later nobody can send it again any more."""

_NEXT_ONES: Final = 2
"""Before a subscription goes on under another charge permission, it tells of that and of its end."""


def no_number_is_missing(case: Case) -> Iterator[str]:
    """What a subscription told is numbered without gaps, from 1, or on from the charge permission before."""
    if case.record is None or not case.record.entries:
        return
    own = {entry.number for entry in case.record.entries}
    before = case.record.predecessor
    first = min([before.replaced_at_number + _NEXT_ONES, *own]) if before is not None else 1
    last = max(own)
    if case.subscription is not None and not case.is_busy:
        last = max(last, case.subscription.notices_told - case.subscription.notices_waiting)
    missing = [number for number in range(first, last + 1) if number not in own]
    if missing:
        yield f"the ledger lacks what the subscription told as {_in_short(missing)}"


def the_ledger_knows_no_more(case: Case) -> Iterator[str]:
    """What a subscription has told, it knows itself; else its workflow was set back to an earlier moment."""
    view = case.subscription
    if view is None or view.has_ended or case.is_busy or case.record is None:
        return
    told = max((entry.number for entry in case.record.entries), default=0)
    if view.ledger_told is not None or told > view.notices_told:
        yield f"the ledger knows {max(told, view.ledger_told or 0)} notices of it, its workflow {view.notices_told}"


def _in_short(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - 3} more" if len(numbers) > 3 else ""  # noqa: PLR2004 - enough to look for the rest
    return f"number {', '.join(map(str, numbers[:3]))}{more}"


def every_row_is_made_of_its_entries(case: Case) -> Iterator[str]:
    """The ledger's row of a subscription is what its entries make of it."""
    for each in case.record.differences if case.record is not None else ():
        if each.column:
            yield f"the row's {each.column} is {each.stood}, and its entries make it {each.expected}"
        elif each.expected is not None:
            yield "it has told something, and has no row"
        else:
            yield "it has a row, and has told nothing"


def every_notice_is_delivered(case: Case) -> Iterator[str]:
    """The merchant's endpoint takes each notice in the end; what was given up lately is told."""
    for each in case.record.given_up if case.record is not None else ():
        if case.now - each.at <= TOLD_FOR:
            why = f" ({each.trouble})" if each.trouble else ""
            yield f"notice {each.number} was not delivered; it was last tried at {each.at:%Y-%m-%d %H:%M} UTC{why}"


def every_paid_period_is_recorded(case: Case) -> Iterator[str]:
    """What a subscription shows as paid is in the ledger, with the same charge and amount."""
    if case.subscription is None or case.record is None or case.subscription.notices_waiting or case.is_busy:
        return
    paid = {(each.period, each.charge_id): each.amount for each in case.account.paid}
    before = case.record.predecessor.periods if case.record.predecessor is not None else frozenset()
    reaches_back = min((entry.at for entry in case.record.entries), default=case.now)
    for record in case.subscription.ledger:
        key = (record.period, record.charge_id)
        if record.outcome is not PeriodOutcome.PAID or key in before or record.settled_at < reaches_back:
            continue
        if key not in paid:
            yield f"period {record.period} is paid, and the ledger has no charge {record.charge_id} for it"
        elif paid[key] != record.amount:
            yield f"period {record.period}: {record.amount} by the subscription, {paid[key]} by the ledger"
