"""Goes through the subscriptions, one after the other but several at once, and gathers what does not hold."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from temporalio.client import Client

from amazon_pay_client.errors import AmazonPayError
from perennial_billing.runtime.temporal import is_busy
from perennial_billing.starter.audit.case import Case
from perennial_billing.starter.audit.rules import findings
from perennial_billing.starter.audit.witness import Witness
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.errors import SubscriptionError
from perennial_billing.starter.listing import STORE_LAG
from perennial_billing.workflows.names import workflow_id

AT_ONCE: Final = 20

TimeOf = Callable[[str], Awaitable[datetime]]
"""Tells the time (UTC) of the subscription of a charge permission."""


async def real_time(_charge_permission_id: str) -> datetime:
    """The time of subscriptions that are not under test."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Audited:
    """One subscription that was looked at, and what does not hold; empty where all is well."""

    charge_permission_id: str
    findings: tuple[str, ...]


class Auditor:
    """Audits subscriptions.

    Args:
        client: of the Temporal server.
        subscriptions: where they are.
        witness: who says what really happened.
        time_of: what time it is for each; theirs may be virtual.
    """

    def __init__(
        self, client: Client, subscriptions: Subscriptions, witness: Witness, time_of: TimeOf = real_time
    ) -> None:
        self._client = client
        self._subscriptions = subscriptions
        self._witness = witness
        self._time_of = time_of
        self._places = asyncio.Semaphore(AT_ONCE)

    async def all(self, *, ended: bool = True) -> AsyncIterator[Audited]:
        """Audits every subscription, in the order in which they are done.

        Args:
            ended: also those that have ended, as far back as the namespace retains them.
        """
        lines = self._subscriptions.list(ended=ended, lag=STORE_LAG)
        identifiers = [listed.charge_permission_id async for listed in lines]
        for audited in asyncio.as_completed([self.one(identifier) for identifier in identifiers]):
            yield await audited

    async def one(self, charge_permission_id: str) -> Audited:
        """Audits one subscription; one that cannot be read is a finding, too."""
        async with self._places:
            try:
                found = findings(await self._case(charge_permission_id))
            except (SubscriptionError, AmazonPayError) as error:
                found = [f"cannot be audited: {error}"]
        return Audited(charge_permission_id, tuple(found))

    async def _case(self, charge_permission_id: str) -> Case:
        name = workflow_id(charge_permission_id)
        busy_before = await is_busy(self._client, name)
        subscription = await self._subscriptions.status(charge_permission_id)
        testimony = await self._witness.testify(subscription)
        return Case(
            subscription=subscription,
            now=await self._time_of(charge_permission_id),
            is_busy=busy_before or await is_busy(self._client, name),
            permission=testimony.permission,
            charges=testimony.charges,
            all_charges=testimony.all_charges,
        )
