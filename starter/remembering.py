"""What a subscription knew when its workflow was ended from outside, and what was said to it since.

Its history is replayed up to the last task that it completed, here, so that no worker is needed. A history that another
release of the workers has made may not be replayed by this one; then the workers of that release are asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_activation import QueryWorkflow, WorkflowActivation
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import Client, WorkflowHistory, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.service import RPCError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails
from temporalio.workflow import Info

from perennial_billing.activities.signatures import Announcement
from perennial_billing.billing.subscription import Subscription
from perennial_billing.ledger.entries import Told
from perennial_billing.starter.errors import SubscriptionError
from perennial_billing.starter.places import CALL_TIMEOUT
from perennial_billing.starter.stopped import How, Stopped
from perennial_billing.workflows import signals
from perennial_billing.workflows.life import Said
from perennial_billing.workflows.names import workflow_id
from perennial_billing.workflows.subscription import SubscriptionWorkflow

_COMPLETED: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
_OF_A_TASK: Final = frozenset(
    {
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED,
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_TIMER_CANCELED,
        EventType.EVENT_TYPE_MARKER_RECORDED,
        EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
        EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
    }
)
"""What a completed task has done stands in the history right behind it."""

CANCELED_IN_TEMPORAL: Final = "cancel in Temporal"
"""Temporal's own cancellation, as it is named beside signals."""

_QUERY: Final = "state"

_ANNOUNCE: Final = "announce"
"""The type of the activity that hands notices on; what it is given is in no history, and made anew by a replay."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """What was said to a subscription, and went down with its workflow.

    Attributes:
        name: of the signal.
        at: when it was said (UTC).
        said: what it means; None where it means nothing by now, as a wake does.
    """

    name: str
    at: datetime
    said: Said | None


@dataclass(frozen=True, slots=True)
class Remembered:
    """A subscription as it stood when it did something last.

    Attributes:
        subscription: all that it knew.
        unheard: what was said to it since.
        task_queue: where its workers listened.
    """

    subscription: Subscription
    unheard: Sequence[Unheard]
    task_queue: str


async def remember(client: Client, found: Stopped) -> Remembered:
    """What a subscription knew whose workflow was ended.

    Raises:
        SubscriptionError: its history cannot be replayed here, and no worker of its own release answers.
        RPCError: the server does not answer.
    """
    name = workflow_id(found.charge_permission_id)
    handle = client.get_workflow_handle_for(SubscriptionWorkflow.run, name, run_id=found.run_id)
    events = [*(await handle.fetch_history()).events]
    begun = events[0].workflow_execution_started_event_attributes
    end = _end_of_last_task(events, failed=found.how is How.FAILED)
    unheard = [each for event in events[end:] if (each := await _unheard(client, event)) is not None]
    if not any(event.event_type == _COMPLETED for event in events[:end]):
        [state] = await client.data_converter.decode(begun.input.payloads, [Subscription])
        return Remembered(state, unheard, begun.task_queue.name)
    read = await replayed(client, WorkflowHistory(name, events[:end]))
    state = read.subscription
    if state is None:
        try:
            state = await handle.query(SubscriptionWorkflow.state, rpc_timeout=CALL_TIMEOUT)
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
            raise SubscriptionError(
                f"charge permission {found.charge_permission_id}: this release cannot replay what its workflow did "
                f"({read.why}), and no worker of the release that ran it answers: start one, or use `perennial "
                "recover` of that release"
            ) from error
    return Remembered(state, unheard, begun.task_queue.name)


def _end_of_last_task(events: Sequence[HistoryEvent], *, failed: bool) -> int:
    """Up to where a history is what the workflow did: the last task that it completed, with what that has done. The
    task with which it failed is not counted, as it is done anew."""
    completed = [at for at, event in enumerate(events) if event.event_type == _COMPLETED]
    if failed and completed:
        completed.pop()
    return end_of_task(events, completed[-1]) if completed else 1


def end_of_task(events: Sequence[HistoryEvent], completed: int) -> int:
    """Behind what a task has done.

    Args:
        events: of a history.
        completed: where among them the task's completion stands.
    """
    end = completed + 1
    while end < len(events) and events[end].event_type in _OF_A_TASK:
        end += 1
    return end


async def _unheard(client: Client, event: HistoryEvent) -> Unheard | None:
    at = event.event_time.ToDatetime(tzinfo=UTC)
    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
        return Unheard(CANCELED_IN_TEMPORAL, at, signals.cancellation(["Canceled in Temporal"]))
    if event.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
        return None
    signal = event.workflow_execution_signaled_event_attributes
    try:
        arguments = await client.data_converter.decode(signal.input.payloads) if signal.input.payloads else []
    except (KeyError, RuntimeError, ValueError):  # in another form than JSON: as if nothing had been said with it
        arguments = []
    read = _MEANINGS.get(signal.signal_name)
    return Unheard(signal.signal_name, at, read(arguments) if read is not None else None)


_MEANINGS: Final = {
    "cancel": signals.cancellation,
    "instrument_updated": signals.look_at_permission,
    "amazon_pay_notification": signals.look_at_object,
}


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a history replays to.

    Attributes:
        subscription: the state at its end; None where it cannot be replayed.
        told: what was handed on in it, oldest first; also what could not be handed on then.
        why: why it cannot be replayed.
    """

    subscription: Subscription | None
    told: Sequence[Told] = ()
    why: str = ""


async def replayed(client: Client, history: WorkflowHistory) -> Replayed:
    """Replays a history, here."""
    runner = _AskedAtTheEnd()
    replayer = Replayer(workflows=[SubscriptionWorkflow], data_converter=client.data_converter, workflow_runner=runner)
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    if result.replay_failure is not None or runner.last is None:
        why = str(result.replay_failure or "it did not answer").partition("\n")[0]
        return Replayed(None, why=why[:200])
    answer = runner.last.respond_to_query
    if not answer.HasField("succeeded"):
        return Replayed(None, why=answer.failed.message[:200])
    [state] = await client.data_converter.decode([answer.succeeded.response], [Subscription])
    told = [await _told(client, each) for each in runner.announced]
    return Replayed(state, told)


async def _told(client: Client, arguments: Sequence[Payload]) -> Told:
    [said] = await client.data_converter.decode(arguments, [Announcement])
    return Told(
        charge_permission_id=said.charge_permission_id,
        merchant_account=said.merchant_account,
        merchant_reference=said.merchant_reference,
        plan_id=said.plan_id,
        notices=said.notices,
        summary=said.summary,
    )


class _AskedAtTheEnd(UnsandboxedWorkflowRunner):
    """Runs a workflow that is replayed, hears what it hands on, and asks it for its state before it is taken out of
    memory."""

    def __init__(self) -> None:
        self.last: WorkflowCommand | None = None
        self.announced: list[Sequence[Payload]] = []

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """One that is asked."""
        return _Asked(super().create_instance(det), self)


class _Asked(WorkflowInstance):
    def __init__(self, replayed: WorkflowInstance, runner: _AskedAtTheEnd) -> None:
        self._replayed, self._runner = replayed, runner

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if any(job.HasField("remove_from_cache") for job in act.jobs):
            question = WorkflowActivation(
                run_id=act.run_id, timestamp=act.timestamp, is_replaying=True, history_length=act.history_length
            )
            question.jobs.add().query_workflow.CopyFrom(QueryWorkflow(query_id=_QUERY, query_type=_QUERY))
            answered = self._replayed.activate(question).successful.commands
            self._runner.last = answered[0] if answered else None
        completion = self._replayed.activate(act)
        self._runner.announced += [
            [*command.schedule_local_activity.arguments]
            for command in completion.successful.commands
            if command.schedule_local_activity.activity_type == _ANNOUNCE
        ]
        return completion

    # Any: the SDK has no public name for what a command is known by.

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return self._replayed.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._replayed.get_external_store_context(command_info)

    def get_info(self) -> Info:
        return self._replayed.get_info()
