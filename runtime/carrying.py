"""How a trace goes through a workflow: in headers, which no replay looks at, and which make no event of a history.

A subscription's workflow lives for years and makes no spans of its own, so that none waits for years for its end. It
hands the trace of whoever spoke to it last on to what it does within `CARRIED_FOR`: what falls due a month later is
nobody's request, and begins a trace of its own.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.contrib.opentelemetry import OpenTelemetryInterceptor
from temporalio.worker import (
    ExecuteWorkflowInput,
    HandleSignalInput,
    HandleUpdateInput,
    StartActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

CARRIED_FOR: Final = timedelta(minutes=10)
"""So long what a workflow does follows from what it was told last."""

HEADER: Final = "_tracer-data"
"""As Temporal's own interceptors of OpenTelemetry call it, in every language."""


class Carrying(OpenTelemetryInterceptor):
    """The SDK's: it puts the trace into the headers of a client's calls, and takes it from those of activities."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the SDK's name
    ) -> Any:  # Any: the SDK's own is of a private class
        """Workflows carry it as stands above."""
        return _CarriedOn


class _CarriedOn(WorkflowInboundInterceptor):
    """Keeps the trace of whoever spoke to the workflow last."""

    def __init__(self, next: WorkflowInboundInterceptor) -> None:  # noqa: A002 - the SDK's name
        super().__init__(next)
        self._carried: Payload | None = None
        self._since: datetime | None = None

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_HandedOn(outbound, self))

    def headers(self) -> Mapping[str, Payload]:
        """Of what the workflow does now."""
        if self._carried is None or self._since is None or workflow.now() - self._since > CARRIED_FOR:
            return {}
        return {HEADER: self._carried}

    def _take(self, headers: Mapping[str, Payload]) -> None:
        if HEADER in headers:
            self._carried, self._since = headers[HEADER], workflow.now()

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 - as above; Any: its result
        self._take(input.headers)
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002 - as above
        self._take(input.headers)
        await super().handle_signal(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002 - as above; Any: its result
        self._take(input.headers)
        return await super().handle_update_handler(input)


class _HandedOn(WorkflowOutboundInterceptor):
    """Hands it on to activities; a run that follows begins without."""

    def __init__(self, next: WorkflowOutboundInterceptor, carried: _CarriedOn) -> None:  # noqa: A002 - as above
        super().__init__(next)
        self._carried = carried

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002 - as above
        input.headers = {**input.headers, **self._carried.headers()}
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
        input.headers = {**input.headers, **self._carried.headers()}
        return super().start_local_activity(input)
