"""What may be amiss with a subscription whose workflow runs, as after a restore of a database; and mending it.

- Its history does not replay: workers worked on while Temporal's database was set back, so what they remembered and
  what the server has are two things. The workflow is reset to the last task up to which it replays.
- It stands: its next date is past, and nothing is under way. It is reset to its last task, which sets its timer anew.
- The ledger knows more of it, and nothing is done before both agree. It goes on with what the ledger has kept.
- The ledger knows less of it. What is missing is told again, of what its history replays to.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import uuid4

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowHistory,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.lives import brought_together
from perennial_billing.billing.requests import Asker
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import SubscriptionView, view_of
from perennial_billing.ledger.entries import Told
from perennial_billing.ledger.filling import fill, numbers_of
from perennial_billing.ledger.kept import Kept, kept_of
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.temporal import is_unknown
from perennial_billing.starter.client.explaining import explained, refusal
from perennial_billing.starter.places import CALL_TIMEOUT
from perennial_billing.starter.remembering import Replayed, end_of_task, replayed
from perennial_billing.workflows.names import workflow_id
from perennial_billing.workflows.subscription import SubscriptionWorkflow

STANDS_AFTER: Final = timedelta(minutes=10)
"""How long a date may be past before it is thought that nothing comes of it by itself."""

LOOKS: Final = 10
LOOK_AGAIN_SECONDS: Final = 0.5
"""A task is done in less; one that fails is tried again for ever."""

_COMPLETED: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED


class Trouble(StrEnum):
    """What is amiss."""

    DOES_NOT_REPLAY = "does not replay"
    STANDS = "stands past its date"
    LEDGER_AHEAD = "the ledger knows more"
    LEDGER_BEHIND = "the ledger knows less"


@dataclass(frozen=True, slots=True)
class Troubled:
    """A subscription that runs, and with which something is amiss.

    Attributes:
        charge_permission_id: which.
        run_id: Temporal's id of the run.
        troubles: what is amiss.
        found: the same in sentences, with numbers.
        stood: how it stands by its history, as far as that replays.
        goes_on: how it goes on when it is mended.
        reset_to: the event before which it is reset; None where it is not.
        missing: the numbers that the ledger lacks and that its history has.
        told: what its history has, where the ledger lacks some of it.
    """

    charge_permission_id: str
    run_id: str
    troubles: Sequence[Trouble]
    found: Sequence[str]
    stood: SubscriptionView
    goes_on: SubscriptionView
    reset_to: int | None = None
    missing: Sequence[int] = ()
    told: Sequence[Told] = ()


async def examine(client: Client, ledger: Ledger, charge_permission_id: str, asker: Asker) -> Troubled | None:
    """What is amiss with a subscription that runs; None where nothing is.

    A task that is under way may have told what its history does not show yet, so it is looked at again.

    Raises:
        SubscriptionError: its history cannot be replayed here, and no worker of its own release answers.
        LedgerError: the ledger cannot be read.
        RPCError: the server does not answer.
    """
    looks = 1
    while True:
        troubled, busy = await _examine(client, ledger, charge_permission_id, asker)
        if troubled is None or not busy or looks == LOOKS:
            return troubled
        looks += 1
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def _examine(
    client: Client, ledger: Ledger, charge_permission_id: str, asker: Asker
) -> tuple[Troubled | None, bool]:
    """What is amiss, and whether a task is under way."""
    handle = client.get_workflow_handle_for(SubscriptionWorkflow.run, workflow_id(charge_permission_id))
    described = await handle.describe(rpc_timeout=CALL_TIMEOUT)
    busy = described.raw_description.HasField("pending_workflow_task")
    events = [*(await handle.fetch_history()).events]
    read = await _read(client, described, events)
    troubles: list[Trouble] = []
    found: list[str] = []
    reset_to = read.fails_at
    if reset_to is not None:
        troubles.append(Trouble.DOES_NOT_REPLAY)
        found.append(f"its history replays up to event {reset_to - 1} of {len(events)} and not further ({read.why})")
    elif (since := stands_since(read.subscription, described)) is not None:
        reset_to = next((event.event_id for event in reversed(events) if event.event_type == _COMPLETED), None)
        troubles.append(Trouble.STANDS)
        found.append(f"its next date was {since:%Y-%m-%d %H:%M} UTC, and nothing is under way")
    stood = goes_on = read.subscription
    kept = await kept_of(ledger, charge_permission_id)
    missing: Sequence[int] = ()
    told: Sequence[Told] = ()
    if kept.told > stood.outbox.told or stood.divergence is not None:
        troubles.append(Trouble.LEDGER_AHEAD)
        found.append(_ahead(kept, stood))
        if kept.subscription is not None:
            goes_on = brought_together(stood, kept.subscription, kept.last, datetime.now(UTC), asker)
    else:
        missing, told = await _missing(client, ledger, read, described.id, events)
    if missing:
        troubles.append(Trouble.LEDGER_BEHIND)
        found.append(f"the ledger lacks {len(missing)} of its notices, the first of them {missing[0]}")
    if not troubles:
        return None, busy
    troubled = Troubled(
        charge_permission_id,
        described.run_id,
        troubles,
        found,
        view_of(stood),
        view_of(goes_on),
        reset_to,
        missing,
        told,
    )
    return troubled, busy


async def mend(client: Client, ledger: Ledger, troubled: Troubled, asker: Asker) -> None:
    """Does what is needed; repeated, it does what is left.

    Raises:
        SubscriptionError: a rule says no, or no worker answers.
        LedgerError: the ledger cannot be read, or written to.
        RPCError: the server does not answer.
    """
    name = troubled.charge_permission_id
    if troubled.reset_to is not None:
        await _reset(client, troubled, troubled.reset_to)
    if troubled.missing:
        await fill(ledger, name, troubled.told)
    if Trouble.LEDGER_AHEAD in troubled.troubles or troubled.reset_to is not None:
        await _agree(client, name, asker)


async def _agree(client: Client, charge_permission_id: str, asker: Asker) -> None:
    """Its worker reads what the ledger has kept; where both agree already, nothing is changed."""
    handle = client.get_workflow_handle_for(SubscriptionWorkflow.run, workflow_id(charge_permission_id))
    try:
        await handle.execute_update(SubscriptionWorkflow.agree, asker, rpc_timeout=CALL_TIMEOUT)
    except WorkflowUpdateFailedError as error:
        raise refusal(charge_permission_id, error) from error
    except (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise explained(error, charge_permission_id) from error


async def _reset(client: Client, troubled: Troubled, event_id: int) -> None:
    """What was said to it since the event is said to the new run again, by the server."""
    request = ResetWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(
            workflow_id=workflow_id(troubled.charge_permission_id), run_id=troubled.run_id
        ),
        reason=f"perennial recover: {', '.join(troubled.troubles)}",
        workflow_task_finish_event_id=event_id,
        request_id=uuid4().hex,
    )
    await client.workflow_service.reset_workflow_execution(request, timeout=CALL_TIMEOUT)


@dataclass(frozen=True, slots=True)
class _Read:
    """What a run's history replays to.

    Attributes:
        subscription: the state at its end, or as far as it replays.
        told: what was handed on in it.
        fails_at: the event of the first task that does not replay; None where all do.
        why: why that does not.
    """

    subscription: Subscription
    told: Sequence[Told] = ()
    fails_at: int | None = None
    why: str = ""


async def _read(client: Client, described: WorkflowExecutionDescription, events: Sequence[HistoryEvent]) -> _Read:
    """Replays a history here, as far as that goes. What another release's workers have run is left to them."""
    tasks = [at for at, event in enumerate(events) if event.event_type == _COMPLETED]
    if not tasks:
        return _Read(await _begun(client, events))
    whole = await _up_to(client, described.id, events, tasks[-1])
    if whole.subscription is not None:
        return _Read(whole.subscription, whole.told)
    state = await _asked(client, described)
    if state is not None:
        return _Read(state)
    good, bad, best = -1, len(tasks) - 1, Replayed(None)
    while bad - good > 1:  # what replays up to one task does so up to each before
        middle = (good + bad) // 2
        read = await _up_to(client, described.id, events, tasks[middle])
        if read.subscription is None:
            bad = middle
        else:
            good, best = middle, read
    state = best.subscription or await _begun(client, events)
    return _Read(state, best.told, events[tasks[bad]].event_id, whole.why)


async def _up_to(client: Client, name: str, events: Sequence[HistoryEvent], task: int) -> Replayed:
    return await replayed(client, WorkflowHistory(name, events[: end_of_task(events, task)]))


async def _begun(client: Client, events: Sequence[HistoryEvent]) -> Subscription:
    begun = events[0].workflow_execution_started_event_attributes
    [state] = await client.data_converter.decode(begun.input.payloads, [Subscription])
    return Subscription.model_validate(state)


async def _asked(client: Client, described: WorkflowExecutionDescription) -> Subscription | None:
    """Its own workers' answer, where it is of a release that need not be this one; None where none answers."""
    versioning = described.raw_description.workflow_execution_info.versioning_info
    if not versioning.HasField("deployment_version"):
        return None
    handle = client.get_workflow_handle_for(SubscriptionWorkflow.run, described.id)
    try:
        return await handle.query(SubscriptionWorkflow.state, rpc_timeout=CALL_TIMEOUT)
    except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return None


async def _told_before(client: Client, name: str, events: Sequence[HistoryEvent]) -> Sequence[Told]:
    """What the runs before have handed on, as far as Temporal retains them and they replay here."""
    told: list[Told] = []
    while run_id := events[0].workflow_execution_started_event_attributes.continued_execution_run_id:
        try:
            events = [*(await client.get_workflow_handle(name, run_id=run_id).fetch_history()).events]
        except RPCError as error:
            if is_unknown(error):
                break
            raise
        tasks = [at for at, event in enumerate(events) if event.event_type == _COMPLETED]
        if tasks:
            told = [*(await _up_to(client, name, events, tasks[-1])).told, *told]
    return told


def stands_since(subscription: Subscription, described: WorkflowExecutionDescription) -> datetime | None:
    """The date that is past although nothing is under way; None where that is not so."""
    command, raw = next_command(subscription), described.raw_description
    busy = bool(raw.pending_activities) or raw.HasField("pending_workflow_task")
    if command is None or busy or subscription.outbox.is_full or datetime.now(UTC) - command.at < STANDS_AFTER:
        return None
    return command.at


def _ahead(kept: Kept, stood: Subscription) -> str:
    state = "and has kept all that it knew then" if kept.subscription else "and has kept no state of it"
    return f"the ledger knows {kept.told} notices of it, its workflow {stood.outbox.told}, {state}"


async def _missing(
    client: Client, ledger: Ledger, read: _Read, name: str, events: Sequence[HistoryEvent]
) -> tuple[Sequence[int], Sequence[Told]]:
    """The numbers that the ledger lacks although they were handed on, and all that was, as far as Temporal retains it.

    The numbers of one that goes on from another charge permission begin where those ended. Runs before are looked at
    only where the ledger has a gap, or nothing.
    """
    outbox = read.subscription.outbox
    known = await numbers_of(ledger, name.removeprefix(workflow_id("")))
    waiting = {notice.number for notice in outbox.notices}
    expected = range(min(known, default=1), outbox.told + 1)
    if known and all(number in known or number in waiting for number in expected):
        return (), ()
    told = [*await _told_before(client, name, events), *read.told]
    handed_on = {notice.number for each in told for notice in each.notices} - waiting
    return sorted(handed_on - known), told
