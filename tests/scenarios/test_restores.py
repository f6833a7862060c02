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

from amazon_pay_simulator.assumptions import Assumptions
from perennial_billing.billing.changes import (
    Cancel,
    PauseSubscription,
    RefundPeriod,
    UndoCancellation,
)
from perennial_billing.billing.keys import period_of_key
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.divergence import LEDGER_AHEAD
from perennial_billing.billing.requests import Asker
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.ledger.finding import timeline
from perennial_billing.sandbox.house import TEMPORAL_FILE
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.starter.recovery import Recovery
from perennial_billing.starter.troubles import Trouble
from tests.scenarios.restoring import back_up, set_back
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

NAMES: Final = ("paid", "declined", "paused", "refunded", "goes on", "calm")


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
        for story in (stories["paid"], declined, goes_on):
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
        for name in ("paid", "declined", "paused", "goes on"):
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
        for name, story in stories.items():
            await story.until_due(2)
            assert await captured(story) == ({0: 1, 2: 1} if name == "paused" else {0: 1, 1: 1, 2: 1}), name
            numbers = [entry.notice.number for entry in await timeline(house.ledger, story.charge_permission_id)]
            assert numbers == list(range(1, len(numbers) + 1)), name
