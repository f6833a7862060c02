"""What must always hold, one rule a function. Each says what is wrong, and nothing where all is well.

The promise: nobody is charged twice for a period, nothing owed is forgotten, and what happens next can be seen.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from amazon_pay_client.models import ChargePermissionState
from perennial_billing.billing.parts.ledger import LEDGER_LENGTH
from perennial_billing.billing.parts.stages import Stage
from perennial_billing.billing.status import Status
from perennial_billing.starter.audit.case import Case

STUCK_AFTER: Final = timedelta(minutes=70)
"""After an hour the subscription itself says that it has no answer. What is under way for longer is stuck: no worker
takes its workflow, or one of an older release waits without a word."""

LATE_AFTER: Final = timedelta(minutes=10)
"""A worker that was restarted, or a queue on the first of the month, may be behind by minutes, not by more."""


def no_period_is_charged_twice(case: Case) -> Iterator[str]:
    """At most one captured charge a period, by the keys that the charges were made with and by the account."""
    by_key = Counter(booked.period for booked in case.captured if booked.period is not None)
    by_account = Counter(record.charge_id for record in case.paid)
    yield from (f"period {period} was charged {count} times" for period, count in by_key.items() if count > 1)
    yield from (f"charge {charge_id} pays {count} periods" for charge_id, count in by_account.items() if count > 1)


def every_charge_belongs_to_a_paid_period(case: Case) -> Iterator[str]:
    """What took money is in the account, under the same amount: as much as was captured, which may be a part.

    What was authorized before the subscription went on under another charge permission is captured there.
    """
    accounted = {record.charge_id: record for record in case.paid}
    elsewhere = {record.charge_id for record in case.handed_over}
    reaches_back = case.subscription.next_period <= LEDGER_LENGTH
    for booked in case.captured:
        charge, record = booked.charge, accounted.get(booked.charge.charge_id)
        if record is None:
            if case.all_charges and reaches_back and not case.is_busy and charge.charge_id not in elsewhere:
                yield f"charge {charge.charge_id} took money and is in no account"
            continue
        if booked.taken is None or booked.taken.amount != record.amount.amount:
            charged = booked.taken.amount if booked.taken else "an amount that cannot be read"
            yield f"period {record.period}: {charged} charged, {record.amount} in the account"


def every_paid_period_has_a_charge(case: Case) -> Iterator[str]:
    """What the account calls paid was captured."""
    captured = {booked.charge.charge_id for booked in case.captured}
    for record in case.paid:
        if record.charge_id not in captured:
            yield f"period {record.period} is paid by the account; {record.charge_id or 'no charge'} is not captured"


def what_went_back_went_back_at_amazon(case: Case) -> Iterator[str]:
    """What the account calls refunded was refunded; the merchant may have refunded more, in Seller Central."""
    at_amazon = {booked.charge.charge_id: booked.charge.refunded_amount for booked in case.captured}
    for record in case.paid:
        refunded = at_amazon.get(record.charge_id or "")
        if record.refunded is not None and (refunded is None or refunded.amount < record.refunded.amount):
            by_amazon = refunded.amount if refunded else "nothing"
            yield f"period {record.period}: {record.refunded} refunded by the account, {by_amazon} by Amazon"


def no_period_is_forgotten(case: Case) -> Iterator[str]:
    """Each period due is in the account, or is being collected."""
    subscription = case.subscription
    accounted = {record.period for record in subscription.ledger}
    if subscription.owed is not None:
        accounted.add(subscription.owed.period)
    owed_until = (subscription.ending.at if subscription.ending else case.now) - LATE_AFTER
    for date in subscription.dates:
        waits = (
            not date.owed
            or subscription.status is Status.AWAITING_CHECKOUT
            or (subscription.owed is not None and subscription.owed.period < date.period)
        )
        open_ = date.due <= owed_until and date.period not in accounted and not waits
        if open_ and not _is_caught_up(case) and not case.is_busy:
            yield f"period {date.period} fell due on {date.due:%Y-%m-%d} and is forgotten"


def _is_caught_up(case: Case) -> bool:
    """Whether the oldest open period is charged soon: overdue ones follow each other at the policy's distance."""
    at, policy = case.subscription.next_charge_at, case.subscription.agreed.plan.collection
    return at is not None and case.now - LATE_AFTER <= at <= case.now + policy.catch_up_spacing


def nothing_is_overdue(case: Case) -> Iterator[str]:
    """What stands next is done when its time comes, unless Amazon's answer is awaited, which is so for an hour at most.

    What is known to be without an answer is another rule's.
    """
    following, allowed = case.subscription.next, STUCK_AFTER if case.is_busy else LATE_AFTER
    if following is not None and not case.subscription.unanswered and case.now - following.at > allowed:
        yield f"{following.action.value} was to be done at {following.at:%Y-%m-%d %H:%M} UTC ({following.why})"


def no_outcome_is_unknown(case: Case) -> Iterator[str]:
    """Amazon answers each call within the hour; what became of one that it has not answered nobody knows."""
    for call in case.subscription.unanswered:
        about = f" ({call.about})" if call.about else ""
        since = f"{call.since:%Y-%m-%d %H:%M} UTC"
        yield f"{call.action.value}{about}: what came of it is unknown since {since} ({call.why})"


def no_closed_permission_is_active(case: Case) -> Iterator[str]:
    """A subscription whose permission is closed has ended, awaits a new checkout, or finds out what an attempt did."""
    subscription = case.subscription
    knows = subscription.ending is not None or subscription.status is Status.AWAITING_CHECKOUT
    open_attempt = subscription.owed is not None and subscription.owed.attempt_is_open
    if case.permission == ChargePermissionState.CLOSED and not knows and not open_attempt and not case.is_busy:
        yield f"the charge permission is closed, and the subscription is {subscription.status.value}"


def no_ended_subscription_keeps_its_permission(case: Case) -> Iterator[str]:
    """What has ended can never be charged again."""
    if case.subscription.has_ended and case.permission != ChargePermissionState.CLOSED:
        yield f"the subscription is {case.subscription.status.value}, and the charge permission is {case.permission}"


def no_attempt_is_above_the_cap(case: Case) -> Iterator[str]:
    """The policy's cap holds."""
    owed = case.subscription.owed
    if owed is not None and owed.stage is not Stage.UNPAID and owed.attempts_spent > owed.max_attempts:
        yield f"period {owed.period}: {owed.attempts_spent} attempts, {owed.max_attempts} are allowed"


RULES: Final[tuple[Callable[[Case], Iterator[str]], ...]] = (
    no_period_is_charged_twice,
    every_charge_belongs_to_a_paid_period,
    every_paid_period_has_a_charge,
    what_went_back_went_back_at_amazon,
    no_period_is_forgotten,
    nothing_is_overdue,
    no_outcome_is_unknown,
    no_closed_permission_is_active,
    no_ended_subscription_keeps_its_permission,
    no_attempt_is_above_the_cap,
)


def findings(case: Case) -> list[str]:
    """Everything that does not hold."""
    return [finding for rule in RULES for finding in rule(case)]
