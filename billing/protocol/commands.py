"""What a subscription wants done next, with all that is needed to do it.

Whoever performs a command looks nothing up: it says what, when, why, and under which key. What came of it is reported
as an event (`billing.protocol.events`).
"""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import ClassVar

from pydantic import AwareDatetime

from perennial_billing.billing.money import Money
from perennial_billing.billing.plan.recurrence import Recurrence
from perennial_billing.billing.plan.texts import ChargeTexts
from perennial_billing.billing.values import Value


class Action(StrEnum):
    """What kind of thing is done next, in a word for people."""

    CHARGE = "charge"
    REPEAT_CHARGE = "repeat charge"
    """Send the same attempt again, with the same key and body."""
    CAPTURE = "capture charge"
    CAPTURE_AUTHORIZED = "capture authorized charge"
    """One that the merchant captures later, beside whatever else is done."""
    READ_AUTHORIZED = "read authorized charge"
    READ_CHARGE = "read charge"
    READ_PERMISSION = "read charge permission"
    UPDATE_PERMISSION = "tell Amazon of the plan"
    CLOSE_PERMISSION = "close charge permission"
    ASK_AMOUNT = "ask for the amount"
    FINAL_ACTION = "final action"
    """The policy's, as its time or attempts are used up."""
    WRITE_OFF_FOR_NEXT = "write off period for the next one"
    END_GRACE = "end grace"
    REFUND = "refund"
    READ_REFUND = "read refund"
    READ_DISPUTE = "read dispute"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    TELL_AHEAD = "tell ahead"
    STOP_WAITING = "stop waiting"
    TELL_OF_EXPIRY = "tell of the expiry"
    """For a new charge permission."""
    READ_SUCCESSOR = "read the new charge permission"
    START_SUCCESSOR = "start under the new charge permission"


class Timer(StrEnum):
    """What an instant is waited for; when it has come, the rules go on by themselves."""

    PERIOD = "period"
    """The next period falls due."""
    RETRY = "retry"
    """Another attempt is to be made."""
    TERM = "term"
    """The last period of the plan is over."""
    FINAL_ACTION = "final_action"
    """The policy's time or attempts are used up."""
    NEXT_DUE = "next_due"
    """The next period falls due, for which the owed one is written off."""
    GRACE = "grace"
    PAUSE = "pause"
    RESUME = "resume"
    PLANNED_END = "planned_end"
    CANCELLATION = "cancellation"
    AHEAD = "ahead"
    """The merchant is told of something before it happens."""
    QUESTION = "question"
    """The merchant is asked what the next period costs, before it falls due."""
    CHECKOUT = "checkout"
    """A new charge permission was awaited long enough."""
    EXPIRY = "expiry"
    """The charge permission expires in some weeks, and nothing is charged before."""


_ACTION_OF_TIMER = {
    Timer.PERIOD: Action.CHARGE,
    Timer.RETRY: Action.CHARGE,
    Timer.TERM: Action.CLOSE_PERMISSION,
    Timer.FINAL_ACTION: Action.FINAL_ACTION,
    Timer.NEXT_DUE: Action.WRITE_OFF_FOR_NEXT,
    Timer.GRACE: Action.END_GRACE,
    Timer.PAUSE: Action.PAUSE,
    Timer.RESUME: Action.RESUME,
    Timer.PLANNED_END: Action.CANCEL,
    Timer.CANCELLATION: Action.CANCEL,
    Timer.AHEAD: Action.TELL_AHEAD,
    Timer.QUESTION: Action.ASK_AMOUNT,
    Timer.CHECKOUT: Action.STOP_WAITING,
    Timer.EXPIRY: Action.TELL_OF_EXPIRY,
}


class Precedence(IntEnum):
    """Which of several calls that wait for Amazon's limit is made first: the lower number.

    As Temporal has priorities, from 1 to 5 (Temporal, "task queue priority").
    """

    URGENT = 1
    """Somebody waits: a buyer who has just mended a card, a cancellation."""
    YEAR = 2
    """The first attempt for a year or more: it is worth a dozen monthly ones, and is there once a year."""
    REGULAR = 3
    RETRY = 4
    """Another attempt for a period that was refused before: an hour more changes nothing."""
    AUDIT = 5
    """What is only looked at."""


class Command(Value):
    """What is done next.

    Attributes:
        at: when (UTC). What follows at once from something that just happened has the instant of that.
        why: in words for people; never what a buyer wrote.
        at_once: it follows from what just happened, so no timer is needed; else one is waited for, however late it is.
        urgent: somebody waits for it: it goes before routine charges of the same day.
        until_answered: it was made in vain for long enough to be seen, and is now made for as long as it takes.
    """

    does: ClassVar[Action]

    at: AwareDatetime
    why: str
    at_once: bool = False
    urgent: bool = False
    until_answered: bool = False

    @property
    def action(self) -> Action:
        """What kind of thing it is, in a word for people."""
        return self.does

    @property
    def precedence(self) -> Precedence:
        """Before what it is done, where calls have to wait."""
        return Precedence.URGENT if self.urgent else Precedence.REGULAR

    @property
    def about(self) -> str:
        """Which of its kind it is, where there may be several beside each other."""
        return ""


class Elapse(Command):
    """Wait, and say that the instant has come."""

    timer: Timer

    @property
    def action(self) -> Action:
        """By what is waited for."""
        return _ACTION_OF_TIMER[self.timer]


class Attempt(Value):
    """One attempt: a charge of one period under one idempotency key.

    Attributes:
        period: counted from 0.
        number: counted from 1 within the period.
        amount: what is charged.
        idempotency_key: the same for each repetition of this attempt, and no other's.
        handles_pending: Amazon may take up to 24 hours to authorize it. Such a charge is not captured at once: Amazon
            wants the capture to be asked for when it is authorized.
        capture_now: the money is taken with the charge.
    """

    period: int
    number: int
    amount: Money
    idempotency_key: str
    handles_pending: bool = False
    capture_now: bool = True


class CreateCharge(Command):
    """Send an attempt; the same attempt is sent again with the same key and body until its outcome is known.

    Attributes:
        charge_permission_id: what is charged.
        merchant_reference: the merchant's own, for Amazon's statements.
        attempt: what is sent.
        repeats: it was sent before, and refused for what only an operator can mend.
        for_a_year: whether the period is a year or longer.
        texts: what the buyer reads of it.
    """

    does: ClassVar = Action.CHARGE
    charge_permission_id: str
    merchant_reference: str
    attempt: Attempt
    repeats: bool = False
    for_a_year: bool = False
    texts: ChargeTexts | None = None

    @property
    def action(self) -> Action:
        """See `Command.action`."""
        return Action.REPEAT_CHARGE if self.repeats else self.does

    @property
    def precedence(self) -> Precedence:
        """See `Command.precedence`."""
        if self.urgent:
            return Precedence.URGENT
        if self.repeats or self.attempt.number > 1:
            return Precedence.RETRY
        return Precedence.YEAR if self.for_a_year else Precedence.REGULAR


class ReadCharge(Command):
    """Ask Amazon how a charge stands that it was still deciding on."""

    does: ClassVar = Action.READ_CHARGE
    charge_id: str


class CaptureCharge(Command):
    """Take the money of the attempt's charge, which was pending and is authorized."""

    does: ClassVar = Action.CAPTURE
    period: int
    charge_id: str
    amount: Money
    idempotency_key: str
    soft_descriptor: str | None = None


class CaptureAuthorized(Command):
    """Take the money of an earlier period's charge, as the merchant asked."""

    does: ClassVar = Action.CAPTURE_AUTHORIZED
    period: int
    charge_id: str
    amount: Money
    idempotency_key: str
    soft_descriptor: str | None = None

    @property
    def about(self) -> str:
        """See `Command.about`."""
        return self.charge_id


class ReadAuthorized(Command):
    """Ask Amazon how an earlier period's charge stands."""

    does: ClassVar = Action.READ_AUTHORIZED
    period: int
    charge_id: str

    @property
    def about(self) -> str:
        """See `Command.about`."""
        return self.charge_id


class ReadPermission(Command):
    """Ask Amazon whether the charge permission can be charged.

    Attributes:
        planned: the period's collection waits for it; else somebody only said that it may have changed.
    """

    does: ClassVar = Action.READ_PERMISSION
    charge_permission_id: str
    planned: bool = False


class UpdatePermission(Command):
    """Tell Amazon, and by it the buyer, how often how much is charged."""

    does: ClassVar = Action.UPDATE_PERMISSION
    charge_permission_id: str
    recurrence: Recurrence


class ClosePermission(Command):
    """Close the charge permission; the reason is told to Amazon."""

    does: ClassVar = Action.CLOSE_PERMISSION
    charge_permission_id: str
    reason: str
    cancel_pending_charges: bool


class CreateRefund(Command):
    """Give money back."""

    does: ClassVar = Action.REFUND
    number: int
    period: int
    charge_id: str
    amount: Money
    idempotency_key: str
    soft_descriptor: str | None = None

    @property
    def about(self) -> str:
        """See `Command.about`."""
        return str(self.number)


class ReadRefund(Command):
    """Ask Amazon how a refund stands; one that was not asked for here has no number."""

    does: ClassVar = Action.READ_REFUND
    number: int | None = None
    refund_id: str

    @property
    def about(self) -> str:
        """See `Command.about`."""
        return self.refund_id if self.number is None else str(self.number)


class ReadDispute(Command):
    """Ask Amazon how a dispute stands."""

    does: ClassVar = Action.READ_DISPUTE
    dispute_id: str

    @property
    def about(self) -> str:
        """See `Command.about`."""
        return self.dispute_id


class AskAmount(Command):
    """Ask the merchant what a period costs.

    Attributes:
        charge_permission_id: whose.
        merchant_reference: the merchant's own.
        plan_id: the plan's.
        quantity: how many units of it.
        period: counted from 0.
        due: when it falls due (UTC).
        until: when the next one does (UTC).
        at_most: what the plan says; no more can be charged.
    """

    does: ClassVar = Action.ASK_AMOUNT
    charge_permission_id: str
    merchant_reference: str
    plan_id: str
    quantity: int
    period: int
    due: AwareDatetime
    until: AwareDatetime
    at_most: Money


class ReadSuccessor(Command):
    """Ask Amazon for the charge permission under which the subscription is to go on, before the present one is closed.

    Attributes:
        charge_permission_id: as the merchant named it; there may be none.
    """

    does: ClassVar = Action.READ_SUCCESSOR
    charge_permission_id: str

    @property
    def about(self) -> str:
        """See `Command.about`."""
        return self.charge_permission_id


class StartSuccessor(Command):
    """Start the same subscription under the charge permission that the buyer has approved since."""

    does: ClassVar = Action.START_SUCCESSOR
    charge_permission_id: str


class Next(Value):
    """What is done next, as it is shown: what kind of thing, when (UTC), and why."""

    action: Action
    at: AwareDatetime
    why: str

    @classmethod
    def of(cls, command: Command) -> "Next":
        """A command's."""
        return cls(action=command.action, at=command.at, why=command.why)


def elapse(timer: Timer, at: datetime, why: str, *, at_once: bool = False, urgent: bool = False) -> Elapse:
    """Waits for an instant."""
    return Elapse(timer=timer, at=at, why=why, at_once=at_once, urgent=urgent)
