"""One-off items and credits."""

from datetime import datetime
from typing import Literal

from perennial_billing.billing.changes.rules import (
    Moment,
    When,
    Words,
    check_changeable,
    check_no_rest,
    check_not_paused,
    check_sums,
    renewal_or_now,
)
from perennial_billing.billing.contract.agreement import Agreement
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.balance import Item
from perennial_billing.billing.plan.plan import Plan
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.register import Reference
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription


class AddItem(Request):
    """Something once: added to the next charge, taken off the next ones, or charged by itself.

    What is charged by itself is a period of its own, between two of the plan's: it is collected like any other.

    Attributes:
        amount: how much.
        what: what it is for, in words.
        credit: it is taken off: from the next charge, and what is left of it from those after.
        when: at the renewal, with the next charge, or now.
        reference: the merchant's own name for it: asking again with the same one changes nothing.
    """

    kind: Literal["item"] = "item"
    amount: Money
    what: Words
    credit: bool = False
    when: Moment = When.RENEWAL
    reference: Reference | None = None

    @property
    def references(self) -> tuple[str, ...]:
        """See `Request.references`."""
        return (self.reference,) if self.reference else ()

    def apply(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        """See the module."""
        check_changeable(subscription, now)
        currency = subscription.terms.plan.currency
        if self.amount.is_zero or self.amount.currency != currency:
            raise Refused("amount", self.amount, f"more than zero, in {currency}, is")
        now_ = renewal_or_now("an item", self.when) is When.NOW
        changed, at = self._by_itself(subscription, now) if now_ else self._with_the_next(subscription, now)
        check_sums(changed)
        return changed, at

    def _with_the_next(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        balance, first = subscription.balance, subscription.first_to_bill(now)
        if first is None:
            instead = "refund a period instead" if self.credit else "charge it now, or take the cancellation back first"
            raise Refused("when", "renewal", f"no charge follows: {instead}", Kind.NOT_NOW)
        if self.credit:
            changed = balance.with_credit(self.amount)
        else:
            changed = balance.with_item(Item(amount=self.amount, what=self.what))
        return subscription.but(balance=changed), subscription.schedule.due(first)

    def _by_itself(self, subscription: Subscription, now: datetime) -> tuple[Subscription, datetime]:
        if self.credit:
            raise Refused("when", "now", "a credit is taken off the next charges; it cannot be charged now")
        check_not_paused(subscription, "add it to the next charge")
        if subscription.is_behind(now):
            raise Refused("when", "now", "a period is owed: add it to the next charge", Kind.NOT_NOW)
        check_no_rest(subscription, "when", "now", "add it to the next charge")
        at, current = now.replace(microsecond=0), subscription.plan
        plan = Plan.of(
            current.plan_id,
            self.amount,
            current.regular.interval,
            1,
            capture=current.capture,
            collection=current.collection,
        )
        item = Agreement(first=subscription.next_period, starts_at=at, plan=plan, once=self.what)
        return subscription.but(contract=subscription.contract.with_period_of_its_own(item)), at
