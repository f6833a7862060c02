"""What happened, as the merchant is told it: typed events with a number of their own for each subscription.

A notice says what is so and what happens next, never what to believe about Amazon's objects. The numbers are without
gaps, so whoever receives them knows whether one is missing and which came first, in whatever order they arrive.
"""

from enum import StrEnum

from pydantic import AwareDatetime

from perennial_billing.billing.money import Money
from perennial_billing.billing.values import Value


class NoticeType(StrEnum):
    """The kinds of notices."""

    SUBSCRIPTION_STARTED = "subscription.started"
    CHARGE_UPCOMING = "charge.upcoming"
    """The next period falls due at `due`, and will cost `amount`; told as long before as the plan says, like the next
    three."""
    TRIAL_ENDING = "trial.ending"
    """The next period is the first that costs something."""
    RENEWAL_UPCOMING = "renewal.upcoming"
    """A term of a year or longer is about to be charged again."""
    PRICE_CHANGING = "price.changing"
    """The next period costs otherwise than the one before."""
    PERIOD_PAID = "period.paid"
    PERIOD_AUTHORIZED = "period.authorized"
    """The buyer's bank agreed; it is the merchant's to capture it until `deadline`."""
    CAPTURE_FAILED = "capture.failed"
    """The charge is still authorized; the merchant may try again."""
    PERIOD_FREE = "period.free"
    """It cost nothing, so Amazon was not asked."""
    PERIOD_SKIPPED = "period.skipped"
    """Nothing is owed for it; `reason` says why."""
    PERIOD_WRITTEN_OFF = "period.written_off"
    """It was owed, and is not collected any more."""
    PLAN_CHANGED = "plan.changed"
    """From `due` on a period costs `amount`: in time to tell the buyer, where a law wants that."""
    SUBSCRIPTION_CHANGED = "subscription.changed"
    """A request was accepted of which no other notice tells, such as a cancellation at the end of the paid period, a
    skipped period or a refund; `request` says what kind."""
    REFUND_COMPLETED = "refund.completed"
    """The money is on its way back to the buyer."""
    REFUND_FAILED = "refund.failed"
    """Nothing has gone back, and it is not tried again by itself."""
    DISPUTE_OPENED = "dispute.opened"
    """A charge is disputed; the merchant may contest that until `deadline`."""
    DISPUTE_CHANGED = "dispute.changed"
    CHARGE_PENDING = "charge.pending"
    """Amazon has not decided yet."""
    CHARGE_DECLINED = "charge.declined"
    """It is tried again; `next_action_at` says when."""
    MONTHLY_LIMIT_REACHED = "monthly_limit.reached"
    """Amazon's limit of the calendar month is used up; it is tried again in the next."""
    PAYMENT_METHOD_NEEDED = "payment_method.needed"
    """Only the buyer can mend it, on Amazon's page; also before anything is owed."""
    PAYMENT_METHOD_REMINDER = "payment_method.reminder"
    PAYMENT_METHOD_MENDED = "payment_method.mended"
    GRACE_ENDED = "grace.ended"
    """A period is still owed, and the subscriber is not to have what was bought any longer."""
    SUBSCRIPTION_HELD = "subscription.held"
    """The merchant has to look: a key, an account or a configuration is in the way, or periods were missed."""
    SUBSCRIPTION_UNPAID = "subscription.unpaid"
    """A period was not paid, and is not tried any more before the buyer has mended the payment method."""
    SUBSCRIPTION_PAUSED = "subscription.paused"
    """As somebody asked, or a policy where a charge is disputed: nothing that falls due meanwhile is owed."""
    SUBSCRIPTION_RESUMED = "subscription.resumed"
    CHARGE_PERMISSION_EXPIRING = "charge_permission.expiring"
    """It expires at `deadline`, as nothing is charged before; `reason` says so in words."""
    CHARGE_PERMISSION_CLOSED = "charge_permission.closed"
    """By the buyer, by Amazon or by its age: nothing can be charged any more."""
    CHARGE_PERMISSION_REPLACED = "charge_permission.replaced"
    """The subscription goes on under another one: `successor`."""
    SUBSCRIPTION_CONTINUED = "subscription.continued"
    """It goes on under this charge permission, from `predecessor`."""
    REPLACEMENT_REFUSED = "charge_permission.replacement_refused"
    """It does not go on under `successor`, as somebody had asked; `reason` says why, and nothing was closed."""
    SUBSCRIPTION_ENDED = "subscription.ended"


NEEDS_THE_BUYER = frozenset({NoticeType.PAYMENT_METHOD_NEEDED, NoticeType.PAYMENT_METHOD_REMINDER})
"""Notices that carry the page on which the buyer mends the payment method."""


class Notice(Value):
    """One thing that happened.

    Attributes:
        number: counted from 1 within the subscription, without gaps.
        type: what kind of thing.
        at: when (UTC, the subscription's time).
        period: the period that it is about, counted from 0.
        due: when that fell due, or will (UTC).
        amount: what that costs; of a refund or a dispute, how much it is.
        attempt: the attempt that it is about, counted from 1 within the period.
        charge_id: Amazon's id of the charge.
        refund_id: Amazon's id of the refund.
        dispute_id: Amazon's id of the dispute.
        reference: the merchant's own name for a refund.
        reason_code: Amazon's, or one of ours beside them; an open set.
        next_action_at: when something is done next (UTC).
        deadline: until when the buyer may mend the payment method or approve a new charge permission, or the merchant
            may capture (UTC).
        successor: the charge permission under which the subscription goes on, or was to.
        predecessor: the charge permission from which it goes on.
        credit: how much of a period was paid by credit, beside its amount; at the end what is left of the credit, as
            nobody will be charged less for it any more.
        credited: how much of the paid period before a change was credited, as its days are not served; of a refund that
            failed, how much of its period.
        items: what was to be charged once with a charge that does not come any more.
        status: how a subscription ended, or how a dispute stands at Amazon.
        reason: why, in words; never what a buyer wrote.
        request: the kind of a request that was accepted.
        actor: who asked for it, where this follows at once from a request.
        because: why they asked for it.
    """

    number: int
    type: NoticeType
    at: AwareDatetime
    period: int | None = None
    due: AwareDatetime | None = None
    amount: Money | None = None
    attempt: int | None = None
    charge_id: str | None = None
    refund_id: str | None = None
    dispute_id: str | None = None
    reference: str | None = None
    reason_code: str | None = None
    next_action_at: AwareDatetime | None = None
    deadline: AwareDatetime | None = None
    successor: str | None = None
    predecessor: str | None = None
    credit: Money | None = None
    credited: Money | None = None
    items: Money | None = None
    status: str | None = None
    reason: str | None = None
    request: str | None = None
    actor: str | None = None
    because: str | None = None
