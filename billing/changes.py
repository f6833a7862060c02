"""What can be changed about a running subscription: one class a change, each with its rule.

A change is tried on a copy first, so what is refused has changed nothing. Each answers when it takes effect.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from billing.identity import Reference
from billing.ledger import PeriodOutcome
from billing.life import Extra, Pause, PlannedEnd, Taken
from billing.money import Money
from billing.plan import Plan
from billing.proration import prorate_actual_days
from billing.schedule import MOST_UNITS, Agreement, BillingDay
from billing.subscription import Subscription
from billing.zones import zone as rules_of

MOST_EXTRAS: Final = 50

Words = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,128}$")]
"""A line of text. Never personal data: it is shown in the Web UI."""


class When(StrEnum):
    """When a change takes effect."""

    NEXT_PERIOD = "next_period"
    NOW = "now"


class _Change(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChangePlan(_Change):
    """Another plan or another quantity.

    From the next period on, nothing else changes. Now, what is left of the paid period is credited by its days, and the
    new one begins at once: short, until the old one would have ended, where the interval is the same; whole, from now
    on, where it is another. A new plan's free phases are not given again.

    Attributes:
        plan: the new one; the same when not given.
        quantity: how many units; as many as before when not given.
        when: from the next period on, or now.
        consented: the buyer has agreed to it in a new checkout, which Amazon wants in the EU and the UK.
    """

    kind: Literal["plan"] = "plan"
    plan: Plan | None = None
    quantity: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None
    when: When = When.NEXT_PERIOD
    consented: bool = False

    def apply(self, subscription: Subscription, now: datetime) -> datetime:
        """See the module.

        Raises:
            ValueError: it cannot be; says why.
        """
        subscription.check_changeable(now)
        if self.plan is None and self.quantity is None:
            raise ValueError("plan, quantity: one must be given")
        if self.plan is not None and self.plan.currency != subscription.terms.plan.currency:
            raise ValueError(
                f"plan: it is in {self.plan.currency}, and the charge permission is in "
                f"{subscription.terms.plan.currency}; a new checkout is needed for another currency"
            )
        if self.when is When.NEXT_PERIOD:
            return subscription.agree(self._agreement(subscription, subscription.first_not_begun(now)), now)
        unused = _unused(subscription, now)
        agreement = self._from_now(subscription, now)
        subscription.add_credit(unused)
        return subscription.agree(agreement, now)

    def _agreement(self, subscription: Subscription, first: int) -> Agreement:
        changed: dict[str, object] = {}
        if self.plan is not None:
            changed |= {"plan": self.plan, "consumed": _free_at_first(self.plan)}
        if self.quantity is not None:
            changed["quantity"] = self.quantity
        return subscription.going_on(first).model_copy(update=changed)

    def _from_now(self, subscription: Subscription, now: datetime) -> Agreement:
        first = subscription.next_period
        schedule = subscription.schedule
        agreement = self._agreement(subscription, first).model_copy(update={"starts_at": now.replace(microsecond=0)})
        interval = schedule.stretch(first - 1).calendar.interval
        if _first_interval(agreement) == interval:
            grid = schedule.grid(first)
            return agreement.model_copy(update={"billing_day": None, "anchor": grid.anchor, "months": grid.months})
        return agreement.model_copy(update={"anchor": None, "months": 0})


class ChangeBillingDay(_Change):
    """Another day of the month; the period that begins next is short, whole or free until then."""

    kind: Literal["billing_day"] = "billing_day"
    billing_day: BillingDay

    def apply(self, subscription: Subscription, now: datetime) -> datetime:
        """See the module.

        Raises:
            ValueError: it cannot be; says why.
        """
        subscription.check_changeable(now)
        first = subscription.first_not_begun(now)
        agreement = subscription.going_on(first)
        if not any(phase.interval.months for phase in agreement.plan.phases):
            raise ValueError("billing_day: the plan is counted in days or weeks, which have no day of the month")
        moved = {"billing_day": self.billing_day, "anchor": None, "months": 0}
        return subscription.agree(agreement.model_copy(update=moved), now)


class UndoChanges(_Change):
    """Takes back changes of plan, quantity and billing day that have not taken effect yet."""

    kind: Literal["undo_changes"] = "undo_changes"

    def apply(self, subscription: Subscription, now: datetime) -> datetime:
        """See the module.

        Raises:
            ValueError: there is none.
        """
        subscription.check_changeable(now)
        first = subscription.first_not_begun(now)
        if subscription.agreed_before(first) == subscription.agreements:
            raise ValueError("there is no change that has not taken effect")
        subscription.disagree(first, now)
        return now


class PauseSubscription(_Change):
    """Nothing that falls due is owed until it is resumed; what is owed already goes on being collected.

    Attributes:
        when: from now on, or from the end of the paid period.
        until: when it is resumed by itself (UTC); by a request only when not given.
        keeps_anchor: whether the due dates stay where they are; else they are counted from the moment of resuming.
    """

    kind: Literal["pause"] = "pause"
    when: When = When.NOW
    until: AwareDatetime | None = None
    keeps_anchor: bool = True

    def apply(self, subscription: Subscription, now: datetime) -> datetime:
        """See the module.

        Raises:
            ValueError: it is paused already, or the time is in the past.
        """
        subscription.check_changeable(now)
        if subscription.pause is not None:
            raise ValueError(f"the subscription is to be paused from {subscription.pause.since:%Y-%m-%d %H:%M} UTC on")
        since = now
        if self.when is When.NEXT_PERIOD:
            since = subscription.schedule.due(subscription.first_not_begun(now))
        if self.until is not None and self.until <= since:
            raise ValueError(f"until: {self.until.isoformat()} is not after the pause begins, {since.isoformat()}")
        subscription.pause_requested(Pause(since=since, until=self.until, keeps_anchor=self.keeps_anchor), now)
        return since


class ResumeSubscription(_Change):
    """A paused subscription goes on; one that is to be paused is not.

    Attributes:
        keeps_anchor: as when it was paused when not given.
    """

    kind: Literal["resume"] = "resume"
    keeps_anchor: bool | None = None

    def apply(self, subscription: Subscription, now: datetime) -> datetime:
        """See the module.

        Raises:
            ValueError: it is not paused by request.
        """
        subscription.check_changeable(now)
        if subscription.pause is None:
            raise ValueError("the subscription is not paused by request")
        subscription.resume(now, keeps_anchor=self.keeps_anchor)
        return now


class SkipPeriod(_Change):
    """The next period is not owed, or is owed after all.

    Attributes:
        undo: it is owed after all.
    """

    kind: Literal["skip"] = "skip"
    undo: bool = False

    def apply(self, subscription: Subscription, now: datetime) -> datetime:
        """See the module.

        Raises:
            ValueError: there is no next period, or it is skipped, or not skipped, already.
        """
        subscription.check_changeable(now)
        number = subscription.first_not_begun(now)
        if not subscription.schedule.has_period(number):
            raise ValueError("there is no next period")
        if (number in subscription.skips) != self.undo:
            raise ValueError(f"period {number} is {'not ' if self.undo else ''}skipped already")
        skips = {*subscription.skips, number} if not self.undo else {*subscription.skips} - {number}
        subscription.skips = sorted(skips)
        subscription.reschedule()
        return subscription.schedule.due(number)


class PlanCancellation(_Change):
    """The subscription ends later: at the end of the paid period, or at an instant.

    Attributes:
        at: when (UTC); the end of the paid period when not given.
        reason: told to Amazon as the closure reason.
    """

    kind: Literal["cancel"] = "cancel"
    at: AwareDatetime | None = None
    reason: Words = "Canceled by the merchant"

    def apply(self, subscription: Subscription, now: datetime) -> datetime:
        """See the module.

        Raises:
            ValueError: the instant is in the past.
        """
        subscription.check_changeable(now)
        at = self.at or subscription.schedule.due(subscription.first_not_begun(now))
        if at < now:
            raise ValueError(f"at: {at.isoformat()} is in the past; it is {now.isoformat(timespec='seconds')}")
        subscription.planned_end = PlannedEnd(at=at, reason=self.reason)
        return at


class UndoCancellation(_Change):
    """The planned end is taken back."""

    kind: Literal["undo_cancel"] = "undo_cancel"

    def apply(self, subscription: Subscription, now: datetime) -> datetime:
        """See the module.

        Raises:
            ValueError: no end is planned.
        """
        subscription.check_changeable(now)
        if subscription.planned_end is None:
            raise ValueError("no cancellation is planned")
        subscription.planned_end = None
        return now


class AddItem(_Change):
    """Something once: added to the next charge, taken off the next ones, or charged by itself.

    What is charged by itself is a period of its own, between two of the plan's: it is collected like any other.

    Attributes:
        amount: how much.
        what: what it is for, in words.
        credit: it is taken off: from the next charge, and what is left of it from those after.
        when: with the next charge, or now.
        reference: the merchant's own name for it: asking again with the same one changes nothing.
    """

    kind: Literal["item"] = "item"
    amount: Money
    what: Words
    credit: bool = False
    when: When = When.NEXT_PERIOD
    reference: Reference | None = None

    def apply(self, subscription: Subscription, now: datetime) -> datetime:
        """See the module.

        Raises:
            ValueError: the amount is zero or in another currency, there are too many, or the reference is another's.
        """
        subscription.check_changeable(now)
        for taken in subscription.taken:
            if taken.reference == self.reference:
                return self._same(taken)
        currency = subscription.terms.plan.currency
        if self.amount.is_zero or self.amount.currency != currency:
            raise ValueError(f"amount: {self.amount} is not accepted; more than zero, in {currency}, is")
        effective_at = self._charge(subscription, now) if self.when is When.NOW else self._add(subscription, now)
        if self.reference is not None:
            taken = Taken(reference=self.reference, amount=self.amount, what=self.what, effective_at=effective_at)
            subscription.taken = [*subscription.taken, taken][-MOST_EXTRAS:]
        return effective_at

    def _same(self, taken: Taken) -> datetime:
        if (taken.amount, taken.what) != (self.amount, self.what):
            raise ValueError(
                f"reference: {taken.reference!r} is that of another item, {taken.amount} for {taken.what}; give each "
                "item a reference of its own"
            )
        return taken.effective_at

    def _add(self, subscription: Subscription, now: datetime) -> datetime:
        first = subscription.first_not_begun(now)
        if self.credit:
            subscription.add_credit(self.amount)
        elif len(subscription.extras) >= MOST_EXTRAS:
            raise ValueError(f"item: {len(subscription.extras)} wait for the next charge already; no more are taken")
        else:
            subscription.extras = [*subscription.extras, Extra(amount=self.amount, what=self.what)]
        subscription.reschedule()
        return subscription.schedule.due(first)

    def _charge(self, subscription: Subscription, now: datetime) -> datetime:
        if self.credit:
            raise ValueError("when: a credit is taken off the next charges; it cannot be charged now")
        if subscription.is_paused:
            raise ValueError("when: now is not possible while the subscription is paused; add it to the next charge")
        if _unsettled(subscription, now):
            raise ValueError("when: now is not possible while a period is owed; add it to the next charge")
        at, current = now.replace(microsecond=0), subscription.agreement_at(subscription.next_period).plan
        plan = Plan.of(
            current.plan_id,
            self.amount,
            current.regular.interval,
            1,
            capture=current.capture,
            collection=current.collection,
        )
        subscription.charge_once(Agreement(first=subscription.next_period, starts_at=at, plan=plan, once=self.what))
        return at


Change = Annotated[
    ChangePlan
    | ChangeBillingDay
    | UndoChanges
    | PauseSubscription
    | ResumeSubscription
    | SkipPeriod
    | PlanCancellation
    | UndoCancellation
    | AddItem,
    Field(discriminator="kind"),
]


def dearest_charge(change: Change, subscription: Subscription, now: datetime) -> Money | None:
    """What the dearest charge to come would cost, where a change makes it dearer: Amazon's limit is to be asked for.

    The change is tried on a copy; the subscription stays as it is.

    Raises:
        ValueError: it cannot be changed so; says why.
    """
    changed = subscription.model_copy(deep=True)
    change.apply(changed, now)
    dearest = changed.most_to_come
    return dearest if dearest.amount > subscription.most_to_come.amount else None


def _unsettled(subscription: Subscription, now: datetime) -> bool:
    """Whether a period is owed, or the next one is due already."""
    return subscription.collection is not None or subscription.schedule.periods_due(now) != subscription.next_period


def _unused(subscription: Subscription, now: datetime) -> Money:
    """What is left of the paid period, by its days.

    Raises:
        ValueError: the period is not paid.
    """
    schedule, number = subscription.schedule, subscription.next_period - 1
    if number < 0 or _unsettled(subscription, now):
        raise ValueError(
            "when: now is not possible while a period is owed or has not begun; change it from the next on"
        )
    if subscription.agreement_at(number).once is not None:
        raise ValueError(
            "when: now is not possible as an item was charged within the period; change it from the next on"
        )
    record = subscription.ledger[-1]
    if record.outcome not in {PeriodOutcome.PAID, PeriodOutcome.FREE}:
        raise ValueError(
            f"when: now is not possible as period {number} is {record.outcome.value}; change it from the next on"
        )
    tz = rules_of(subscription.terms.zone)
    begins, ends = (instant.astimezone(tz).date() for instant in schedule.period(number)[1:])
    price = schedule.amount(number)
    left = prorate_actual_days(price, min(now.astimezone(tz).date(), ends), ends, begins, ends)
    gone = record.refunded.amount if record.refunded else 0
    return Money(amount=max(left.amount - gone, left.amount * 0), currency=left.currency)


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
