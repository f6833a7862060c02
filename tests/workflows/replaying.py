"""Replays the histories of subscriptions: as they were, and as if the zones' rules had changed since.

A replay does not notice changed durations, arguments or timeouts; the stories' own assertions do.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, time, timedelta
from typing import Final
from unittest.mock import patch
from zoneinfo import ZoneInfo

from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from perennial_billing.billing.calendar import first_valid_instant
from perennial_billing.billing.contract.contract import Contract
from perennial_billing.billing.zones import zone as rules_of
from perennial_billing.runtime.payloads import DATA_CONVERTER
from perennial_billing.worker.detached import DetachedRunner
from perennial_billing.workflows.ended import EndedSubscriptionWorkflow
from perennial_billing.workflows.subscription import SubscriptionWorkflow

OTHER_RULES: Final = (timedelta(hours=3), timedelta(hours=-7), timedelta(hours=11))
"""By how much all dates are moved: those that lie behind come out later, or earlier, than they were acted on."""

_USERS_OF_RULES: Final = (
    "perennial_billing.billing.calendar.first_valid_instant",
    "perennial_billing.billing.contract.schedule.first_valid_instant",
)
_DAYS: Final = "perennial_billing.billing.contract.contract.Contract._day_of"
_USERS_OF_THE_EDITION: Final = (
    "perennial_billing.billing.contract.contract.RULES",
    "perennial_billing.activities.notices.RULES",
)


@contextmanager
def other_rules(moved: timedelta) -> Iterator[None]:
    """As if a release had come with other rules, by which each wall time is another instant, and each instant lies in
    another day; and with their name."""

    def elsewhere(day: date, wall_time: time, zone: ZoneInfo) -> datetime:
        return first_valid_instant(day, wall_time, zone) + moved

    def another_day(contract: Contract, instant: datetime) -> date:
        return (instant + timedelta(days=1)).astimezone(rules_of(contract.terms.zone)).date()

    with ExitStack() as patched:
        patched.enter_context(patch(_DAYS, another_day))
        for name in _USERS_OF_RULES:
            patched.enter_context(patch(name, elsewhere))
        for name in _USERS_OF_THE_EDITION:
            patched.enter_context(patch(name, f"moved by {moved}"))
        yield


async def histories_of(client: Client, workflow_id: str) -> AsyncIterator[WorkflowHistory]:
    """The histories of every run of a subscription."""
    async for execution in client.list_workflows(f"WorkflowId = '{workflow_id}'"):
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        yield await handle.fetch_history()


def replayer(*, sandboxed: bool = False) -> Replayer:
    """Replays as workers run workflows, which is not in Temporal's sandbox; or in it, which refuses clocks and chance.

    One for many histories is cheapest, and the sandbox costs three times as much.
    """
    return Replayer(
        workflows=[SubscriptionWorkflow, EndedSubscriptionWorkflow],
        data_converter=DATA_CONVERTER,
        workflow_runner=SandboxedWorkflowRunner() if sandboxed else DetachedRunner(),
    )


async def replay_all(client: Client, workflow_id: str) -> int:
    """Replays every run of a subscription, as it was and under other rules; answers how many there were.

    Raises:
        Exception: the workflow made other commands than it had made.
    """
    histories = [history async for history in histories_of(client, workflow_id)]
    for history in histories:
        await replayer(sandboxed=True).replay_workflow(history)
        with other_rules(OTHER_RULES[0]):
            await replayer().replay_workflow(history)
    return len(histories)
