"""One change for all subscriptions that match a query."""

from collections.abc import AsyncIterator, Awaitable, Callable

from billing.changes import Change
from starter.client import Subscriptions
from starter.errors import SubscriptionError
from starter.listing import STORE_LAG
from starter.many.runner import Outcome, Result

Doing = Callable[[str], Awaitable[Result]]


async def matching(subscriptions: Subscriptions, query: str) -> AsyncIterator[str]:
    """The charge permissions of the running subscriptions that match, each once, in no order.

    Args:
        subscriptions: the merchant's way in.
        query: a condition over search attributes, such as `Plan = 'coffee' AND SubscriptionStatus = 'active'`.

    Raises:
        SubscriptionError: it is not a query.
    """
    async for listed in subscriptions.list(query=query, lag=STORE_LAG):
        yield listed.charge_permission_id


def changing(subscriptions: Subscriptions, change: Change) -> Doing:
    """Changes one."""

    async def change_one(charge_permission_id: str) -> Result:
        try:
            changed = await subscriptions.change(charge_permission_id, change)
        except SubscriptionError as error:
            return Result(charge_permission_id, Outcome.REFUSED, str(error))
        return Result(charge_permission_id, Outcome.DONE, f"takes effect {changed.effective_at:%Y-%m-%d %H:%M} UTC")

    return change_one


def canceling(subscriptions: Subscriptions, reason: str) -> Doing:
    """Cancels one now."""

    async def cancel_one(charge_permission_id: str) -> Result:
        try:
            await subscriptions.cancel(charge_permission_id, reason)
        except SubscriptionError as error:
            return Result(charge_permission_id, Outcome.REFUSED, str(error))
        return Result(charge_permission_id, Outcome.DONE, "asked to cancel")

    return cancel_one


async def matching_only(charge_permission_id: str) -> Result:
    """Does nothing: what a dry run does."""
    return Result(charge_permission_id, Outcome.DONE, "would be changed")
