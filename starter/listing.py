"""The list of subscriptions, as Temporal's visibility store has it.

It needs no worker; and of ours it imports names, of Temporal's SDK the bare service: the command `list` is to answer at
once.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.converter import decode_typed_search_attributes
from temporalio.service import WorkflowService

from perennial_billing.workflows.names import (
    LAST_REASON,
    MERCHANT_ACCOUNT,
    MERCHANT_REFERENCE,
    NEEDS_ATTENTION,
    NEXT_ACTION_AT,
    PAST_DUE,
    PLAN,
    STATUS,
    workflow_id,
)

PAGE_SIZE: Final = 1_000
"""Of Temporal's own clients."""

STORE_LAG: Final = timedelta(seconds=1)
"""How far Temporal's visibility store may be behind: meanwhile it knows that a run is over, and not yet of the next.
What acts on all that it lists waits for that; what only shows a list does not."""

CLOCKS_DIFFER_BY: Final = timedelta(minutes=1)
"""At the most, those of the machines that a Temporal server consists of."""

StatusName = Literal[
    "active",
    "pending",
    "retrying",
    "awaiting_payment_method",
    "on_hold",
    "unpaid",
    "paused",
    "awaiting_checkout",
    "ending",
    "canceled",
    "closed",
    "written_off",
    "completed",
    "replaced",
]
"""The values of `billing.status.Status`."""


_OPEN: Final = frozenset(
    {
        WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
        WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
    }
)


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list of subscriptions. Instants in UTC.

    Attributes:
        charge_permission_id: which.
        status: a value of `billing.status.Status`.
        plan: the id of its plan.
        merchant_reference: the merchant's own.
        merchant_account: the short name of the Amazon Pay account that is charged for.
        next_action_at: when something happens next by itself; None for what has ended.
        last_reason: Amazon's last reason code, while it matters.
        needs_attention: whether somebody has to do something.
        past_due: whether a period is owed that could not be collected at once.
        as_of: when it was so, where it is the ledger that tells it; None where Temporal does, now.
        stopped: how its workflow was ended from outside, so that nobody bills it; a value of `starter.stopped.How`.
        hindered: what keeps its workflow from going on; a value of `starter.hindered.Hindrance`.
    """

    charge_permission_id: str
    status: str | None
    plan: str | None
    merchant_reference: str | None
    merchant_account: str | None
    next_action_at: datetime | None
    last_reason: str | None
    needs_attention: bool
    past_due: bool
    as_of: datetime | None = None
    stopped: str | None = None
    hindered: str | None = None


async def list_subscriptions(
    service: WorkflowService,
    namespace: str,
    *,
    status: str | None = None,
    past_due: bool = False,
    ended: bool = False,
    query: str | None = None,
    lag: timedelta = timedelta(0),
) -> AsyncIterator[Listed]:
    """Lists subscriptions, each once, in the order of Temporal's visibility store.

    That store has a line for each run, ordered by when it began, and gives them page by page. A subscription that
    continues as new meanwhile has its line where the pages are through already. So those that began since are asked for
    afterwards, until none is new.

    Args:
        service: of the Temporal server, such as a client's `workflow_service`.
        namespace: where they run.
        status: only those with this status, a value of `billing.status.Status`.
        past_due: only those who owe a period that could not be collected at once.
        ended: also those that have ended, as far back as the namespace retains them.
        query: only those that match this condition over search attributes, in Temporal's query language.
        lag: how long is waited before those are asked for that began since; see `STORE_LAG`.

    Raises:
        RPCError: the query is none, or the server does not answer.
    """
    condition = "WorkflowType = 'SubscriptionWorkflow' AND "
    condition += "ExecutionStatus != 'ContinuedAsNew'" if ended else "CloseTime IS NULL"  # also paused
    if status is not None:
        condition += f" AND {STATUS.name} = '{status}'"
    if past_due:
        condition += f" AND {PAST_DUE.name} = true"
    if query is not None:
        condition += f" AND ({query})"
    known: set[str] = set()
    began_before, since = datetime.now(UTC), ""
    while True:
        before = len(known)
        async for execution in _executions(service, namespace, condition + since):
            if not known:  # the server's clock counts, as it is its own that the lines bear
                began_before = min(began_before, execution.start_time.ToDatetime(tzinfo=UTC))
            listed = _listed(execution)
            if listed.charge_permission_id not in known:
                known.add(listed.charge_permission_id)
                yield listed
        if since and len(known) == before:
            return
        if not since:
            await asyncio.sleep(lag.total_seconds())
            since = f" AND StartTime >= '{(began_before - CLOCKS_DIFFER_BY).isoformat()}'"


async def _executions(service: WorkflowService, namespace: str, condition: str) -> AsyncIterator[WorkflowExecutionInfo]:
    request = ListWorkflowExecutionsRequest(namespace=namespace, query=condition, page_size=PAGE_SIZE)
    while True:
        page = await service.list_workflow_executions(request, retry=True)
        for execution in page.executions:
            yield execution
        if not page.next_page_token:
            return
        request.next_page_token = page.next_page_token


def _listed(execution: WorkflowExecutionInfo) -> Listed:
    attributes = decode_typed_search_attributes(execution.search_attributes)
    is_running = execution.status in _OPEN
    return Listed(
        charge_permission_id=execution.execution.workflow_id.removeprefix(workflow_id("")),
        status=attributes.get(STATUS),
        plan=attributes.get(PLAN),
        merchant_reference=attributes.get(MERCHANT_REFERENCE),
        merchant_account=attributes.get(MERCHANT_ACCOUNT),
        next_action_at=attributes.get(NEXT_ACTION_AT) if is_running else None,
        last_reason=attributes.get(LAST_REASON),
        needs_attention=bool(attributes.get(NEEDS_ATTENTION)),
        past_due=bool(attributes.get(PAST_DUE)),
    )
