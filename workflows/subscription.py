"""The workflow of one subscription.

It performs the step that stands, reports what came of it to the state, and sleeps until the next one. What the next
step is, is decided in `billing`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.signatures import (
        AmazonPayActivities,
        ClosePermission,
        CreateCharge,
        ReadCharge,
        ReadPermission,
    )
    from billing.collection import Action, Attempt, Step
    from billing.subscription import Subscription
    from workflows.display import details, search_attribute_updates
    from workflows.messages import CancelRequest, NotificationSignal

PERIODS_PER_RUN: Final = 13
"""A year of monthly periods and the one that closes it. A wake after a month replays the run, so runs stay short; the
next one carries the whole state."""

CHARGE_OBJECT: Final = "CHARGE"
"""The object type of notifications about charges."""

_RETRY_UNTIL_KNOWN: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=10),
    maximum_attempts=0,
)
_ATTEMPT_TIMEOUT: Final = timedelta(seconds=60)
"""Above the client's own limit of 40 s, so that a slow answer is read rather than abandoned."""

_HEARTBEAT_TIMEOUT: Final = timedelta(seconds=12)
"""A worker that died is noticed after this; a living one sends a heartbeat every 4 s."""

Request = TypeVar("Request")
Answer = TypeVar("Answer")


async def _ask_amazon(
    call: Callable[[AmazonPayActivities, Request], Coroutine[Any, Any, Answer]],  # Any: what a coroutine yields
    request: Request,
    summary: str,
) -> Answer:
    """Runs one activity; an unknown outcome is asked for again until it is known, however long that takes."""
    return await workflow.execute_activity_method(
        call,
        request,
        start_to_close_timeout=_ATTEMPT_TIMEOUT,
        heartbeat_timeout=_HEARTBEAT_TIMEOUT,
        retry_policy=_RETRY_UNTIL_KNOWN,
        summary=summary,
    )


@workflow.defn
class SubscriptionWorkflow:
    """One subscriber's life: from the first due date to the closed charge permission."""

    @workflow.init
    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._first_period_of_run = subscription.next_period

    @workflow.run
    async def run(self, subscription: Subscription) -> Subscription:  # noqa: ARG002 - taken by __init__
        """Bills the subscriber until the subscription ends; returns its last state.

        Temporal's own cancellation, such as the Web UI's button, means the same as the signal: it must neither
        interrupt a charge under way nor leave the charge permission open.
        """
        life = asyncio.create_task(self._live())
        try:
            await asyncio.shield(life)
        except asyncio.CancelledError:
            if life.done():
                raise
            self._subscription.cancel_requested("Canceled in Temporal")
            await life
        return self._subscription

    async def _live(self) -> None:
        while not self._subscription.has_ended:
            await self._sleep_until_next_step()
            await self._take_next_step()
            await self._continue_as_new_when_long()
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._show()

    # What others say and ask

    @workflow.signal
    def cancel(self, request: CancelRequest) -> None:
        """Ends the subscription: a charge under way is awaited, then the charge permission is closed."""
        self._subscription.cancel_requested(request.reason)

    @workflow.signal
    def instrument_updated(self, notification: NotificationSignal | None = None) -> None:
        """The payment method, or the permission as a whole, may have changed: it is read before acting.

        Sent for Amazon's CHARGE_PERMISSION notifications, which do not say what changed, and by a merchant whose
        buyer has come back from the update page.
        """
        self._subscription.permission_may_have_changed(notification.notification_id if notification else None)

    @workflow.signal
    def amazon_pay_notification(self, notification: NotificationSignal) -> None:
        """Amazon's notification about a charge: a pending one is read at once. Others need nothing yet."""
        if notification.object_type == CHARGE_OBJECT:
            self._subscription.charge_may_have_changed(notification.object_id, workflow.now())

    @workflow.query
    def status(self) -> Subscription:
        """The whole state as it stood when the workflow last did something."""
        return self._subscription

    # What it does

    async def _sleep_until_next_step(self) -> None:
        """Sleeps until the step that stands is due, or until somebody has news."""
        step = self._subscription.next_step
        if self._has_news(step) or self._is_due(step):
            return
        self._show()
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._has_news(step),
                timeout=step.at - workflow.now() if step else None,
                timeout_summary=f"Until {step.at:%Y-%m-%d %H:%M} UTC: {step.why}" if step else None,
            )

    async def _take_next_step(self) -> None:
        step = self._subscription.next_step
        if self._subscription.cancellation_is_due:
            self._subscription.begin_cancellation(workflow.now())
        elif step is not None and self._is_due(step):
            await _PERFORM[step.action](self)
        elif self._subscription.look_requested:
            await self._read_permission()

    async def _charge(self) -> None:
        attempt = self._subscription.begin_attempt(workflow.now())
        if attempt is not None:
            await self._send(attempt)

    async def _repeat_charge(self) -> None:
        await self._send(self._subscription.open_attempt())

    async def _send(self, attempt: Attempt) -> None:
        answer = await _ask_amazon(
            AmazonPayActivities.create_charge,
            CreateCharge(
                charge_permission_id=self._subscription.terms.charge_permission_id,
                amount=attempt.amount,
                idempotency_key=attempt.idempotency_key,
                merchant_reference=self._subscription.terms.merchant_reference,
            ),
            f"Period {attempt.period}, attempt {attempt.number}: {attempt.amount}",
        )
        self._subscription.charge_answered(answer, workflow.now())

    async def _read_charge(self) -> None:
        charge_id = self._subscription.pending_charge_id
        answer = await _ask_amazon(
            AmazonPayActivities.read_charge,
            ReadCharge(charge_id=charge_id),
            f"Has Amazon decided on {charge_id}?",
        )
        self._subscription.charge_answered(answer, workflow.now())

    async def _read_permission(self) -> None:
        answer = await _ask_amazon(
            AmazonPayActivities.read_permission,
            ReadPermission(charge_permission_id=self._subscription.terms.charge_permission_id),
            "Can the charge permission be charged?",
        )
        self._subscription.permission_answered(answer, workflow.now())

    async def _give_up(self) -> None:
        self._subscription.time_is_up(workflow.now())

    async def _close_permission(self) -> None:
        answer = await _ask_amazon(
            AmazonPayActivities.close_permission,
            ClosePermission(
                charge_permission_id=self._subscription.terms.charge_permission_id,
                reason=self._subscription.closure_reason,
            ),
            "Close the charge permission",
        )
        self._subscription.permission_closed(answer, workflow.now())

    async def _continue_as_new_when_long(self) -> None:
        periods = self._subscription.next_period - self._first_period_of_run
        long = periods >= PERIODS_PER_RUN or workflow.info().is_continue_as_new_suggested()
        if long and not self._subscription.has_ended:
            await workflow.wait_condition(workflow.all_handlers_finished)
            self._show()
            workflow.continue_as_new(self._subscription)

    # How it looks

    def _is_due(self, step: Step | None) -> bool:
        return step is not None and step.at <= workflow.now()

    def _has_news(self, step: Step | None) -> bool:
        """Whether something is to be done before `step` falls due."""
        subscription = self._subscription
        return subscription.cancellation_is_due or subscription.look_requested or subscription.next_step is not step

    def _show(self) -> None:
        """Brings search attributes and details up to date; costs an event only where an attribute changed."""
        workflow.set_current_details(details(self._subscription))
        updates = search_attribute_updates(self._subscription, workflow.info().typed_search_attributes)
        if updates:
            workflow.upsert_search_attributes(updates)


_PERFORM: Final[Mapping[Action, Callable[[SubscriptionWorkflow], Awaitable[None]]]] = MappingProxyType(
    {
        Action.CHARGE: SubscriptionWorkflow._charge,  # noqa: SLF001 - the workflow's own steps, by action
        Action.REPEAT_CHARGE: SubscriptionWorkflow._repeat_charge,  # noqa: SLF001
        Action.READ_CHARGE: SubscriptionWorkflow._read_charge,  # noqa: SLF001
        Action.READ_PERMISSION: SubscriptionWorkflow._read_permission,  # noqa: SLF001
        Action.CLOSE_PERMISSION: SubscriptionWorkflow._close_permission,  # noqa: SLF001
        Action.GIVE_UP: SubscriptionWorkflow._give_up,  # noqa: SLF001
    }
)
