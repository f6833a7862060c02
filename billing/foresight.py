"""What is told before it happens, of the next period: which notices, and when, by the lead times of its plan."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.lifecycle import Active
from perennial_billing.billing.parts.renewal import AmountUnknown
from perennial_billing.billing.plan.plan import Amounts
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import Subscription

_MONTHS_OF_A_TERM: Final = 12
_DAYS_OF_A_TERM: Final = 365


class Foreseen(NamedTuple):
    """One notice about the next period.

    Attributes:
        kind: what is to happen.
        at: when it is told (UTC).
        label: recognises it, so that it is told once.
        due: when the period falls due (UTC).
        amount: what will be charged then, as far as that is known.
    """

    kind: NoticeType
    at: datetime
    label: str
    due: datetime
    amount: Money


def foreseen(subscription: Subscription) -> Iterator[Foreseen]:
    """The notices that were not told yet; none where the next period is not going to be charged."""
    number, leads = subscription.next_period, subscription.plan.lead_times
    if leads is None or not _is_to_come(subscription):
        return
    due, amount = subscription.schedule.due(number), subscription.bill().amount
    kinds = (
        (NoticeType.CHARGE_UPCOMING, leads.charge, not amount.is_zero),
        (NoticeType.TRIAL_ENDING, leads.trial_end, _ends_trial(subscription)),
        (NoticeType.RENEWAL_UPCOMING, leads.renewal, _renews_term(subscription)),
        (NoticeType.PRICE_CHANGING, leads.price_change, _changes_price(subscription)),
    )
    for kind, before, happens in kinds:
        for lead in before if happens else ():
            label = f"{kind.value} {lead // timedelta(hours=1)}"
            if label not in subscription.renewal.noticed:
                yield Foreseen(kind, due - lead, label, due, amount)


def question_at(subscription: Subscription) -> datetime | None:
    """When the merchant is asked ahead what the next period costs (UTC); None where that is not wanted, or known."""
    number, leads = subscription.next_period, subscription.plan.lead_times
    asks = subscription.plan.amounts is Amounts.ASKED and not subscription.schedule.amount(number).is_zero
    if leads is None or leads.question is None or not asks or not _is_to_come(subscription):
        return None
    due, known = subscription.schedule.due(number), subscription.renewal.amount
    if known is None or known.period != number:
        return due - leads.question
    return known.again_at if isinstance(known, AmountUnknown) and known.again_at < due else None


def _is_to_come(subscription: Subscription) -> bool:
    """Whether the next period is waited for, and will be owed."""
    number, schedule, lifecycle = subscription.next_period, subscription.schedule, subscription.lifecycle
    waits = subscription.collection is None and isinstance(lifecycle.stage, Active) and schedule.has_period(number)
    return waits and lifecycle.goes_on_at(schedule.due(number)) and not subscription.is_not_owed(number)


def _before(subscription: Subscription) -> int | None:
    """The latest period of the plan before the next one that is neither a short one nor an item; None where the account
    does not reach back so far."""
    for record in reversed(subscription.ledger.records):
        if subscription.contract.agreement(record.period).once is None:
            stretch = subscription.schedule.stretch(record.period)
            if not stretch.is_short:
                return record.period
    return None


def _ends_trial(subscription: Subscription) -> bool:
    before, schedule = _before(subscription), subscription.schedule
    costs = not schedule.amount(subscription.next_period).is_zero
    return before is not None and costs and schedule.amount(before).is_zero


def _renews_term(subscription: Subscription) -> bool:
    interval = subscription.schedule.stretch(subscription.next_period).calendar.interval
    is_term = interval.months >= _MONTHS_OF_A_TERM or interval.days >= _DAYS_OF_A_TERM
    before = _before(subscription)
    return is_term and before is not None and not subscription.schedule.amount(before).is_zero


def _changes_price(subscription: Subscription) -> bool:
    before, schedule, number = _before(subscription), subscription.schedule, subscription.next_period
    if before is None or schedule.stretch(number).is_short or schedule.amount(before).is_zero:
        return False
    return schedule.amount(number) != schedule.amount(before)
