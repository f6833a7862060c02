"""The workflow of a dispute whose subscription has ended: it reads the dispute, tells it, and ends."""

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from perennial_billing.activities.signatures import Announcement, NoticeActivities
    from perennial_billing.billing.late_disputes import LateDispute
    from perennial_billing.billing.parts.unanswered import OUTCOME_UNKNOWN
    from perennial_billing.billing.protocol.answers import DisputeAnswer
    from perennial_billing.billing.protocol.events import Answered
    from perennial_billing.billing.view import SubscriptionView
    from perennial_billing.workflows.life import ANNOUNCE_RETRY, ANNOUNCE_TIMEOUT, TELL_AGAIN_AFTER
    from perennial_billing.workflows.names import DISPUTE_WORKFLOW
    from perennial_billing.workflows.performing import perform

_AT_LEAST: Final = timedelta(milliseconds=1)


def late_dispute(charge_permission_id: str, dispute_id: str, ended: SubscriptionView | None) -> LateDispute:
    """A dispute that nobody has heard of, with what is still known of its subscription.

    Args:
        charge_permission_id: whose charge it is about.
        dispute_id: Amazon's.
        ended: how the subscription ended; None where Temporal does not retain that any more, or there never was one.
    """
    late = LateDispute(charge_permission_id=charge_permission_id, dispute_id=dispute_id)
    if ended is None:
        return late
    return late.but(
        merchant_reference=ended.terms.merchant_reference,
        merchant_account=ended.terms.merchant_account,
        plan_id=ended.agreed.plan.plan_id,
        periods={record.charge_id: record.period for record in ended.ledger if record.charge_id},
        outbox=late.outbox.but(told=ended.notices_told),
    )


@workflow.defn(name=DISPUTE_WORKFLOW)
class DisputeWorkflow:
    """One dispute, from Amazon's notification until it is told; read ever more seldom where Amazon does not show it."""

    @workflow.init
    def __init__(self, late: LateDispute) -> None:
        self._late = late.reported(workflow.now())

    @workflow.run
    async def run(self, late: LateDispute) -> LateDispute:  # noqa: ARG002 - taken by __init__
        """Reads and tells; returns what is known then, for the next notification to begin with."""
        while True:
            await self._tell()
            command = self._late.next_command
            if command is None:
                return self._late
            if not command.at_once:
                await self._sleep(command.at - workflow.now())
                if self._late.next_command != command:
                    continue
            event = await perform(command, self._late.merchant_account)
            answer = DisputeAnswer(refused=OUTCOME_UNKNOWN)
            if isinstance(event, Answered) and isinstance(event.answer, DisputeAnswer):
                answer = event.answer
            self._late = self._late.answered(answer, workflow.now())

    @workflow.signal
    async def amazon_pay_notification(self, *notification: object) -> None:  # noqa: ARG002 - it names this dispute
        """Amazon says that something about it has changed: it is read at once."""
        self._late = self._late.reported(workflow.now())

    async def _sleep(self, duration: timedelta) -> None:
        slept = self._late
        try:
            await workflow.wait_condition(lambda: self._late is not slept, timeout=max(duration, _AT_LEAST))
        except TimeoutError:
            return

    async def _tell(self) -> None:
        """Hands on what is new; nothing else is done before that is possible."""
        while notices := self._late.outbox.first:
            announcement = Announcement(
                charge_permission_id=self._late.charge_permission_id,
                merchant_reference=self._late.merchant_reference,
                plan_id=self._late.plan_id,
                notices=notices,
                merchant_account=self._late.merchant_account,
                about=self._late.dispute_id,
            )
            try:
                await workflow.execute_local_activity_method(
                    NoticeActivities.announce,
                    announcement,
                    start_to_close_timeout=ANNOUNCE_TIMEOUT,
                    retry_policy=ANNOUNCE_RETRY,
                )
            except FailureError:
                await workflow.sleep(TELL_AGAIN_AFTER)
                continue
            handed_on = self._late.outbox.handed_on([notice.number for notice in notices])
            self._late = self._late.but(outbox=handed_on)
