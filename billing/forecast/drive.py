"""Leading a subscription through time without Temporal and without Amazon: what would be done, by its own rules.

Whatever tells of the future (a plan explained, a preview of charges) performs the commands that stand, as the workflow
does, and supposes the answers. So what is told and what is then done cannot differ.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from perennial_billing.billing.machine import apply
from perennial_billing.billing.protocol.answers import (
    ChargeAnswer,
    ChargeOutcome,
    DisputeAnswer,
    PermissionAnswer,
    PermissionState,
    RefundAnswer,
    RefundState,
    SuccessorAnswer,
)
from perennial_billing.billing.protocol.commands import (
    AskAmount,
    ClosePermission,
    Command,
    CreateCharge,
    CreateRefund,
    Elapse,
    ReadDispute,
    ReadPermission,
    ReadRefund,
    ReadSuccessor,
    StartSuccessor,
    UpdatePermission,
)
from perennial_billing.billing.protocol.events import Answer, Answered, Elapsed
from perennial_billing.billing.subscription import Subscription

CAPTURED: Final = ChargeAnswer(outcome=ChargeOutcome.CAPTURED)
CHARGEABLE: Final = PermissionAnswer(state=PermissionState.CHARGEABLE)
CLOSED: Final = PermissionAnswer(state=PermissionState.CLOSED)

Performer = Callable[[Command], Answer]
"""Answers a command that is not only a wait."""


def success(command: Command) -> Answer:
    """Supposes that everything succeeds: the buyer pays, Amazon does as asked, an amount is what the plan says."""
    match command:
        case AskAmount(at_most=at_most):
            return at_most
        case ReadPermission() | ReadSuccessor() | UpdatePermission():
            return CHARGEABLE
        case ClosePermission():
            return CLOSED
        case CreateRefund() | ReadRefund():
            return RefundAnswer(state=RefundState.REFUNDED)
        case ReadDispute():
            return DisputeAnswer()
        case StartSuccessor():
            return SuccessorAnswer(started=True)
        case _:
            return CAPTURED


def failing(charge: Callable[[CreateCharge], ChargeAnswer], permission: PermissionAnswer) -> Performer:
    """Supposes that attempts are answered so, and that the charge permission stands so; all else succeeds."""

    def answer(command: Command) -> Answer:
        match command:
            case CreateCharge():
                return charge(command)
            case ReadPermission():
                return permission
            case _:
                return success(command)

    return answer


def perform(subscription: Subscription, command: Command, now: datetime, performer: Performer) -> Subscription:
    """The subscription after a command was performed.

    Args:
        subscription: stays as it is.
        command: the one that stands.
        now: when it is performed (UTC).
        performer: answers it.
    """
    if isinstance(command, Elapse):
        return apply(subscription, Elapsed(command.timer), now)
    return apply(subscription, Answered(command, performer(command)), now)
