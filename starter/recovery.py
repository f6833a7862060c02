"""Brings subscriptions back: each goes on with all that it knew.

It may be that the workflow was ended from outside; that it runs, and something is amiss with it (`starter.troubles`);
or that only the ledger knows it, as Temporal's database is lost or its retention over. Nobody pays twice by it. What
was open is sent again under its own idempotency key and with its own amount, which a new run does by itself; and the
server starts no second run beside one that runs.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.lives import brought_back, brought_together
from perennial_billing.billing.machine import apply
from perennial_billing.billing.parts.divergence import LEDGER_AHEAD
from perennial_billing.billing.protocol.answers import SuccessorAnswer
from perennial_billing.billing.protocol.commands import StartSuccessor
from perennial_billing.billing.protocol.events import Answered, Event, LedgerIsAhead
from perennial_billing.billing.requests import NOBODY, Asker
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import SubscriptionView, view_of
from perennial_billing.ledger.kept import kept_of
from perennial_billing.ledger.lives import earlier_life, not_ended
from perennial_billing.runtime.temporal import is_unknown
from perennial_billing.starter.client.recalling import OpensLedger
from perennial_billing.starter.errors import (
    SubscriptionConflictError,
    SubscriptionEndedError,
    SubscriptionError,
    SubscriptionNotFoundError,
)
from perennial_billing.starter.listing import STORE_LAG, list_subscriptions
from perennial_billing.starter.lives import ended_before, forgotten, kept_in_ledger
from perennial_billing.starter.places import CALL_TIMEOUT
from perennial_billing.starter.remembering import Remembered, Unheard, remember
from perennial_billing.starter.stopped import Stopped, every_stopped, stopped
from perennial_billing.starter.troubles import Troubled, examine, mend
from perennial_billing.workflows.memo import FIRST_CHARGE_MEMO
from perennial_billing.workflows.names import LAST_REASON, workflow_id
from perennial_billing.workflows.starting import start_options
from perennial_billing.workflows.subscription import SubscriptionWorkflow


@dataclass(frozen=True, slots=True)
class Recoverable:
    """A subscription that can be brought back, or was.

    Attributes:
        stopped: what happened to it.
        stood: how it stood then.
        goes_on: how it goes on, with what it never heard.
        unheard: what was said to it since it did something last.
        fallen_due: how many periods have fallen due that it has not begun to collect.
    """

    stopped: Stopped
    stood: SubscriptionView
    goes_on: SubscriptionView
    unheard: Sequence[Unheard]
    fallen_due: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A subscription that only the ledger knows.

    Attributes:
        charge_permission_id: which.
        recorded_at: when it told something last (UTC, the clock of the process that wrote it).
        stood: how it stood then.
        goes_on: the state with which it goes on.
    """

    charge_permission_id: str
    recorded_at: datetime
    stood: SubscriptionView
    goes_on: Subscription


class Recovery:
    """Finds them, and brings them back.

    Args:
        client: connected with the project's data converter.
        ledger: opens the ledger, which tells of those that Temporal has forgotten.
        task_queue: where the workers of those listen that only the ledger knows.
        asker: who brings them back, and why.
    """

    def __init__(
        self,
        client: Client,
        *,
        ledger: OpensLedger,
        task_queue: str,
        asker: Asker = NOBODY,
    ) -> None:
        self._client, self._ledger, self._asker, self._task_queue = client, ledger, asker, task_queue

    async def every_stopped(self) -> AsyncIterator[Stopped]:
        """All that can be brought back, as Temporal retains them.

        Raises:
            RPCError: the server does not answer.
        """
        codec = self._client.data_converter.payload_codec
        async for found in every_stopped(self._client.workflow_service, self._client.namespace, codec=codec):
            yield found

    async def look(self, charge_permission_id: str) -> Recoverable:
        """How one would go on; nothing is changed. Raises what `recover` does."""
        found = await self._stopped(charge_permission_id)
        remembered = await remember(self._client, found)
        return _recoverable(found, remembered, await self.going_on(found, remembered))

    async def recover(self, charge_permission_id: str) -> Recoverable:
        """Brings one back: a new run begins with all that the last one knew, and takes what that never heard.

        Raises:
            SubscriptionConflictError: it runs.
            SubscriptionEndedError: it has ended by itself, so it is not brought back.
            SubscriptionNotFoundError: nobody knows it, or Temporal has forgotten it; says what the ledger knows.
            SubscriptionError: what it knew cannot be had now.
            LedgerError: Temporal has forgotten it, and the ledger cannot be read.
            RPCError: the server does not answer.
        """
        found = await self._stopped(charge_permission_id)
        remembered = await remember(self._client, found)
        goes_on = await self.going_on(found, remembered)
        described = await self._client.get_workflow_handle(
            workflow_id(charge_permission_id), run_id=found.run_id
        ).describe()
        first_charge = await described.memo_value(FIRST_CHARGE_MEMO, None, type_hint=str)
        try:
            await self._client.start_workflow(
                SubscriptionWorkflow.run,
                goes_on,
                **start_options(goes_on, first_charge),
                task_queue=remembered.task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            )
        except WorkflowAlreadyStartedError:
            raise _runs(charge_permission_id) from None
        await self._tell_successor(remembered)
        return _recoverable(found, remembered, goes_on)

    # Those that run

    async def every_suspect(self) -> AsyncIterator[str]:
        """The charge permissions of those that run and of which Temporal's visibility store tells that something is
        amiss; `every_running` has those too of which nobody tells.

        Raises:
            RPCError: the server does not answer.
        """
        query = f"({LAST_REASON.name} = '{LEDGER_AHEAD}' OR TemporalReportedProblems IS NOT NULL)"
        async for name in self._running(query):
            yield name

    async def every_running(self) -> AsyncIterator[str]:
        """The charge permissions of all that run.

        Raises:
            RPCError: the server does not answer.
        """
        async for name in self._running(None):
            yield name

    async def _running(self, query: str | None) -> AsyncIterator[str]:
        service, namespace = self._client.workflow_service, self._client.namespace
        async for listed in list_subscriptions(service, namespace, query=query, lag=STORE_LAG):
            yield listed.charge_permission_id

    async def examine(self, charge_permission_id: str) -> Troubled | None:
        """What is amiss with one that runs; None where nothing is.

        Raises:
            SubscriptionError: what it did cannot be replayed.
            LedgerError: the ledger cannot be read.
            RPCError: the server does not answer.
        """
        async with self._ledger() as ledger:
            return await examine(self._client, ledger, charge_permission_id, self._asker)

    async def mend(self, charge_permission_id: str) -> Troubled | None:
        """Mends what is amiss with one that runs, and says what that was; None where nothing is. Raises as `examine`
        does, and where no worker answers."""
        async with self._ledger() as ledger:
            troubled = await examine(self._client, ledger, charge_permission_id, self._asker)
            if troubled is not None:
                await mend(self._client, ledger, troubled, self._asker)
            return troubled

    # Those that only the ledger knows

    async def every_lost(self) -> AsyncIterator[str]:
        """The charge permissions of those that the ledger knows, that have not ended, and that Temporal does not know.

        Raises:
            LedgerError: the ledger cannot be read.
            RPCError: the server does not answer.
        """
        async with self._ledger() as ledger:
            async for name in not_ended(ledger):
                if await self._described(name) is None:
                    yield name

    async def look_up(self, charge_permission_id: str) -> Lost:
        """How one would go on that only the ledger knows; nothing is changed. Raises what `from_ledger` does."""
        if await self._described(charge_permission_id) is not None:
            raise SubscriptionConflictError(
                f"charge permission {charge_permission_id}: Temporal knows its subscription, so it is not made of the "
                f"ledger: `perennial recover {charge_permission_id}`"
            )
        async with self._ledger() as ledger:
            kept = await kept_of(ledger, charge_permission_id)
        known = kept.subscription
        if known is None or kept.recorded_at is None:
            raise await self._forgotten(charge_permission_id)
        if known.has_ended:
            raise SubscriptionEndedError(ended_before(charge_permission_id))
        goes_on = brought_together(known, known, kept.last, datetime.now(UTC), self._asker)
        return Lost(charge_permission_id, kept.recorded_at, view_of(known), goes_on)

    async def from_ledger(self, charge_permission_id: str) -> Lost:
        """Starts one again that only the ledger knows, with all that it knew when it told something last.

        Raises:
            SubscriptionConflictError: Temporal knows it.
            SubscriptionEndedError: it has ended.
            SubscriptionNotFoundError: nobody knows it, or the ledger has kept too little.
            LedgerError: the ledger cannot be read.
            RPCError: the server does not answer.
        """
        lost = await self.look_up(charge_permission_id)
        try:
            await self._client.start_workflow(
                SubscriptionWorkflow.run,
                lost.goes_on,
                **start_options(lost.goes_on, None),
                task_queue=self._task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            )
        except WorkflowAlreadyStartedError:
            raise _runs(charge_permission_id) from None
        return lost

    # Those whose workflow was ended

    async def is_running(self, charge_permission_id: str) -> bool:
        """Whether its workflow runs.

        Raises:
            RPCError: the server does not answer.
        """
        described = await self._described(charge_permission_id)
        return described is not None and described.status is WorkflowExecutionStatus.RUNNING

    async def _stopped(self, charge_permission_id: str) -> Stopped:
        client = self._client
        codec = client.data_converter.payload_codec
        found = await stopped(client.workflow_service, client.namespace, charge_permission_id, codec)
        if found is not None:
            return found
        described = await self._described(charge_permission_id)
        if described is None:
            raise await self._forgotten(charge_permission_id)
        if described.status is WorkflowExecutionStatus.RUNNING:
            raise _runs(charge_permission_id)
        raise SubscriptionEndedError(ended_before(charge_permission_id))

    async def _described(self, charge_permission_id: str) -> WorkflowExecutionDescription | None:
        try:
            handle = self._client.get_workflow_handle(workflow_id(charge_permission_id))
            return await handle.describe(rpc_timeout=CALL_TIMEOUT)
        except RPCError as error:
            if is_unknown(error):
                return None
            raise

    async def _forgotten(self, charge_permission_id: str) -> SubscriptionError:
        """Of one that Temporal does not know any more, what the ledger knows, and what would be needed."""
        async with self._ledger() as ledger:
            life = await earlier_life(ledger, charge_permission_id)
        if life is None:
            return SubscriptionNotFoundError(
                f"charge permission {charge_permission_id}: neither Temporal nor the ledger knows a subscription"
            )
        if life.has_ended:
            return SubscriptionEndedError(ended_before(charge_permission_id))
        if life.is_kept:
            return SubscriptionNotFoundError(kept_in_ledger(life))
        return SubscriptionNotFoundError(forgotten(life))

    async def going_on(self, found: Stopped, remembered: Remembered) -> Subscription:
        """The state with which the new run begins: what it knew, and what it was told since."""
        events: list[Event] = [each.said.event for each in remembered.unheard if each.said is not None]
        command = next_command(remembered.subscription)
        if isinstance(command, StartSuccessor) and await self._has_begun(command, found):
            # Its successor runs already, and it was ended before it could hear of that: else both would be billed.
            events.insert(0, Answered(command, SuccessorAnswer(started=True)))
        if remembered.subscription.lifecycle.goes_on_under is not None:
            events = []  # what is said to it is said to its successor
        because = self._asker.because or f"its workflow was ended from outside: {found.how.value}"
        asker, now = self._asker.but(because=because), datetime.now(UTC)
        async with self._ledger() as ledger:
            kept = await kept_of(ledger, found.charge_permission_id)
        if kept.subscription is None or kept.told <= remembered.subscription.outbox.told:
            return brought_back(remembered.subscription, events, now, asker)
        # A task may have told something, and been lost with the workflow.
        forgetful = apply(remembered.subscription, LedgerIsAhead(kept.last), now)
        for event in events:
            forgetful = apply(forgetful, event, now)
        return brought_together(forgetful, kept.subscription, kept.last, now, asker)

    async def _has_begun(self, command: StartSuccessor, found: Stopped) -> bool:
        described = await self._described(command.charge_permission_id)
        if described is None:
            return False
        parent = described.raw_description.workflow_execution_info.parent_execution
        return bool(parent.workflow_id == workflow_id(found.charge_permission_id))

    async def _tell_successor(self, remembered: Remembered) -> None:
        elsewhere = remembered.subscription.lifecycle.goes_on_under
        if elsewhere is None:
            return
        for each in remembered.unheard:
            if each.said is not None:
                handle = self._client.get_workflow_handle(workflow_id(elsewhere))
                await handle.signal(each.said.signal, args=each.said.arguments)


def _runs(charge_permission_id: str) -> SubscriptionConflictError:
    return SubscriptionConflictError(
        f"charge permission {charge_permission_id}: its subscription runs, so there is nothing to bring back"
    )


def _recoverable(found: Stopped, remembered: Remembered, goes_on: Subscription) -> Recoverable:
    stood = remembered.subscription
    begun = stood.schedule.periods_due(datetime.now(UTC)) - stood.first_to_come
    return Recoverable(found, view_of(stood), view_of(goes_on), remembered.unheard, max(0, begun))
