"""A peer: a subscription as one would write it by Temporal's samples, which charges once a month and does no more.

It keeps its state in a model, sleeps until the next month or until it is canceled, makes the same signed call as a
subscription of ours, and answers a query. It knows no declines, no calendar, no search attributes and no notices: what
ours costs beyond it, is what those cost.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from benchmarks.peer_activities import ChargeOrder, Customer, PeerActivities, PeerStatus

MONTH: Final = timedelta(days=30)


@workflow.defn
class PeerWorkflow:
    """One subscriber, charged every month until somebody cancels."""

    @workflow.init
    def __init__(self, customer: Customer) -> None:
        self._status = PeerStatus(customer=customer)

    @workflow.run
    async def run(self, customer: Customer) -> PeerStatus:
        """Sleeps a month and charges, until it is canceled."""
        while not self._status.canceled:
            with suppress(TimeoutError):
                await workflow.wait_condition(lambda: self._status.canceled, timeout=MONTH)
            if not self._status.canceled:
                await self._charge(customer)
        return self._status

    async def _charge(self, customer: Customer) -> None:
        number = self._status.months_charged + 1
        receipt = await workflow.execute_activity_method(
            PeerActivities.charge,
            ChargeOrder(
                charge_permission_id=customer.charge_permission_id,
                amount=customer.amount,
                currency=customer.currency,
                merchant_reference=customer.merchant_reference,
                idempotency_key=f"{customer.charge_permission_id[-20:]}-{number}",
            ),
            start_to_close_timeout=timedelta(seconds=60),
        )
        self._status.months_charged = number
        self._status.last_charge_id = receipt.charge_id

    @workflow.signal
    def cancel(self) -> None:
        """Ends the subscription before its next charge."""
        self._status.canceled = True

    @workflow.query
    def status(self) -> PeerStatus:
        """How it stands now."""
        return self._status
