"""Hands a proven notification to the workflow that it is about."""

import asyncio
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from amazon_pay.ipn import Notification, ObjectType
from runtime.temporal import namespace_is_missing
from workflows.messages import NotificationSignal
from workflows.names import workflow_id
from workflows.subscription import SubscriptionWorkflow

JUST_STARTED: Final = timedelta(minutes=5)

SIGNAL_TIMEOUT: Final = timedelta(seconds=8)
"""For all tries together, those of Temporal's client included: SNS gives a receiver 15 s to answer."""


class Routed(StrEnum):
    """What became of a notification."""

    SIGNALLED = "signalled"
    NO_SUBSCRIPTION = "no_subscription"
    """No running workflow has that permission: a one-time order of the same shop, or an ended subscription."""
    REPEATED = "repeated"
    """It was handed over before."""


class TemporalUnavailableError(Exception):
    """The signal was not taken; SNS has to deliver the notification again."""


class NotYetRunningError(Exception):
    """The permission's workflow was started a moment ago, and broke off: it is probably about to be started again."""


class Router:
    """Signals subscriptions."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def route(self, notification: Notification) -> Routed:
        """Signals the subscription of the notification's charge permission.

        CHARGE_PERMISSION goes to `instrument_updated`, everything else to `amazon_pay_notification`. Neither is
        believed there: the workflow reads the object before it acts.

        Raises:
            TemporalUnavailableError: the signal was not taken.
            NotYetRunningError: nobody was there to take it, but somebody was a moment ago.
        """
        handle = self._client.get_workflow_handle(workflow_id(notification.charge_permission_id))
        signal = (
            SubscriptionWorkflow.instrument_updated
            if notification.object_type is ObjectType.CHARGE_PERMISSION
            else SubscriptionWorkflow.amazon_pay_notification
        )
        message = NotificationSignal(
            notification_id=notification.notification_id,
            object_type=notification.object_type,
            object_id=notification.object_id,
        )
        try:
            async with asyncio.timeout(SIGNAL_TIMEOUT.total_seconds()):
                try:
                    await handle.signal(signal, message, rpc_timeout=SIGNAL_TIMEOUT)
                except RPCError as error:
                    if not _is_unknown(error):
                        raise
                    if await _has_just_broken_off(handle):
                        raise NotYetRunningError(f"{handle.id} was started a moment ago and broke off") from None
                    return Routed.NO_SUBSCRIPTION
        except TimeoutError:
            raise TemporalUnavailableError(f"no answer within {SIGNAL_TIMEOUT.total_seconds():g} s") from None
        except RPCError as error:
            raise TemporalUnavailableError(f"{error.status.name}: {error.message}") from error
        return Routed.SIGNALLED


async def _has_just_broken_off(handle: WorkflowHandle[SubscriptionWorkflow, Any]) -> bool:  # Any: its result
    try:
        described = await handle.describe(rpc_timeout=SIGNAL_TIMEOUT)
    except RPCError as error:
        if _is_unknown(error):
            return False
        raise
    ended_by_itself = described.status is WorkflowExecutionStatus.COMPLETED
    return not ended_by_itself and datetime.now(UTC) - described.start_time < JUST_STARTED


def _is_unknown(error: RPCError) -> bool:
    return error.status is RPCStatusCode.NOT_FOUND and not namespace_is_missing(error)
