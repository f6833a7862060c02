"""Subscriptions whose workflow runs and makes no progress: it was paused, one of its activities was, or its workers
fail at its tasks, as where their release is broken.

Temporal has it as open, so nothing is lost, and nobody bills the subscriber meanwhile. Of ours this imports names
alone, as `starter.listing` does.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, PendingActivityState, WorkflowExecutionStatus, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo, WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryReverseRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.converter import PayloadCodec
from temporalio.service import RPCError, RPCStatusCode, WorkflowService

from perennial_billing.workflows.names import SUBSCRIPTION_WORKFLOW, workflow_id

PAGE_SIZE: Final = 1_000

PROBLEMS: Final = "TemporalReportedProblems"
"""The search attribute that the server sets when several tasks of a workflow in a row have failed."""

PAUSED: Final = "TemporalPauseInfo"
"""The search attribute that it sets where a workflow, or an activity of it, is paused."""

MAKES_NO_PROGRESS: Final = f"CloseTime IS NULL AND ({PROBLEMS} IS NOT NULL OR {PAUSED} IS NOT NULL)"
"""As Temporal's query language has it."""

_EVENTS_LOOKED_AT: Final = 50
"""From a history's end: the last failure stands behind what was said to the workflow since, at the most."""

_LONGEST_WHY: Final = 300
"""Characters of a failure's message, which may go on for pages."""


class Hindrance(StrEnum):
    """What keeps a workflow from going on."""

    PAUSED = "paused"
    ACTIVITY_PAUSED = "activity_paused"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Hindered:
    """A subscription whose workflow makes no progress.

    Attributes:
        charge_permission_id: which.
        run_id: Temporal's id of the run.
        how: what keeps it.
        at: since when (UTC), where Temporal tells.
        by: who paused it, as Temporal knows them.
        why: the reason that they gave, or what its workers fail with.
    """

    charge_permission_id: str
    run_id: str
    how: Hindrance
    at: datetime | None = None
    by: str | None = None
    why: str | None = None

    @property
    def is_paused(self) -> bool:
        """Whether somebody meant it, so that it goes on when it is unpaused."""
        return self.how is not Hindrance.FAILING

    @property
    def happened(self) -> str:
        """What keeps it, in a few words."""
        by = f" by {self.by}" if self.by else ""
        why = f" ({self.why})" if self.why else ""
        at = f"{self.at:%Y-%m-%d %H:%M} UTC" if self.at else ""
        match self.how:
            case Hindrance.PAUSED:
                return f"its workflow is paused{f' since {at}' if at else ''}{by}{why}"
            case Hindrance.ACTIVITY_PAUSED:
                return f"an activity of its workflow is paused{f' since {at}' if at else ''}{by}{why}"
            case Hindrance.FAILING:
                return f"its workflow makes no progress{f' since {at}' if at else ''}: its workers fail at it{why}"

    @property
    def advice(self) -> str:
        """What to do."""
        if self.is_paused:
            return f"`perennial recover {self.charge_permission_id}` lets it go on"
        return "`perennial deploy rollback` goes back to the release before, or start workers that are mended"

    def __str__(self) -> str:
        return f"{self.happened}, and nobody bills it meanwhile: {self.advice}"


async def hindered(
    service: WorkflowService, namespace: str, charge_permission_id: str, codec: PayloadCodec | None = None
) -> Hindered | None:
    """What keeps a subscription's workflow from going on; None where nothing does, or it does not run.

    Args:
        service: of the Temporal server.
        namespace: where it runs.
        charge_permission_id: which.
        codec: reads why its workers fail, where that is encrypted.

    Raises:
        RPCError: the server does not answer.
    """
    request = DescribeWorkflowExecutionRequest(
        namespace=namespace, execution=WorkflowExecution(workflow_id=workflow_id(charge_permission_id))
    )
    try:
        described = await service.describe_workflow_execution(request, retry=True)
        return await hindered_by(service, namespace, described, codec)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


async def hindered_by(
    service: WorkflowService,
    namespace: str,
    described: DescribeWorkflowExecutionResponse,
    codec: PayloadCodec | None = None,
) -> Hindered | None:
    """The same of a workflow that the server has described.

    Raises:
        RPCError: the server does not answer.
    """
    info = described.workflow_execution_info
    if info.HasField("close_time"):
        return None
    name, run = info.execution.workflow_id.removeprefix(workflow_id("")), info.execution.run_id
    if info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED:
        told = described.workflow_extended_info.pause_info
        return Hindered(
            name, run, Hindrance.PAUSED, _instant(told.paused_time), told.identity or None, told.reason or None
        )
    if PROBLEMS in info.search_attributes.indexed_fields:
        at, why = await _last_failure(service, namespace, info, codec)
        return Hindered(name, run, Hindrance.FAILING, at, None, why)
    for activity in described.pending_activities:
        if activity.paused:
            return _paused(name, run, activity)
    return None


def _paused(name: str, run: str, activity: PendingActivityInfo) -> Hindered:
    told = activity.pause_info
    by, why = told.manual.identity or None, told.manual.reason or None
    why = f"{activity.activity_type.name}{f', {why}' if why else ''}"
    if activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED:
        why += ", once the attempt that is under way has ended"
    return Hindered(name, run, Hindrance.ACTIVITY_PAUSED, _instant(told.pause_time), by, why)


async def _last_failure(
    service: WorkflowService, namespace: str, info: WorkflowExecutionInfo, codec: PayloadCodec | None
) -> tuple[datetime | None, str | None]:
    """Since when a workflow's tasks fail, and with what. Of failures in a row the first stands in the history."""
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=namespace, execution=info.execution, maximum_page_size=_EVENTS_LOOKED_AT
    )
    latest = (await service.get_workflow_execution_history_reverse(request, retry=True)).history.events
    for event in latest:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            break
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            return _instant(event.event_time), await _why(event, codec)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
            return _instant(event.event_time), "they take its task and do not answer"
    return None, None


async def _why(event: HistoryEvent, codec: PayloadCodec | None) -> str:
    from perennial_billing.runtime.failures import message_of

    failed = event.workflow_task_failed_event_attributes
    cause = WorkflowTaskFailedCause.Name(failed.cause).removeprefix("WORKFLOW_TASK_FAILED_CAUSE_")
    message = " ".join((await message_of(failed.failure, codec)).split())[:_LONGEST_WHY]
    return f"{cause.lower().replace('_', ' ')}{f': {message}' if message else ''}"


async def every_hindered(service: WorkflowService, namespace: str) -> AsyncIterator[tuple[str, Hindrance]]:
    """The charge permissions of all whose workflow makes no progress, and what keeps each, by the visibility store.

    Raises:
        RPCError: the server does not answer.
    """
    query = f"WorkflowType = '{SUBSCRIPTION_WORKFLOW}' AND {MAKES_NO_PROGRESS}"
    request = ListWorkflowExecutionsRequest(namespace=namespace, query=query, page_size=PAGE_SIZE)
    while True:
        page = await service.list_workflow_executions(request, retry=True)
        for info in page.executions:
            yield info.execution.workflow_id.removeprefix(workflow_id("")), _how(info)
        if not page.next_page_token:
            return
        request.next_page_token = page.next_page_token


def _how(info: WorkflowExecutionInfo) -> Hindrance:
    if info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED:
        return Hindrance.PAUSED
    if PROBLEMS in info.search_attributes.indexed_fields:
        return Hindrance.FAILING
    return Hindrance.ACTIVITY_PAUSED


def _instant(stamp: Timestamp) -> datetime | None:
    return stamp.ToDatetime(tzinfo=UTC) if stamp.ByteSize() else None
