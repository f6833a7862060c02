"""Where something can be asked for: a running subscription, or what goes on about one that has ended."""

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Final

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateStage

from perennial_billing.billing.requests import Asker, Request
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.runtime.temporal import result_of
from perennial_billing.workflows.ended import EndedSubscriptionWorkflow, begins_with, start_options
from perennial_billing.workflows.messages import Answer, Wish
from perennial_billing.workflows.names import ended_workflow_id, workflow_id
from perennial_billing.workflows.subscription import SubscriptionWorkflow

CALL_TIMEOUT: Final = timedelta(seconds=10)


class Place(ABC):
    """Takes requests about one subscription.

    Args:
        client: of the Temporal server.
        charge_permission_id: whose.
    """

    def __init__(self, client: Client, charge_permission_id: str) -> None:
        self.client, self.charge_permission_id = client, charge_permission_id

    @abstractmethod
    async def take(self, request: Request, request_id: str, asker: Asker) -> Answer:
        """Asks for something, and answers what came of it so far.

        Raises:
            WorkflowUpdateFailedError: a rule said no.
            WorkflowUpdateRPCTimeoutOrCancelledError: no worker has taken it yet.
            RPCError: nobody is there, or Temporal did not answer.
        """

    @abstractmethod
    async def look(self, request_id: str) -> Answer:
        """What became of a request, by its id.

        Raises:
            RPCError: nobody is there, no worker answers, or Temporal does not.
            WorkflowQueryRejectedError: it cannot be asked.
        """


class Running(Place):
    """The subscription itself."""

    async def take(self, request: Request, request_id: str, asker: Asker) -> Answer:
        """See `Place.take`."""
        handle = self.client.get_workflow_handle_for(SubscriptionWorkflow.run, workflow_id(self.charge_permission_id))
        update = await handle.start_update(
            SubscriptionWorkflow.request,
            _wish(request, asker),
            id=request_id,
            wait_for_stage=WorkflowUpdateStage.ACCEPTED,
            rpc_timeout=CALL_TIMEOUT,
        )
        return await update.result(rpc_timeout=CALL_TIMEOUT)

    async def look(self, request_id: str) -> Answer:
        """See `Place.look`."""
        handle = self.client.get_workflow_handle_for(SubscriptionWorkflow.run, workflow_id(self.charge_permission_id))
        return await handle.query(SubscriptionWorkflow.outcome, request_id, rpc_timeout=CALL_TIMEOUT)


class AfterTheEnd(Place):
    """What goes on about a subscription that has ended; it is begun where nothing does.

    Args:
        client: as above.
        task_queue: where the workers listen.
        charge_permission_id: as above.
        ended: how it ended, where Temporal still retains that.
    """

    def __init__(
        self, client: Client, task_queue: str, charge_permission_id: str, ended: SubscriptionView | None
    ) -> None:
        super().__init__(client, charge_permission_id)
        self._task_queue, self._ended = task_queue, ended

    async def take(self, request: Request, request_id: str, asker: Asker) -> Answer:
        """See `Place.take`."""
        permission = self.charge_permission_id
        before = self.client.get_workflow_handle_for(EndedSubscriptionWorkflow.run, ended_workflow_id(permission))
        begins = begins_with(permission, self._ended, await result_of(before, CALL_TIMEOUT))
        update = await self.client.start_update_with_start_workflow(
            EndedSubscriptionWorkflow.request,
            _wish(request, asker),
            start_workflow_operation=WithStartWorkflowOperation(
                EndedSubscriptionWorkflow.run, begins, **start_options(permission), task_queue=self._task_queue
            ),
            id=request_id,
            wait_for_stage=WorkflowUpdateStage.ACCEPTED,
            rpc_timeout=CALL_TIMEOUT,
        )
        return await update.result(rpc_timeout=CALL_TIMEOUT)

    async def look(self, request_id: str) -> Answer:
        """See `Place.look`."""
        identifier = ended_workflow_id(self.charge_permission_id)
        handle = self.client.get_workflow_handle_for(EndedSubscriptionWorkflow.run, identifier)
        return await handle.query(EndedSubscriptionWorkflow.outcome, request_id, rpc_timeout=CALL_TIMEOUT)


def _wish(request: Request, asker: Asker) -> Wish:
    return Wish.model_validate({"request": request, "asker": asker})
