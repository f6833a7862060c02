"""Leading a subscription through time without Temporal and without Amazon: what would be done, by its own rules.

Whatever tells of the future (a plan explained, a preview of charges) performs the steps that stand, as the workflow
does, and supposes the answers. So what is told and what is then done cannot differ.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from billing.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer, PermissionState
from billing.collection import Action, Attempt, Step
from billing.disputes import DisputeAnswer
from billing.refunds import RefundAnswer, RefundState
from billing.subscription import Subscription

CAPTURED: Final = ChargeAnswer(outcome=ChargeOutcome.CAPTURED)
CHARGEABLE: Final = PermissionAnswer(state=PermissionState.CHARGEABLE)
CLOSED: Final = PermissionAnswer(state=PermissionState.CLOSED)


BY_THEMSELVES: Final[Mapping[Action, Callable[[Subscription, datetime], None]]] = MappingProxyType(
    {
        Action.GIVE_UP: Subscription.time_is_up,
        Action.PAUSE: Subscription.pause_begins,
        Action.RESUME: Subscription.resume,
        Action.GIVE_UP_FOR_NEXT: Subscription.next_one_is_due,
        Action.END_GRACE: Subscription.grace_is_over,
        Action.STOP_WAITING: Subscription.waited_long_enough,
    }
)
"""Steps for which nobody has to be asked."""


def perform(
    subscription: Subscription,
    step: Step,
    now: datetime,
    charge: Callable[[Attempt], ChargeAnswer],
    permission: PermissionAnswer = CHARGEABLE,
) -> None:
    """Performs one step with supposed answers: what is beside the charges succeeds.

    Args:
        subscription: is changed in place.
        step: the one that stands.
        now: when it is performed (UTC).
        charge: answers an attempt to charge, and the question what became of one.
        permission: how the charge permission stands.
    """
    if step.action in BY_THEMSELVES:
        BY_THEMSELVES[step.action](subscription, now)
    elif step.action in _BESIDE:
        _BESIDE[step.action](subscription, step, now)
    elif step.action is Action.READ_PERMISSION:
        subscription.permission_answered(permission, now)
    elif step.action is Action.CAPTURE:
        subscription.capture_answered(charge(subscription.open_attempt()), now)
    else:
        begins = step.action is Action.CHARGE
        attempt = subscription.begin_attempt(now) if begins else subscription.open_attempt()
        if attempt is not None:
            subscription.charge_answered(charge(attempt), now)


def _end_as_planned(subscription: Subscription, _: Step, now: datetime) -> None:
    subscription.end_as_planned()
    if subscription.cancellation_is_due:
        subscription.begin_cancellation(now)


def _refund(subscription: Subscription, step: Step, now: datetime) -> None:
    subscription.refund_answered(step.refund, RefundAnswer(state=RefundState.REFUNDED), now)


def _capture(subscription: Subscription, step: Step, now: datetime) -> None:
    subscription.authorization_answered(step, CAPTURED, now)


_BESIDE: Final[Mapping[Action, Callable[[Subscription, Step, datetime], None]]] = MappingProxyType(
    {
        Action.CANCEL: _end_as_planned,
        Action.REFUND: _refund,
        Action.READ_REFUND: _refund,
        Action.CAPTURE_AUTHORIZED: _capture,
        Action.READ_AUTHORIZED: _capture,
        Action.READ_DISPUTE: lambda subscription, step, now: subscription.dispute_answered(
            step.dispute_id, DisputeAnswer(), now
        ),
        Action.CLOSE_PERMISSION: lambda subscription, _, now: subscription.permission_closed(CLOSED, now),
    }
)
"""Steps that collect no period."""
