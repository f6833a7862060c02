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
from temporalio.common import Priority, RetryPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.signatures import (
        AmazonPayActivities,
        AmountActivities,
        AmountQuestion,
        Announcement,
        CaptureCharge,
        ClosePermission,
        CreateCharge,
        CreateRefund,
        NoticeActivities,
        ReadCharge,
        ReadDispute,
        ReadPermission,
        ReadRefund,
        UpdatePermission,
    )
    from billing.answers import ChargeAnswer
    from billing.changes import dearest_charge
    from billing.collection import Action, Attempt, Step
    from billing.ledger import PeriodOutcome, PeriodRecord
    from billing.money import Money
    from billing.monthly_limit import check_monthly_limit
    from billing.preview import Upcoming, upcoming
    from billing.refunds import Refund, RefundState, Wanted
    from billing.subscription import Subscription
    from workflows.display import details, initial_search_attributes, search_attribute_updates, static_summary
    from workflows.memo import initial_memo
    from workflows.messages import (
        CancelRequest,
        CaptureRequest,
        CaptureResult,
        Changed,
        ChangeRequest,
        NotificationSignal,
        ReplacementRequest,
    )
    from workflows.names import Call, amounts_queue, call_queue, workflow_id

PERIODS_PER_RUN: Final = 13
"""A year of monthly periods and the one that closes it. A wake after a month replays the run, so runs stay short; the
next one carries the whole state."""

CHARGE_OBJECT: Final = "CHARGE"
"""The object type of notifications about charges."""

REFUND_OBJECT: Final = "REFUND"
"""That of those about refunds."""

CHARGEBACK_OBJECT: Final = "CHARGEBACK"
"""That of those about disputes."""

REPLACEMENT_REFUSED: Final = "ReplacementRefused"
"""The type of the error when a subscription cannot go on under another charge permission."""

CAPTURE_REFUSED: Final = "CaptureRefused"
"""The type of the error when a period has nothing that could be captured so."""

REFUND_REFUSED: Final = "RefundRefused"
"""The type of the error when a period cannot be refunded so."""

CHANGE_REFUSED: Final = "ChangeRefused"
"""The type of the error when a subscription cannot be changed so."""

RETRY_REFUSED: Final = "RetryRefused"
"""The type of the error when there is nothing that the merchant could have tried again."""

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

_URGENT: Final = Priority(priority_key=1)
"""Before everything routine: a buyer who has just mended a card, and a cancellation."""

_LIMIT_TIMEOUT: Final = timedelta(seconds=8)
"""Less than a caller waits for an update."""

_TELLING_TIMEOUT: Final = timedelta(seconds=60)
"""What the buyer reads at Amazon must not hold up a charge or a cancellation."""

_AMOUNT_TIMEOUT: Final = timedelta(seconds=20)
_AMOUNT_IN_ALL: Final = timedelta(minutes=5)
_AMOUNT_RETRY: Final = RetryPolicy(initial_interval=timedelta(seconds=2), maximum_attempts=5)
"""The merchant's endpoint must not hold up a cancellation, so it is given up soon and asked again by the hour."""

_ANNOUNCE_TIMEOUT: Final = timedelta(seconds=5)
_ANNOUNCE_RETRY: Final = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=3)
"""A local activity holds up its workflow task, so it gives up soon."""

Request = TypeVar("Request")
Answer = TypeVar("Answer")


async def _ask_amazon(
    call: Call,
    perform: Callable[[AmazonPayActivities, Request], Coroutine[Any, Any, Answer]],  # Any: what a coroutine yields
    request: Request,
    summary: str,
    *,
    urgent: bool = False,
) -> Answer:
    """Runs one activity; an unknown outcome is asked for again until it is known, however long that takes."""
    return await workflow.execute_activity_method(
        perform,
        request,
        task_queue=call_queue(workflow.info().task_queue, call),
        priority=_URGENT if urgent else Priority.default,
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
        self._successor_started = False
        self._changed = False
        self._settled: dict[str, PeriodRecord] = {}

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
        self._subscription.start_telling(workflow.now())
        while not self._subscription.has_ended:
            self._changed = False
            await self._tell_merchant()
            await self._tell_amazon()
            await self._sleep_until_next_step()
            await self._take_next_step()
            await self._continue_as_new_when_long()
        await self._tell_merchant()
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
        """Amazon's notification about a charge, a refund or a dispute: what it is about is read at once."""
        if notification.object_type == CHARGE_OBJECT:
            self._subscription.charge_may_have_changed(notification.object_id, workflow.now())
        elif notification.object_type == REFUND_OBJECT:
            self._subscription.refund_may_have_changed(notification.object_id, workflow.now())
        elif notification.object_type == CHARGEBACK_OBJECT:
            self._subscription.dispute_reported(notification.object_id, workflow.now())

    @workflow.update
    async def replace_charge_permission(self, request: ReplacementRequest) -> str:
        """Goes on under a new charge permission that the buyer has approved; answers the id of the new workflow.

        A charge under way is awaited first.

        Raises:
            ApplicationError: that permission has a subscription already, or this one ended first.
        """
        wanted = request.charge_permission_id
        self._subscription.replacement_requested(wanted)
        await workflow.wait_condition(lambda: self._successor_started or self._subscription.successor != wanted)
        if not self._successor_started:
            raise ApplicationError(
                f"{wanted} has a subscription of its own already, or this one ended first",
                type=REPLACEMENT_REFUSED,
                non_retryable=True,
            )
        return workflow_id(wanted)

    @replace_charge_permission.validator
    def _check_replacement(self, request: ReplacementRequest) -> None:
        try:
            self._subscription.check_replacement(request.charge_permission_id)
        except ValueError as error:
            raise ApplicationError(str(error), type=REPLACEMENT_REFUSED, non_retryable=True) from None

    @workflow.update
    async def capture(self, request: CaptureRequest) -> CaptureResult:
        """Captures a period's authorized charge; answers once Amazon has said what became of it."""
        charge_id = self._subscription.capture_requested(request.period, request.amount, workflow.now())
        await workflow.wait_condition(lambda: not self._subscription.is_capturing(charge_id))
        record = self._settled.get(charge_id)
        if record is None:
            failed_for = self._subscription.authorization(charge_id).failed_for
            return CaptureResult(charge_id=charge_id, outcome=PeriodOutcome.AUTHORIZED, reason_code=failed_for)
        return CaptureResult(charge_id=charge_id, outcome=record.outcome, reason_code=record.reason)

    @capture.validator
    def _check_capture(self, request: CaptureRequest) -> None:
        try:
            self._subscription.check_capture(request.period, request.amount)
        except ValueError as error:
            raise ApplicationError(str(error), type=CAPTURE_REFUSED, non_retryable=True) from None

    @workflow.update
    async def refund(self, wanted: Wanted) -> Refund:
        """Gives money back; answers once Amazon has taken the refund, or has not. How it ends is told later."""
        number = self._subscription.refund_requested(wanted, workflow.now())
        await workflow.wait_condition(lambda: self._subscription.refund(number).state is not RefundState.REQUESTED)
        return self._subscription.refund(number)

    @refund.validator
    def _check_refund(self, wanted: Wanted) -> None:
        try:
            self._subscription.check_refund(wanted)
        except ValueError as error:
            raise ApplicationError(str(error), type=REFUND_REFUSED, non_retryable=True) from None

    @workflow.update
    async def change(self, request: ChangeRequest) -> Changed:
        """Changes the subscription; answers when that takes effect, and what happens next.

        Where a charge is to cost more than any to come did, the charge permission's monthly limit is read before.

        Raises:
            ApplicationError: it is above that limit, or Amazon did not say; nothing was changed.
        """
        if self._dearest_charge(request) is not None:
            self._dearest_charge(request, within=await self._monthly_limit())
        effective_at = request.change.apply(self._subscription, workflow.now())
        self._changed = True
        self._show()  # nothing else may have news of it before the next step
        return Changed(effective_at=effective_at, next_step=self._subscription.next_to_do)

    @change.validator
    def _check_change(self, request: ChangeRequest) -> None:
        self._dearest_charge(request)

    def _dearest_charge(self, request: ChangeRequest, within: Money | None = None) -> Money | None:
        """Tries a change, so that what is refused has changed nothing; see `billing.changes.dearest_charge`."""
        try:
            dearest = dearest_charge(request.change, self._subscription, workflow.now())
            if dearest is not None:
                check_monthly_limit(dearest, within)
        except ValueError as error:
            raise ApplicationError(str(error), type=CHANGE_REFUSED, non_retryable=True) from None
        return dearest

    async def _monthly_limit(self) -> Money | None:
        """What the charge permission may be charged in a calendar month; somebody waits for the answer."""
        try:
            answer = await workflow.execute_activity_method(
                AmazonPayActivities.read_permission,
                ReadPermission(charge_permission_id=self._subscription.terms.charge_permission_id),
                task_queue=call_queue(workflow.info().task_queue, Call.GET_CHARGE_PERMISSION),
                priority=_URGENT,
                schedule_to_close_timeout=_LIMIT_TIMEOUT,
                summary="What may be charged in a calendar month?",
            )
        except ActivityError:
            raise ApplicationError(
                "Amazon did not say what may be charged in a calendar month; try it again in a while",
                type=CHANGE_REFUSED,
                non_retryable=True,
            ) from None
        return answer.monthly_limit

    @workflow.update
    def retry_now(self) -> None:
        """Tries what is owed again now; where only the buyer can mend it, the charge permission is read first."""
        self._subscription.retry_requested(workflow.now())

    @retry_now.validator
    def _check_retry(self) -> None:
        try:
            self._subscription.check_retry()
        except ValueError as error:
            raise ApplicationError(str(error), type=RETRY_REFUSED, non_retryable=True) from None

    @workflow.query
    def status(self) -> Subscription:
        """The whole state as it stood when the workflow last did something."""
        return self._subscription

    @workflow.query
    def upcoming(self, count: int) -> list[Upcoming]:
        """The next charges: when, how much and why, supposing that each succeeds; at most 120."""
        return upcoming(self._subscription, count, workflow.now())

    # What it does

    async def _sleep_until_next_step(self) -> None:
        """Sleeps until the step that stands is due, or until somebody has news."""
        step = self._subscription.next_to_do
        if self._has_news(step) or self._is_due(step):
            return
        self._show()
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._has_news(step),
                timeout=step.at - workflow.now() if step else None,
                timeout_summary=f"Until {step.at:%Y-%m-%d %H:%M} UTC: {step.why}" if step else None,
            )

    async def _tell_merchant(self) -> None:
        """Hands on what the merchant is to be told. Where that fails, it is tried again with the next step.

        By a local activity: it only starts deliveries on the same Temporal server, and costs a single event.
        """
        notices = tuple(self._subscription.outbox)
        if not notices:
            return
        terms = self._subscription.terms
        announcement = Announcement(
            charge_permission_id=terms.charge_permission_id,
            merchant_reference=terms.merchant_reference,
            plan_id=self._subscription.plan.plan_id,
            notices=notices,
        )
        try:
            await workflow.execute_local_activity_method(
                NoticeActivities.announce,
                announcement,
                start_to_close_timeout=_ANNOUNCE_TIMEOUT,
                retry_policy=_ANNOUNCE_RETRY,
                summary=", ".join(notice.type.value for notice in notices),
            )
        except ActivityError:
            workflow.logger.warning("notices could not be handed on yet", extra={"waiting": len(notices)})
        else:
            self._subscription.were_handed_on(notices)

    async def _tell_amazon(self) -> None:
        """Says of another plan how often how much is charged. Where that fails, it is tried with the next step."""
        if not self._subscription.tells_recurrence:
            return
        recurrence = self._subscription.recurrence
        try:
            answer = await workflow.execute_activity_method(
                AmazonPayActivities.update_permission,
                UpdatePermission(
                    charge_permission_id=self._subscription.terms.charge_permission_id, recurrence=recurrence
                ),
                task_queue=call_queue(workflow.info().task_queue, Call.UPDATE_CHARGE_PERMISSION),
                schedule_to_close_timeout=_TELLING_TIMEOUT,
                heartbeat_timeout=_HEARTBEAT_TIMEOUT,
                summary=f"Tell Amazon of the plan: {recurrence}",
            )
        except ActivityError:
            workflow.logger.warning("Amazon could not be told of another plan yet")
            return
        if answer.refused is not None:
            workflow.logger.warning("Amazon does not take another plan", extra={"reason_code": answer.refused})
        self._subscription.recurrence_told(recurrence)

    async def _take_next_step(self) -> None:
        step = self._subscription.next_to_do
        if self._subscription.cancellation_is_due:
            self._subscription.begin_cancellation(workflow.now())
        elif self._subscription.hand_over_is_due:
            await self._hand_over()
        elif step is not None and self._is_due(step):
            await _PERFORM[step.action](self, step)
        elif self._subscription.look_requested:
            await self._read_permission()

    async def _charge(self, step: Step) -> None:
        if self._subscription.asks_for_amount and not await self._amount_is_decided():
            return
        attempt = self._subscription.begin_attempt(workflow.now())
        if attempt is not None:
            await self._send(attempt, urgent=step.urgent)

    async def _amount_is_decided(self) -> bool:
        """Asks the merchant what the period costs; where no answer comes soon, it is asked again later."""
        subscription = self._subscription
        number, terms, schedule = subscription.next_period, subscription.terms, subscription.schedule
        question = AmountQuestion(
            charge_permission_id=terms.charge_permission_id,
            merchant_reference=terms.merchant_reference,
            plan_id=subscription.plan.plan_id,
            quantity=subscription.agreement_at(number).quantity,
            period=number,
            due=schedule.due(number),
            until=schedule.due(number + 1),
            at_most=schedule.amount(number),
        )
        try:
            amount = await workflow.execute_activity_method(
                AmountActivities.decide_amount,
                question,
                task_queue=amounts_queue(workflow.info().task_queue),
                schedule_to_close_timeout=_AMOUNT_IN_ALL,
                start_to_close_timeout=_AMOUNT_TIMEOUT,
                retry_policy=_AMOUNT_RETRY,
                summary=f"What does period {number} cost?",
            )
        except ActivityError:
            subscription.amount_unknown(workflow.now())
            return False
        subscription.amount_decided(number, amount)
        # Meanwhile it may have been canceled, paused or changed: what is next now, is looked at anew.
        return not subscription.cancellation_is_due and subscription.next_step_is(Action.CHARGE)

    async def _repeat_charge(self, _: Step) -> None:
        await self._send(self._subscription.open_attempt())

    async def _send(self, attempt: Attempt, *, urgent: bool = False) -> None:
        answer = await _ask_amazon(
            Call.CREATE_CHARGE,
            AmazonPayActivities.create_charge,
            CreateCharge(
                charge_permission_id=self._subscription.terms.charge_permission_id,
                amount=attempt.amount,
                idempotency_key=attempt.idempotency_key,
                merchant_reference=self._subscription.terms.merchant_reference,
                capture_now=attempt.capture_now,
                can_handle_pending_authorization=attempt.handles_pending,
            ),
            f"Period {attempt.period}, attempt {attempt.number}: {attempt.amount}",
            urgent=urgent,
        )
        self._subscription.charge_answered(answer, workflow.now())

    async def _capture_authorized(self, step: Step) -> None:
        authorization = self._subscription.authorization(step.charge_id)
        amount = authorization.capture or authorization.record.amount
        answer = await _ask_amazon(
            Call.CAPTURE_CHARGE,
            AmazonPayActivities.capture_charge,
            CaptureCharge(charge_id=authorization.charge_id, amount=amount, idempotency_key=authorization.capture_key),
            f"Capture {amount} of period {authorization.record.period}",
            urgent=step.urgent,
        )
        self._take_authorizations_answer(step, authorization.charge_id, answer)

    async def _read_authorized(self, step: Step) -> None:
        authorization = self._subscription.authorization(step.charge_id)
        answer = await _ask_amazon(
            Call.GET_CHARGE,
            AmazonPayActivities.read_charge,
            ReadCharge(charge_id=authorization.charge_id),
            f"How does the charge of period {authorization.record.period} stand?",
        )
        self._take_authorizations_answer(step, authorization.charge_id, answer)

    def _take_authorizations_answer(self, asked: Step, charge_id: str, answer: ChargeAnswer) -> None:
        record = self._subscription.authorization_answered(asked, answer, workflow.now())
        if record is not None:
            self._settled[charge_id] = record  # for whoever asked for the capture and waits

    async def _capture(self, _: Step) -> None:
        attempt = self._subscription.open_attempt()
        answer = await _ask_amazon(
            Call.CAPTURE_CHARGE,
            AmazonPayActivities.capture_charge,
            CaptureCharge(
                charge_id=self._subscription.pending_charge_id,
                amount=attempt.amount,
                idempotency_key=self._subscription.pending_capture_key,
            ),
            f"Capture period {attempt.period}, attempt {attempt.number}: {attempt.amount}",
        )
        self._subscription.capture_answered(answer, workflow.now())

    async def _refund(self, step: Step) -> None:
        refund = self._subscription.refund(step.refund)
        answer = await _ask_amazon(
            Call.CREATE_REFUND,
            AmazonPayActivities.create_refund,
            CreateRefund(charge_id=refund.charge_id, amount=refund.amount, idempotency_key=refund.idempotency_key),
            f"Refund {refund.number}: {refund.amount} of period {refund.period}",
        )
        self._subscription.refund_answered(step.refund, answer, workflow.now())

    async def _read_refund(self, step: Step) -> None:
        refund = self._subscription.refund(step.refund)
        answer = await _ask_amazon(
            Call.GET_REFUND,
            AmazonPayActivities.read_refund,
            ReadRefund(refund_id=refund.refund_id or ""),
            f"Has Amazon decided on refund {refund.number}?",
        )
        self._subscription.refund_answered(step.refund, answer, workflow.now())

    async def _read_dispute(self, step: Step) -> None:
        answer = await _ask_amazon(
            Call.GET_DISPUTE,
            AmazonPayActivities.read_dispute,
            ReadDispute(dispute_id=step.dispute_id or ""),
            f"How does dispute {step.dispute_id} stand?",
        )
        self._subscription.dispute_answered(step.dispute_id, answer, workflow.now())

    async def _read_charge(self, _: Step) -> None:
        charge_id = self._subscription.pending_charge_id
        answer = await _ask_amazon(
            Call.GET_CHARGE,
            AmazonPayActivities.read_charge,
            ReadCharge(charge_id=charge_id),
            f"Has Amazon decided on {charge_id}?",
        )
        self._subscription.charge_answered(answer, workflow.now())

    async def _read_permission(self, _: Step | None = None) -> None:
        answer = await _ask_amazon(
            Call.GET_CHARGE_PERMISSION,
            AmazonPayActivities.read_permission,
            ReadPermission(charge_permission_id=self._subscription.terms.charge_permission_id),
            "Can the charge permission be charged?",
        )
        self._subscription.permission_answered(answer, workflow.now())

    async def _hand_over(self) -> None:
        """Starts the same subscription under its new charge permission, and ends here: both in one history."""
        successor = self._subscription.continued()
        try:
            await workflow.start_child_workflow(
                SubscriptionWorkflow.run,
                successor,
                id=workflow_id(successor.terms.charge_permission_id),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=initial_search_attributes(successor),
                static_summary=static_summary(successor.terms),
                memo=initial_memo(successor.terms),
            )
        except WorkflowAlreadyStartedError:
            self._subscription.replacement_refused()
        else:
            self._successor_started = True
            self._subscription.was_handed_over(workflow.now())

    async def _pause(self, _: Step) -> None:
        self._subscription.pause_begins(workflow.now())

    async def _resume(self, _: Step) -> None:
        self._subscription.resume(workflow.now())

    async def _end_as_planned(self, _: Step) -> None:
        self._subscription.end_as_planned()

    async def _stop_waiting(self, _: Step) -> None:
        self._subscription.waited_long_enough(workflow.now())

    async def _give_up(self, _: Step) -> None:
        self._subscription.time_is_up(workflow.now())

    async def _give_up_for_next(self, _: Step) -> None:
        self._subscription.next_one_is_due(workflow.now())

    async def _end_grace(self, _: Step) -> None:
        self._subscription.grace_is_over(workflow.now())

    async def _close_permission(self, _: Step) -> None:
        answer = await _ask_amazon(
            Call.CLOSE_CHARGE_PERMISSION,
            AmazonPayActivities.close_permission,
            ClosePermission(
                charge_permission_id=self._subscription.terms.charge_permission_id,
                reason=self._subscription.closure_reason,
                cancel_pending_charges=self._subscription.cancels_pending_charges,
            ),
            "Close the charge permission",
            urgent=True,
        )
        self._subscription.permission_closed(answer, workflow.now())

    async def _continue_as_new_when_long(self) -> None:
        periods = self._subscription.next_period - self._first_period_of_run
        long = periods >= PERIODS_PER_RUN or workflow.info().is_continue_as_new_suggested()
        # Not waited for: an update may be waiting for this run's next step. The run goes on, and looks again then.
        if long and not self._subscription.has_ended and workflow.all_handlers_finished():
            self._show()
            workflow.continue_as_new(self._subscription)

    # How it looks

    def _is_due(self, step: Step | None) -> bool:
        return step is not None and step.at <= workflow.now()

    def _has_news(self, step: Step | None) -> bool:
        """Whether something is to be done before `step` falls due."""
        subscription = self._subscription
        return (
            subscription.cancellation_is_due
            or subscription.hand_over_is_due
            or subscription.look_requested
            or self._changed
            or subscription.next_to_do != step
        )

    def _show(self) -> None:
        """Brings search attributes and details up to date; costs an event only where an attribute changed."""
        workflow.set_current_details(details(self._subscription))
        updates = search_attribute_updates(self._subscription, workflow.info().typed_search_attributes)
        if updates:
            workflow.upsert_search_attributes(updates)


_PERFORM: Final[Mapping[Action, Callable[[SubscriptionWorkflow, Step], Awaitable[None]]]] = MappingProxyType(
    {
        Action.CHARGE: SubscriptionWorkflow._charge,  # noqa: SLF001 - the workflow's own steps, by action
        Action.REPEAT_CHARGE: SubscriptionWorkflow._repeat_charge,  # noqa: SLF001
        Action.CAPTURE: SubscriptionWorkflow._capture,  # noqa: SLF001
        Action.CAPTURE_AUTHORIZED: SubscriptionWorkflow._capture_authorized,  # noqa: SLF001
        Action.READ_AUTHORIZED: SubscriptionWorkflow._read_authorized,  # noqa: SLF001
        Action.READ_CHARGE: SubscriptionWorkflow._read_charge,  # noqa: SLF001
        Action.REFUND: SubscriptionWorkflow._refund,  # noqa: SLF001
        Action.READ_REFUND: SubscriptionWorkflow._read_refund,  # noqa: SLF001
        Action.READ_DISPUTE: SubscriptionWorkflow._read_dispute,  # noqa: SLF001
        Action.READ_PERMISSION: SubscriptionWorkflow._read_permission,  # noqa: SLF001
        Action.CLOSE_PERMISSION: SubscriptionWorkflow._close_permission,  # noqa: SLF001
        Action.STOP_WAITING: SubscriptionWorkflow._stop_waiting,  # noqa: SLF001
        Action.PAUSE: SubscriptionWorkflow._pause,  # noqa: SLF001
        Action.RESUME: SubscriptionWorkflow._resume,  # noqa: SLF001
        Action.CANCEL: SubscriptionWorkflow._end_as_planned,  # noqa: SLF001
        Action.GIVE_UP: SubscriptionWorkflow._give_up,  # noqa: SLF001
        Action.GIVE_UP_FOR_NEXT: SubscriptionWorkflow._give_up_for_next,  # noqa: SLF001
        Action.END_GRACE: SubscriptionWorkflow._end_grace,  # noqa: SLF001
    }
)
