"""Starting, showing and cancelling against a real server: whatever is repeated, nobody is billed twice.

A merchant's shop calls start again after every timeout and restart, so a repeated start is the ordinary case.
"""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import AddItem
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from perennial_billing.sandbox.subscriber import Subscriber
from perennial_billing.starter.client import Subscriptions, looking
from perennial_billing.starter.client.asking import MOST_LOST
from perennial_billing.starter.client.explaining import LOST
from perennial_billing.starter.errors import (
    NotAnsweredError,
    NoWorkerError,
    SubscriptionConflictError,
    SubscriptionEndedError,
    SubscriptionNotFoundError,
)
from perennial_billing.workflows.names import workflow_id
from tests.scenarios.story import Story
from tests.starter.agreements import PLAN, new_terms

NOBODY = "C01-0000000-0000000"

OTHER_TERMS: list[tuple[dict[str, Any], list[str]]] = [  # Any: fields of different types
    ({"plan": Plan.of("coffee", Money.parse("10.00 USD"), PLAN.regular.interval)}, ["plan"]),
    ({"plan": Plan.of("coffee", PLAN.regular.amount, Interval(unit=Unit.WEEK))}, ["plan"]),
    ({"plan": PLAN.model_copy(update={"plan_id": "tea"})}, ["plan"]),
    ({"zone": "Asia/Tokyo"}, ["zone"]),
    ({"merchant_reference": "another"}, ["merchant reference"]),
    ({"anchor": timedelta(hours=1)}, ["anchor"]),
    ({"plan": PLAN.model_copy(update={"plan_id": "tea"}), "anchor": timedelta(hours=1)}, ["plan", "anchor"]),
    ({"quantity": 2, "zone": "Asia/Tokyo"}, ["quantity", "zone"]),
]


def with_other(terms: Terms, changes: dict[str, Any]) -> Terms:  # Any: as above
    anchor = terms.anchor + changes.get("anchor", timedelta(0))
    return terms.model_copy(update=changes | {"anchor": anchor})


async def runs_of(house: Stage, terms: Terms) -> str:
    """The run that Temporal has under the subscription's id."""
    description = await house.client.get_workflow_handle(workflow_id(terms.charge_permission_id)).describe()
    assert description.run_id is not None
    return description.run_id


async def test_a_new_subscription_waits_for_its_anchor(house: Stage) -> None:
    terms = await new_terms(house)

    started = await house.subscriptions.start(terms)

    assert (started.workflow_id, started.already) == (f"subscription-{terms.charge_permission_id}", False)
    subscription = await house.subscriptions.status(terms.charge_permission_id)
    assert subscription.terms == terms
    assert subscription.next is not None
    assert subscription.next.at == terms.anchor


async def test_starting_again_with_the_same_terms_finds_the_running_one(house: Stage) -> None:
    terms = await new_terms(house)
    await house.subscriptions.start(terms)
    run = await runs_of(house, terms)

    again = await house.subscriptions.start(terms)

    assert again.already
    assert await runs_of(house, terms) == run


async def test_of_many_starts_at_once_one_starts_it(house: Stage) -> None:
    terms = await new_terms(house)

    started = await asyncio.gather(*(house.subscriptions.start(terms) for _ in range(6)))

    assert sorted(one.already for one in started) == [False, *[True] * 5]
    assert len({one.workflow_id for one in started}) == 1


@pytest.mark.parametrize(("changes", "named"), OTHER_TERMS, ids=[" and ".join(named) for _, named in OTHER_TERMS])
async def test_starting_again_with_other_terms_is_refused_and_changes_nothing(
    house: Stage, changes: dict[str, Any], named: list[str]
) -> None:
    terms = await new_terms(house)
    await house.subscriptions.start(terms)
    before = await Subscriber(house, terms).quiet()

    with pytest.raises(SubscriptionConflictError) as caught:
        await house.subscriptions.start(with_other(terms, changes))

    message = str(caught.value)
    differing, _, rest = message.partition("(")
    assert differing == (
        f"charge permission {terms.charge_permission_id} has a subscription with another {' and another '.join(named)} "
    )
    assert rest == f"its anchor is {terms.anchor.isoformat()}); it was not changed"
    assert await house.subscriptions.status(terms.charge_permission_id) == before


async def test_another_moment_is_the_same_subscription_where_the_anchor_only_meant_now(house: Stage) -> None:
    terms = await new_terms(house)
    await house.subscriptions.start(terms, anchor_was_given=False)
    later = with_other(terms, {"anchor": timedelta(minutes=5)})

    again = await house.subscriptions.start(later, anchor_was_given=False)

    assert again.already
    assert (await house.subscriptions.status(terms.charge_permission_id)).terms.anchor == terms.anchor
    with pytest.raises(SubscriptionConflictError, match=r"with another zone \(its anchor is"):
        await house.subscriptions.start(with_other(later, {"zone": "Asia/Tokyo"}), anchor_was_given=False)


async def test_a_subscription_that_was_continued_as_new_is_still_found_and_still_refuses_other_terms(
    house: Stage,
) -> None:
    story = await Story.begin(house)
    first_run = await runs_of(house, story.terms)
    status = await story.until_due(0)
    while await runs_of(house, story.terms) == first_run:
        status = await story.until_due(status.next_period)
        assert status.next_period < 20, "it never continued as new"

    assert (await house.subscriptions.start(story.terms)).already
    with pytest.raises(SubscriptionConflictError, match="anchor"):
        await house.subscriptions.start(with_other(story.terms, {"anchor": timedelta(hours=1)}))
    assert (await house.subscriptions.status(story.charge_permission_id)).next_period == status.next_period


async def test_starting_one_that_has_ended_is_refused_because_nothing_would_be_billed(house: Stage) -> None:
    story = await Story.begin(house)
    await story.cancel()
    run = await runs_of(house, story.terms)

    with pytest.raises(SubscriptionEndedError, match=story.charge_permission_id):
        await house.subscriptions.start(story.terms)

    assert await runs_of(house, story.terms) == run


async def test_a_subscription_is_canceled_once_and_afterwards_says_that_it_has_ended(house: Stage) -> None:
    story = await Story.begin(house)

    status = await story.cancel("moved away")

    assert (status.status, await story.permission_state()) == (Status.CANCELED, "Closed")
    with pytest.raises(SubscriptionEndedError, match=story.charge_permission_id):
        await house.subscriptions.cancel(story.charge_permission_id, "again")
    assert (await house.subscriptions.status(story.charge_permission_id)) == status, "an ended one is still shown"


async def test_what_nobody_started_can_neither_be_shown_nor_canceled(house: Stage) -> None:
    with pytest.raises(SubscriptionNotFoundError, match=NOBODY):
        await house.subscriptions.status(NOBODY)
    with pytest.raises(SubscriptionNotFoundError, match=NOBODY):
        await house.subscriptions.cancel(NOBODY, "over")


async def test_without_a_worker_it_starts_and_is_canceled_and_whoever_asks_is_told_why_nothing_answers(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "CALL_TIMEOUT", timedelta(seconds=0.5))
    terms = await new_terms(house)
    alone = Subscriptions(house.client, "where-no-worker-listens")

    started = await alone.start(terms, unchecked=True)

    assert not started.already
    with pytest.raises(NoWorkerError, match="perennial worker"):
        await alone.status(terms.charge_permission_id)
    await alone.cancel(terms.charge_permission_id, "over")


@pytest.mark.parametrize("lost", [1, MOST_LOST])
async def test_a_request_that_went_down_with_its_workflow_task_is_sent_again_and_carried_out_once(
    house: Stage, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    """A worker that is too slow loses its task to another; the server says that nobody looked at the request."""
    story = await Story.begin(house)
    send, left = WorkflowHandle.start_update, [True] * lost

    async def loses(*told: Any, **options: Any) -> Any:  # Any: of whatever request
        if left:
            left.pop()
            raise WorkflowUpdateFailedError(ApplicationError("it was not processed by worker", type=LOST))
        return await send(*told, **options)

    monkeypatch.setattr(WorkflowHandle, "start_update", loses)
    item = AddItem(amount=Money.parse("3.20 USD"), what="late parcel", credit=True)
    if lost == MOST_LOST:
        with pytest.raises(NotAnsweredError, match=r"no worker has answered yet.*parcel-7"):
            await house.subscriptions.change(story.charge_permission_id, item, request_id="parcel-7")

    await house.subscriptions.change(story.charge_permission_id, item, request_id="parcel-7")

    assert (await story.status()).credit == item.amount
