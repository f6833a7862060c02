"""Which keys the histories that Temporal keeps are encrypted under, so that nobody takes one away that is still needed.

A payload bears the id of its key in the open, so this needs no key itself. Of a subscription that runs, the history of
its present run is what a worker has to read; it goes on as a new run after about a year, with all it knows encrypted
anew.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest, ListWorkflowExecutionsRequest
from temporalio.service import RPCError, RPCStatusCode, WorkflowService

from perennial_billing.runtime.codec import is_encrypted, key_id_of

PAGE_SIZE: Final = 1_000
AT_ONCE: Final = 20
"""Histories that are read at a time: a server answers so many beside its work."""


@dataclass(frozen=True, slots=True)
class Needed:
    """A key that histories need.

    Attributes:
        key_id: its id.
        runs: how many runs have something that is encrypted under it.
        since: when the oldest of them began (UTC).
    """

    key_id: str
    runs: int
    since: datetime


async def needed_keys(service: WorkflowService, namespace: str, *, ended: bool) -> list[Needed]:
    """Every key that a workflow of a namespace needs, that of the oldest run first.

    Args:
        service: of the Temporal server.
        namespace: which.
        ended: also of what has ended, as far back as the namespace retains it: to look at it, or to recover it.

    Raises:
        RPCError: the server does not answer.
    """
    found: dict[str, Needed] = {}
    async for page in _pages(service, namespace, "" if ended else "CloseTime IS NULL"):
        for begin in range(0, len(page), AT_ONCE):
            some = page[begin : begin + AT_ONCE]
            ids = await asyncio.gather(*(_key_ids(service, namespace, run) for run in some))
            for run, its in zip(some, ids, strict=True):
                since = run.start_time.ToDatetime(UTC)
                for key_id in its:
                    before = found.get(key_id, Needed(key_id, 0, since))
                    found[key_id] = Needed(key_id, before.runs + 1, min(before.since, since))
    return sorted(found.values(), key=lambda each: (each.since, each.key_id))


async def _pages(service: WorkflowService, namespace: str, query: str) -> AsyncIterator[list[WorkflowExecutionInfo]]:
    request = ListWorkflowExecutionsRequest(namespace=namespace, query=query, page_size=PAGE_SIZE)
    while True:
        page = await service.list_workflow_executions(request, retry=True)
        yield list(page.executions)
        if not page.next_page_token:
            return
        request.next_page_token = page.next_page_token


async def _key_ids(service: WorkflowService, namespace: str, run: WorkflowExecutionInfo) -> set[str]:
    """Of the keys that one run's history needs; none where it is gone meanwhile."""
    request = GetWorkflowExecutionHistoryRequest(namespace=namespace, execution=run.execution)
    found: set[str] = set()
    while True:
        try:
            page = await service.get_workflow_execution_history(request, retry=True)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return found
            raise
        found |= {key_id_of(payload) for payload in payloads_in(page.history) if is_encrypted(payload)}
        if not page.next_page_token:
            return found
        request.next_page_token = page.next_page_token


def payloads_in(message: Message) -> Iterator[Payload]:
    """Every payload in a message, however deep."""
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            inside = value.values()
        else:
            inside = value if field.is_repeated else [value]
        for each in inside:
            if isinstance(each, Message):
                yield from payloads_in(each)
