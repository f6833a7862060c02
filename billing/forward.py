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
) -> bool:
    """Performs one step with supposed answers; False where it waits for somebody, and nothing was done.

    Args:
        subscription: is changed in place.
        step: the one that stands.
        now: when it is performed (UTC).
        charge: answers an attempt to charge, and the question what became of one.
        permission: how the charge permission stands.
    """
    action = step.action
    if action in BY_THEMSELVES:
        BY_THEMSELVES[action](subscription, now)
    elif action is Action.CHARGE:
        attempt = subscription.begin_attempt(now)
        if attempt is not None:
            subscription.charge_answered(charge(attempt), now)
    elif action in {Action.REPEAT_CHARGE, Action.READ_CHARGE}:
        subscription.charge_answered(charge(subscription.open_attempt()), now)
    elif action is Action.CAPTURE:
        subscription.capture_answered(charge(subscription.open_attempt()), now)
    elif action is Action.READ_PERMISSION:
        subscription.permission_answered(permission, now)
    elif action is Action.CANCEL:
        subscription.end_as_planned()
        if subscription.cancellation_is_due:
            subscription.begin_cancellation(now)
    elif action is Action.CLOSE_PERMISSION:
        subscription.permission_closed(CLOSED, now)
    else:
        return False  # an authorized charge waits for the merchant
    return True
