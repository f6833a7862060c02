"""One subscriber on the stage: moved through virtual time, and waited for until nothing is under way."""

from datetime import datetime, timedelta

from temporalio.client import WorkflowHandle

from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.clock import PAST_THE_DATE, SubscriptionClock
from perennial_billing.workflows.names import workflow_id
from perennial_billing.workflows.subscription import SubscriptionWorkflow


class Subscriber:
    """A running subscription and its own virtual clock.

    Skips of one workflow must not overlap, and each must be awaited before the workflow is signalled.
    """

    def __init__(self, stage: Stage, terms: Terms) -> None:
        self.stage = stage
        self.terms = terms
        self._clock = SubscriptionClock(stage.client, stage.subscriptions, stage.settings.environment)
        self.handle: WorkflowHandle[SubscriptionWorkflow, SubscriptionView] = stage.client.get_workflow_handle_for(
            SubscriptionWorkflow.run, workflow_id(terms.charge_permission_id)
        )

    @property
    def charge_permission_id(self) -> str:
        """Who the subscriber is."""
        return self.terms.charge_permission_id

    async def now(self) -> datetime:
        """The subscriber's virtual time (UTC)."""
        return await self.stage.server.time.get_current_time(self.handle)

    async def status(self) -> SubscriptionView:
        """The subscription's own account."""
        return await self.stage.subscriptions.status(self.charge_permission_id)

    async def until_due(self, period: int) -> SubscriptionView:
        """Moves time to just after a period falls due."""
        return await self.until(self.terms.schedule.due(period))

    async def until(self, instant: datetime) -> SubscriptionView:
        """Moves time to just after an instant."""
        return await self.after(max(instant - await self.now(), timedelta(0)))

    async def after(self, duration: timedelta) -> SubscriptionView:
        """Moves time on by a duration and a minute, and waits until nothing is under way."""
        await self.stage.server.time.fast_forward(self.handle, duration + PAST_THE_DATE)
        return await self.quiet()

    async def mend_card(self) -> SubscriptionView:
        """The buyer mends the payment method; Amazon's notification wakes the workflow."""
        await self.stage.simulator.mend_payment_method(self.charge_permission_id, await self.now())
        return await self.quiet()

    async def cancel(self, reason: str = "the customer asked") -> SubscriptionView:
        """The merchant cancels."""
        await self.stage.subscriptions.cancel(self.charge_permission_id, reason)
        return await self.quiet()

    async def quiet(self) -> SubscriptionView:
        """Waits until notifications were delivered and no task of the workflow is under way."""
        await self.stage.simulator.deliver_notifications()
        return (await self._clock.settled(self.charge_permission_id))[0]
