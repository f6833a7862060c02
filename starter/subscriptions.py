"""What a merchant does with subscriptions, over a Temporal client."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypedDict, TypeVar

from pydantic import ValidationError
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from billing.changes import Change, ChangePlan
from billing.money import Money
from billing.preview import MOST_CHARGES, Upcoming
from billing.refunds import Refund, Wanted
from billing.status import Status
from billing.subscription import Subscription
from billing.terms import Terms
from workflows.display import initial_search_attributes, static_summary
from workflows.memo import ANCHOR_MEMO, TERMS_MEMO, digest_of, initial_memo
from workflows.messages import (
    CancelRequest,
    CaptureRequest,
    CaptureResult,
    Changed,
    ChangeRequest,
    ReplacementRequest,
)
from workflows.names import (
    LAST_REASON,
    MERCHANT_REFERENCE,
    NEEDS_ATTENTION,
    NEXT_ACTION_AT,
    PLAN,
    STATUS,
    workflow_id,
)
from workflows.subscription import SubscriptionWorkflow

CALL_TIMEOUT: Final = timedelta(seconds=10)

Answer = TypeVar("Answer")
Handle = WorkflowHandle[SubscriptionWorkflow, Subscription]


class _Accepting(TypedDict):
    wait_for_stage: WorkflowUpdateStage
    rpc_timeout: timedelta


_ONCE_ACCEPTED: Final = _Accepting(wait_for_stage=WorkflowUpdateStage.ACCEPTED, rpc_timeout=CALL_TIMEOUT)
"""A validator answers at once where a worker is there; what follows may take longer."""


class SubscriptionError(Exception):
    """A request about a subscription that cannot be fulfilled. The message says which, why, and what to do."""


class SubscriptionNotFoundError(SubscriptionError):
    """There is no subscription for that charge permission."""


class SubscriptionConflictError(SubscriptionError):
    """A subscription for that charge permission was started with other terms."""


class SubscriptionEndedError(SubscriptionError):
    """The subscription has ended, so nothing can be asked of it any more."""


class ReplacementRefusedError(SubscriptionError):
    """The subscription cannot go on under that charge permission."""


class ReplacementPendingError(SubscriptionError):
    """The subscription goes on under the new charge permission later: a charge under way is awaited first."""


class CaptureRefusedError(SubscriptionError):
    """The period has nothing that could be captured so."""


class CapturePendingError(SubscriptionError):
    """The capture was accepted; what became of it is not known yet."""


class RefundRefusedError(SubscriptionError):
    """The period cannot be refunded so."""


class RefundPendingError(SubscriptionError):
    """The refund was accepted; Amazon has not answered yet."""


class ChangeRefusedError(SubscriptionError):
    """The subscription cannot be changed so."""


class RetryRefusedError(SubscriptionError):
    """There is nothing that could be tried again now."""


class NoWorkerError(SubscriptionError):
    """The subscription is safe, but no worker is running that could answer."""


@dataclass(frozen=True, slots=True)
class Started:
    """A subscription that runs; `already` where it had been started before with the same terms."""

    workflow_id: str
    already: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list of subscriptions. Instants in UTC."""

    charge_permission_id: str
    status: Status | None
    plan: str | None
    merchant_reference: str | None
    next_action_at: datetime | None
    last_reason: str | None
    needs_attention: bool


class Subscriptions:
    """Starts, shows, lists and cancels subscriptions.

    Args:
        client: connected with the project's data converter.
        task_queue: where the workers listen.
        needs_consent: whether a buyer has to agree to another plan in a new checkout, as in the EU and the UK.
    """

    def __init__(self, client: Client, task_queue: str, *, needs_consent: bool = False) -> None:
        self._client = client
        self._task_queue = task_queue
        self._needs_consent = needs_consent

    async def start(self, terms: Terms, *, anchor_was_given: bool = True) -> Started:
        """Starts a subscription; starting it again with the same terms finds the running one.

        Args:
            terms: what was agreed.
            anchor_was_given: False where the anchor only is the moment of this call, so that a repeated call with
                another moment still means the same subscription.

        Raises:
            SubscriptionConflictError: it was started with other terms; nothing was changed.
            SubscriptionEndedError: it has ended already, so nothing would be billed under that permission.
        """
        return await self._start(Subscription.begin(terms), anchor_was_given=anchor_was_given)

    async def adopt(self, subscription: Subscription) -> Started:
        """Starts a subscription as it stands, such as one that was billed elsewhere until now.

        Raises:
            SubscriptionConflictError: it was started with other terms; nothing was changed.
            SubscriptionEndedError: it has ended already.
        """
        return await self._start(subscription, anchor_was_given=True)

    async def _start(self, subscription: Subscription, *, anchor_was_given: bool) -> Started:
        terms = subscription.terms
        identifier = workflow_id(terms.charge_permission_id)
        try:
            await self._client.start_workflow(
                SubscriptionWorkflow.run,
                subscription,
                id=identifier,
                task_queue=self._task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                search_attributes=initial_search_attributes(subscription),
                static_summary=static_summary(terms),
                memo=initial_memo(terms),
            )
        except RPCError as error:
            raise _explained(error, terms.charge_permission_id) from error
        except WorkflowAlreadyStartedError:
            await self._refuse_other_terms(terms, anchor_was_given=anchor_was_given)
            return Started(identifier, already=True)
        return Started(identifier, already=False)

    async def status(self, charge_permission_id: str) -> Subscription:
        """The whole state of a running or ended subscription.

        Raises:
            SubscriptionNotFoundError: there is none.
            NoWorkerError: no worker answers.
        """
        try:
            return await self._handle(charge_permission_id).query(SubscriptionWorkflow.status, rpc_timeout=CALL_TIMEOUT)
        except (RPCError, WorkflowQueryRejectedError) as error:
            raise _explained(error, charge_permission_id) from error

    async def upcoming(self, charge_permission_id: str, count: int = 12) -> list[Upcoming]:
        """The charges to come, up to 120, supposing that each succeeds.

        Raises:
            SubscriptionNotFoundError: there is none.
            NoWorkerError: no worker answers.
            ValueError: the count is not accepted.
        """
        if not 1 <= count <= MOST_CHARGES:
            raise ValueError(f"count: {count} is not accepted; 1 to {MOST_CHARGES} are")
        handle = self._handle(charge_permission_id)
        try:
            return await handle.query(SubscriptionWorkflow.upcoming, count, rpc_timeout=CALL_TIMEOUT)
        except (RPCError, WorkflowQueryRejectedError) as error:
            raise _explained(error, charge_permission_id) from error

    async def cancel(self, charge_permission_id: str, reason: str) -> None:
        """Asks a subscription to end; it closes the charge permission as soon as no charge is under way.

        Raises:
            SubscriptionNotFoundError: there is none.
            SubscriptionEndedError: it has ended already.
        """
        handle = self._handle(charge_permission_id)
        try:
            await handle.signal(SubscriptionWorkflow.cancel, CancelRequest(reason=reason), rpc_timeout=CALL_TIMEOUT)
        except RPCError as error:
            raise _explained(error, charge_permission_id) from error

    async def replace_charge_permission(self, charge_permission_id: str, successor: str) -> str:
        """Lets a subscription go on under a new charge permission that the buyer has approved.

        Anchor, period number, account and what is owed are kept; the old permission is closed. Waits until it is
        done, and a charge under way is awaited first.

        Returns:
            The workflow id of the subscription as it goes on.

        Raises:
            SubscriptionNotFoundError: there is none.
            SubscriptionEndedError: it has ended already.
            ReplacementRefusedError: it cannot go on under that permission; nothing was changed.
            ReplacementPendingError: it was accepted, and Amazon has not decided on a charge under way.
            NoWorkerError: no worker answers.
        """
        try:
            request = ReplacementRequest(charge_permission_id=successor)
        except ValidationError as error:
            raise ReplacementRefusedError(f"{successor!r} is not the id of a charge permission") from error
        return await self._update(
            charge_permission_id,
            lambda handle: handle.start_update(
                SubscriptionWorkflow.replace_charge_permission, request, **_ONCE_ACCEPTED
            ),
            refused=ReplacementRefusedError,
            pending=ReplacementPendingError(
                f"charge permission {charge_permission_id}: it goes on under {successor} once Amazon has decided "
                "on the charge under way"
            ),
        )

    async def capture(self, charge_permission_id: str, period: int, amount: Money | None = None) -> CaptureResult:
        """Captures the authorized charge of a period whose plan captures later.

        Args:
            charge_permission_id: whose.
            period: counted from 0.
            amount: a part of what was authorized, the rest of which is released; all of it when not given.

        Returns:
            What became of it: captured, declined but still authorized, or lost for good.

        Raises:
            SubscriptionNotFoundError: there is none.
            SubscriptionEndedError: it has ended already.
            CaptureRefusedError: the period has no authorized charge, or not of that amount; nothing was changed.
            CapturePendingError: it was accepted, and Amazon has not answered yet; asking again asks for the same one.
            NoWorkerError: no worker answers.
        """
        request = CaptureRequest(period=period, amount=amount)
        return await self._update(
            charge_permission_id,
            lambda handle: handle.start_update(SubscriptionWorkflow.capture, request, **_ONCE_ACCEPTED),
            refused=CaptureRefusedError,
            pending=CapturePendingError(
                f"charge permission {charge_permission_id}: the capture of period {period} was accepted, and Amazon "
                "has not answered yet"
            ),
        )

    async def refund(self, charge_permission_id: str, wanted: Wanted) -> Refund:
        """Gives money back for a period that was paid.

        Args:
            charge_permission_id: whose.
            wanted: the period and the amount; with a reference, asking again gives back nothing more.

        Returns:
            The refund as Amazon has taken it, nearly always pending; or failed, with its reason. How a pending one ends
            is told by a notice.

        Raises:
            SubscriptionNotFoundError: there is none.
            SubscriptionEndedError: it has ended already; refund the charge in Seller Central.
            RefundRefusedError: the period was not paid, or it is too much; nothing was changed.
            RefundPendingError: it was accepted, and Amazon has not answered yet.
            NoWorkerError: no worker answers.
        """
        return await self._update(
            charge_permission_id,
            lambda handle: handle.start_update(SubscriptionWorkflow.refund, wanted, **_ONCE_ACCEPTED),
            refused=RefundRefusedError,
            pending=RefundPendingError(
                f"charge permission {charge_permission_id}: the refund of period {wanted.period} was accepted, and "
                "Amazon has not answered yet"
            ),
        )

    async def change(self, charge_permission_id: str, change: Change) -> Changed:
        """Changes a running subscription: see `billing.changes` for what can be changed, and when.

        Returns:
            When it takes effect, and what happens next.

        Raises:
            SubscriptionNotFoundError: there is none.
            SubscriptionEndedError: it has ended already.
            ChangeRefusedError: it cannot be changed so; nothing was changed.
            NoWorkerError: no worker answers.
        """
        if self._needs_consent and isinstance(change, ChangePlan) and not change.consented:
            raise ChangeRefusedError(
                f"charge permission {charge_permission_id}: in the EU and the UK Amazon wants the buyer to agree to "
                "another plan: have the buyer check out again, replace the charge permission, and say so (consented)"
            )
        request = ChangeRequest(change=change)
        return await self._update(
            charge_permission_id,
            lambda handle: handle.start_update(SubscriptionWorkflow.change, request, **_ONCE_ACCEPTED),
            refused=ChangeRefusedError,
            pending=NoWorkerError(f"charge permission {charge_permission_id}: no worker answers"),
        )

    async def retry_now(self, charge_permission_id: str) -> None:
        """Tries what is owed again now, instead of when the schedule says; also releases periods that were held.

        Where only the buyer can mend it, the charge permission is read, and charged if it can be.

        Raises:
            SubscriptionNotFoundError: there is none.
            SubscriptionEndedError: it has ended already.
            RetryRefusedError: nothing is owed, or an outcome is awaited; nothing was changed.
            NoWorkerError: no worker answers.
        """
        await self._update(
            charge_permission_id,
            lambda handle: handle.start_update(SubscriptionWorkflow.retry_now, **_ONCE_ACCEPTED),
            refused=RetryRefusedError,
            pending=NoWorkerError(f"charge permission {charge_permission_id}: no worker answers"),
        )

    async def _update(
        self,
        charge_permission_id: str,
        start: Callable[[Handle], Awaitable[WorkflowUpdateHandle[Answer]]],
        *,
        refused: type[SubscriptionError],
        pending: SubscriptionError,
    ) -> Answer:
        """Asks for something and waits; raises `refused` where a validator says no, `pending` where it takes long."""
        try:
            accepted = await start(self._handle(charge_permission_id))
            try:
                return await accepted.result(rpc_timeout=CALL_TIMEOUT)
            except WorkflowUpdateRPCTimeoutOrCancelledError:
                raise pending from None
        except WorkflowUpdateFailedError as error:
            why = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
            raise refused(f"charge permission {charge_permission_id}: {why}") from error
        except (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise _explained(error, charge_permission_id) from error

    async def list(
        self, *, status: Status | None = None, ended: bool = False, query: str | None = None
    ) -> AsyncIterator[Listed]:
        """Lists subscriptions, in the order of Temporal's visibility store.

        Args:
            status: only those with this status.
            ended: also those that have ended, as far back as the namespace retains them.
            query: only those that match this condition over search attributes, in Temporal's query language.

        Raises:
            SubscriptionError: the query is none.
        """
        try:
            async for listed in self._list(status=status, ended=ended, query=query):
                yield listed
        except RPCError as error:
            if query is not None and error.status is RPCStatusCode.INVALID_ARGUMENT:
                raise SubscriptionError(f"query {query!r}: {error.message}") from error
            raise

    async def _list(self, *, status: Status | None, ended: bool, query: str | None) -> AsyncIterator[Listed]:
        condition = "WorkflowType = 'SubscriptionWorkflow' AND "
        condition += "ExecutionStatus != 'ContinuedAsNew'" if ended else "ExecutionStatus = 'Running'"
        if status is not None:
            condition += f" AND {STATUS.name} = '{status.value}'"
        if query is not None:
            condition += f" AND ({query})"
        async for execution in self._client.list_workflows(condition):
            attributes = execution.typed_search_attributes
            value = attributes.get(STATUS)
            yield Listed(
                charge_permission_id=execution.id.removeprefix(workflow_id("")),
                status=Status(value) if value else None,
                plan=attributes.get(PLAN),
                merchant_reference=attributes.get(MERCHANT_REFERENCE),
                next_action_at=attributes.get(NEXT_ACTION_AT)
                if execution.status is WorkflowExecutionStatus.RUNNING
                else None,
                last_reason=attributes.get(LAST_REASON),
                needs_attention=bool(attributes.get(NEEDS_ATTENTION)),
            )

    def _handle(self, charge_permission_id: str) -> WorkflowHandle[SubscriptionWorkflow, Subscription]:
        return self._client.get_workflow_handle_for(SubscriptionWorkflow.run, workflow_id(charge_permission_id))

    async def _refuse_other_terms(self, terms: Terms, *, anchor_was_given: bool) -> None:
        description = await self._handle(terms.charge_permission_id).describe()
        if description.status is not WorkflowExecutionStatus.RUNNING:
            raise SubscriptionEndedError(
                f"charge permission {terms.charge_permission_id}: its subscription has ended already; billing goes on "
                "under the charge permission of a new checkout"
            )
        digest = await description.memo_value(TERMS_MEMO, type_hint=str)
        anchor = await description.memo_value(ANCHOR_MEMO, type_hint=str)
        differing = [
            name
            for name, differs in (
                ("plan, zone or merchant reference", digest != digest_of(terms)),
                ("anchor", anchor_was_given and anchor != terms.anchor.isoformat()),
            )
            if differs
        ]
        if differing:
            raise SubscriptionConflictError(
                f"charge permission {terms.charge_permission_id} has a subscription with another "
                f"{' and another '.join(differing)} (its anchor is {anchor}); it was not changed"
            )


def _explained(
    error: RPCError | WorkflowQueryRejectedError | WorkflowUpdateRPCTimeoutOrCancelledError, charge_permission_id: str
) -> SubscriptionError:
    subject = f"charge permission {charge_permission_id}"
    if isinstance(error, WorkflowUpdateRPCTimeoutOrCancelledError):
        return NoWorkerError(f"{subject}: no worker answers; start one with `perennial worker`")
    if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
        if "already completed" in error.message:
            return SubscriptionEndedError(f"{subject}: its subscription has ended already")
        return SubscriptionNotFoundError(f"{subject}: there is no subscription; `perennial list` shows those there are")
    if isinstance(error, RPCError) and error.status in {
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.CANCELLED,
    }:
        return NoWorkerError(f"{subject}: no worker answers; start one with `perennial worker`")
    return SubscriptionError(f"{subject}: {error}")
