"""What `healthy_period` measures by turns: subscriptions, peers and bare workflows, each with a worker in a process of
its own, on one stage.

They are moved through virtual time by the server alone: nobody asks a workflow anything, as an answer would be work of
the worker's.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from temporalio.client import WorkflowHandle

from benchmarks.bare_workflow import BareWorkflow
from benchmarks.measured_worker import MEMORY, PROCESSOR
from benchmarks.peer_activities import Customer
from benchmarks.peer_workflow import MONTH, PeerWorkflow
from benchmarks.processes import ask, python
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.runtime.temporal import is_busy
from perennial_billing.sandbox.stage import Stage
from perennial_billing.workflows.names import workflow_id

PRICE: Final = Money.parse("9.99 USD")
PLAN: Final = Plan.of("monthly", PRICE, Interval(unit=Unit.MONTH))
PAST_THE_DATE: Final = timedelta(minutes=1)
"""A skip to an exact timer returns before the workflow has reacted, so skips go past it."""

LOOK_EVERY_SECONDS: Final = 0.02
QUIET_LOOKS: Final = 2

Handle = WorkflowHandle[Any, Any]  # Any: only their histories are of interest


class Life(ABC):
    """One workflow, which is moved from period to period."""

    def __init__(self, house: Stage, handle: Handle) -> None:
        self.handle = handle
        self._house = house

    async def move(self) -> None:
        """Through the next period: until it was charged and the workflow sleeps again."""
        await self._house.server.time.fast_forward(self.handle, await self._until_due() + PAST_THE_DATE)
        await self.quiet()

    async def quiet(self) -> None:
        """Waits until no task of it is under way."""
        quiet = 0
        while quiet < QUIET_LOOKS:
            quiet = 0 if await is_busy(self._house.client, self.handle.id) else quiet + 1
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    @abstractmethod
    async def _until_due(self) -> timedelta:
        """How long until its next period falls due."""


class Contestant(ABC):
    """A kind of workflow, and its worker.

    Attributes:
        kind: whose worker it is, in the words of `measured_worker`.
    """

    kind: ClassVar[str]

    def __init__(self, house: Stage, worker: asyncio.subprocess.Process) -> None:
        self._house = house
        self._worker = worker

    @classmethod
    @asynccontextmanager
    async def on(cls, house: Stage, extra: Mapping[str, str]) -> AsyncIterator["Contestant"]:
        """Runs its worker while the context is open, with settings beside those of the stage."""
        environment = {**house.worker_environment(), **extra, **cls._queue()}
        async with python("-m", "benchmarks.measured_worker", cls.kind, environment=environment) as worker:
            yield cls(house, worker)

    @classmethod
    def _queue(cls) -> Mapping[str, str]:
        """Each has a task queue of its own."""
        return {"PERENNIAL_TASK_QUEUE": cls.kind}

    @abstractmethod
    async def begin(self) -> Life:
        """Starts one."""

    async def processor_seconds(self) -> float:
        """What its worker has used of all processors so far."""
        return float(await ask(self._worker, PROCESSOR))

    async def resident_bytes(self) -> int:
        """What its worker holds in memory."""
        return int(await ask(self._worker, MEMORY))


class Subscriptions(Contestant):
    """Ours."""

    kind = "subscription"

    @classmethod
    def _queue(cls) -> Mapping[str, str]:
        return {}  # the stage's, on which the stage starts subscriptions

    async def begin(self) -> Life:
        """A buyer approves, and the merchant starts the subscription."""
        permission = await self._house.simulator.open_permission()
        terms = Terms(
            charge_permission_id=permission.charge_permission_id,
            plan=PLAN,
            anchor=datetime.now(UTC) + timedelta(minutes=30),
            zone="Europe/Berlin",
            merchant_reference=f"order-{permission.charge_permission_id}",
        )
        await self._house.subscriptions.start(terms)
        return _Subscription(self._house, terms)


class Unrecorded(Subscriptions):
    """Ours without a ledger."""

    kind = "unrecorded"


class _Subscription(Life):
    def __init__(self, house: Stage, terms: Terms) -> None:
        super().__init__(house, house.client.get_workflow_handle(workflow_id(terms.charge_permission_id)))
        self._terms = terms
        self._next_period = 0

    async def _until_due(self) -> timedelta:
        due = self._terms.schedule.due(self._next_period)
        self._next_period += 1
        return due - await self._house.server.time.get_current_time(self.handle)


class Peers(Contestant):
    """As Temporal's samples have it."""

    kind = "peer"

    async def begin(self) -> Life:
        """A buyer approves as well."""
        permission = await self._house.simulator.open_permission()
        customer = Customer(
            charge_permission_id=permission.charge_permission_id,
            amount=PRICE.amount,
            currency=PRICE.currency,
            merchant_reference=f"order-{permission.charge_permission_id}",
        )
        identifier = f"peer-{permission.charge_permission_id}"
        handle = await self._house.client.start_workflow(
            PeerWorkflow.run, customer, id=identifier, task_queue=self.kind
        )
        return _Monthly(self._house, handle)


class Bares(Contestant):
    """The floor."""

    kind = "bare"

    def __init__(self, house: Stage, worker: asyncio.subprocess.Process) -> None:
        super().__init__(house, worker)
        self._begun = 0

    async def begin(self) -> Life:
        """Nothing is needed for it."""
        self._begun += 1
        handle = await self._house.client.start_workflow(
            BareWorkflow.run, id=f"bare-{self._begun}", task_queue=self.kind
        )
        return _Monthly(self._house, handle)


class _Monthly(Life):
    async def _until_due(self) -> timedelta:
        return MONTH
