"""How money goes back: one charge's, or, with a cancellation, that of the last one, of all, or so much in all."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from perennial_billing.billing.contract.texts import texts_of
from perennial_billing.billing.keys import refund_key
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import MOST_RECALLED, PeriodOutcome, PeriodRecord
from perennial_billing.billing.parts.refunds import Refund, refundable
from perennial_billing.billing.protocol.recollection import Recollection
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.subscription import Subscription

MOST_AT_ONCE: Final = MOST_RECALLED
"""Charges of which money goes back by one request."""


class Share(StrEnum):
    """How much goes back when a subscription is canceled, where that is no amount."""

    LAST = "last"
    """All that is left of the last charge."""
    ALL = "all"
    """All that is left of every charge."""


Back = Share | Money
"""How much goes back: of the last charge, of all, or so much in all, the latest charges first."""


def with_refund(
    subscription: Subscription, record: PeriodRecord, amount: Money, now: datetime, reference: str | None = None
) -> Subscription:
    """One refund more, of a paid period.

    Args:
        subscription: stays as it is.
        record: the period's.
        amount: how much; it was checked.
        now: when it is asked for (UTC).
        reference: the merchant's own name for it.
    """
    refunds = subscription.refunds
    number = refunds.asked + 1
    key = refund_key(subscription.terms.charge_permission_id, number, subscription.terms.life)
    texts = texts_of(subscription.contract, record.period)
    descriptor = texts.soft_descriptor if texts else None
    refund = Refund.of(record, amount, number, key, now, reference, descriptor)
    return subscription.but(refunds=refunds.requested(refund))


def what_to_look_up(subscription: Subscription, back: Back) -> Recollection | None:
    """The charges of longer ago than the subscription remembers, where they may be needed."""
    records, ledger = subscription.ledger.records, subscription.ledger
    reaches_back = not records or records[0].period <= ledger.joined_with
    if reaches_back or (back is Share.LAST and any(_is_paid(record) for record in records)):
        return None
    return Recollection(charge_permission_id=subscription.terms.charge_permission_id, all_charges=True)


def with_refunds(subscription: Subscription, back: Back, now: datetime) -> Subscription:
    """The subscription with the refunds that come to what is to go back.

    Raises:
        Refused: so much is not left, or a charge is under way, of which nobody knows yet whether it takes money.
    """
    _check_no_charge_is_under_way(subscription, back)
    for record, amount in _shares(subscription, back):
        subscription = with_refund(subscription, record, amount, now)
    return subscription


def _shares(subscription: Subscription, back: Back) -> Iterator[tuple[PeriodRecord, Money]]:
    """Of which period how much goes back, the latest first."""
    left = [
        (record, amount)
        for record in reversed(subscription.ledger.known)
        if _is_paid(record) and not (amount := refundable(record, subscription.refunds.latest)).is_zero
    ]
    if back is Share.LAST:
        latest = next((record for record in reversed(subscription.ledger.known) if _is_paid(record)), None)
        left = [(record, amount) for record, amount in left if record is latest]
    if not left:
        raise Refused("refund", str(back), "nothing that was paid is left to go back", Kind.NOT_NOW)
    if isinstance(back, Money):
        left = list(_covering(back, left))
    if len(left) > MOST_AT_ONCE:
        why = f"of {MOST_AT_ONCE} charges at once, and it is of {len(left)}: cancel, and refund charge by charge"
        raise Refused("refund", str(back), why)
    yield from left


def _covering(back: Money, left: list[tuple[PeriodRecord, Money]]) -> Iterator[tuple[PeriodRecord, Money]]:
    """As much of the latest charges as comes to an amount."""
    currency = left[0][1].currency
    if back.currency != currency:
        raise Refused("refund", str(back), f"it is in another currency than the charges, which were in {currency}")
    in_all = sum((amount.amount for _, amount in left), Decimal(0))
    if back.is_zero or back.amount > in_all:
        raise Refused("refund", str(back), f"more than zero and at most {in_all} {currency} of what was paid is left")
    missing = back
    for record, amount in left:
        part = amount if amount.amount <= missing.amount else missing
        yield record, part
        missing = missing.less(part)
        if missing.is_zero:
            return


def _is_paid(record: PeriodRecord) -> bool:
    return record.outcome is PeriodOutcome.PAID and record.charge_id is not None


def _check_no_charge_is_under_way(subscription: Subscription, back: Back) -> None:
    """A charge that is captured after the money was counted would stay with the merchant."""
    collection = subscription.collection
    if isinstance(back, Share) and collection is not None and collection.open_attempt is not None:
        why = f"period {collection.period} is being charged: ask again once it is known what came of that"
        raise Refused("refund", str(back), why, Kind.NOT_NOW)
