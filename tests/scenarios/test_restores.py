"""A database was restored to a copy that was made before, and subscriptions have forgotten what happened since.

Nobody is charged for what was paid, paused or given back in the time that is forgotten: the ledger knows of it, so
nothing is done before both agree, and `perennial recover` brings them together.
"""

import asyncio
from collections import Counter
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from amazon_pay_simulator.assumptions import Assumptions
from perennial_billing.billing.changes import (
    Cancel,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    SkipPeriod,
    UndoCancellation,
)
from perennial_billing.billing.keys import period_of_key
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.divergence import LEDGER_AHEAD
from perennial_billing.billing.requests import Asker
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.ledger.finding import timeline
from perennial_billing.ledger.rebuilding import rebuild
from perennial_billing.sandbox.house import TEMPORAL_FILE
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.starter.errors import RequestRefusedError
from perennial_billing.starter.recovery import Recovery
from perennial_billing.starter.troubles import Trouble
from perennial_billing.worker.books import FILE as LEDGER_FILE
from tests.scenarios.restoring import back_up, remove, set_back
from tests.scenarios.story import Story
from tests.starter.command_line import Said, joined_to, typed

FORGETS_DECLINES: Final = Assumptions(saves_declines=False)
"""Whether Amazon keeps a decline under its key, so that sending it again gives the same answer, nobody knows."""


def recovery(house: Stage) -> Recovery:
    return Recovery(
        house.client,
        ledger=lambda: nullcontext(house.ledger),
        asker=Asker(actor="ann", because="the database was restored"),
        task_queue=house.settings.task_queue,
    )


async def command(house: Stage, *arguments: str) -> Said:
    return await typed(*arguments, COLUMNS="400", **joined_to(house) | house.worker_environment())


async def captured(story: Story) -> Counter[int | None]:
    """How often each period was charged, by the books."""
    keys = {call.charge_id: call.idempotency_key for call in await story.calls()}
    return Counter(period_of_key(keys[charge.charge_id]) for charge in await story.charges())


def is_held(status: SubscriptionView) -> bool:
    return (status.status, status.last_reason, status.needs_attention, status.next) == (
        Status.ON_HOLD,
        LEDGER_AHEAD,
        True,
        None,
    )


FIRST: Final = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
"""When everybody's first charge falls due."""

NAMES: Final = ("paid", "declined", "paused", "refunded", "goes on", "dearer", "calm")


async def forget_a_month(folder: Path) -> dict[str, Story]:
    """Subscribers, and what happened to them since the copy that Temporal's database is set back to."""
    kept = folder / "kept.db"
    async with stage(folder=folder, assumptions=FORGETS_DECLINES) as house:
        begun = await asyncio.gather(*(Story.begin(house, first_charge_at=FIRST) for _ in NAMES))
        stories = dict(zip(NAMES, begun, strict=True))
        for story in begun[:-1]:
            await story.until_due(0)
        goes_on, declined = stories["goes on"], stories["declined"]
        await house.subscriptions.change(goes_on.charge_permission_id, Cancel(reason="moves away"))
        for story in begun:
            await story.quiet()
        back_up(folder / TEMPORAL_FILE, kept)

        await house.simulator.script(declined.charge_permission_id, ["SoftDeclined"])
        pause = PauseSubscription(until=FIRST + timedelta(days=45))
        await house.subscriptions.change(stories["paused"].charge_permission_id, pause)
        refund = RefundPeriod(period=0, amount=Money.parse("3.33 USD"), reference="spilt")
        await house.subscriptions.refund(stories["refunded"].charge_permission_id, refund)
        await house.subscriptions.change(goes_on.charge_permission_id, UndoCancellation())
        await house.subscriptions.change(stories["dearer"].charge_permission_id, ChangePlan(quantity=2))
        for story in (stories["paid"], declined, goes_on, stories["dearer"]):
            await story.until_due(1)
        await declined.after(timedelta(days=2))
        assert await captured(declined) == {0: 1, 1: 1}
        stories["late"] = await Story.begin(house, first_charge_at=FIRST)
        await stories["late"].until_due(0)
    set_back(folder / TEMPORAL_FILE, kept)
    return stories


async def test_nothing_is_done_on_what_was_forgotten_before_both_agree(tmp_path: Path) -> None:
    """With workers that were stopped before: everybody's next step finds that the ledger knows more."""
    forgotten = await forget_a_month(tmp_path)
    async with stage(folder=tmp_path, assumptions=FORGETS_DECLINES) as house:
        stories = {name: Story(house, story.terms) for name, story in forgotten.items()}
        with pytest.raises(RequestRefusedError, match="the ledger knows more of it"):
            await house.subscriptions.change(stories["paid"].charge_permission_id, SkipPeriod())
        for name in ("paid", "declined", "paused", "goes on", "dearer"):
            before = await captured(stories[name])
            assert is_held(await stories[name].until_due(1)), name
            assert await captured(stories[name]) == before, name
        assert await stories["goes on"].permission_state() == "Chargeable"

        one = stories["declined"].charge_permission_id
        looked = await command(house, "recover", one, "--dry-run", "--json")
        assert (looked.code, looked.data["troubles"]) == (0, [Trouble.LEDGER_AHEAD])
        assert is_held(await stories["declined"].status())
        done = await command(house, "recover", "--all", "--every", "--json")
        lost = await command(house, "recover", "--all", "--from-ledger", "--json")
        assert (done.code, lost.code) == (0, 0), done.err + lost.err

        stands = {name: await story.quiet() for name, story in stories.items()}
        assert {name: status.last_reason for name, status in stands.items()} == dict.fromkeys(stories)
        assert stands["paused"].pause is not None
        assert stands["goes on"].planned_end is None
        assert [(refund.reference, str(refund.amount)) for refund in stands["refunded"].refunds] == [
            ("spilt", "3.33 USD")
        ]
        assert stands["dearer"].agreed.quantity == 2
        for name, story in stories.items():
            await story.until_due(2)
            assert await captured(story) == ({0: 1, 2: 1} if name == "paused" else {0: 1, 1: 1, 2: 1}), name
            numbers = [entry.notice.number for entry in await timeline(house.ledger, story.charge_permission_id)]
            assert numbers == list(range(1, len(numbers) + 1)), name
        dearer = [str(charge.charge_amount.amount) for charge in await stories["dearer"].charges()]
        assert dearer == ["9.99", "19.98", "19.98"]


async def test_one_that_was_reset_to_before_a_change_sends_nothing_and_goes_on_with_what_the_ledger_has(
    house: Stage,
) -> None:
    """It would charge the old amount under keys that Amazon knows with the new one, and be held for ever."""
    story = await Story.begin(house, first_charge_at=FIRST)
    await story.until_due(0)
    before = [*(await story.handle.fetch_history()).events]
    await house.subscriptions.change(story.charge_permission_id, SkipPeriod())
    await house.subscriptions.change(story.charge_permission_id, ChangePlan(quantity=2))
    await story.until_due(2)
    described = await story.handle.describe()
    far_back = next(
        each for each in reversed(before) if each.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    )
    first_run = before[0].workflow_execution_started_event_attributes.original_execution_run_id
    request = ResetWorkflowExecutionRequest(
        namespace=house.client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=described.id, run_id=first_run),
        reason="a mistake",
        workflow_task_finish_event_id=far_back.event_id,
        request_id=f"reset-{described.run_id}",
        reset_reapply_exclude_types=[ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE],
    )
    await house.client.workflow_service.reset_workflow_execution(request)
    again = Story(house, story.terms)

    held = await again.until_due(1)
    assert is_held(held), held
    assert await captured(again) == {0: 1, 2: 1}
    assert (await command(house, "recover", again.charge_permission_id)).code == 0
    status = await again.until_due(3)

    assert (status.last_reason, status.agreed.quantity) == (None, 2)
    assert await captured(again) == {0: 1, 2: 1, 3: 1}
    assert [str(charge.charge_amount.amount) for charge in await again.charges()] == ["9.99", "19.98", "19.98"]


@pytest.mark.long  # in the suite: with workers stopped
async def test_what_workers_did_while_the_database_was_set_back_is_mended(tmp_path: Path) -> None:
    """They remember what the server does not know any more, and go on with it: such a history does not replay."""
    kept = tmp_path / "kept.db"
    async with stage(folder=tmp_path, assumptions=FORGETS_DECLINES) as house:
        stories = await asyncio.gather(*(Story.begin(house, first_charge_at=FIRST) for _ in range(4)))
        for story in stories:
            await story.until_due(0)
        back_up(tmp_path / TEMPORAL_FILE, kept)
        await house.simulator.script(stories[0].charge_permission_id, ["SoftDeclined"])
        for story in stories:
            await story.until_due(1)
        await stories[0].after(timedelta(days=2))

        await asyncio.gather(house.server.crash(away_seconds=2), _set_back_soon(tmp_path / TEMPORAL_FILE, kept))
        for story in stories:
            await house.client.get_workflow_handle(story.handle.id).signal("wake")
    async with stage(folder=tmp_path, assumptions=FORGETS_DECLINES) as house:
        stories = [Story(house, story.terms) for story in stories]
        looked = [await recovery(house).examine(story.charge_permission_id) for story in stories]
        assert all(each is not None and Trouble.LEDGER_AHEAD in each.troubles for each in looked)
        mended = await command(house, "recover", "--all", "--every", "--json")
        assert (mended.code, mended.data["done"]) == (0, 4), mended.err
        again = await command(house, "recover", "--all", "--every", "--json")
        assert (again.data["done"], again.data["already"]) == (0, 4)
        for story in stories:
            await story.until_due(2)
            assert await captured(story) == {0: 1, 1: 1, 2: 1}
            assert (await story.status()).last_reason is None


async def _set_back_soon(database: Path, kept: Path) -> None:
    await asyncio.sleep(1)
    set_back(database, kept)


async def test_what_a_ledger_has_lost_is_recorded_again_of_what_temporal_retains(tmp_path: Path) -> None:
    async with stage(folder=tmp_path) as house:
        story = await Story.begin(house, first_charge_at=FIRST)
        await story.until_due(0)
        back_up(tmp_path / LEDGER_FILE, tmp_path / "kept.db")
        await house.subscriptions.change(story.charge_permission_id, SkipPeriod())
        await story.until_due(2)
        whole = [entry.notice for entry in await timeline(house.ledger, story.charge_permission_id)]
    set_back(tmp_path / LEDGER_FILE, tmp_path / "kept.db")
    async with stage(folder=tmp_path) as house:
        story = Story(house, story.terms)
        lost = await timeline(house.ledger, story.charge_permission_id)
        await story.until_due(3)

        looked = await recovery(house).examine(story.charge_permission_id)
        assert looked is not None
        assert (looked.troubles, looked.missing) == ([Trouble.LEDGER_BEHIND], [*range(len(lost) + 1, len(whole) + 1)])
        await recovery(house).mend(story.charge_permission_id)

        assert await recovery(house).examine(story.charge_permission_id) is None
        entries = await timeline(house.ledger, story.charge_permission_id)
        known = {entry.notice.number: entry.notice for entry in entries}
        assert [known[notice.number] for notice in whole] == whole
        async for rebuilt in rebuild(house.ledger, writes=False):
            assert rebuilt.differences == []
        assert await captured(story) == {0: 1, 2: 1, 3: 1}


async def test_one_that_went_on_under_another_charge_permission_lacks_nothing(house: Stage) -> None:
    """Its numbers begin where those under the one before ended."""
    before = await Story.begin(house, first_charge_at=FIRST)
    await before.until_due(0)
    successor = (await house.simulator.open_permission()).charge_permission_id
    await house.subscriptions.replace_charge_permission(before.charge_permission_id, successor)
    await before.quiet()
    after = Story(house, before.terms.model_copy(update={"charge_permission_id": successor}))
    await after.quiet()

    numbers = [entry.notice.number for entry in await timeline(house.ledger, successor)]
    assert numbers
    assert numbers[0] > 1
    assert await recovery(house).examine(successor) is None


async def test_where_temporals_database_is_gone_all_go_on_from_the_ledger(tmp_path: Path) -> None:
    async with stage(folder=tmp_path) as house:
        begun = datetime.now(UTC) - timedelta(days=3)  # so nobody's clock is ahead of a server that is new
        owing = await Story.begin(house, first_charge_at=begun, script=["HardDeclined"])
        paid, over = [await Story.begin(house, first_charge_at=begun) for _ in range(2)]
        for story in (owing, paid, over):
            await story.quiet()
        await over.cancel()
        owed = (await owing.status()).owed
    remove(tmp_path / TEMPORAL_FILE)
    async with stage(folder=tmp_path) as house:
        owing, paid, over = (Story(house, story.terms) for story in (owing, paid, over))
        refused = await command(house, "recover", paid.charge_permission_id)
        looked = await command(house, "recover", "--all", "--from-ledger", "--dry-run", "--json")
        done = await command(house, "recover", "--all", "--from-ledger", "--json")
        again = await command(house, "recover", "--all", "--from-ledger", "--json")
        ended = await command(house, "recover", over.charge_permission_id, "--from-ledger")

        assert refused.code == 1
        assert f"`perennial recover {paid.charge_permission_id} --from-ledger` brings it back" in refused.err
        assert (looked.data["done"], done.data["done"], again.data["done"], ended.code) == (2, 2, 0, 1)
        assert (await owing.quiet()).owed == owed
        await owing.mend_card()
        for story in (owing, paid):
            await story.until_due(1)
            assert await captured(story) == {0: 1, 1: 1}
