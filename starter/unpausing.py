"""Lets subscriptions go on whose workflow was paused in Temporal, or an activity of it."""

from uuid import uuid4

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import UnpauseActivityRequest, UnpauseWorkflowExecutionRequest
from temporalio.client import Client

from perennial_billing.billing.requests import NOBODY, Asker
from perennial_billing.starter.errors import SubscriptionConflictError
from perennial_billing.starter.hindered import Hindered, Hindrance, hindered
from perennial_billing.workflows.names import workflow_id


class Unpausing:
    """Finds what is paused, and lets it go on.

    Args:
        client: of the Temporal server.
        asker: who lets it go on, and why; Temporal's history keeps both.
    """

    def __init__(self, client: Client, *, asker: Asker = NOBODY) -> None:
        self._client, self._asker = client, asker

    async def paused(self, charge_permission_id: str) -> Hindered | None:
        """What is paused of a subscription; None where nothing is.

        Raises:
            RPCError: the server does not answer.
        """
        found = await self._hindered(charge_permission_id)
        return found if found is not None and found.is_paused else None

    async def check_progress(self, charge_permission_id: str) -> None:
        """Looks whether the workers of its release can go on with it.

        Raises:
            SubscriptionConflictError: they cannot.
            RPCError: the server does not answer.
        """
        found = await self._hindered(charge_permission_id)
        if found is not None and not found.is_paused:
            raise SubscriptionConflictError(f"charge permission {charge_permission_id}: {found}")

    async def _hindered(self, charge_permission_id: str) -> Hindered | None:
        client = self._client
        codec = client.data_converter.payload_codec
        return await hindered(client.workflow_service, client.namespace, charge_permission_id, codec)

    async def unpause(self, found: Hindered) -> None:
        """Lets it go on. What fell due meanwhile is caught up as its plan says.

        Raises:
            RPCError: the server does not answer, or it is not paused any more.
        """
        name, actor = workflow_id(found.charge_permission_id), self._asker.actor or self._client.identity
        if found.how is Hindrance.PAUSED:
            await self._client.workflow_service.unpause_workflow_execution(
                UnpauseWorkflowExecutionRequest(
                    namespace=self._client.namespace,
                    workflow_id=name,
                    run_id=found.run_id,
                    identity=actor,
                    reason=self._asker.because or "",
                    request_id=uuid4().hex,
                )
            )
            return
        await self._client.workflow_service.unpause_activity(
            UnpauseActivityRequest(
                namespace=self._client.namespace,
                execution=WorkflowExecution(workflow_id=name, run_id=found.run_id),
                identity=actor,
                unpause_all=True,
            )
        )
