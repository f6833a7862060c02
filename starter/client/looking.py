"""Looking at subscriptions, without changing any: each asked itself, or all by Temporal's visibility store."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from temporalio.client import Client, WorkflowHandle, WorkflowQueryRejectedError
from temporalio.common import QueryRejectCondition
from temporalio.service import RPCError, RPCStatusCode

from perennial_billing.billing.forecast.preview import DryRun, Upcoming, check_count
from perennial_billing.billing.requests import Request
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.runtime.temporal import is_unknown, time_of
from perennial_billing.starter.client.explaining import explained
from perennial_billing.starter.errors import HinderedError, NoWorkerError, RequestRefusedError, SubscriptionError
from perennial_billing.starter.hindered import Hindered, hindered
from perennial_billing.starter.listing import Listed, list_subscriptions
from perennial_billing.starter.places import CALL_TIMEOUT
from perennial_billing.starter.stopped import Stopped, stopped
from perennial_billing.workflows.messages import Question
from perennial_billing.workflows.names import MERCHANT_ACCOUNT, workflow_id
from perennial_billing.workflows.subscription import SubscriptionWorkflow

Handle = WorkflowHandle[SubscriptionWorkflow, SubscriptionView]


def handle_of(client: Client, charge_permission_id: str) -> Handle:
    """The workflow that a subscription is, whether there is one or not."""
    return client.get_workflow_handle_for(SubscriptionWorkflow.run, workflow_id(charge_permission_id))


async def status(client: Client, charge_permission_id: str) -> SubscriptionView:
    """See `Subscriptions.status`."""
    handle = handle_of(client, charge_permission_id)
    try:
        return await handle.query(SubscriptionWorkflow.status, rpc_timeout=CALL_TIMEOUT)
    except (RPCError, WorkflowQueryRejectedError) as error:
        raise explained(error, charge_permission_id) from error


async def account_of(client: Client, charge_permission_id: str) -> str | None:
    """See `Subscriptions.account_of`."""
    try:
        described = await handle_of(client, charge_permission_id).describe(rpc_timeout=CALL_TIMEOUT)
    except RPCError as error:
        if is_unknown(error):
            return None
        raise explained(error, charge_permission_id) from error
    return described.typed_search_attributes.get(MERCHANT_ACCOUNT)


async def standing(
    client: Client, charge_permission_id: str
) -> tuple[SubscriptionView, Stopped | None, Hindered | None]:
    """See `Subscriptions.standing`. Whoever runs, or has ended by itself, is asked once."""
    looking = asyncio.create_task(_kept(client, charge_permission_id))
    try:
        view, found = await _standing(client, charge_permission_id)
    except (HinderedError, NoWorkerError) as error:
        kept = await looking
        if kept is not None:
            raise HinderedError(f"charge permission {charge_permission_id}: {kept}") from error
        raise
    finally:
        await asyncio.wait({looking})
    return view, found, await looking


async def _kept(client: Client, charge_permission_id: str) -> Hindered | None:
    """What keeps it, where the server tells; where it does not, whoever asks the subscription hears of that."""
    try:
        return await hindered_of(client, charge_permission_id)
    except RPCError:
        return None


async def _standing(client: Client, charge_permission_id: str) -> tuple[SubscriptionView, Stopped | None]:
    handle, only = handle_of(client, charge_permission_id), QueryRejectCondition.NOT_COMPLETED_CLEANLY
    try:
        return await handle.query(SubscriptionWorkflow.status, reject_condition=only, rpc_timeout=CALL_TIMEOUT), None
    except WorkflowQueryRejectedError:
        return await status(client, charge_permission_id), await stopped_of(client, charge_permission_id)
    except RPCError as error:
        raise explained(error, charge_permission_id) from error


async def stopped_of(client: Client, charge_permission_id: str) -> Stopped | None:
    """See `Subscriptions.stopped`."""
    codec = client.data_converter.payload_codec
    return await stopped(client.workflow_service, client.namespace, charge_permission_id, codec)


async def hindered_of(client: Client, charge_permission_id: str) -> Hindered | None:
    """See `Subscriptions.hindered`."""
    codec = client.data_converter.payload_codec
    return await hindered(client.workflow_service, client.namespace, charge_permission_id, codec)


async def upcoming(client: Client, charge_permission_id: str, count: int) -> list[Upcoming]:
    """See `Subscriptions.upcoming`."""
    check_count(count)
    handle = handle_of(client, charge_permission_id)
    try:
        return await handle.query(SubscriptionWorkflow.upcoming, count, rpc_timeout=CALL_TIMEOUT)
    except (RPCError, WorkflowQueryRejectedError) as error:
        raise explained(error, charge_permission_id) from error


async def dry_run(client: Client, charge_permission_id: str, request: Request, at: datetime | None) -> DryRun:
    """See `Subscriptions.dry_run`."""
    handle = handle_of(client, charge_permission_id)
    try:
        question = Question.model_validate({"request": request, "at": at or await time_of(handle)})
        answer = await handle.query(SubscriptionWorkflow.dry_run, question, rpc_timeout=CALL_TIMEOUT)
    except (RPCError, WorkflowQueryRejectedError) as error:
        raise explained(error, charge_permission_id) from error
    if answer.refusal is not None:
        raise RequestRefusedError(charge_permission_id, answer.refusal.refused)
    if answer.dry_run is None:
        raise AssertionError("a dry run answered nothing")
    return answer.dry_run


async def listed(
    client: Client, *, status: Status | None, past_due: bool, ended: bool, query: str | None, lag: timedelta
) -> AsyncIterator[Listed]:
    """See `Subscriptions.list`."""
    lines = list_subscriptions(
        client.workflow_service,
        client.namespace,
        status=status.value if status else None,
        past_due=past_due,
        ended=ended,
        query=query,
        lag=lag,
    )
    try:
        async for line in lines:
            yield line
    except RPCError as error:
        if query is not None and error.status is RPCStatusCode.INVALID_ARGUMENT:
            raise SubscriptionError(f"query {query!r}: {error.message}") from error
        raise
