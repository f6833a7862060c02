"""A subscription whose workflow somebody terminated, or that failed: it is brought back, and nobody pays twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.faults import Fault
from perennial_billing.billing.requests import Asker
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from perennial_billing.ledger.finding import timeline
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.starter.errors import (
    SubscriptionConflictError,
    SubscriptionEndedError,
    SubscriptionNotFoundError,
)
from perennial_billing.starter.recovery import Recovery
from perennial_billing.starter.stopped import How, stopped
from perennial_billing.worker.wiring import amazon_pay_client, billing_workers
from perennial_billing.workflows.messages import NotificationSignal
from tests.scenarios.story import MONTHLY, Story

ASKER = Asker(actor="jane", because="terminated by mistake")


def recovery(house: Stage) -> Recovery:
    from contextlib import nullcontext

    return Recovery(house.client, ledger=lambda: nullcontext(house.ledger), asker=ASKER)


def in_days(days: float) -> datetime:
    return (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)


@asynccontextmanager
async def working(house: Stage) -> AsyncIterator[None]:
    """Workers, until it is left."""
    async with (
        amazon_pay_client(house.settings) as amazon_pay,
        billing_workers(house.client, amazon_pay, house.ledger, house.settings) as workers,
        workers.running(),
    ):
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def idle() -> AsyncIterator[Stage]:
    """A house whose workers come and go."""
    async with stage(with_worker=False) as house:
        yield house


async def numbers(house: Stage, story: Story) -> list[int]:
    return [entry.notice.number for entry in await timeline(house.ledger, story.charge_permission_id)]


async def test_one_terminated_between_two_dates_is_charged_on_the_next_and_the_ledger_has_no_gap(house: Stage) -> None:
    story = await Story.begin(house, first_charge_at=in_days(2))
    await story.until_due(0)
    await story.handle.terminate(reason="wrong window")

    found = await stopped(house.client.workflow_service, house.client.namespace, story.charge_permission_id)
    assert found is not None
    assert (found.how, found.why) == (How.TERMINATED, "wrong window")
    looked = await recovery(house).look(story.charge_permission_id)
    assert len(await story.charges()) == 1
    recovered = await recovery(house).recover(story.charge_permission_id)

    assert (looked.stood, looked.unheard, looked.fallen_due) == (recovered.stood, [], 0)
    assert (recovered.stood.status, recovered.stood.periods_paid, recovered.stood.next_period) == (Status.ACTIVE, 1, 1)
    await story.until_due(1)
    await story.assert_charged_at(story.terms.schedule.due(0), story.terms.schedule.due(1))
    told = [entry.notice for entry in await timeline(house.ledger, story.charge_permission_id)]
    assert [notice.number for notice in told] == [1, 2, 3, 4]
    assert [(notice.request, notice.actor, notice.because) for notice in told if notice.request] == [
        ("recover", "jane", "terminated by mistake")
    ]
    assert await stopped(house.client.workflow_service, house.client.namespace, story.charge_permission_id) is None
