"""Delivering one notice, on a server on which activities cannot be run outside of workflows.

It adds nothing to what the activity does by itself: the schedule of attempts, the ids and what is recorded are the
same, so an endpoint cannot tell which of the two delivers.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from perennial_billing.activities.signatures import (
        ALL_ATTEMPTS,
        ATTEMPT_TIMEOUT,
        DELIVERY_WORKFLOW,
        UNSAID,
        DeliveryActivities,
        WebhookMessage,
    )


@workflow.defn(name=DELIVERY_WORKFLOW)
class DeliveryWorkflow:
    """One notice on its way to one endpoint. It fails where the notice was not taken, and can be seen then."""

    @workflow.run
    async def run(self, message: WebhookMessage) -> None:
        """Lasts until the notice was taken or is given up."""
        await workflow.execute_activity_method(
            DeliveryActivities.deliver,
            message,
            start_to_close_timeout=ATTEMPT_TIMEOUT,
            schedule_to_close_timeout=ALL_ATTEMPTS,
            retry_policy=UNSAID,
        )
