"""Workflows that hold nothing of the message that began them.

A run begins with one protobuf message: its input, memo, search attributes and headers, of which the SDK keeps a few
small parts for as long as the run is in the cache. A part holds the whole message, some 20 kB beside a subscription of
less; so what is kept is kept as a copy.

The memo is what a repeated start is compared with (`workflows.memo`), by whoever starts. No workflow of ours reads it,
and none can.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload, Payloads
from temporalio.worker import (
    ExecuteWorkflowInput,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInstance,
    WorkflowInstanceDetails,
)


class DetachedRunner(UnsandboxedWorkflowRunner):
    """Runs workflows without a sandbox, and without what began them."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """One that was handed copies."""
        result = Payloads()
        result.CopyFrom(det.last_completion_result)
        return super().create_instance(
            replace(
                det,
                info=replace(det.info, headers=_copied(det.info.headers), raw_memo={}),
                last_completion_result=result,
                interceptor_classes=[*det.interceptor_classes, _Detaching],  # the innermost: others have read theirs
            )
        )


class _Detaching(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 - the SDK's name
        input.headers = _copied(input.headers)
        return await super().execute_workflow(input)


def _copied(payloads: Mapping[str, Payload]) -> dict[str, Payload]:
    copies = {name: Payload() for name in payloads}
    for name, copy in copies.items():
        copy.CopyFrom(payloads[name])
    return copies
