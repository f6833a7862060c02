"""Whether a subscription stands past its date, by what its workflow knows and Temporal says of it."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Final, cast

import pytest
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingWorkflowTaskInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import WorkflowExecutionDescription

from perennial_billing.billing.parts.outbox import FULL_OUTBOX
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.subscription import Subscription
from perennial_billing.starter.troubles import STANDS_AFTER, stands_since
from tests.billing.support import terms

NOTHING: Final = DescribeWorkflowExecutionResponse()
A_CALL: Final = DescribeWorkflowExecutionResponse(pending_activities=[PendingActivityInfo(activity_id="5")])
A_TASK: Final = DescribeWorkflowExecutionResponse(pending_workflow_task=PendingWorkflowTaskInfo(attempt=1))


def due(ago: timedelta) -> Subscription:
    """One whose first date was so long ago, and nothing came of it."""
    return Subscription.begin(terms(f"{datetime.now(UTC) - ago:%Y-%m-%d %H:%M}"))


def said(raw: DescribeWorkflowExecutionResponse) -> WorkflowExecutionDescription:
    """What Temporal says of its workflow: of a description only its own message is looked at."""
    return cast("WorkflowExecutionDescription", SimpleNamespace(raw_description=raw))


@pytest.mark.parametrize(
    ("ago", "raw", "stands"),
    [
        (STANDS_AFTER * 2, NOTHING, True),
        (STANDS_AFTER / 2, NOTHING, False),
        (-timedelta(days=3), NOTHING, False),
        (STANDS_AFTER * 2, A_CALL, False),
        (STANDS_AFTER * 2, A_TASK, False),
    ],
    ids=["past", "a moment ago", "to come", "a call under way", "a task under way"],
)
def test_it_stands_where_its_date_is_past_and_nothing_is_under_way(
    ago: timedelta, raw: DescribeWorkflowExecutionResponse, *, stands: bool
) -> None:
    subscription = due(ago)

    found = stands_since(subscription, said(raw))

    assert found == (subscription.schedule.due(0) if stands else None)


def test_one_that_waits_until_its_notices_are_recorded_does_not_stand() -> None:
    """It begins nothing before, and a reset would change nothing about that."""
    subscription = due(STANDS_AFTER * 2)
    for _ in range(FULL_OUTBOX):
        outbox = subscription.outbox.telling(NoticeType.PERIOD_FREE, datetime.now(UTC))
        subscription = subscription.but(outbox=outbox)

    assert stands_since(subscription, said(NOTHING)) is None
