"""How a subscription stands in the few fields that lists, searches and figures need; it is told with every notice."""

from typing import Self

from pydantic import AwareDatetime

from perennial_billing.billing.agenda import main_command
from perennial_billing.billing.calendar import Interval
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.lifecycle import Ended
from perennial_billing.billing.protocol.commands import Action, Elapse, Timer
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.values import Value


class Summary(Value):
    """A subscription in short, as it stood when it was told.

    Attributes:
        merchant_account: whose it is.
        plan_id: of what is charged now, or next.
        price: of one unit, a regular period.
        interval: of a regular period.
        quantity: how many units.
        began_at: its anchor (UTC).
        status: in one word.
        past_due_since: when the period fell due that is owed and could not be collected at once (UTC).
        needs_attention: the merchant has to look.
        last_reason: the reasonCode of the trouble that stands, or that ended it.
        next_action: what is done next; None where somebody has to decide, or it has ended.
        next_action_at: when (UTC).
        next_charge_at: when the next period is begun (UTC); None while one is owed, or it is paused, or ends.
        ended_at: when it had ended (UTC).
        successor: the charge permission that it goes on under.
    """

    merchant_account: str
    plan_id: str
    price: Money
    interval: Interval
    quantity: int
    began_at: AwareDatetime
    status: Status
    past_due_since: AwareDatetime | None = None
    needs_attention: bool = False
    last_reason: str | None = None
    next_action: Action | None = None
    next_action_at: AwareDatetime | None = None
    next_charge_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    successor: str | None = None

    @classmethod
    def of(cls, subscription: Subscription) -> Self:
        """A subscription's, as it stands once this is told: then no notice waits any more."""
        subscription = subscription.but(outbox=subscription.outbox.but(held_since=None))
        agreement = subscription.contract.agreement(subscription.next_period)
        lifecycle, owed = subscription.lifecycle, subscription.collection
        command = None if subscription.has_ended else main_command(subscription)
        waits = isinstance(command, Elapse) and command.timer is Timer.PERIOD
        return cls(
            merchant_account=subscription.terms.merchant_account,
            plan_id=agreement.plan.plan_id,
            price=agreement.plan.regular.amount,
            interval=agreement.plan.regular.interval,
            quantity=agreement.quantity,
            began_at=subscription.terms.anchor,
            status=subscription.status,
            past_due_since=owed.due if owed is not None and subscription.is_past_due else None,
            needs_attention=subscription.needs_attention,
            last_reason=subscription.last_reason,
            next_action=command.action if command else None,
            next_action_at=command.at if command else None,
            next_charge_at=command.at if command and waits else None,
            ended_at=lifecycle.stage.at if isinstance(lifecycle.stage, Ended) else None,
            successor=lifecycle.successor.charge_permission_id if lifecycle.successor else None,
        )
