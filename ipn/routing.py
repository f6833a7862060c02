"""Hands a proven notification to the workflow that it is about."""

import asyncio
from datetime import timedelta
from enum import StrEnum
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from amazon_pay.ipn import Notification, ObjectType
from runtime.temporal import namespace_is_missing
from workflows.messages import NotificationSignal
from workflows.names import workflow_id
from workflows.subscription import SubscriptionWorkflow

SIGNAL_TIMEOUT: Final = timedelta(seconds=8)
"""For all tries together, those of Temporal's client included: SNS gives a receiver 15 s to answer."""


class Routed(StrEnum):
    """What became of a notification."""

    SIGNALLED = "signalled"
    NO_SUBSCRIPTION = "no_subscription"
    """No running workflow has that permission: a one-time order of the same shop, or an ended subscription."""


class TemporalUnavailableError(Exception):
    """The signal was not taken; SNS has to deliver the notification again."""


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
                await handle.signal(signal, message, rpc_timeout=SIGNAL_TIMEOUT)
        except TimeoutError:
            raise TemporalUnavailableError(f"no answer within {SIGNAL_TIMEOUT.total_seconds():g} s") from None
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND and not namespace_is_missing(error):
                return Routed.NO_SUBSCRIPTION
            raise TemporalUnavailableError(f"{error.status.name}: {error.message}") from error
        return Routed.SIGNALLED
