"""A period begins and ends: what that does to the ledger, the balance, and the wait for the next one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from perennial_billing.billing.agenda import asks_about, cancellation_is_due, main_command
from perennial_billing.billing.contract.contract import Contract
from perennial_billing.billing.contract.texts import texts_of
from perennial_billing.billing.couplings.telling import OF_OUTCOME, about_collection, about_record, telling
from perennial_billing.billing.keys import spread_of
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.authorizations import Authorization
from perennial_billing.billing.parts.balance import Item
from perennial_billing.billing.parts.collection import MISSED_PERIODS, Collection
from perennial_billing.billing.parts.ledger import CHARGED, PeriodOutcome, PeriodRecord
from perennial_billing.billing.parts.renewal import Renewal
from perennial_billing.billing.parts.stages import Starting
from perennial_billing.billing.plan.plan import Amounts
from perennial_billing.billing.plan.policy import CatchUp, NextDue
from perennial_billing.billing.protocol.commands import AskAmount
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import AMOUNT_UNKNOWN, Subscription

SKIPPED_ON_REQUEST: Final = "paused or skipped on request"
NOT_TRIED: Final = "unpaid"
"""Why what fell due while a subscriber was unpaid is not owed."""


def begin_period(subscription: Subscription, now: datetime) -> Subscription:
    """The next period fell due: it is skipped, held, free, asked about, or its first attempt is begun."""
    number = subscription.next_period
    if number in subscription.contract.skips:
        skipped, records = passed_over(subscription, number + 1, SKIPPED_ON_REQUEST, now)
        waiting = skipped.but(
            renewal=Renewal(collects_until=subscription.renewal.collects_until),
            contract=_settled(skipped),
        )
        return telling_of(waiting, records, now)
    missed, catch_up = missed_periods(subscription, now), subscription.plan.collection.catch_up
    if missed and catch_up is CatchUp.LATEST:
        latest, records = passed_over(subscription, number + missed - 1, MISSED_PERIODS, now)
        return begin_period(telling_of(latest, records, now), now)
    if asks_for_amount(subscription):
        return subscription.but(renewal=subscription.renewal.ask(number, now))
    opened = open_collection(subscription, now)
    if subscription.contract.agreement(number).settles_later:
        opened = charged_with_next(opened)
    return hold_missed(opened, missed, now) if missed and catch_up is CatchUp.HOLD else begin_attempt(opened, now)


def open_collection(subscription: Subscription, now: datetime) -> Subscription:
    """Begins to collect the next period: its price and what is charged once, less what is credited."""
    number, bill = subscription.next_period, subscription.bill()
    collection = Collection(
        charge_permission_id=subscription.terms.charge_permission_id,
        merchant_reference=subscription.terms.merchant_reference,
        period=number,
        due=subscription.schedule.due(number),
        begun_at=now,
        amount=bill.amount,
        credit=bill.credit,
        items=bill.items,
        zone=subscription.terms.zone,
        life=subscription.terms.life,
        spread=spread_of(subscription.terms.charge_permission_id),
        capture=subscription.plan.capture,
        cut_at=subscription.cut_at(number),
        decided_at=now,
        stage=Starting(at=now),
        texts=texts_of(subscription.contract, number),
    )
    return subscription.but(collection=collection, balance=subscription.balance.billed(bill))


def charged_with_next(subscription: Subscription) -> Subscription:
    """What the period comes to is an item of the next charge, and nothing is charged for it now."""
    owed = subscription.owed
    if owed.amount.is_zero:
        return subscription
    item = Item(amount=owed.amount, what=f"{subscription.schedule.describe(owed.period)}, from {owed.due:%Y-%m-%d}")
    credit = owed.credit.plus(owed.amount) if owed.credit else owed.amount
    nothing = Money.zero(owed.amount.currency)
    return subscription.but(
        collection=owed.but(amount=nothing, credit=credit), balance=subscription.balance.with_item(item)
    )


def begin_attempt(subscription: Subscription, now: datetime) -> Subscription:
    """Opens the next attempt; a period that costs nothing is settled without a call."""
    if subscription.owed.amount.is_zero:
        return settle(subscription, PeriodOutcome.FREE, now)
    return subscription.but(
        collection=subscription.owed.begin_attempt(now), permission=subscription.permission.looked()
    )


def asks_for_amount(subscription: Subscription) -> bool:
    """Whether the merchant has to say what the next period costs before it can be charged."""
    number = subscription.next_period
    asks = subscription.plan.amounts is Amounts.ASKED and not subscription.schedule.amount(number).is_zero
    return asks and subscription.renewal.decided(number) is None


def missed_periods(subscription: Subscription, now: datetime) -> int:
    """How many periods fell due unseen, where the policy has something to say to that; 0 where it has not."""
    number, fallen_due = subscription.next_period, subscription.schedule.periods_due(now)
    if (
        number < subscription.renewal.collects_until
        or fallen_due <= number + 1
        or subscription.schedule.amount(number).is_zero
    ):
        return 0
    return 0 if subscription.plan.collection.catch_up is CatchUp.EACH else fallen_due - number


def hold_missed(subscription: Subscription, missed: int, now: datetime) -> Subscription:
    """Several periods were missed: nothing is charged until the merchant says so."""
    collection = subscription.owed.left_to_merchant(MISSED_PERIODS, now)
    why = f"{missed} periods fell due and were not charged in time"
    held = subscription.but(collection=collection)
    return telling(
        held, NoticeType.SUBSCRIPTION_HELD, now, **about_collection(collection), reason_code=MISSED_PERIODS, reason=why
    )


def amount_decided(subscription: Subscription, question: AskAmount, amount: Money, now: datetime) -> Subscription:
    """The merchant has said what a period costs. Meanwhile it may have been canceled, paused or changed."""
    period = question.period
    decided = subscription.but(renewal=subscription.renewal.decide(period, amount))
    is_due = subscription.schedule.due(period) <= now
    begins = is_due and asks_about(subscription, period) and not cancellation_is_due(subscription)
    return begin_period(decided, now) if begins else decided


def amount_unknown(subscription: Subscription, period: int, now: datetime, *, why: str | None = None) -> Subscription:
    """The merchant's endpoint did not say what the period costs: it is asked again slowly, in plain sight."""
    if not asks_about(subscription, period):
        return subscription.but(renewal=subscription.renewal.not_asked())  # it was paused meanwhile
    first = subscription.renewal.undecided_since is None
    unknown = subscription.but(renewal=subscription.renewal.not_decided(period, now, why))
    command = main_command(unknown)
    if not first or command is None:
        return unknown
    about = {"period": period, "due": subscription.schedule.due(period)}
    return telling(unknown, NoticeType.SUBSCRIPTION_HELD, now, **about, reason_code=AMOUNT_UNKNOWN, reason=command.why)


def missed_are_wanted(subscription: Subscription, now: datetime) -> Subscription:
    """What fell due until now is charged, whatever the policy says about missed periods."""
    return subscription.but(renewal=subscription.renewal.but(collects_until=subscription.schedule.periods_due(now)))


def settle(
    subscription: Subscription,
    outcome: PeriodOutcome,
    now: datetime,
    *,
    charge_id: str | None = None,
    reason: str | None = None,
) -> Subscription:
    """Writes the owed period's end into the ledger, waits for the next one, and tells both."""
    collection = subscription.owed
    record = PeriodRecord(
        period=collection.period,
        due=collection.due,
        amount=collection.amount,
        outcome=outcome,
        attempts=collection.attempts,
        settled_at=now,
        charge_id=charge_id,
        reason=reason,
        credit=collection.credit,
        items=collection.items,
        until=collection.until,
        cut_at=collection.cut_at,
    )
    settled = subscription.but(ledger=subscription.ledger.settled([record]), collection=None)
    if collection.prompted:
        settled = settled.but(permission=settled.permission.still_to_be_read(now))
    about: dict[str, Any] = {**about_record(record), "charge_id": charge_id}  # Any: fields of a notice
    if outcome is PeriodOutcome.WRITTEN_OFF:
        about["reason_code"] = collection.last_reason
        if collection.credit is not None:
            settled = settled.but(balance=settled.balance.with_credit(collection.credit))
    if outcome is PeriodOutcome.AUTHORIZED and charge_id is not None and collection.attempt is not None:
        key, descriptor = collection.attempt.idempotency_key, collection.soft_descriptor
        authorization = Authorization.of(record, charge_id, key, descriptor)
        settled = settled.but(authorizations=(*settled.authorizations, authorization))
        about["deadline"] = authorization.expires_at
    until, why = owed_until_after(settled, collection, outcome, now)
    after, skipped = passed_over(settled, until, why, now)
    waiting = waiting_for_next(after, now, charged=outcome in CHARGED)
    return telling_of(telling(waiting, OF_OUTCOME[outcome], now, **about), skipped, now)


def waiting_for_next(subscription: Subscription, now: datetime, *, charged: bool) -> Subscription:
    """The next period is waited for; where it is overdue and a charge was just made, for a while."""
    number, schedule = subscription.next_period, subscription.schedule
    not_before = None
    due = schedule.due(number)
    if charged and due < now:
        spacing = min(subscription.plan.collection.catch_up_spacing, (schedule.due(number + 1) - due) / 2)
        not_before = now + spacing
    renewal = Renewal(not_before=not_before, collects_until=schedule.periods_due(now))
    return subscription.but(renewal=renewal, contract=_settled(subscription))


def _settled(subscription: Subscription) -> Contract:
    """The contract, without what lies behind the periods that the account still knows."""
    records, number = subscription.ledger.records, subscription.next_period
    return subscription.contract.settled(number, oldest=records[0].period if records else number)


def owed_until_after(
    subscription: Subscription, collection: Collection, outcome: PeriodOutcome, now: datetime
) -> tuple[int, str]:
    """Up to which period nothing is owed of what fell due while a period was owed, as the policy says, and why."""
    if collection.was_unpaid and outcome in CHARGED:
        return subscription.schedule.periods_due(now), NOT_TRIED
    fell_due_meanwhile = subscription.schedule.due(subscription.next_period) > collection.begun_at
    if collection.dunning and collection.dunning.policy.next_due is NextDue.SKIP and fell_due_meanwhile:
        return subscription.schedule.periods_due(now), "an older period was owed"
    return subscription.next_period, ""


def passed_over(
    subscription: Subscription, until: int, reason: str, now: datetime
) -> tuple[Subscription, list[PeriodRecord]]:
    """The periods up to but not including `until` are not owed; with their records, which are to be told."""
    skipped = PeriodOutcome.SKIPPED
    records = [
        record_of(subscription, period, skipped, reason, now) for period in range(subscription.next_period, until)
    ]
    return subscription.but(ledger=subscription.ledger.settled(records)) if records else subscription, records


def record_of(
    subscription: Subscription, period: int, outcome: PeriodOutcome, reason: str, now: datetime
) -> PeriodRecord:
    """The record of a period for which nobody was asked for money."""
    due, amount = subscription.schedule.due(period), subscription.schedule.amount(period)
    return PeriodRecord(period=period, due=due, amount=amount, outcome=outcome, settled_at=now, reason=reason)


def telling_of(subscription: Subscription, skipped: Sequence[PeriodRecord], now: datetime) -> Subscription:
    """The merchant is told of each period that is not owed."""
    told = subscription
    for record in skipped:
        about = {"period": record.period, "due": record.due, "amount": record.amount}
        told = telling(told, NoticeType.PERIOD_SKIPPED, now, **about, reason=record.reason)
    return told


def written_off_for_next(subscription: Subscription, now: datetime) -> Subscription:
    """The next period has fallen due, for which the policy writes the owed one off."""
    return settle(subscription, PeriodOutcome.WRITTEN_OFF, now, reason=subscription.owed.last_reason)
