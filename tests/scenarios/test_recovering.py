"""A subscription whose workflow somebody terminated, or that failed: it is brought back, and nobody pays twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import delete
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.faults import Fault
from perennial_billing.billing.changes import ChangePlan, PauseSubscription
from perennial_billing.billing.keys import idempotency_key, period_of_key
from perennial_billing.billing.machine import ask
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.protocol.moment import Moment
from perennial_billing.billing.requests import Asker
from perennial_billing.billing.status import Status
from perennial_billing.ledger.entries import Told
from perennial_billing.ledger.finding import timeline
from perennial_billing.ledger.tables import states
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.sandbox.witness import BooksWitness
from perennial_billing.starter import remembering
from perennial_billing.starter.audit.auditor import Audited, Auditor
from perennial_billing.starter.audit.presence import Workflows
from perennial_billing.starter.errors import (
    SubscriptionConflictError,
    SubscriptionEndedError,
    SubscriptionError,
    SubscriptionNotFoundError,
)
from perennial_billing.starter.recovery import Recovery
from perennial_billing.starter.remembering import Remembered, Replayed
from perennial_billing.starter.stopped import How, Stopped, stopped
from perennial_billing.worker.wiring import amazon_pay_client, billing_workers
from perennial_billing.workflows.messages import NotificationSignal
from perennial_billing.workflows.names import AMAZON_PAY_NOTIFICATION, SUBSCRIPTION_WORKFLOW
from perennial_billing.workflows.subscription import SubscriptionWorkflow
from tests.scenarios.story import Story
from tests.starter.broken import changed, forget
from tests.starter.command_line import Said, joined_to, typed

ASKER = Asker(actor="jane", because="terminated by mistake")


def recovery(house: Stage) -> Recovery:
    return Recovery(
        house.client,
        ledger=lambda: nullcontext(house.ledger),
        task_queue=house.settings.task_queue,
        asker=ASKER,
    )


def in_days(days: float) -> datetime:
    return (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)


async def how_it_stopped(story: Story) -> Stopped | None:
    client = story.stage.client
    return await stopped(client.workflow_service, client.namespace, story.charge_permission_id)


async def audited(story: Story) -> Audited:
    house = story.stage

    async def time_of(_charge_permission_id: str) -> datetime:
        return await story.now()

    witness = BooksWitness(await house.simulator.books())
    workflows = Workflows(house.client, house.subscriptions)
    auditor = Auditor(house.ledger, workflows, witness=witness, time_of=time_of)
    return await auditor.one(story.charge_permission_id)


async def command(house: Stage, *arguments: str) -> Said:
    return await typed(*arguments, COLUMNS="400", **joined_to(house) | house.worker_environment())


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


async def test_one_terminated_between_two_dates_is_charged_on_the_next_and_the_ledger_has_no_gap(house: Stage) -> None:
    story = await Story.begin(house, first_charge_at=in_days(2))
    await story.until_due(0)
    await story.handle.terminate(reason="wrong window")

    found = await how_it_stopped(story)
    assert found is not None
    assert (found.how, found.why) == (How.TERMINATED, "wrong window")
    assert [finding.rule for finding in (await audited(story)).findings] == ["stopped"]
    looked = await recovery(house).look(story.charge_permission_id)
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
    assert await how_it_stopped(story) is None
    assert (await audited(story)).findings == ()


async def test_what_a_task_told_that_went_down_with_the_workflow_stands_in_the_ledger_and_counts(house: Stage) -> None:
    story = await Story.begin(house, first_charge_at=in_days(2))
    await story.until_due(0)
    state, terms = await story.handle.query(SubscriptionWorkflow.state), story.terms
    paused = ask(state, PauseSubscription(until=terms.schedule.due(1) + timedelta(days=9)), await story.now())
    told = Told(
        *(terms.charge_permission_id, terms.merchant_account, terms.merchant_reference, "monthly"),
        notices=paused.outbox.notices,
        state=paused.model_dump_json(),
    )
    await house.ledger.record(told)
    await story.handle.terminate()

    recovered = await recovery(house).recover(story.charge_permission_id)
    await story.until_due(1)

    assert (recovered.stood.pause, recovered.goes_on.pause is not None) == (None, True)
    await story.assert_charged_at(terms.schedule.due(0))
    numbers = [entry.notice.number for entry in await timeline(house.ledger, story.charge_permission_id)]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_task_that_was_lost_a_moment_ago_after_it_told_something_is_no_restore(house: Stage) -> None:
    """It is worked on again, and by then two requests may come in another order, or only one of them."""
    story = await Story.begin(house, first_charge_at=in_days(2))
    await story.until_due(0)
    state, terms = await story.handle.query(SubscriptionWorkflow.state), story.terms
    lost = ask(state, PauseSubscription(), await story.now())
    history = await story.handle.fetch_history()
    begun = history.events[0].workflow_execution_started_event_attributes
    told = Told(
        *(terms.charge_permission_id, terms.merchant_account, terms.merchant_reference, "monthly"),
        notices=lost.outbox.notices,
        state=lost.model_dump_json(),
        moment=Moment(run=begun.original_execution_run_id, length=len(history.events)),
    )
    await house.ledger.record(told)

    await house.subscriptions.change(story.charge_permission_id, ChangePlan(quantity=3))
    status = await story.until_due(1)

    assert (status.last_reason, status.pause) == (None, None)
    assert [str(charge.charge_amount.amount) for charge in await story.charges()] == ["9.99", "29.97"]


async def test_a_charge_in_flight_whose_answer_was_lost_is_one_charge_in_the_books(idle: Stage) -> None:
    lost = [ScriptedAnswer(fault=Fault.LOST_ANSWER)] * 100
    story = await Story.begin(idle, script=lost, first_charge_in=timedelta(0))
    async with working(idle):
        async with asyncio.timeout(20):
            while not await story.charges():
                await asyncio.sleep(0.05)
        await story.handle.terminate()
    await idle.simulator.script(story.charge_permission_id, [])

    recovered = await recovery(idle).recover(story.charge_permission_id)
    async with working(idle):
        status = await story.quiet()

    assert recovered.stood.owed is not None
    assert (recovered.stood.owed.period, recovered.stood.owed.attempts) == (0, 1)
    assert recovered.stood.owed.attempt_is_open
    [charge] = await story.charges()
    assert [(record.period, record.outcome, record.charge_id) for record in status.ledger] == [
        (0, PeriodOutcome.PAID, charge.charge_id)
    ]
    keys = {call.idempotency_key for call in await story.calls()}
    assert keys == {idempotency_key(story.charge_permission_id, 0, 1)}


async def test_one_past_due_goes_on_where_it_was_and_two_more_dates_are_caught_up(house: Stage) -> None:
    story = await Story.begin(house, script=["HardDeclined"], first_charge_at=in_days(-65))
    before = await story.quiet()
    assert (before.status, before.past_due) == (Status.AWAITING_PAYMENT_METHOD, True)
    await story.handle.terminate()

    recovered = await recovery(house).recover(story.charge_permission_id)
    assert recovered.fallen_due == 2
    again = await story.quiet()
    assert (again.status, again.owed) == (before.status, before.owed)
    await story.mend_card()
    await story.after(timedelta(days=4))

    status = await story.status()
    assert [(record.period, record.outcome) for record in status.ledger] == [
        (period, PeriodOutcome.PAID) for period in (0, 1, 2)
    ]
    assert len(await story.charges()) == 3


async def test_what_was_said_and_never_heard_is_taken_a_cancellation_above_all(idle: Stage) -> None:
    story = await Story.begin(idle, first_charge_at=in_days(2))
    async with working(idle):
        await story.until_due(0)
    about = NotificationSignal(notification_id="n-1", object_type="CHARGE", object_id="S01-1234567-7654321-C000001")
    await story.handle.signal(AMAZON_PAY_NOTIFICATION, about)
    await story.handle.signal("wake")
    await idle.subscriptions.cancel(story.charge_permission_id, "the customer asked")
    await story.handle.terminate()

    looked = await recovery(idle).look(story.charge_permission_id)
    recovered = await recovery(idle).recover(story.charge_permission_id)
    async with working(idle):
        status = await story.quiet()

    assert [(each.name, each.said is not None) for each in looked.unheard] == [
        (AMAZON_PAY_NOTIFICATION, True),
        ("wake", False),
        ("cancel", True),
    ]
    assert (recovered.stood.canceled_at, recovered.goes_on.canceled_at is not None) == (None, True)
    assert status.status is Status.CANCELED
    assert await story.permission_state() == "Closed"


async def test_one_that_no_worker_ever_saw_begins_as_it_was_started(idle: Stage) -> None:
    story = await Story.begin(idle, first_charge_at=in_days(3))
    await story.handle.terminate()

    recovered = await recovery(idle).recover(story.charge_permission_id)
    async with working(idle):
        await story.until_due(0)

    assert (recovered.stood.next_period, recovered.stood.notices_told) == (0, 0)
    await story.assert_charged_at(story.terms.schedule.due(0))


async def test_one_that_was_terminated_twice_is_brought_back_twice(house: Stage) -> None:
    story = await Story.begin(house, first_charge_at=in_days(2))
    for period in range(3):
        await story.until_due(period)
        if period < 2:
            await story.handle.terminate()
            await recovery(house).recover(story.charge_permission_id)

    await story.assert_charged_at(*(story.terms.schedule.due(period) for period in range(3)))
    told = [entry.notice.number for entry in await timeline(house.ledger, story.charge_permission_id)]
    assert told == list(range(1, len(told) + 1))


@workflow.defn(name=SUBSCRIPTION_WORKFLOW)
class Broken:
    """A release with a fault."""

    @workflow.run
    async def run(self, subscription: dict[str, object]) -> None:
        raise ApplicationError("no such column", non_retryable=True)


async def test_one_that_failed_goes_on_before_the_task_at_which_it_did(idle: Stage) -> None:
    story = await Story.begin(idle, first_charge_at=in_days(2))
    broken = Worker(
        idle.client,
        task_queue=idle.settings.task_queue,
        workflows=[Broken],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with broken, asyncio.timeout(20):
        while await how_it_stopped(story) is None:
            await asyncio.sleep(0.05)

    found = await how_it_stopped(story)
    assert found is not None
    assert (found.how, found.why) == (How.FAILED, "no such column")
    await recovery(idle).recover(story.charge_permission_id)
    async with working(idle):
        await story.until_due(0)
    await story.assert_charged_at(story.terms.schedule.due(0))


async def test_what_runs_and_what_has_ended_is_refused_in_words(house: Stage) -> None:
    runs, canceled = [await Story.begin(house, first_charge_at=in_days(2)) for _ in range(2)]
    await canceled.cancel()

    with pytest.raises(SubscriptionConflictError, match="its subscription runs, so there is nothing to bring back"):
        await recovery(house).recover(runs.charge_permission_id)
    with pytest.raises(SubscriptionEndedError, match="has ended by itself, and is not brought back"):
        await recovery(house).recover(canceled.charge_permission_id)
    with pytest.raises(SubscriptionNotFoundError, match="neither Temporal nor the ledger knows a subscription"):
        await recovery(house).recover("C01-0000000-0000000")


async def test_two_who_recover_the_same_at_once_start_one_run(house: Stage) -> None:
    story = await Story.begin(house, first_charge_at=in_days(2))
    await story.quiet()
    await story.handle.terminate()

    both = await asyncio.gather(
        *(recovery(house).recover(story.charge_permission_id) for _ in range(2)), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in both) == ["Recoverable", "SubscriptionConflictError"]


async def test_the_command_previews_one_brings_all_back_and_finds_none_the_second_time(idle: Stage) -> None:
    async with working(idle):
        stories = [await Story.begin(idle, first_charge_at=in_days(2)) for _ in range(3)]
        for story in stories:
            await story.quiet()
        healthy, *others = stories
        for story in others:
            await story.handle.terminate(reason="a script gone wrong")
        one = others[0].charge_permission_id
        start = ("start", one, "--amount", "9.99 USD", "--every", "month", "--plan-id", "monthly")

        shown = await command(idle, "show", one)
        listed = await command(idle, "list", "--json")
        live = await command(idle, "list", "--live", "--json")
        started = await command(idle, *start)
        preview = await command(idle, "recover", one, "--dry-run", "--json")
        wrong = await command(idle, "recover")
        runs = await command(idle, "recover", healthy.charge_permission_id)
        only_look = await command(idle, "recover", "--all", "--dry-run", "--json")
        all_ = await command(idle, "recover", "--all", "--reason", "a script gone wrong", "--json")
        again = await command(idle, "recover", "--all", "--json")
        for story in stories:
            await story.until_due(0)

    assert "Stopped: its workflow was terminated" in shown.out
    assert f"`perennial recover {one}` brings it back" in shown.out
    for said in (listed, live):
        assert {each["charge_permission_id"] for each in said.data if each["stopped"] == "terminated"} == {
            each.charge_permission_id for each in others
        }
    assert started.code == 1
    assert f"`perennial recover {one}` brings it back" in started.err
    assert (preview.code, preview.data["recovered"], preview.data["stopped"]["why"]) == (
        0,
        False,
        "a script gone wrong",
    )
    assert [said.code for said in (wrong, runs)] == [2, 0]
    assert "runs, and nothing is amiss with it" in runs.out
    assert only_look.data["done"] == all_.data["done"] == 2
    assert again.data == {"done": 0, "already": 0, "refused": 0, "refusals": []}
    for story in stories:
        assert len(await story.charges()) == 1


@pytest.mark.long
async def test_what_temporal_has_forgotten_goes_on_as_a_new_life_under_keys_of_its_own(house: Stage) -> None:
    """Else Amazon would answer the old keys with the old charges, and periods were told as paid for no money."""
    story = await Story.begin(house, first_charge_at=in_days(2))
    await story.until_due(0)
    await story.handle.terminate()
    await forget(house, story)
    [first] = await story.charges()
    due = story.terms.schedule.due(1)
    with pytest.raises(SubscriptionNotFoundError, match="--from-ledger` brings it back"):
        await recovery(house).recover(story.charge_permission_id)
    # As where an older release has written the ledger, which kept no state.
    await changed(house, delete(states).where(states.c.charge_permission_id == story.charge_permission_id))

    with pytest.raises(SubscriptionNotFoundError, match=r"period 0, due .*, was paid last") as refused:
        await recovery(house).recover(story.charge_permission_id)
    assert f"--anchor {due:%Y-%m-%dT%H:%M:%SZ}" in str(refused.value)
    assert "--amount '9.99 USD' --every '1 month' --plan-id monthly" in str(refused.value)
    assert str(refused.value).endswith("--new-life`")
    terms = story.terms.model_copy(update={"anchor": due})
    with pytest.raises(SubscriptionConflictError, match="a subscription has lived under it, and has not ended"):
        await house.subscriptions.start(terms)

    await house.subscriptions.start(terms, new_life=True)
    second = Story(house, terms)
    assert (await house.subscriptions.start(terms)).already
    await second.until_due(0)

    charges = await second.charges()
    assert [str(charge.charge_amount.amount) for charge in charges] == ["9.99", "9.99"]
    status = await second.status()
    assert [(record.period, record.charge_id) for record in status.ledger] == [(0, charges[1].charge_id)]
    assert charges[0].charge_id == first.charge_id
    keys = [call.idempotency_key for call in await second.calls()]
    assert [period_of_key(key) for key in keys] == [0, 0]
    assert keys[0] == idempotency_key(story.charge_permission_id, 0, 1)
    assert keys[1] == idempotency_key(story.charge_permission_id, 0, 1, 2)
    told = [entry.notice.number for entry in await timeline(house.ledger, story.charge_permission_id)]
    assert told == list(range(1, len(told) + 1))
    assert (await audited(second)).findings == ()


async def test_one_whose_successor_runs_already_ends_and_is_not_billed_beside_it(house: Stage) -> None:
    """It was ended after it had started its successor, and before it could hear of that."""
    story = await Story.begin(house, first_charge_at=in_days(2))
    await story.until_due(0)
    successor = (await house.simulator.open_permission()).charge_permission_id
    await house.subscriptions.replace_charge_permission(story.charge_permission_id, successor)
    await story.quiet()
    history = await story.handle.fetch_history()
    begun = next(
        at
        for at, event in enumerate(history.events)
        if event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
    )
    read = await remembering.replayed(house.client, WorkflowHistory(story.handle.id, history.events[: begun + 1]))
    state = read.subscription
    assert state is not None, read.why
    found = Stopped(story.charge_permission_id, "a-run", How.TERMINATED, datetime.now(UTC))

    goes_on = await recovery(house).going_on(found, Remembered(state, [], house.settings.task_queue))

    assert state.status is Status.ACTIVE
    assert (goes_on.lifecycle.goes_on_under, goes_on.collection) == (successor, None)
    assert goes_on.status in {Status.ENDING, Status.REPLACED}


async def test_what_this_release_cannot_replay_is_asked_of_the_workers_that_ran_it(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = await Story.begin(house, first_charge_at=in_days(2))
    await story.until_due(0)
    await story.handle.terminate()

    async def cannot(*_: object) -> Replayed:
        return Replayed(None, why="Nondeterminism error")

    monkeypatch.setattr(remembering, "replayed", cannot)
    recovered = await recovery(house).recover(story.charge_permission_id)

    assert (recovered.stood.periods_paid, recovered.stood.next_period) == (1, 1)
    await story.until_due(1)
    assert len(await story.charges()) == 2


async def test_where_neither_this_release_nor_a_worker_can_tell_it_is_said_so(
    idle: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = await Story.begin(idle, first_charge_at=in_days(2))
    async with working(idle):
        await story.quiet()
    await story.handle.terminate()

    async def cannot(*_: object) -> Replayed:
        return Replayed(None, why="Nondeterminism error")

    monkeypatch.setattr(remembering, "replayed", cannot)
    monkeypatch.setattr(remembering, "CALL_TIMEOUT", timedelta(seconds=1))
    with pytest.raises(SubscriptionError, match=r"cannot replay .* \(Nondeterminism error\), and no worker"):
        await recovery(idle).recover(story.charge_permission_id)
    assert await how_it_stopped(story) is not None
