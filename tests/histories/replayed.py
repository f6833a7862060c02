"""Replays a history, and says which commands the workflow made, and how it stood in the end."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from temporalio import workflow
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowInterceptorClassInput,
    WorkflowRunner,
)

from perennial_billing.runtime.payloads import DATA_CONVERTER
from perennial_billing.workflows.ended import EndedSubscriptionWorkflow
from perennial_billing.workflows.subscription import SubscriptionWorkflow

Json = Any
"""What JSON can hold: of commands in Temporal's own form, which no model of ours describes."""

_SHOWN_ONLY: Final = frozenset({"userMetadata", "stackTrace"})
"""What the Web UI shows beside a command. Temporal compares it to nothing, and wording may get better; and where in the
code a failure was raised is another place on another machine."""


@dataclass
class Replayed:
    """What a replay did.

    Attributes:
        commands: of each activation that made any, in order, as JSON.
        end: the view of the subscription when the history was over; none of what lives on after a subscription's end.
    """

    commands: list[Sequence[Json]] = field(default_factory=list)
    end: Json = None


async def replay(history: WorkflowHistory) -> Replayed:
    """Replays it as workers run workflows.

    Raises:
        Exception: the workflow made other commands than the history holds.
    """
    replayed = Replayed()
    lives: list[SubscriptionWorkflow] = []
    replayer = Replayer(
        workflows=[SubscriptionWorkflow, EndedSubscriptionWorkflow],
        data_converter=DATA_CONVERTER,
        workflow_runner=_Recording(replayed, lives),
        interceptors=[_Watching(lives)],
    )
    await replayer.replay_workflow(history)
    return replayed


class _Recording(WorkflowRunner):
    """Runs workflows without a sandbox, and writes down what they want."""

    def __init__(self, replayed: Replayed, lives: Sequence[SubscriptionWorkflow]) -> None:
        self._runner, self._replayed, self._lives = UnsandboxedWorkflowRunner(), replayed, lives

    def prepare_workflow(self, defn: Any) -> None:
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = self._runner.create_instance(det)
        activate = instance.activate

        def recorded(act: WorkflowActivation) -> WorkflowActivationCompletion:
            if any(job.HasField("remove_from_cache") for job in act.jobs):  # which it takes for being canceled
                self._replayed.end = next((life.status().model_dump(mode="json") for life in self._lives), None)
            completion = activate(act)
            if completion.successful.commands:
                self._replayed.commands.append([_plain(MessageToDict(each)) for each in completion.successful.commands])
            return completion

        instance.activate = recorded  # type: ignore[method-assign]
        return instance


class _Watching(Interceptor):
    """Knows the workflow's object, which can still be asked when the history is over."""

    def __init__(self, lives: list[SubscriptionWorkflow]) -> None:
        self._lives = lives

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002 - the SDK's names
        lives = self._lives

        class Inbound(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 - the SDK's name
                if isinstance(life := workflow.instance(), SubscriptionWorkflow):
                    lives.append(life)
                return await super().execute_workflow(input)

        return Inbound


def _plain(part: Json) -> Json:
    """With payloads as what they hold, and without what is only shown."""
    if isinstance(part, Mapping):
        if part.keys() == {"metadata", "data"}:
            return _held(part["data"])
        return {name: _plain(value) for name, value in part.items() if name not in _SHOWN_ONLY}
    if isinstance(part, list):
        return [_plain(each) for each in part]
    return part


def _held(data: str) -> Json:
    try:
        return json.loads(base64.b64decode(data, validate=True))
    except (ValueError, binascii.Error):
        return data
