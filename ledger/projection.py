"""One row a subscription, made of its entries: a fold, so that it can be made of them again."""

from collections.abc import Collection, Iterable
from typing import Final

from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.summary import Summary
from perennial_billing.ledger.entries import Row, minor

_ADDED_TO: Final = {
    NoticeType.PERIOD_PAID.value: "charged_minor",
    NoticeType.REFUND_COMPLETED.value: "refunded_minor",
    NoticeType.PERIOD_WRITTEN_OFF.value: "written_off_minor",
}
"""The column that the amount of such an entry is added to."""

_COUNTED_IN: Final = {
    NoticeType.PERIOD_PAID.value: "periods_paid",
    NoticeType.DISPUTE_OPENED.value: "disputes",
}


_NAMES_IT: Final = ("period", "charge_id", "refund_id", "dispute_id")
"""What tells one thing that happened from another of its kind: with any of them, the same facts are the same thing."""


def folded(row: Row | None, entries: Iterable[Row], counted: Collection[str] = ()) -> Row:
    """The row after more entries.

    What a task of a workflow told that was lost may be told again under another number; it is counted once.

    Args:
        row: as it was; None for a subscription that nothing is known of yet.
        entries: of one subscription, none of which was folded in before, in the order in which they were recorded.
        counted: digests of entries before that may be told again here.
    """
    known = set(counted)
    for entry in entries:
        is_named = any(entry[name] is not None for name in _NAMES_IT)
        row = _after(row or _empty(entry), entry, is_news=not is_named or entry["digest"] not in known)
        known.add(entry["digest"])
    if row is None:
        raise ValueError("there is no entry, and so no subscription")
    return row


def _empty(entry: Row) -> Row:
    return {
        "charge_permission_id": entry["charge_permission_id"],
        "price_minor": None,
        "currency": None,
        "interval_unit": None,
        "interval_count": None,
        "quantity": None,
        "began_at": None,
        "status": None,
        "past_due_since": None,
        "needs_attention": False,
        "last_reason": None,
        "next_action": None,
        "next_action_at": None,
        "next_charge_at": None,
        "ended_at": None,
        "successor": None,
        **dict.fromkeys((*_ADDED_TO.values(), *_COUNTED_IN.values(), "told"), 0),
    }


def _after(row: Row, entry: Row, *, is_news: bool) -> Row:
    after = row | {name: entry[name] for name in ("merchant_account", "merchant_reference", "plan_id")}
    after["as_of"] = max(row.get("as_of") or entry["at"], entry["at"])
    if is_news and (column := _ADDED_TO.get(entry["type"])):
        after[column] += entry["amount_minor"] or 0
    if is_news and (column := _COUNTED_IN.get(entry["type"])):
        after[column] += 1
    after["told"] = max(row["told"], entry["number"])
    if entry["summary"] is not None:
        after |= _columns(Summary.model_validate(entry["summary"]))
    return after


def _columns(summary: Summary) -> Row:
    """A summary as columns."""
    return {
        "merchant_account": summary.merchant_account,
        "plan_id": summary.plan_id,
        "price_minor": minor(summary.price),
        "currency": summary.price.currency,
        "interval_unit": summary.interval.unit.value,
        "interval_count": summary.interval.count,
        "quantity": summary.quantity,
        "began_at": summary.began_at,
        "status": summary.status.value,
        "past_due_since": summary.past_due_since,
        "needs_attention": summary.needs_attention,
        "last_reason": summary.last_reason,
        "next_action": summary.next_action.value if summary.next_action else None,
        "next_action_at": summary.next_action_at,
        "next_charge_at": summary.next_charge_at,
        "ended_at": summary.ended_at,
        "successor": summary.successor,
    }
