"""Another plan, another quantity, another billing day."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from billing.changes.rules import Moment, When, check_changeable, check_sums, renewal_or_now
from billing.contract.agreement import MOST_UNITS, Agreement, BillingDay
from billing.contract.proration import prorate_actual_days
from billing.contract.terms import check_quantity
from billing.couplings.plans import agreeing
from billing.money import Money
from billing.parts.ledger import PeriodOutcome
from billing.plan.plan import Plan
from billing.refusals import Kind, Refused
from billing.requests import Request
from billing.subscription import Subscription
from billing.zones import zone as rules_of


class ChangePlan(Request):
    """Another plan or another quantity.

    From the next period on, nothing else changes. Now, what is left of the paid period is credited by its days, and the
    new one begins at once: short, until the old one would have ended, where the interval is the same; whole, from now
    on, where it is another. A new plan's free phases are not given again.

    Attributes:
        plan: the new one; the same when not given.
        quantity: how many units; as many as before when not given.
        when: at the renewal, or now.
        consented: the buyer has agreed to it in a new checkout, which Amazon wants in the EU and the UK.
    """

    kind: Literal["plan"] = "plan"
    plan: Plan | None = None
    quantity: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None
    when: Moment = When.RENEWAL
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
        if renewal_or_now("another plan", self.when) is When.RENEWAL:
            return self._agreed(subscription, self._agreement(subscription, subscription.first_not_begun(now)), now)
        unused = _unused(subscription, now)
        agreement = self._from_now(subscription, now)
        credited = subscription.but(balance=subscription.balance.with_credit(unused))
        return self._agreed(credited, agreement, now)

    def _agreed(self, subscription: Subscription, agreement: Agreement, now: datetime) -> tuple[Subscription, datetime]:
        check_quantity(agreement.plan, agreement.quantity)
        agreed = agreeing(subscription, subscription.contract.agreed(agreement), agreement.first, now)
        check_sums(agreed)
        return agreed, agreed.schedule.due(agreement.first)

    def _agreement(self, subscription: Subscription, first: int) -> Agreement:
        following = subscription.contract.following(first)
        if self.plan is not None:
            following = following.but(plan=self.plan, consumed=_free_at_first(self.plan))
        return following if self.quantity is None else following.but(quantity=self.quantity)

    def _from_now(self, subscription: Subscription, now: datetime) -> Agreement:
        first = subscription.next_period
        schedule = subscription.schedule
        agreement = self._agreement(subscription, first).but(starts_at=now.replace(microsecond=0))
        interval = schedule.stretch(first - 1).calendar.interval
        if _first_interval(agreement) == interval:
            grid = schedule.grid(first)
            return agreement.but(billing_day=None, anchor=grid.anchor, months=grid.months, aligned=False)
        return agreement.but(anchor=None, months=0, aligned=False)


class ChangeBillingDay(Request):
    """Another day of the month; the period that begins next is short, whole or free until then."""

    kind: Literal["billing_day"] = "billing_day"
    billing_day: BillingDay

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        """See the module."""
        check_changeable(subscription, now)
        agreement = subscription.contract.following(subscription.first_not_begun(now))
        if not any(phase.interval.months for phase in agreement.plan.phases):
            why = "a plan counted in days or weeks has no day of the month"
            raise Refused("billing_day", self.billing_day.day, why)
        moved = agreement.but(billing_day=self.billing_day, anchor=None, months=0, aligned=False)
        agreed = agreeing(subscription, subscription.contract.agreed(moved), moved.first, now)
        return agreed, agreed.schedule.due(moved.first)


class UndoChanges(Request):
    """Takes back changes of plan, quantity and billing day that have not taken effect yet."""

    kind: Literal["undo_changes"] = "undo_changes"

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        """See the module."""
        check_changeable(subscription, now)
        first, contract = subscription.first_not_begun(now), subscription.contract
        if contract.agreed_before(first) == contract.agreements:
            raise Refused("undo", "", "there is no change that has not taken effect", Kind.NOT_NOW)
        undone = agreeing(subscription, contract.undone(first), first, now)
        check_sums(undone)  # what it cost before may not go with an item that was added since
        return undone, now


def _unused(subscription: Subscription, now: datetime) -> Money:
    """What is left of the paid period, by its days.

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
    tz = rules_of(subscription.terms.zone)
    begins, ends = (instant.astimezone(tz).date() for instant in schedule.period(number)[1:])
    price = schedule.amount(number)
    left = prorate_actual_days(price, min(now.astimezone(tz).date(), ends), ends, begins, ends)
    return left.less(record.refunded) if record.refunded else left


def _only_at_renewal(why: str) -> Refused:
    return Refused("when", "now", f"{why}: change it at the renewal", Kind.NOT_NOW)


def _free_at_first(plan: Plan) -> int:
    """How many periods a plan begins with that cost nothing; all but the last phase's."""
    count = 0
    for phase in plan.phases[:-1]:
        if not phase.amount.is_zero:
            break
        count += phase.periods or 0
    return count


def _first_interval(agreement: Agreement) -> object:
    """The interval of the phase that an agreement begins in."""
    consumed = agreement.consumed
    for phase in agreement.plan.phases:
        if phase.periods is None or consumed < phase.periods:
            return phase.interval
        consumed -= phase.periods
    return None
