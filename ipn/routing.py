"""Hands a proven notification to the workflow that it is about."""

import asyncio
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from amazon_pay_client.ipn import Notification, ObjectType
from perennial_billing.runtime.temporal import is_unknown, result_of
from perennial_billing.workflows.ended import EndedSubscriptionWorkflow, begins_with, start_options
from perennial_billing.workflows.messages import NotificationSignal
from perennial_billing.workflows.names import AMAZON_PAY_NOTIFICATION, AMAZONS_NAME, ended_workflow_id, workflow_id
from perennial_billing.workflows.subscription import SubscriptionWorkflow

MOST_SUCCESSORS: Final = 10
"""So often a buyer may have checked out anew; each look is a call to Temporal."""

JUST_STARTED: Final = timedelta(minutes=5)

SIGNAL_TIMEOUT: Final = timedelta(seconds=8)
"""For all tries together, those of Temporal's client included: SNS gives a receiver 15 s to answer."""


class Routed(StrEnum):
    """What became of a notification."""

    SIGNALLED = "signalled"
    NO_SUBSCRIPTION = "no_subscription"
    """No running workflow has that permission: a one-time order of the same shop, or an ended subscription."""
    AFTER_THE_END = "after_the_end"
    """A dispute or a refund of a subscription that has ended, or is not known: it has a workflow of its own."""
    REPEATED = "repeated"
    """It was handed over before."""


class TemporalUnavailableError(Exception):
    """The signal was not taken; SNS has to deliver the notification again."""


class NotYetRunningError(Exception):
    """The permission's workflow was started a moment ago, and broke off: it is probably about to be started again."""


class Router:
    """Signals subscriptions.

    Args:
        client: of their Temporal server.
        task_queue: where their workers listen.
    """

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def route(self, notification: Notification) -> Routed:
        """Signals the subscription of the notification's charge permission.

        CHARGE_PERMISSION goes to `instrument_updated`, everything else to `amazon_pay_notification`. Neither is
        believed there: the workflow reads the object before it acts.

        A dispute or a refund is of money that was taken, so it is not over with the subscription. Where that went on
        under another charge permission, its successor is signalled; where it has ended, or is not known any more, a
        workflow of its own takes it.

        Raises:
            TemporalUnavailableError: the signal was not taken.
            NotYetRunningError: nobody was there to take it, but somebody was a moment ago.
        """
        if not AMAZONS_NAME.fullmatch(notification.charge_permission_id):
            return Routed.NO_SUBSCRIPTION  # Temporal might refuse the id, and it would be sent again for days
        handle = self._client.get_workflow_handle(workflow_id(notification.charge_permission_id))
        signal = (
            SubscriptionWorkflow.instrument_updated
            if notification.object_type is ObjectType.CHARGE_PERMISSION
            else SubscriptionWorkflow.amazon_pay_notification
        )
        message = NotificationSignal(
            notification_id=_name(notification.notification_id),
            object_type=_name(notification.object_type),
            object_id=_name(notification.object_id),
        )
        try:
            async with asyncio.timeout(SIGNAL_TIMEOUT.total_seconds()):
                try:
                    await handle.signal(signal, message, rpc_timeout=SIGNAL_TIMEOUT)
                except RPCError as error:
                    if not is_unknown(error):
                        raise
                    if await _has_just_broken_off(handle):
                        raise NotYetRunningError(f"{handle.id} was started a moment ago and broke off") from None
                    if not _is_of_money_taken(notification):
                        return Routed.NO_SUBSCRIPTION
                    return await self._after_the_end(notification.charge_permission_id, message)
        except TimeoutError:
            raise TemporalUnavailableError(f"no answer within {SIGNAL_TIMEOUT.total_seconds():g} s") from None
        except RPCError as error:
            raise TemporalUnavailableError(f"{error.status.name}: {error.message}") from error
        return Routed.SIGNALLED

    async def _after_the_end(self, permission: str, message: NotificationSignal) -> Routed:
        """Signals whoever can still tell of it; starts a workflow for it where nobody is there."""
        ended = None
        for _ in range(MOST_SUCCESSORS):
            handle = self._client.get_workflow_handle_for(SubscriptionWorkflow.run, workflow_id(permission))
            ended = await result_of(handle, SIGNAL_TIMEOUT)
            if ended is None or ended.successor is None:
                break
            permission = ended.successor
            successor = self._client.get_workflow_handle(workflow_id(permission))
            if await _signalled(successor, SubscriptionWorkflow.amazon_pay_notification, message):
                return Routed.SIGNALLED
        before = self._client.get_workflow_handle_for(EndedSubscriptionWorkflow.run, ended_workflow_id(permission))
        await self._client.start_workflow(
            EndedSubscriptionWorkflow.run,
            begins_with(permission, ended, await result_of(before, SIGNAL_TIMEOUT)),
            **start_options(permission),
            task_queue=self._task_queue,
            start_signal=AMAZON_PAY_NOTIFICATION,
            start_signal_args=[message],
            rpc_timeout=SIGNAL_TIMEOUT,
        )
        return Routed.AFTER_THE_END


def _name(text: str) -> str:
    """A name of Amazon's; nothing where it is none: no workflow would take it, and its history would keep it."""
    return text if AMAZONS_NAME.fullmatch(text) else ""


def _is_of_money_taken(notification: Notification) -> bool:
    """Whether it is about a dispute or a refund that can be asked for."""
    is_name = AMAZONS_NAME.fullmatch(notification.object_id) is not None
    return notification.object_type in {ObjectType.CHARGEBACK, ObjectType.REFUND} and is_name


async def _signalled(handle: WorkflowHandle[Any, Any], signal: Any, message: NotificationSignal) -> bool:
    """Whether a running workflow took the signal. Any: workflows of different kinds, and their signals."""
    try:
        await handle.signal(signal, message, rpc_timeout=SIGNAL_TIMEOUT)
    except RPCError as error:
        if not is_unknown(error):
            raise
        return False
    return True


async def _has_just_broken_off(handle: WorkflowHandle[SubscriptionWorkflow, Any]) -> bool:  # Any: its result
    try:
        described = await handle.describe(rpc_timeout=SIGNAL_TIMEOUT)
    except RPCError as error:
        if is_unknown(error):
            return False
        raise
    ended_by_itself = described.status is WorkflowExecutionStatus.COMPLETED
    return not ended_by_itself and datetime.now(UTC) - described.start_time < JUST_STARTED
