"""One change for all subscriptions that match a query.

It may be broken off and asked for again. Whom it holds for already is then told as such and left alone: asking twice
for another plan at once would be a second period, and a second charge.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from perennial_billing.billing.changes import Cancel, Change, When
from perennial_billing.billing.standing import why_already
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.errors import NoWorkerError, SubscriptionEndedError, SubscriptionError
from perennial_billing.starter.listing import STORE_LAG
from perennial_billing.starter.many.runner import Outcome, Result

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
            why = why_already(await subscriptions.status(charge_permission_id), change, datetime.now(UTC))
            if why is not None:
                return Result(charge_permission_id, Outcome.ALREADY, why)
            changed = await subscriptions.change(charge_permission_id, change)
        except SubscriptionError as error:
            return Result(charge_permission_id, Outcome.REFUSED, str(error))
        return Result(charge_permission_id, Outcome.DONE, f"takes effect {changed.effective_at:%Y-%m-%d %H:%M} UTC")

    return change_one


def canceling(subscriptions: Subscriptions, reason: str) -> Doing:
    """Cancels one now."""

    async def cancel_one(charge_permission_id: str) -> Result:
        try:
            with suppress(NoWorkerError):  # the signal is safe without one, and asking twice ends it once
                view = await subscriptions.status(charge_permission_id)
                why = why_already(view, Cancel(when=When.NOW), datetime.now(UTC))
                if why is not None:
                    return Result(charge_permission_id, Outcome.ALREADY, why)
            await subscriptions.cancel(charge_permission_id, reason)
        except SubscriptionEndedError:
            return Result(charge_permission_id, Outcome.ALREADY, "it has ended already")
        except SubscriptionError as error:
            return Result(charge_permission_id, Outcome.REFUSED, str(error))
        return Result(charge_permission_id, Outcome.DONE, "asked to cancel")

    return cancel_one


async def matching_only(charge_permission_id: str) -> Result:
    """Does nothing: what a dry run does."""
    return Result(charge_permission_id, Outcome.DONE, "would be changed")
