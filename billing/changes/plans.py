"""Another plan, another quantity, another billing day."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from perennial_billing.billing.calendar import days_between
from perennial_billing.billing.changes.rules import (
    Moment,
    When,
    check_changeable,
    check_goes_on,
    check_no_rest,
    check_not_paused,
    check_sums,
)
from perennial_billing.billing.contract.agreement import MOST_UNITS, BillingDay
from perennial_billing.billing.contract.planned import PlannedChange
from perennial_billing.billing.contract.proration import prorate
from perennial_billing.billing.contract.terms import check_quantity
from perennial_billing.billing.couplings.credits import with_unused
from perennial_billing.billing.couplings.plans import agreeing
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome, PeriodRecord
from perennial_billing.billing.plan.plan import Plan
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription


class Settle(StrEnum):
    """When the days of a change that holds at once are charged."""

    NOW = "now"
    RENEWAL = "renewal"
    """With the next charge: several small changes in a month are one charge."""


class ChangePlan(Request):
    """Another plan or another quantity.

    From the next charged period on, or from the first one that falls due at an instant or later, nothing else changes;
    a trial is not cut short by it. Now, what is left of the paid period is credited by its days, and the new one begins
    at once: short, until the old one would have ended, where the interval is the same; whole, from now on, where it is
    another. What is planned stays planned. A new plan's free phases are not given again.

    Attributes:
        plan: the new one; the same when not given.
        quantity: how many units; as many as before when not given.
        when: at the renewal, now, or from an instant on.
        settle: when the days of a change that holds now are charged.
        consented: the buyer has agreed to it in a new checkout, which Amazon wants in the EU and the UK.
    """

    kind: Literal["plan"] = "plan"
    plan: Plan | None = None
    quantity: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None
    when: Moment = When.RENEWAL
    settle: Settle = Settle.NOW
    consented: bool = False

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        """See the module."""
        check_changeable(subscription, now)
        if self.plan is None and self.quantity is None:
            raise Refused("plan", "", "a plan or a quantity must be given")
        currency = subscription.terms.plan.currency
        if self.plan is not None and self.plan.currency != currency:
            raise Refused(
                "plan",
                self.plan.currency,
                f"the charge permission is in {currency}; a new checkout is needed for another currency",
            )
        if self.when is When.NOW:
            return self._now(subscription, now)
        if self.settle is Settle.RENEWAL:
            raise Refused(
                "settle", "renewal", "it is for a change that holds now; any other is charged with its period"
            )
        change = _planned(subscription, self.when, now).but(plan=self.plan, quantity=self.quantity)
        return _planning(subscription, change, now)

    def _now(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        check_not_paused(subscription, "change it at the renewal")
        unused, first = _unused(subscription, now), subscription.next_period
        check_no_rest(subscription, "when", "now", "change it at the renewal")
        contract = subscription.contract.fixed(first)
        running = contract.running(first)
        keeps_dates = contract.running(first, self.plan, self.quantity).first_interval == running.first_interval
        if not keeps_dates and (contract.skips or contract.planned):
            what = "a change" if contract.planned else "a skipped period"
            raise _only_at_renewal(f"{what} is planned for the dates that it would do away with: take that back first")
        sold = _days_sold(subscription, subscription.ledger.records[-1])
        changed = contract.changed_now(
            first,
            now,
            self.plan,
            self.quantity,
            keeps_dates=keeps_dates,
            whole_days=sold,
            settles_later=self.settle is Settle.RENEWAL,
        )
        ends_at, planned_end = changed.schedule.due(first + 1), subscription.lifecycle.planned_end
        if planned_end is not None and ends_at > planned_end.at:
            raise Refused(
                "when",
                "now",
                f"it would be paid until {ends_at:%Y-%m-%d}, and is to end on {planned_end.at:%Y-%m-%d}: take the "
                "cancellation back first",
                Kind.CONFLICT,
            )
        agreed = agreeing(with_unused(subscription, first - 1, unused), changed, first, now)
        if self.settle is Settle.RENEWAL:
            self._check_settles(agreed, now, keeps_dates=keeps_dates)
        _check_sums(agreed)
        return agreed, agreed.schedule.due(first)

    def _check_settles(self, agreed: Subscription, now: datetime, *, keeps_dates: bool) -> None:
        """Whether the days can be charged with the next charge."""
        if not keeps_dates:
            raise Refused("settle", "renewal", "another interval begins with a whole period, which is charged now")
        if agreed.first_to_bill(now) is None:
            raise Refused("settle", "renewal", "no charge follows that the days could be charged with", Kind.NOT_NOW)


class ChangeBillingDay(Request):
    """Another day of the month; the charged period that begins next is short, whole or free until then."""

    kind: Literal["billing_day"] = "billing_day"
    billing_day: BillingDay

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        """See the module."""
        check_changeable(subscription, now)
        change = _planned(subscription, When.RENEWAL, now).but(billing_day=self.billing_day)
        agreement = subscription.contract.agreement(change.first)
        if not any(phase.interval.months for phase in agreement.plan.phases):
            why = "a plan counted in days or weeks has no day of the month"
            raise Refused("billing_day", self.billing_day.day, why)
        return _planning(subscription, change, now)


class UndoChanges(Request):
    """Takes back changes of plan, quantity and billing day that have not taken effect yet."""

    kind: Literal["undo_changes"] = "undo_changes"

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        """See the module."""
        check_changeable(subscription, now)
        first = subscription.first_not_begun(now)
        contract = subscription.contract.fixed(subscription.first_to_come)
        if all(change.first < first for change in contract.planned):
            raise Refused("undo", "", "there is no change that has not taken effect", Kind.NOT_NOW)
        undone = agreeing(subscription, contract.undone(first), first, now)
        check_sums(undone)  # what it cost before may not go with an item that was added since
        return undone, now


def _planned(subscription: Subscription, when: Moment, now: datetime) -> PlannedChange:
    """An empty change that begins at the renewal, or with the first period after it that falls due at an instant or
    later.

    Raises:
        Refused: the instant is over, or no period falls due then or later.
    """
    schedule, renewal = subscription.schedule, subscription.first_to_renew(now)
    due = schedule.due(renewal)
    if isinstance(when, When) or now <= when <= due:
        return PlannedChange(first=renewal, starts_at=due, at_renewal=True)
    if when < now:
        raise Refused("when", when.isoformat(), f"instants from now on are; it is {now:%Y-%m-%dT%H:%M:%SZ}")
    first = schedule.periods_due(when - datetime.resolution)
    if not schedule.has_period(first):
        raise Refused("when", when.isoformat(), f"the last period falls due on {schedule.due(first - 1):%Y-%m-%d}")
    return PlannedChange(first=first, starts_at=when)


def _planning(subscription: Subscription, change: PlannedChange, now: datetime) -> tuple[Subscription, datetime]:
    check_goes_on(subscription, subscription.schedule.due(change.first))
    # What has begun within a pause stays planned: its date moves where the pause turns out to move dates.
    contract = subscription.contract.fixed(subscription.first_to_come).planning(change)
    agreed = agreeing(subscription, contract, change.first, now)
    _check_sums(agreed)
    return agreed, agreed.schedule.due(change.first)


def _check_sums(subscription: Subscription) -> None:
    contract, first = subscription.contract, subscription.first_to_come
    for agreement in (contract.agreement(first), *contract.to_come(first)):
        check_quantity(agreement.plan, agreement.quantity)
    check_sums(subscription)


def _unused(subscription: Subscription, now: datetime) -> Money:
    """What the days that are left of the running period are worth: their share of what was paid for it.

    Raises:
        Refused: the period is not paid.
    """
    schedule, number = subscription.schedule, subscription.next_period - 1
    if number < 0 or subscription.is_behind(now):
        raise _only_at_renewal("a period is owed or has not begun")
    if subscription.contract.agreement(number).once is not None:
        raise _only_at_renewal("an item was charged within the period")
    record = subscription.ledger.records[-1]
    if record.outcome not in {PeriodOutcome.PAID, PeriodOutcome.FREE}:
        raise _only_at_renewal(f"period {number} is {record.outcome.value}")
    days_left = days_between(now, record.cut_at or schedule.due(number + 1), subscription.terms.zone)
    return prorate(record.paid, max(days_left, 0), _days_sold(subscription, record))


def _days_sold(subscription: Subscription, record: PeriodRecord) -> int:
    """For how many days a period was paid, at least one: those until an end that cut it short; a pause gives none."""
    ends = record.until or record.cut_at or subscription.schedule.due(record.period + 1)
    return max(days_between(record.due, ends, subscription.terms.zone), 1)


def _only_at_renewal(why: str) -> Refused:
    return Refused("when", "now", f"{why}: change it at the renewal", Kind.NOT_NOW)
